/* PutItem, GetItem, UpdateItem, DeleteItem: one item by its key. */
#include "common/cleanup.h"
#include "dynamodb/operation.h"
#include <string.h>

enum return_values { RETURN_NONE, RETURN_ALL_OLD, RETURN_UPDATED_OLD, RETURN_ALL_NEW, RETURN_UPDATED_NEW };
static const char *const return_names[] = { "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW" };

/* One item before it is written. */
struct target {
	const struct table *table;
	struct key key;
	struct store_value old; /* in the store, until something is written */
	struct condition *condition;
	size_t returns;
};

static void answer_old(struct call *c, const struct target *t)
{
	if (t->returns == RETURN_ALL_OLD && t->old.bytes)
		call_add_bytes(c, "Attributes", t->old.bytes, t->old.len);
}

static int check_condition(struct call *c, const struct target *t, const json_t *old)
{
	if (condition_holds(t->condition, old)) return 0;
	return refuse(&c->fault, ERROR_CONDITION, "The conditional request failed");
}

/* The same for operations that have no other use for the old item. */
static int check_stored_condition(struct call *c, const struct target *t)
{
	json_t *old;

	if (!t->condition) return 0;
	int result = call_parse(c, &t->old, &old);
	if (result == 0) result = check_condition(c, t, old);
	json_decref(old);
	return result;
}

/* ReturnValues of PutItem and DeleteItem. */
static int read_old_returns(struct call *c, size_t *ret)
{
	int result = call_choice(c, "ReturnValues", return_names, ARRAY_SIZE(return_names), ret);

	if (result == 0 && *ret > RETURN_ALL_OLD)
		return invalid(&c->fault, "ReturnValues can only be ALL_OLD or NONE");
	return result;
}

int operation_put_item(struct call *c)
{
	struct target t = { 0 };
	json_t *item;
	int result = call_item(c, "Item", &item);

	if (result == 0) result = read_old_returns(c, &t.returns);
	if (result == 0 && item_size(item) > ITEM_BYTES_MAX)
		result = invalid(&c->fault, "Item size has exceeded the maximum allowed size");
	if (result == 0) result = call_begin_expressions(c);
	if (result == 0) result = call_condition(c, "ConditionExpression", &t.condition);
	if (result == 0) result = call_end_expressions(c);
	if (result == 0) result = call_table(c, true, &t.table);
	if (result == 0) result = table_item_key(t.table, item, &c->fault, &t.key);
	if (result == 0 && (t.condition || t.returns)) result = call_get(c, &t.key, &t.old);
	if (result == 0) result = check_stored_condition(c, &t);
	if (result < 0) return result;
	answer_old(c, &t);
	if ((result = call_put(c, &t.key, item)) < 0) return result;
	call_add_capacity(c, 1);
	call_end(c);
	return 0;
}

int operation_delete_item(struct call *c)
{
	struct target t = { 0 };
	json_t *key;
	int result = call_item(c, "Key", &key);

	if (result == 0) result = read_old_returns(c, &t.returns);
	if (result == 0) result = call_begin_expressions(c);
	if (result == 0) result = call_condition(c, "ConditionExpression", &t.condition);
	if (result == 0) result = call_end_expressions(c);
	if (result == 0) result = call_table(c, true, &t.table);
	if (result == 0) result = table_request_key(t.table, key, &c->fault, &t.key);
	if (result == 0) result = call_get(c, &t.key, &t.old);
	if (result == 0) result = check_stored_condition(c, &t);
	if (result < 0) return result;
	answer_old(c, &t);
	if (t.old.bytes) result = call_delete(c, &t.key);
	if (result < 0) return result;
	call_add_capacity(c, 1);
	call_end(c);
	return 0;
}

/* --- GetItem ----------------------------------------------------------------------------------------- */

static int answer_item(struct call *c, const struct store_value *v, const struct projection *p)
{
	json_t *item;

	if (!v->bytes) return 0;
	if (!p->n) {
		call_add_bytes(c, "Item", v->bytes, v->len);
		return 0;
	}
	int result = call_parse(c, v, &item);
	if (result < 0) return result;
	json_t *part = path_project(p->paths, p->n, item);
	call_add(c, "Item", part);
	json_decref(part);
	json_decref(item);
	return 0;
}

