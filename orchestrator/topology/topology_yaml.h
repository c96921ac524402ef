/* topology_yaml.h - YAML text as a tree that remembers where each value stands, and PATH=VALUE on top.
 *
 * The tree is built from libfyaml's event stream, not from its documents: fy_document checks each new key
 * of a map against all earlier ones, which took 7 minutes for a map of 60,000 keys (0.7.12); the events of
 * the same text take 40 ms. Anchors, aliases, tags and nesting beyond YAML_DEPTH_MAX are refused, so that
 * no small file can grow.
 *
 * Ownership: nodes and texts live in the arena. Errors are -EINVAL with y->error filled in. */
#ifndef AZLAB_TOPOLOGY_YAML_H
#define AZLAB_TOPOLOGY_YAML_H
#include "orchestrator/topology/arena.h"
#include "orchestrator/topology/topology.h"

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 32 };

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };
struct yaml_node {
	enum yaml_kind kind;
	const char *text;         /* scalars */
	int line, column;         /* from 1 */
	const char *set;          /* the PATH=VALUE that it comes from, or NULL: the file */
	size_t n;                 /* elements, or pairs */
	struct yaml_node **items; /* of a map: key, value, key, value, ... */
};

/* What all reading needs. */
struct yaml {
	const char *file;
	struct arena *arena;
	struct topology_error *error;
};

int yaml_parse(const struct yaml *y, const char *text, size_t len, struct yaml_node **ret);
/* The VALUE of a PATH=VALUE, whose text names the place in errors. */
int yaml_parse_value(const struct yaml *y, const char *set, const char *text, struct yaml_node **ret);
/* Sets "a.b.0.c=VALUE" in the tree; maps that are missing on the way are made. */
int yaml_set(const struct yaml *y, struct yaml_node *root, const char *set);

/* The value of a key, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* The node at a path such as "clients.0.to", or the deepest one on the way to it that exists. */
const struct yaml_node *yaml_nearest(const struct yaml_node *root, const char *path);
/* "a map", "a list", "nothing" or "'text'", for messages; buf is used for the last. */
const char *yaml_describe(const struct yaml_node *n, char *buf, size_t size);

/* Fills in y->error, beginning with the place of the node; returns -EINVAL. */
int yaml_fail(const struct yaml *y, const struct yaml_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif
