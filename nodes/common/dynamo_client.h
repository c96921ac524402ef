/* dynamo_client.h - calls of the DynamoDB JSON 1.0 protocol over http_client.h, with the retries of an AWS
 * client as a knob. Requests are unsigned.
 *
 *     dynamo_call(d, "UpdateItem", json_pack(...), on_written, droplet, NULL);
 *
 * What may be tried again is what the AWS clients try again: no connection, time-outs, 500, 502, 503, 504,
 * throttling codes, and an answer whose x-amz-crc32 doesn't fit. A write that timed out may have succeeded:
 * its condition has to accept its own result.
 *
 * Ownership: JSON handed to dynamo_call() is consumed; a reply's JSON is borrowed until done() returns.
 * dynamo_client_free() ends all calls without calling back. Errors are -errno. */
#ifndef AZLAB_DYNAMO_CLIENT_H
#define AZLAB_DYNAMO_CLIENT_H
#include "common/http_client.h"
#include <jansson.h>
#include <stdbool.h>

struct dynamo_retries {
	mono_ns timeout;   /* of an attempt; > 0 */
	unsigned attempts; /* in all; at least 1 */
	mono_ns pause;     /* before the second attempt, then doubling; 0: none */
	mono_ns pause_max; /* 0: no limit */
	bool jitter;       /* a random part of the pause, 0 to all of it */
};

enum dynamo_outcome {
	DYNAMO_OK,
	DYNAMO_CONDITION_FAILED, /* ConditionalCheckFailedException */
	DYNAMO_THROTTLED,        /* the last attempt was */
	DYNAMO_REFUSED,          /* another error of the service's; `code` says which */
	DYNAMO_TIMED_OUT,        /* the last attempt; it may have been carried out all the same */
	DYNAMO_UNAVAILABLE,      /* not reached, or an answer that can't be believed; likewise */
	DYNAMO_OUTCOMES
};
/* "condition-failed"; never NULL. */
const char *dynamo_outcome_text(enum dynamo_outcome outcome);

struct dynamo_reply {
	enum dynamo_outcome outcome;
	const char *code;   /* "ValidationException", "no address", ...; "" if OK */
	const json_t *body; /* the service's answer; NULL if there is none */
	unsigned attempts;
	mono_ns took;
};

struct dynamo_client;
struct dynamo_call;
typedef void dynamo_done(const struct dynamo_reply *reply, void *arg);

int dynamo_client_new(struct event_base *base, const struct http_client_config *http,
                      const struct dynamo_retries *retries, struct dynamo_client **ret);
void dynamo_client_free(struct dynamo_client *d);
void dynamo_client_set(struct dynamo_client *d, const struct dynamo_retries *retries,
                       mono_ns max_connection_age);
/* Reads {`name`, `port`, `max_connection_age_ms`, `timeout_ms`, `attempts`, `pause_ms`, `pause_max_ms`,
 * `jitter`, `max_connections`}; config->host points into it. -EINVAL. */
int dynamo_client_config(const json_t *config, struct http_client_config *ret_http,
                         struct dynamo_retries *ret_retries);

/* Begins a call; done() comes once, later, from the loop. *ret_call, if not NULL, is valid until then. */
int dynamo_call(struct dynamo_client *d, const char *operation, json_t *request, dynamo_done *done, void *arg,
                struct dynamo_call **ret_call);
/* Ends it without done(). */
void dynamo_call_cancel(struct dynamo_call *call);

/* Attribute values: {"S": text}, {"N": "42"}; new references. */
json_t *dynamo_s(const char *text);
json_t *dynamo_n(int64_t number);
/* Read an attribute of an item ({"holder": {"S": ...}}); the fallback if it isn't there or of another type.
 */
const char *dynamo_get_s(const json_t *item, const char *attribute, const char *fallback);
int64_t dynamo_get_n(const json_t *item, const char *attribute, int64_t fallback);
#endif
