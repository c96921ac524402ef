/* operation.h - what the operations share: one request in work, its parameters, its answer.
 *
 * Functions return 0, or -EBADMSG with c->fault. A fault leaves nothing written but where store_error says
 * so. */
#ifndef AZLAB_DYNAMODB_OPERATION_H
#define AZLAB_DYNAMODB_OPERATION_H
#include "dynamodb/expression.h"
#include "dynamodb/table.h"
#include "dynamodb/text.h"

struct call {
	struct store *store;
	struct tables *tables;
	struct arena *arena;
	json_t *request;
	struct expressions x;
	struct text *out;
	bool has_member; /* of `out` */
	int store_error;
	struct fault fault;
};

typedef int operation(struct call *c);
operation operation_put_item, operation_get_item, operation_update_item, operation_delete_item;
operation operation_query, operation_scan, operation_batch_write_item, operation_batch_get_item;
operation operation_create_table, operation_describe_table, operation_list_tables, operation_delete_table;

/* --- parameters: missing ones leave *ret as it was ----------------------------------------------------- */
int call_string(struct call *c, const char *name, const char **ret);
int call_bool(struct call *c, const char *name, bool *ret);
int call_number(struct call *c, const char *name, json_int_t min, json_int_t max, json_int_t *ret);
/* A parameter that has to be one of these. */
int call_choice(struct call *c, const char *name, const char *const choices[], size_t n, size_t *ret);
/* An item or a key, checked; missing is a fault. */
int call_item(struct call *c, const char *name, json_t **ret);
/* Opens the store and finds the request's table. */
int call_table(struct call *c, bool write, const struct table **ret);
/* To be called before expressions are parsed, and after all are. */
int call_begin_expressions(struct call *c);
int call_end_expressions(struct call *c);
int call_condition(struct call *c, const char *name, struct condition **ret);
int call_projection(struct call *c, struct projection *ret);

/* --- the store ----------------------------------------------------------------------------------------- */
/* What lies under the key; bytes NULL if nothing does. */
int call_get(struct call *c, const struct key *k, struct store_value *ret);
int call_parse(struct call *c, const struct store_value *v, json_t **ret); /* NULL for nothing */
int call_put(struct call *c, const struct key *k, const json_t *item);
int call_delete(struct call *c, const struct key *k);
/* A write that failed. */
int call_store_failed(struct call *c, int error);

/* --- the answer: an object, member by member ------------------------------------------------------------ */
void call_add(struct call *c, const char *name, const json_t *value);
void call_add_bytes(struct call *c, const char *name, const void *json, size_t len);
void call_end(struct call *c);
/* ConsumedCapacity, if the request wants it. */
void call_add_capacity(struct call *c, double units);
#endif
