#include "dynamodb/path.h"
#include "common/cleanup.h"
#include "dynamodb/value.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The members of a map, or of a list, whichever the step needs; NULL if the value is not that. */
static json_t *members_for(const struct path *step, const json_t *value)
{
	if (value_type(value) != (step->name ? VALUE_M : VALUE_L)) return NULL;
	return value_inner(value);
}

static json_t *member(const struct path *step, const json_t *members)
{
	if (step->name) return json_object_getn(members, step->name, step->name_len);
	return json_array_get(members, step->index);
}

/* What the last step is taken in: the item itself, or the members of a value. */
static json_t *holder_of(const struct path *p, json_t *item, const struct path **ret_last)
{
	json_t *members = item;

	for (; p->next && members; p = p->next) {
		json_t *value = member(p, members);
		members = value ? members_for(p->next, value) : NULL;
	}
	*ret_last = p;
	return members;
}

json_t *path_get(const struct path *p, const json_t *item)
{
	const struct path *last;
	json_t *members = holder_of(p, (json_t *)item, &last);

	return members ? member(last, members) : NULL;
}

int path_set(const struct path *p, json_t *item, json_t *value)
{
	const struct path *last;
	json_t *members = holder_of(p, item, &last);

	if (!members) return -ENOENT;
	if (last->name) return json_object_setn(members, last->name, last->name_len, value) < 0 ? -ENOMEM : 0;
	if (last->index < json_array_size(members)) return json_array_set(members, last->index, value);
	return json_array_append(members, value) < 0 ? -ENOMEM : 0;
}

int path_remove(const struct path *p, json_t *item)
{
	const struct path *last;
	json_t *members = holder_of(p, item, &last);

	if (!members) return -ENOENT;
	if (last->name)
		json_object_deln(members, last->name, last->name_len);
	else
		json_array_remove(members, last->index);
	return 0;
}

static bool same_step(const struct path *a, const struct path *b)
{
	if (!a->name || !b->name) return !a->name && !b->name && a->index == b->index;
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

bool path_overlaps(const struct path *a, const struct path *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (!same_step(a, b)) return false;
	return true;
}

void path_print(const struct path *p, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "[");

	for (const char *comma = ""; p && used < size; p = p->next, comma = ", ") {
		int n = p->name
		            ? snprintf(buf + used, size - used, "%s%.*s", comma, (int)p->name_len, p->name)
		            : snprintf(buf + used, size - used, "%s[%zu]", comma, p->index);
		used += (size_t)n;
	}
	if (used < size) snprintf(buf + used, size - used, "]");
}

/* --- projection -------------------------------------------------------------------------------------- */

static json_t *project(struct path *const *steps, size_t n, json_t *value);

/* Of the paths, those which begin with this step, each without it. */
static size_t select_paths(struct path *const *steps, size_t n, const struct path *step, struct path **ret)
{
	size_t chosen = 0;

	for (size_t i = 0; i < n; i++)
		if (same_step(steps[i], step)) ret[chosen++] = steps[i]->next;
	return chosen;
}

static json_t *project_object(struct path *const *steps, size_t n, const json_t *object)
{
	cleanup_free struct path **below = calloc(n, sizeof(*below));
	json_t *result = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)object, name, value) {
		struct path step = { .name = name, .name_len = strlen(name) };
		size_t chosen = below ? select_paths(steps, n, &step, below) : 0;
		json_t *part = chosen ? project(below, chosen, value) : NULL;
		if (part) json_object_set_new(result, name, part);
	}
	return result;
}

static json_t *project_array(struct path *const *steps, size_t n, const json_t *array)
{
	cleanup_free struct path **below = calloc(n, sizeof(*below));
	json_t *result = json_array();

	for (size_t i = 0; i < json_array_size(array); i++) {
		struct path step = { .index = i };
		size_t chosen = below ? select_paths(steps, n, &step, below) : 0;
		json_t *part = chosen ? project(below, chosen, json_array_get(array, i)) : NULL;
		if (part) json_array_append_new(result, part);
	}
	return result;
}

/* A new value with what is at the paths, the value itself where one of them ends; NULL if there is nothing.
 */
static json_t *project(struct path *const *steps, size_t n, json_t *value)
{
	enum value_type type = value_type(value);
	json_t *members = NULL;

	for (size_t i = 0; i < n; i++)
		if (!steps[i]) return json_incref(value);
	if (type == VALUE_M) members = project_object(steps, n, value_inner(value));
	if (type == VALUE_L) members = project_array(steps, n, value_inner(value));
	if (members && json_object_size(members) + json_array_size(members) > 0)
		return json_pack("{s:o}", value_type_name(type), members);
	json_decref(members);
	return NULL;
}

json_t *path_project(struct path *const *paths, size_t n, const json_t *item)
{
	return project_object(paths, n, item);
}
