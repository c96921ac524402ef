/* Paths into the YAML tree: "services.shop.targets.queue", list elements by number. */
#include "orchestrator/topology/topology_yaml.h"
#include <ctype.h>
#include <errno.h>

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (map->kind != YAML_MAP) return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (!strcmp(map->items[2 * i]->text, key)) return map->items[2 * i + 1];
	}
	return NULL;
}

/* Where a step of a path leads: to an element or a pair's value; NULL if it leads nowhere. */
static struct yaml_node **step_of(const struct yaml_node *n, const char *step)
{
	if (n->kind == YAML_MAP) {
		for (size_t i = 0; i < n->n; i++) {
			if (!strcmp(n->items[2 * i]->text, step)) return &n->items[2 * i + 1];
		}
	} else if (n->kind == YAML_LIST && isdigit((unsigned char)*step)) {
		char *end;
		unsigned long index = strtoul(step, &end, 10);
		if (!*end && index < n->n) return &n->items[index];
	}
	return NULL;
}

/* Cuts the first step off a path, in place. */
static char *cut_step(char **path)
{
	char *step = *path, *dot = strchr(step, '.');
	if (dot) *dot = 0;
	*path = dot ? dot + 1 : NULL;
	return step;
}

const struct yaml_node *yaml_nearest(const struct yaml_node *root, const char *path)
{
	char copy[512], *rest = copy;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) return root;
	while (rest) {
		struct yaml_node **next = step_of(root, cut_step(&rest));
		if (!next) break;
		root = *next;
	}
	return root;
}

static struct yaml_node *add_pair(const struct yaml *y, struct yaml_node *map, const char *key,
                                  const char *set)
{
	struct yaml_node **items = arena_alloc(y->arena, 2 * map->n + 2, sizeof(struct yaml_node *));
	struct yaml_node *nodes = arena_alloc(y->arena, 2, sizeof(*nodes));

	if (map->n) memcpy(items, map->items, 2 * map->n * sizeof(struct yaml_node *));
	nodes[0] = (struct yaml_node){ .kind = YAML_SCALAR, .text = key, .set = set };
	nodes[1] = (struct yaml_node){ .kind = YAML_NULL, .set = set };
	items[2 * map->n] = &nodes[0];
	items[2 * map->n + 1] = &nodes[1];
	map->items = items;
	map->n++;
	return &nodes[1];
}

/* Goes one step down, making the map or the key that is missing. */
static int descend(const struct yaml *y, struct yaml_node **at, const char *step, const char *set)
{
	struct yaml_node **next, from_set = { .set = set };
	char buf[80];

	if (!*step) return yaml_fail(y, &from_set, "expected PATH=VALUE, such as clients.0.rate=288/s");
	if ((*at)->kind == YAML_NULL) {
		(*at)->kind = YAML_MAP;
		(*at)->set = set;
	}
	if ((next = step_of(*at, step))) {
		*at = *next;
		return 0;
	}
	if ((*at)->kind == YAML_LIST) {
		return yaml_fail(y, &from_set, "no element '%s' in a list of %zu (the first is 0)", step,
		                 (*at)->n);
	}
	if ((*at)->kind != YAML_MAP) {
		return yaml_fail(y, &from_set, "'%s' lies below %s, which is no map", step,
		                 yaml_describe(*at, buf, sizeof(buf)));
	}
	*at = add_pair(y, *at, step, set);
	return 0;
}

int yaml_set(const struct yaml *y, struct yaml_node *root, const char *set)
{
	const char *equals = strchr(set, '=');
	struct yaml_node from_set = { .set = set }, *value;
	int r;

	if (!equals || equals == set) {
		return yaml_fail(y, &from_set, "expected PATH=VALUE, such as clients.0.rate=288/s");
	}
	if ((r = yaml_parse_value(y, set, equals + 1, &value)) < 0) return r;
	char *rest = arena_text(y->arena, set, (size_t)(equals - set));
	while (rest) {
		if ((r = descend(y, &root, cut_step(&rest), set)) < 0) return r;
	}
	*root = *value; /* keeps its place in the tree; the value's own place is the set */
	return 0;
}
