/* table.h - tables: how CreateTable describes them, and what their keys look like.
 *
 * Tables are in the store, where any process may change them; this keeps what it has read of each for as long
 * as the store says the same. Errors are -EBADMSG with the fault. */
#ifndef AZLAB_DYNAMODB_TABLE_H
#define AZLAB_DYNAMODB_TABLE_H
#include "dynamodb/store.h"

enum { TABLE_NAME_MIN = 3, TABLE_NAME_MAX = 255 };

struct table_key {
	const char *name; /* NULL: the table has no sort key */
	enum value_type type;
};

struct table {
	uint32_t number; /* of its items' keys */
	struct table_key partition, sort;
	const char *name;
	json_t *description; /* as in DescribeTable, but for its counts, with "TableNumber" */
};

struct tables;

struct tables *tables_new(struct store *s);
void tables_free(struct tables *t);

/* Needs reading or a batch; the table stays until the next call. ResourceNotFoundException if there is none.
 */
int tables_get(struct tables *t, const char *name, struct fault *fault, const struct table **ret);
/* Checks a name as requests have it. */
int table_check_name(const json_t *name, struct fault *fault);
/* Makes the description of a new table from a CreateTable request. */
int table_describe(const json_t *request, uint32_t number, struct fault *fault, json_t **ret);

/* The key of an item (or of a Key in a request, which may have no more attributes than that). */
int table_item_key(const struct table *t, const json_t *item, struct fault *fault, struct key *ret);
int table_request_key(const struct table *t, const json_t *key, struct fault *fault, struct key *ret);
/* The item's key attributes, new. */
json_t *table_key_of(const struct table *t, const json_t *item);
bool table_is_key(const struct table *t, const char *name, size_t len);
#endif
