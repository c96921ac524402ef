/* rows.h - the requests that the API makes of DynamoDB: tables "instances" and "tokens". Pure: they make the
 * JSON of a request, dynamo_call() sends it. The JSON is the caller's. */
#ifndef AZLAB_EC2_API_ROWS_H
#define AZLAB_EC2_API_ROWS_H
#include "ec2-api/instance.h"
#include <jansson.h>
#include <stddef.h>

/* UpdateItem: every attribute as it is here, and those that others may have added stay. */
json_t *row_save(const struct instance *i);
/* ... provided that the row's state is `old`, or the new one already, by an attempt whose answer was lost. */
json_t *row_save_if(const struct instance *i, enum instance_state old);
/* The first write: not over what has become of the instance since, should the write be carried out late. */
json_t *row_create(const struct instance *i);
json_t *row_get(const char *id);
json_t *row_delete(const char *id);
/* A request above, provided that DWFM hasn't entered a droplet. */
json_t *row_if_unplaced(json_t *request);
/* Scan behind a row (NULL: from the beginning). */
json_t *row_scan(const char *after, unsigned limit);

struct token_row {
	char token[INSTANCE_TOKEN_MAX], reservation[INSTANCE_ID_MAX];
	char parameters[24]; /* run_request_hash() */
};
/* PutItem, provided that the token is new, or is ours by an earlier attempt, or has been `former`'s (may be
 * empty): what a failed launch left behind. */
json_t *token_put(const struct token_row *t, const char *const *ids, size_t n, const char *former);
json_t *token_get(const char *token);
/* DeleteItem, provided that it is still this reservation's. */
json_t *token_delete(const struct token_row *t);
/* -EBADMSG for what is no row of a token; *ret_ids is its list of {"S": id}, borrowed. */
int token_from_item(struct token_row *ret, const json_t **ret_ids, const json_t *item);
#endif
