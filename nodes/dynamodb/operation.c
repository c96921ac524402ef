#include "dynamodb/operation.h"
#include "common/cleanup.h"
#include <errno.h>
#include <string.h>

/* --- parameters -------------------------------------------------------------------------------------- */

static json_t *parameter(const struct call *c, const char *name)
{
	json_t *value = json_object_get(c->request, name);
	return json_is_null(value) ? NULL : value;
}

static int refuse_type(struct call *c, const char *name)
{
	return refuse(&c->fault, ERROR_SERIALIZATION, "Unexpected type of %s", name);
}

int call_string(struct call *c, const char *name, const char **ret)
{
	const json_t *value = parameter(c, name);

	if (value && !json_is_string(value)) return refuse_type(c, name);
	if (value) *ret = json_string_value(value);
	return 0;
}

int call_bool(struct call *c, const char *name, bool *ret)
{
	const json_t *value = parameter(c, name);

	if (value && !json_is_boolean(value)) return refuse_type(c, name);
	if (value) *ret = json_is_true(value);
	return 0;
}

static int refuse_value(struct call *c, const char *value, const char *name, const char *constraint)
{
	return invalid(&c->fault,
	               "1 validation error detected: Value '%s' at '%c%s' failed to satisfy constraint: "
	               "Member must %s",
	               value, name[0] | 0x20, name + 1, constraint);
}

int call_number(struct call *c, const char *name, json_int_t min, json_int_t max, json_int_t *ret)
{
	const json_t *value = parameter(c, name);
	json_int_t number = json_integer_value(value);
	char text[32], constraint[96];

	if (!value) return 0;
	if (!json_is_integer(value)) return refuse_type(c, name);
	if (number >= min && number <= max) {
		*ret = number;
		return 0;
	}
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, number);
	snprintf(constraint, sizeof(constraint), "have value %s than or equal to %" JSON_INTEGER_FORMAT,
	         number < min ? "greater" : "less", number < min ? min : max);
	return refuse_value(c, text, name, constraint);
}

int call_choice(struct call *c, const char *name, const char *const choices[], size_t n, size_t *ret)
{
	const char *value = NULL;
	char set[256] = "";
	int result = call_string(c, name, &value);

	if (result < 0 || !value) return result;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(value, choices[i]) == 0) {
			*ret = i;
			return 0;
		}
		size_t used = strlen(set);
		snprintf(set + used, sizeof(set) - used, "%s%s", i ? ", " : "satisfy enum value set: [",
		         choices[i]);
	}
	strcat(set, "]");
	return refuse_value(c, value, name, set);
}

int call_item(struct call *c, const char *name, json_t **ret)
{
	json_t *item = parameter(c, name);

	if (!item)
		return invalid(&c->fault, "The parameter '%s' is required but was not present in the request",
		               name);
	int result = item_check(item, &c->fault);
	if (result == 0) *ret = item;
	return result;
}

int call_table(struct call *c, bool write, const struct table **ret)
{
	const json_t *name = parameter(c, "TableName");
	int result = table_check_name(name, &c->fault);

	if (result < 0) return result;
	result = write ? store_begin_write(c->store) : store_begin_read(c->store);
	if (result < 0) return call_store_failed(c, result);
	return tables_get(c->tables, json_string_value(name), &c->fault, ret);
}

/* --- expressions ------------------------------------------------------------------------------------- */

static int check_keys(struct call *c, const char *name, json_t *object, char mark)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	const char *key;
	json_t *value;

	if (!json_is_object(object)) return refuse_type(c, name);
	if (json_object_size(object) == 0) return invalid(&c->fault, "%s must not be empty", name);
	json_object_foreach (object, key, value) {
		size_t len = strlen(key);
		if (key[0] != mark || len < 2 || strspn(key + 1, allowed) != len - 1)
			return invalid(&c->fault, "%s contains invalid key: Syntax error; key: \"%s\"", name,
			               key);
	}
	return 0;
}

static int check_names(struct call *c)
{
	const char *key;
	json_t *name;

	json_object_foreach (c->x.names, key, name)
		if (!json_is_string(name)) return refuse_type(c, "ExpressionAttributeNames");
	return 0;
}

static int check_values(struct call *c)
{
	const char *key;
	json_t *value;
	struct fault why;

	json_object_foreach (c->x.values, key, value) {
		if (value_check(value, &why) == 0) continue;
		return refuse(&c->fault, why.code,
		              "ExpressionAttributeValues contains invalid value: %.700s for key %.255s",
		              why.text, key);
	}
	return 0;
}

