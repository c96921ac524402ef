/* BatchWriteItem and BatchGetItem: many items of several tables. Nothing is ever left unprocessed: SDKs would
 * send it again at once and without end. */
#include "common/cleanup.h"
#include "dynamodb/operation.h"
#include <string.h>

enum { WRITES_MAX = 25, READS_MAX = 100 };

static int refuse_batch(struct call *c, const char *name, int max)
{
	return invalid(&c->fault, "Too many items requested for the %s call (at most %d)", name, max);
}

static int tables_of(struct call *c, json_t **ret)
{
	json_t *items = json_object_get(c->request, "RequestItems");

	if (!json_is_object(items))
		return invalid(&c->fault,
		               "The parameter 'RequestItems' is required but was not present in the "
		               "request");
	*ret = items;
	return 0;
}

static int find_table(struct call *c, const char *name, const struct table **ret)
{
	json_t *text = json_string(name);
	int result = table_check_name(text, &c->fault);

	json_decref(text);
	return result < 0 ? result : tables_get(c->tables, name, &c->fault, ret);
}

static bool same_key(const struct key *a, const struct key *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* --- BatchWriteItem ---------------------------------------------------------------------------------- */

struct write {
	struct key key;
	const json_t *item; /* NULL: deletes */
};
struct writes {
	struct write list[WRITES_MAX];
	size_t n;
};

static int read_put(struct call *c, const struct table *t, json_t *item, struct write *w)
{
	int result = item_check(item, &c->fault);

	w->item = item;
	if (result == 0 && item_size(item) > ITEM_BYTES_MAX)
		result = invalid(&c->fault, "Item size has exceeded the maximum allowed size");
	return result < 0 ? result : table_item_key(t, item, &c->fault, &w->key);
}

static int read_delete(struct call *c, const struct table *t, json_t *key, struct write *w)
{
	int result = item_check(key, &c->fault);

	w->item = NULL;
	return result < 0 ? result : table_request_key(t, key, &c->fault, &w->key);
}

static int read_write(struct call *c, const struct table *t, const json_t *request, struct write *w)
{
	json_t *item = json_object_get(json_object_get(request, "PutRequest"), "Item");
	json_t *key = json_object_get(json_object_get(request, "DeleteRequest"), "Key");

	if (!item == !key)
		return invalid(&c->fault,
		               "Supplied AttributeValue has more than one datatypes set, must contain "
		               "exactly one of the supported datatypes");
	return item ? read_put(c, t, item, w) : read_delete(c, t, key, w);
}

static int read_table_writes(struct call *c, const char *name, const json_t *requests, struct writes *w)
{
	const struct table *t;
	int result = find_table(c, name, &t);

	if (result < 0) return result;
	for (size_t i = 0; i < json_array_size(requests); i++) {
		struct write *new = &w->list[w->n];
		if (w->n == WRITES_MAX) return refuse_batch(c, "BatchWriteItem", WRITES_MAX);
		if ((result = read_write(c, t, json_array_get(requests, i), new)) < 0) return result;
		for (size_t j = 0; j < w->n; j++)
			if (same_key(&w->list[j].key, &new->key))
				return invalid(&c->fault, "Provided list of item keys contains duplicates");
		w->n++;
	}
	return 0;
}

static int write_all(struct call *c, const struct writes *w)
{
	int result = 0;

	for (size_t i = 0; i < w->n && result == 0; i++)
		result = w->list[i].item ? call_put(c, &w->list[i].key, w->list[i].item)
		                         : call_delete(c, &w->list[i].key);
	return result;
}

int operation_batch_write_item(struct call *c)
{
	struct writes w = { .n = 0 };
	json_t *tables, *requests, *none;
	const char *name;
	int error, result = tables_of(c, &tables);

	if (result < 0) return result;
	if ((error = store_begin_write(c->store)) < 0) return call_store_failed(c, error);
	json_object_foreach (tables, name, requests)
		if (result == 0) result = read_table_writes(c, name, requests, &w);
	if (result == 0 && w.n == 0)
		result =
		    invalid(&c->fault, "1 validation error detected: Value '{}' at 'requestItems' failed to "
		                       "satisfy constraint: Member must have length greater than or equal "
		                       "to 1");
	if (result == 0) result = write_all(c, &w);
	if (result < 0) return result;
	none = json_object();
	call_add(c, "UnprocessedItems", none);
	json_decref(none);
	call_end(c);
	return 0;
}

/* --- BatchGetItem ------------------------------------------------------------------------------------ */

static int read_item(struct call *c, const struct table *t, json_t *key, const struct projection *p,
                     json_t *items)
{
	struct store_value v;
	struct key k;
	json_t *item = NULL;
	int result = item_check(key, &c->fault);

	if (result == 0) result = table_request_key(t, key, &c->fault, &k);
	if (result == 0) result = call_get(c, &k, &v);
	if (result == 0) result = call_parse(c, &v, &item);
	if (result < 0 || !item) return result;
	json_array_append_new(items, p->n ? path_project(p->paths, p->n, item) : json_incref(item));
	json_decref(item);
	return 0;
}

/* The table's part of the request has its expressions to itself. */
static int parse_projection(struct call *c, json_t *request, struct projection *ret)
{
	json_t *whole = c->request;

	c->request = request;
	int result = call_begin_expressions(c);
	if (result == 0) result = call_projection(c, ret);
	if (result == 0) result = call_end_expressions(c);
	c->request = whole;
	return result;
}

static int read_table_items(struct call *c, const char *name, json_t *request, size_t *n, json_t *items)
{
	json_t *keys = json_object_get(request, "Keys");
	struct projection p = { 0 };
	const struct table *t;
	int result = find_table(c, name, &t);

	if (result == 0) result = parse_projection(c, request, &p);
	*n += json_array_size(keys);
	if (result == 0 && *n > READS_MAX) result = refuse_batch(c, "BatchGetItem", READS_MAX);
	for (size_t i = 0; i < json_array_size(keys) && result == 0; i++)
		result = read_item(c, t, json_array_get(keys, i), &p, items);
	return result;
}

int operation_batch_get_item(struct call *c)
{
	json_t *tables, *request, *responses, *none;
	const char *name;
	size_t n = 0;
	int error, result = tables_of(c, &tables);

	if (result < 0) return result;
	if ((error = store_begin_read(c->store)) < 0) return call_store_failed(c, error);
	responses = json_object();
	none = json_object();
	json_object_foreach (tables, name, request) {
		json_t *items = json_array();
		json_object_set_new(responses, name, items);
		if (result == 0) result = read_table_items(c, name, request, &n, items);
	}
	if (result == 0) {
		call_add(c, "Responses", responses);
		call_add(c, "UnprocessedKeys", none);
		call_end(c);
	}
	json_decref(responses);
	json_decref(none);
	return result;
}