int operation_get_item(struct call *c)
{
	struct target t = { 0 };
	struct projection projection = { 0 };
	json_t *key;
	int result = call_item(c, "Key", &key);

	if (result == 0) result = call_begin_expressions(c);
	if (result == 0) result = call_projection(c, &projection);
	if (result == 0) result = call_end_expressions(c);
	if (result == 0) result = call_table(c, false, &t.table);
	if (result == 0) result = table_request_key(t.table, key, &c->fault, &t.key);
	if (result == 0) result = call_get(c, &t.key, &t.old);
	if (result == 0) result = answer_item(c, &t.old, &projection);
	if (result < 0) return result;
	call_add_capacity(c, 0.5);
	call_end(c);
	return 0;
}

/* --- UpdateItem -------------------------------------------------------------------------------------- */

static int check_actions(struct call *c, const struct table *t, const struct action *actions)
{
	for (const struct action *a = actions; a; a = a->next)
		if (table_is_key(t, a->path->name, a->path->name_len))
			return invalid(&c->fault,
			               "One or more parameter values were invalid: Cannot update attribute "
			               "%.*s. This attribute is part of the key",
			               (int)a->path->name_len, a->path->name);
	return 0;
}

static int parse_update(struct call *c, struct target *t, struct action **ret)
{
	const char *text = NULL;
	int result = call_begin_expressions(c);

	if (result == 0) result = call_string(c, "UpdateExpression", &text);
	if (result == 0 && text) result = expression_parse_update(&c->x, text, ret);
	if (result == 0) result = call_condition(c, "ConditionExpression", &t->condition);
	return result < 0 ? result : call_end_expressions(c);
}

static int answer_paths(struct call *c, const struct action *actions, const json_t *item)
{
	struct projection changed;

	if (update_paths(actions, c->arena, &changed) < 0)
		return invalid(&c->fault, "Expression size has exceeded the maximum allowed size");
	json_t *part = path_project(changed.paths, changed.n, item);
	if (json_object_size(part) > 0) call_add(c, "Attributes", part);
	json_decref(part);
	return 0;
}

/* Turns the item (as it was, or its key alone) into what it shall be, and tells of it. */
static int change(struct call *c, const struct target *t, const struct action *actions, json_t *item)
{
	int result = 0;

	answer_old(c, t);
	if (t->returns == RETURN_UPDATED_OLD && t->old.bytes) result = answer_paths(c, actions, item);
	if (result == 0) result = update_apply(actions, item, &c->fault);
	if (result == 0 && item_size(item) > ITEM_BYTES_MAX)
		result = invalid(&c->fault, "Item size to update has exceeded the maximum allowed size");
	if (result == 0) result = call_put(c, &t->key, item);
	if (result == 0 && t->returns == RETURN_ALL_NEW) call_add(c, "Attributes", item);
	if (result == 0 && t->returns == RETURN_UPDATED_NEW) result = answer_paths(c, actions, item);
	return result;
}

static int update(struct call *c, const struct target *t, const struct action *actions, const json_t *key)
{
	json_t *old = NULL, *item = NULL;
	int result = call_parse(c, &t->old, &old);

	if (result == 0) result = check_condition(c, t, old);
	if (result == 0) {
		item = old ? json_incref(old) : json_copy((json_t *)key);
		result = change(c, t, actions, item);
	}
	json_decref(old);
	json_decref(item);
	return result;
}

int operation_update_item(struct call *c)
{
	struct target t = { 0 };
	struct action *actions = NULL;
	json_t *key;
	int result = call_item(c, "Key", &key);

	if (result == 0)
		result = call_choice(c, "ReturnValues", return_names, ARRAY_SIZE(return_names), &t.returns);
	if (result == 0) result = parse_update(c, &t, &actions);
	if (result == 0) result = call_table(c, true, &t.table);
	if (result == 0) result = table_request_key(t.table, key, &c->fault, &t.key);
	if (result == 0) result = check_actions(c, t.table, actions);
	if (result == 0) result = call_get(c, &t.key, &t.old);
	if (result == 0) result = update(c, &t, actions, key);
	if (result < 0) return result;
	call_add_capacity(c, 1);
	call_end(c);
	return 0;
}
