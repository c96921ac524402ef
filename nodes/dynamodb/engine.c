#include "dynamodb/engine.h"
#include "common/cleanup.h"
#include "dynamodb/operation.h"
#include <errno.h>
#include <string.h>

#define TARGET_PREFIX "DynamoDB_20120810."

struct engine {
	struct store *store;
	struct tables *tables;
	struct arena arena;
};

static const struct {
	const char *name;
	operation *run;
} operations[] = {
	/* the frequent ones first */
	{ "UpdateItem", operation_update_item },
	{ "GetItem", operation_get_item },
	{ "PutItem", operation_put_item },
	{ "DeleteItem", operation_delete_item },
	{ "Query", operation_query },
	{ "Scan", operation_scan },
	{ "BatchWriteItem", operation_batch_write_item },
	{ "BatchGetItem", operation_batch_get_item },
	{ "DescribeTable", operation_describe_table },
	{ "ListTables", operation_list_tables },
	{ "CreateTable", operation_create_table },
	{ "DeleteTable", operation_delete_table },
};

int engine_new(struct store *s, struct engine **ret)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e || !(e->tables = tables_new(s))) {
		free(e);
		return -ENOMEM;
	}
	e->store = s;
	*ret = e;
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e) return;
	tables_free(e->tables);
	free(e);
}

void answer_fault(struct answer *a, const struct fault *fault)
{
	json_t *body = json_pack("{s:s}", "__type", error_type(fault->code));

	/* what cannot be encoded is no UTF-8: the client's own, cut or wrong */
	if (*fault->text) json_object_set_new(body, "message", json_string(fault->text));
	a->code = fault->code;
	a->body.len = 0;
	text_add_json(&a->body, body);
	json_decref(body);
}

static operation *find(const char *target, const char **ret_name)
{
	bool ours = target && strncmp(target, TARGET_PREFIX, strlen(TARGET_PREFIX)) == 0;

	for (size_t i = 0; ours && i < ARRAY_SIZE(operations); i++) {
		if (strcmp(target + strlen(TARGET_PREFIX), operations[i].name)) continue;
		*ret_name = operations[i].name;
		return operations[i].run;
	}
	*ret_name = "unknown";
	return NULL;
}

static int run(struct call *c, operation *op, const char *body, size_t len)
{
	json_error_t why;

	if (!op) return refuse(&c->fault, ERROR_UNKNOWN_OPERATION, "%s", "");
	c->request = json_loadb(body, len, JSON_ALLOW_NUL, &why);
	if (!c->request) return refuse(&c->fault, ERROR_SERIALIZATION, "%s", why.text);
	if (!json_is_object(c->request))
		return refuse(&c->fault, ERROR_SERIALIZATION, "The request is no JSON object");
	return op(c);
}

void engine_run(struct engine *e, const char *target, const char *body, size_t len, struct answer *ret)
{
	struct call c = { .store = e->store, .tables = e->tables, .arena = &e->arena, .out = &ret->body };
	operation *op = find(target, &ret->operation);

	arena_reset(&e->arena);
	ret->body.len = 0;
	ret->code = ERROR_NONE;
	c.fault.text[0] = '\0';
	if (run(&c, op, body, len) < 0) answer_fault(ret, &c.fault);
	ret->store_error = c.store_error;
	store_end_read(e->store);
	json_decref(c.request);
}
