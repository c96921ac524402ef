/* path.h - document paths: where in an item something is, like `a.b[2]`. Pure. */
#ifndef AZLAB_DYNAMODB_PATH_H
#define AZLAB_DYNAMODB_PATH_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A list of steps; the first one is an attribute of the item. */
struct path {
	const char *name; /* of the attribute or the map's member; NULL: a list's member */
	size_t name_len;  /* the name is not ended by '\0' */
	size_t index;     /* of the list's member */
	struct path *next;
};

/* The value at the path, borrowed; NULL if there is none. */
json_t *path_get(const struct path *p, const json_t *item);
/* Puts the value (borrowed) at the path; beyond a list's end it is appended. -ENOENT if what should hold it
 * is not there. */
int path_set(const struct path *p, json_t *item, json_t *value);
/* Takes away what is at the path, if anything is. -ENOENT as above. */
int path_remove(const struct path *p, json_t *item);
/* Is one the other's beginning, or the same? */
bool path_overlaps(const struct path *a, const struct path *b);
/* "[a, b, [2]]", as messages have it; cut to the buffer. */
void path_print(const struct path *p, char *buf, size_t size);
/* A new item with what is at the paths, and nothing else. */
json_t *path_project(struct path *const *paths, size_t n, const json_t *item);
#endif