/* What came before expressions; they have another form, and SDKs no longer send them. */
static int refuse_legacy(struct call *c)
{
	static const char *const legacy[] = { "Expected",        "ConditionalOperator", "AttributeUpdates",
		                              "AttributesToGet", "KeyConditions",       "QueryFilter",
		                              "ScanFilter" };

	for (size_t i = 0; i < ARRAY_SIZE(legacy); i++)
		if (parameter(c, legacy[i]))
			return invalid(&c->fault, "%s is not supported here: use expressions", legacy[i]);
	return 0;
}

int call_begin_expressions(struct call *c)
{
	json_t *names = parameter(c, "ExpressionAttributeNames");
	json_t *values = parameter(c, "ExpressionAttributeValues");
	int result = refuse_legacy(c);

	c->x =
	    (struct expressions){ .arena = c->arena, .names = names, .values = values, .fault = &c->fault };
	if (result == 0 && names) result = check_keys(c, "ExpressionAttributeNames", names, '#');
	if (result == 0 && names) result = check_names(c);
	if (result == 0 && values) result = check_keys(c, "ExpressionAttributeValues", values, ':');
	return result < 0 || !values ? result : check_values(c);
}

int call_end_expressions(struct call *c)
{
	return expression_check_used(&c->x);
}

int call_condition(struct call *c, const char *name, struct condition **ret)
{
	const char *text = NULL;
	int result = call_string(c, name, &text);

	return result < 0 || !text ? result : expression_parse_condition(&c->x, name, text, ret);
}

int call_projection(struct call *c, struct projection *ret)
{
	const char *text = NULL;
	int result = call_string(c, "ProjectionExpression", &text);

	return result < 0 || !text ? result : expression_parse_projection(&c->x, text, ret);
}

/* --- the store --------------------------------------------------------------------------------------- */

int call_store_failed(struct call *c, int error)
{
	c->store_error = error;
	return refuse(&c->fault, ERROR_INTERNAL, "%s",
	              error == -ENOSPC ? "The store is full" : strerror(-error));
}

int call_get(struct call *c, const struct key *k, struct store_value *ret)
{
	int result = store_get(c->store, k, ret);

	if (result == -ENOENT) *ret = (struct store_value){ 0 };
	return result < 0 && result != -ENOENT ? call_store_failed(c, result) : 0;
}

int call_parse(struct call *c, const struct store_value *v, json_t **ret)
{
	*ret = v->bytes ? json_loadb(v->bytes, v->len, JSON_ALLOW_NUL, NULL) : NULL;
	return v->bytes && !*ret ? call_store_failed(c, -EUCLEAN) : 0;
}

int call_put(struct call *c, const struct key *k, const json_t *item)
{
	static struct text text; /* one request at a time */

	text.len = 0;
	text_add_json(&text, item);
	int result = store_put(c->store, k, text.bytes, text.len);
	return result < 0 ? call_store_failed(c, result) : 0;
}

int call_delete(struct call *c, const struct key *k)
{
	int result = store_delete(c->store, k);

	return result < 0 && result != -ENOENT ? call_store_failed(c, result) : 0;
}

/* --- the answer -------------------------------------------------------------------------------------- */

static void begin_member(struct call *c, const char *name)
{
	text_add_string(c->out, c->has_member ? ",\"" : "{\"");
	text_add_string(c->out, name);
	text_add_string(c->out, "\":");
	c->has_member = true;
}

void call_add(struct call *c, const char *name, const json_t *value)
{
	begin_member(c, name);
	text_add_json(c->out, value);
}

void call_add_bytes(struct call *c, const char *name, const void *json, size_t len)
{
	begin_member(c, name);
	text_add(c->out, json, len);
}

void call_end(struct call *c)
{
	text_add_string(c->out, c->has_member ? "}" : "{}");
}

void call_add_capacity(struct call *c, double units)
{
	const char *wanted = json_string_value(parameter(c, "ReturnConsumedCapacity"));

	if (!wanted || strcmp(wanted, "NONE") == 0) return;
	json_t *capacity =
	    json_pack("{s:O, s:f}", "TableName", parameter(c, "TableName"), "CapacityUnits", units);
	call_add(c, "ConsumedCapacity", capacity);
	json_decref(capacity);
}
