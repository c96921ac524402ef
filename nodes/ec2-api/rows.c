#include "ec2-api/rows.h"
#include "common/dynamo_client.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void define(json_t *request, const char *kind, const char *placeholder, json_t *is)
{
	if (!json_object_get(request, kind)) json_object_set_new(request, kind, json_object());
	json_object_set_new(json_object_get(request, kind), placeholder, is);
}

/* Names may be reserved words of DynamoDB ("state", "zone", "token"): all go through placeholders. */
static void bind_name(json_t *request, const char *placeholder, const char *name)
{
	define(request, "ExpressionAttributeNames", placeholder, json_string(name));
}

static void bind_text(json_t *request, const char *placeholder, const char *text)
{
	define(request, "ExpressionAttributeValues", placeholder, dynamo_s(text));
}

static void only_if(json_t *request, const char *condition)
{
	json_object_set_new(request, "ConditionExpression", json_string(condition));
}

static void add_assignment(json_t *request, const char *name, json_t *value, size_t number, char *expression,
                           size_t size)
{
	char hash[16], colon[16];
	size_t used = strlen(expression);

	snprintf(hash, sizeof(hash), "#a%zu", number);
	snprintf(colon, sizeof(colon), ":v%zu", number);
	bind_name(request, hash, name);
	define(request, "ExpressionAttributeValues", colon, json_incref(value));
	snprintf(expression + used, size - used, "%s %s = %s", number ? "," : "SET", hash, colon);
}

json_t *row_save(const struct instance *i)
{
	char expression[512] = "";
	size_t number = 0;
	const char *name;
	json_t *item = instance_to_item(i), *value;
	json_t *request = json_pack("{s:s, s:{s:O}}", "TableName", "instances", "Key", "instance",
	                            json_object_get(item, "instance"));

	json_object_foreach (item, name, value) {
		if (strcmp(name, "instance"))
			add_assignment(request, name, value, number++, expression, sizeof(expression));
	}
	json_object_set_new(request, "UpdateExpression", json_string(expression));
	json_decref(item);
	return request;
}

json_t *row_save_if(const struct instance *i, enum instance_state old)
{
	json_t *request = row_save(i);

	only_if(request, "#state = :old OR #state = :new");
	bind_name(request, "#state", "state");
	bind_text(request, ":old", instance_state_text(old));
	bind_text(request, ":new", instance_state_text(i->state));
	return request;
}

json_t *row_if_unplaced(json_t *request)
{
	only_if(request, "attribute_not_exists(droplet) OR droplet = :none");
	bind_text(request, ":none", "");
	return request;
}

json_t *row_create(const struct instance *i)
{
	json_t *request = row_save(i);

	only_if(request, "attribute_not_exists(instance) OR (#state = :new AND droplet = :none)");
	bind_name(request, "#state", "state");
	bind_text(request, ":new", instance_state_text(i->state));
	bind_text(request, ":none", "");
	return request;
}

static json_t *by_key(const char *table, const char *key, const char *value)
{
	return json_pack("{s:s, s:{s:o}}", "TableName", table, "Key", key, dynamo_s(value));
}

json_t *row_get(const char *id)
{
	json_t *request = by_key("instances", "instance", id);

	json_object_set_new(request, "ConsistentRead", json_true());
	return request;
}

json_t *row_delete(const char *id)
{
	return by_key("instances", "instance", id);
}

json_t *row_scan(const char *after, unsigned limit)
{
	json_t *request =
	    json_pack("{s:s, s:b, s:i}", "TableName", "instances", "ConsistentRead", 1, "Limit", (int)limit);

	if (after)
		json_object_set_new(request, "ExclusiveStartKey",
		                    json_pack("{s:o}", "instance", dynamo_s(after)));
	return request;
}

json_t *token_put(const struct token_row *t, const char *const *ids, size_t n, const char *former)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, dynamo_s(ids[i]));
	json_t *request = json_pack("{s:s, s:{s:o, s:o, s:o, s:{s:o}}}", "TableName", "tokens", "Item",
	                            "token", dynamo_s(t->token), "reservation", dynamo_s(t->reservation),
	                            "parameters", dynamo_s(t->parameters), "instances", "L", list);
	only_if(request, "attribute_not_exists(#t) OR reservation = :me OR reservation = :former");
	bind_name(request, "#t", "token");
	bind_text(request, ":me", t->reservation);
	bind_text(request, ":former", former);
	return request;
}

json_t *token_get(const char *token)
{
	json_t *request = by_key("tokens", "token", token);

	json_object_set_new(request, "ConsistentRead", json_true());
	return request;
}

json_t *token_delete(const struct token_row *t)
{
	json_t *request = by_key("tokens", "token", t->token);

	only_if(request, "reservation = :me");
	bind_text(request, ":me", t->reservation);
	return request;
}

int token_from_item(struct token_row *ret, const json_t **ret_ids, const json_t *item)
{
	struct token_row t;
	const json_t *ids = json_object_get(json_object_get(item, "instances"), "L");

	snprintf(t.token, sizeof(t.token), "%s", dynamo_get_s(item, "token", ""));
	snprintf(t.reservation, sizeof(t.reservation), "%s", dynamo_get_s(item, "reservation", ""));
	snprintf(t.parameters, sizeof(t.parameters), "%s", dynamo_get_s(item, "parameters", ""));
	if (!t.token[0] || !t.reservation[0] || !json_is_array(ids)) return -EBADMSG;
	*ret = t;
	*ret_ids = ids;
	return 0;
}
