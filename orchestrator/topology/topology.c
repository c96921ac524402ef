#include "orchestrator/topology/topology_schema.h"
#include "common/cleanup.h"
#include <errno.h>

/* A topology with all that hangs on it: its text and settings too, from which topology_with() makes the next.
 */
struct topology_whole {
	struct topology topology;
	struct arena arena;
	const char *text;
	size_t len, n_sets;
	const char **sets;
};

static struct topology_whole *whole_of(const struct topology *t)
{
	return t->document;
}

void topology_free(struct topology *t)
{
	if (!t) return;
	struct topology_whole *w = whole_of(t);
	arena_release(&w->arena);
	free(w);
}

static struct topology_whole *new_whole(const char *file, const char *text, size_t len,
                                        const char *const *sets, size_t n)
{
	struct topology_whole *w = calloc(1, sizeof(*w));

	if (!w) return NULL;
	w->topology.document = w;
	w->topology.file = arena_text(&w->arena, file, strlen(file));
	w->text = arena_text(&w->arena, text, len);
	w->len = len;
	w->n_sets = n;
	w->sets = arena_alloc(&w->arena, n + 1, sizeof(*w->sets));
	for (size_t i = 0; i < n; i++)
		w->sets[i] = arena_text(&w->arena, sets[i], strlen(sets[i]));
	return w;
}

/* Defaults that depend on other values. */
static void complete(struct topology *t, struct arena *arena)
{
	for (size_t i = 0; i < t->n_services; i++) {
		struct service_config *s = &t->services[i];
		char name[64];
		if (s->dns_name) continue;
		int len = snprintf(name, sizeof(name), "%s.lab", s->name);
		s->dns_name = arena_text(arena, name, (size_t)len);
	}
	for (size_t i = 0; i < t->n_clients; i++) {
		if (!t->clients[i].to) t->clients[i].to = t->services[0].name;
	}
	for (size_t i = 0; i < t->n_services && t->has_ec2 && !t->ec2.dynamodb; i++)
		if (t->services[i].targets.program == PROGRAM_DYNAMODB) t->ec2.dynamodb = t->services[i].name;
}

static int read_whole(struct topology_whole *w, bool actions, char **warnings, struct topology_error *error)
{
	const struct yaml y = { .file = w->topology.file, .arena = &w->arena, .error = error };
	struct yaml_node *root;
	int r = yaml_parse(&y, w->text, w->len, &root);

	for (size_t i = 0; r == 0 && i < w->n_sets; i++)
		r = yaml_set(&y, root, w->sets[i]);
	if (r == 0) r = schema_read(&y, &topology_schema, root, &w->topology);
	if (r < 0) return r;
	complete(&w->topology, &w->arena);
	r = topology_check(&y, root, &w->topology, warnings);
	return r == 0 && actions ? topology_check_actions(&y, root, &w->topology) : r;
}

static int read_file(const char *file, char **ret, size_t *ret_len, struct topology_error *error)
{
	cleanup_fclose FILE *in = fopen(file, "re");
	cleanup_free char *text =
	    malloc(YAML_BYTES_MAX + 1); /* one more than allowed, to see that it is too much */
	int r = in && text ? 0 : -errno;

	if (r == 0) {
		*ret_len = fread(text, 1, YAML_BYTES_MAX + 1, in);
		if (ferror(in)) r = errno ? -errno : -EIO;
	}
	if (r < 0) {
		snprintf(error->text, sizeof(error->text), "cannot read '%s': %s", file, strerror(-r));
		return r;
	}
	*ret = take_ptr(text);
	return 0;
}

static int load(struct topology_whole *w, bool actions, struct topology **ret, char **warnings,
                struct topology_error *error)
{
	int r = w ? read_whole(w, actions, warnings, error) : -ENOMEM;

	if (!w) snprintf(error->text, sizeof(error->text), "out of memory");
	if (r < 0 && w) {
		topology_free(&w->topology);
	} else if (r == 0) {
		*ret = &w->topology;
	}
	return r;
}

int topology_load(const char *file, const char *const *sets, size_t n, struct topology **ret, char **warnings,
                  struct topology_error *error)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = read_file(file, &text, &len, error);

	return r < 0 ? r : load(new_whole(file, text, len, sets, n), true, ret, warnings, error);
}

static int reload(const struct topology *t, const char *const *more, size_t n, bool actions,
                  struct topology **ret, struct topology_error *error)
{
	const struct topology_whole *w = whole_of(t);
	cleanup_free const char **sets = calloc(w->n_sets + n + 1, sizeof(*sets));

	if (!sets) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < w->n_sets; i++)
		sets[i] = w->sets[i];
	for (size_t i = 0; i < n; i++)
		sets[w->n_sets + i] = more[i];
	return load(new_whole(t->file, w->text, w->len, sets, w->n_sets + n), actions, ret, NULL, error);
}

int topology_with(const struct topology *t, const char *set, struct topology **ret,
                  struct topology_error *error)
{
	return reload(t, &set, 1, true, ret, error);
}

int topology_with_all(const struct topology *t, const char *const *sets, size_t n, struct topology **ret,
                      struct topology_error *error)
{
	return reload(t, sets, n, true, ret, error);
}

int topology_try(const struct topology *t, const char *const *sets, size_t n, struct topology_error *error)
{
	struct topology *changed = NULL;
	int r = reload(t, sets, n, false, &changed, error);

	topology_free(changed);
	return r;
}

int topology_print(const struct topology *t, FILE *out)
{
	struct printer p = { .out = out };

	schema_print(&p, &topology_schema, t);
	return ferror(out) ? -EIO : 0;
}

int topology_zone(const struct topology *t, const char *name)
{
	for (size_t i = 0; i < t->n_zones; i++) {
		if (!strcmp(t->zones[i], name)) return (int)i;
	}
	return -ENOENT;
}

int topology_service(const struct topology *t, const char *name)
{
	for (size_t i = 0; i < t->n_services; i++) {
		if (!strcmp(t->services[i].name, name)) return (int)i;
	}
	return -ENOENT;
}

int topology_fault(const struct topology *t, const char *name)
{
	for (size_t i = 0; i < t->n_faults; i++) {
		if (!strcmp(t->faults[i].name, name)) return (int)i;
	}
	return -ENOENT;
}

bool topology_automated(const struct topology *t, size_t service)
{
	return t->has_dns_automation && !strcmp(t->services[service].name, t->dns_automation.service);
}
