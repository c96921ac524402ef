/* CreateTable, DescribeTable, ListTables, DeleteTable. A table is there and ACTIVE when its creation is
 * answered: waiters look again only after 20 s. */
#include "common/cleanup.h"
#include "dynamodb/operation.h"
#include <errno.h>
#include <string.h>

static json_t *name_of(const struct call *c)
{
	return json_object_get(c->request, "TableName");
}

/* The description with what changes all the time, or with another status. */
static void answer_description(struct call *c, const char *member, const json_t *description,
                               const char *status, json_int_t items, json_int_t bytes)
{
	json_t *copy = json_copy((json_t *)description);

	json_object_del(copy, "TableNumber");
	json_object_set_new(copy, "ItemCount", json_integer(items));
	json_object_set_new(copy, "TableSizeBytes", json_integer(bytes));
	if (status) json_object_set_new(copy, "TableStatus", json_string(status));
	call_add(c, member, copy);
	json_decref(copy);
	call_end(c);
}

/* --- CreateTable ------------------------------------------------------------------------------------- */

static int check_is_new(struct call *c)
{
	struct store_value v;
	const char *name = json_string_value(name_of(c));
	int result = store_get_table(c->store, name, &v);

	if (result == 0) return refuse(&c->fault, ERROR_IN_USE, "Table already exists: %s", name);
	return result == -ENOENT ? 0 : call_store_failed(c, result);
}

static int keep(struct call *c, const json_t *description)
{
	struct text text = { 0 };

	text_add_json(&text, description);
	int result = store_put_table(c->store, json_string_value(name_of(c)), text.bytes, text.len);
	text_free(&text);
	return result < 0 ? call_store_failed(c, result) : 0;
}

static int create(struct call *c, json_t **ret)
{
	uint32_t number;
	int result = store_new_table_number(c->store, &number);

	if (result < 0) return call_store_failed(c, result);
	result = table_describe(c->request, number, &c->fault, ret);
	return result < 0 ? result : keep(c, *ret);
}

int operation_create_table(struct call *c)
{
	json_t *description = NULL;
	int result = table_check_name(name_of(c), &c->fault);

	if (result == 0) {
		int error = store_begin_write(c->store);
		if (error < 0) return call_store_failed(c, error);
	}
	if (result == 0) result = check_is_new(c);
	if (result == 0) result = create(c, &description);
	if (result == 0) answer_description(c, "TableDescription", description, NULL, 0, 0);
	json_decref(description);
	return result;
}

/* --- DescribeTable ----------------------------------------------------------------------------------- */

struct count {
	json_int_t items, bytes;
};

static bool count_item(const struct store_value *v, void *arg)
{
	struct count *n = arg;

	n->items++;
	n->bytes += (json_int_t)v->len;
	return true;
}

static void range_of(const struct table *t, struct key *from, struct key *to)
{
	key_table(from, t->number);
	key_table(to, t->number + 1);
}

int operation_describe_table(struct call *c)
{
	const struct table *t;
	struct count n = { 0 };
	struct key from, to;
	int result = call_table(c, false, &t);

	if (result < 0) return result;
	range_of(t, &from, &to);
	if ((result = store_walk(c->store, &from, &to, false, count_item, &n)) < 0)
		return call_store_failed(c, result);
	answer_description(c, "Table", t->description, NULL, n.items, n.bytes);
	return 0;
}

/* --- DeleteTable ------------------------------------------------------------------------------------- */

int operation_delete_table(struct call *c)
{
	const struct table *t;
	struct key from, to;
	int result = call_table(c, true, &t);

	if (result < 0) return result;
	range_of(t, &from, &to);
	result = store_delete_range(c->store, &from, &to);
	if (result == 0) result = store_delete_table(c->store, t->name);
	if (result < 0) return call_store_failed(c, result);
	answer_description(c, "TableDescription", t->description, "DELETING", 0, 0);
	return 0;
}

/* --- ListTables -------------------------------------------------------------------------------------- */

static int list(struct call *c, const char *after, json_int_t limit, json_t *names)
{
	char name[TABLE_NAME_MAX + 1], next[TABLE_NAME_MAX + 1];
	int result = store_next_table(c->store, after, name, sizeof(name));

	while (result == 0 && json_array_size(names) < (size_t)limit) {
		json_array_append_new(names, json_string(name));
		result = store_next_table(c->store, name, next, sizeof(next));
		if (result == 0) memcpy(name, next, sizeof(name));
	}
	return result;
}

int operation_list_tables(struct call *c)
{
	const char *after = NULL;
	json_int_t limit = 100;
	json_t *names;
	int result = call_number(c, "Limit", 1, 100, &limit);

	if (result == 0) result = call_string(c, "ExclusiveStartTableName", &after);
	if (result < 0) return result;
	if ((result = store_begin_read(c->store)) < 0) return call_store_failed(c, result);
	names = json_array();
	result = list(c, after, limit, names);
	if (result == 0 || result == -ENOENT) call_add(c, "TableNames", names);
	if (result == 0) /* there is a next one */
		call_add(c, "LastEvaluatedTableName", json_array_get(names, json_array_size(names) - 1));
	json_decref(names);
	if (result < 0 && result != -ENOENT) return call_store_failed(c, result);
	call_end(c);
	return 0;
}
