#include "common/dynamo_client.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "common/random.h"
#include "common/timer.h"
#include <errno.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <string.h>
#include <sys/queue.h>
#include <zlib.h>

enum { OPERATION_MAX = 64, CODE_MAX = 64 };
#define TARGET_PREFIX "DynamoDB_20120810."

struct dynamo_call {
	LIST_ENTRY(dynamo_call) link;
	struct dynamo_client *client;
	struct http_call *http; /* while one runs */
	struct event again;     /* while a pause runs; also what tells a failure to begin */
	char headers[160];
	char *body;
	unsigned attempts;
	mono_ns began;
	enum dynamo_outcome outcome; /* of the last attempt */
	char code[CODE_MAX];
	dynamo_done *done;
	void *arg;
};

struct dynamo_client {
	struct event_base *base;
	struct http_client *http;
	struct dynamo_retries retries;
	struct random random;
	LIST_HEAD(, dynamo_call) calls;
};

const char *dynamo_outcome_text(enum dynamo_outcome outcome)
{
	static const char *const texts[DYNAMO_OUTCOMES] = {
		[DYNAMO_OK] = "ok",
		[DYNAMO_CONDITION_FAILED] = "condition-failed",
		[DYNAMO_THROTTLED] = "throttled",
		[DYNAMO_REFUSED] = "refused",
		[DYNAMO_TIMED_OUT] = "timed-out",
		[DYNAMO_UNAVAILABLE] = "unavailable",
	};
	return outcome < DYNAMO_OUTCOMES ? texts[outcome] : "unknown";
}

/* --- what an attempt's end means --------------------------------------------------------------------- */

/* The answer as it was sent? An answer without the sum is believed. */
static bool sum_fits(const struct http_reply *reply)
{
	char sum[16];

	if (!http_reply_header(reply, "x-amz-crc32", sum, sizeof(sum))) return true;
	return strtoul(sum, NULL, 10) == crc32(0, (const Bytef *)reply->body, (uInt)reply->body_len);
}

/* "com.amazonaws.dynamodb.v20120810#CODE" or just CODE. */
static void read_code(const json_t *error, char code[static CODE_MAX])
{
	const char *type = node_string(error, "__type", ""), *hash = strchr(type, '#');

	snprintf(code, CODE_MAX, "%s", hash ? hash + 1 : type);
}

static bool is_throttling(const char *code)
{
	return !strcmp(code, "ProvisionedThroughputExceededException") ||
	       !strcmp(code, "ThrottlingException") || !strcmp(code, "RequestLimitExceeded");
}

static enum dynamo_outcome outcome_of_error(unsigned status, const char *code)
{
	if (!strcmp(code, "ConditionalCheckFailedException")) return DYNAMO_CONDITION_FAILED;
	if (is_throttling(code)) return DYNAMO_THROTTLED;
	return status / 100 == 5 ? DYNAMO_UNAVAILABLE : DYNAMO_REFUSED;
}

/* Sets the outcome and code of the call; returns the answer's JSON, or NULL. */
static json_t *read_reply(struct dynamo_call *call, const struct http_reply *reply)
{
	json_t *body;

	if (reply->outcome != CALL_ANSWERED) {
		call->outcome = reply->outcome == CALL_TIMED_OUT ? DYNAMO_TIMED_OUT : DYNAMO_UNAVAILABLE;
		snprintf(call->code, CODE_MAX, "%s", call_outcome_text(reply->outcome));
		return NULL;
	}
	body = sum_fits(reply) ? json_loadb(reply->body, reply->body_len, JSON_ALLOW_NUL, NULL) : NULL;
	if (reply->status == 200) {
		call->outcome = body ? DYNAMO_OK : DYNAMO_UNAVAILABLE;
		snprintf(call->code, CODE_MAX, "%s", body ? "" : "broken answer");
		return body;
	}
	read_code(body, call->code);
	if (!call->code[0]) snprintf(call->code, CODE_MAX, "HTTP status %u", reply->status);
	call->outcome = outcome_of_error(reply->status, call->code);
	return body;
}

static bool may_retry(const struct dynamo_call *call)
{
	return call->attempts < call->client->retries.attempts &&
	       (call->outcome == DYNAMO_THROTTLED || call->outcome == DYNAMO_TIMED_OUT ||
	        call->outcome == DYNAMO_UNAVAILABLE);
}

/* --- calls ------------------------------------------------------------------------------------------- */

static void free_call(struct dynamo_call *call)
{
	LIST_REMOVE(call, link);
	event_del(&call->again);
	free(call->body);
	free(call);
}

static void finish(struct dynamo_call *call, const json_t *body)
{
	struct dynamo_reply reply = { .outcome = call->outcome,
		                      .code = call->code,
		                      .body = body,
		                      .attempts = call->attempts,
		                      .took = mono_now() - call->began };

	call->done(&reply, call->arg);
	free_call(call);
}

static mono_ns pause_before_next(struct dynamo_call *call)
{
	const struct dynamo_retries *r = &call->client->retries;
	unsigned doublings = call->attempts - 1 < 20 ? call->attempts - 1 : 20;
	mono_ns pause = r->pause << doublings;

	if (r->pause_max > 0 && pause > r->pause_max) pause = r->pause_max;
	return r->jitter ? (mono_ns)(random_unit(&call->client->random) * (double)pause) : pause;
}

static void try_again(struct dynamo_call *call)
{
	timer_after(&call->again, pause_before_next(call));
}

static void on_reply(const struct http_reply *reply, void *arg)
{
	struct dynamo_call *call = arg;
	json_t *body = read_reply(call, reply);

	call->http = NULL;
	if (may_retry(call))
		try_again(call);
	else
		finish(call, body);
	json_decref(body);
}

static int attempt(struct dynamo_call *call)
{
	struct http_call_spec spec = { .method = "POST",
		                       .path = "/",
		                       .headers = call->headers,
		                       .body = call->body,
		                       .body_len = strlen(call->body),
		                       .timeout = call->client->retries.timeout };

	call->attempts++;
	return http_client_call(call->client->http, &spec, on_reply, call, &call->http);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct dynamo_call *call = arg;

	(void)fd, (void)what;
	if (attempt(call) == 0) return;
	call->outcome = DYNAMO_UNAVAILABLE;
	snprintf(call->code, CODE_MAX, "%s", call_outcome_text(CALL_LAB_ERROR));
	finish(call, NULL);
}

int dynamo_call(struct dynamo_client *d, const char *operation, json_t *request, dynamo_done *done, void *arg,
                struct dynamo_call **ret_call)
{
	cleanup_free struct dynamo_call *call = calloc(1, sizeof(*call));
	cleanup_free char *body = request ? json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	int r;

	json_decref(request);
	if (!call || !body) return -ENOMEM;
	if (strlen(operation) > OPERATION_MAX) return -EINVAL;
	snprintf(call->headers, sizeof(call->headers),
	         "X-Amz-Target: " TARGET_PREFIX "%s\r\nContent-Type: application/x-amz-json-1.0\r\n",
	         operation);
	call->client = d;
	call->body = body;
	call->done = done;
	call->arg = arg;
	call->began = mono_now();
	if ((r = attempt(call)) < 0) return r;
	evtimer_assign(&call->again, d->base, on_again, call);
	LIST_INSERT_HEAD(&d->calls, call, link);
	(void)take_ptr(body);
	if (ret_call) *ret_call = call;
	(void)take_ptr(call);
	return 0;
}

void dynamo_call_cancel(struct dynamo_call *call)
{
	if (call->http) http_call_cancel(call->http);
	free_call(call);
}

/* --- life -------------------------------------------------------------------------------------------- */

int dynamo_client_new(struct event_base *base, const struct http_client_config *http,
                      const struct dynamo_retries *retries, struct dynamo_client **ret)
{
	cleanup_free struct dynamo_client *d = calloc(1, sizeof(*d));
	int r;

	if (!d) return -ENOMEM;
	if ((r = http_client_new(base, http, &d->http)) < 0) return r;
	d->base = base;
	d->retries = *retries;
	d->random = random_of(http->seed, "dynamo-retries");
	LIST_INIT(&d->calls);
	*ret = take_ptr(d);
	return 0;
}

void dynamo_client_free(struct dynamo_client *d)
{
	struct dynamo_call *call;

	if (!d) return;
	while ((call = LIST_FIRST(&d->calls)))
		dynamo_call_cancel(call);
	http_client_free(d->http);
	free(d);
}

void dynamo_client_set(struct dynamo_client *d, const struct dynamo_retries *retries,
                       mono_ns max_connection_age)
{
	d->retries = *retries;
	http_client_set_max_age(d->http, max_connection_age);
}

static mono_ns read_ms(const json_t *config, const char *key, double fallback_ms)
{
	return (mono_ns)(node_number(config, key, fallback_ms) * (double)NS_PER_MS);
}

int dynamo_client_config(const json_t *config, struct http_client_config *ret_http,
                         struct dynamo_retries *ret_retries)
{
	double port = node_number(config, "port", 80), attempts = node_number(config, "attempts", 3);
	double connections = node_number(config, "max_connections", 0);
	struct dynamo_retries retries = { .timeout = read_ms(config, "timeout_ms", 1000),
		                          .attempts = (unsigned)attempts,
		                          .pause = read_ms(config, "pause_ms", 50),
		                          .pause_max = read_ms(config, "pause_max_ms", 20000),
		                          .jitter = node_bool(config, "jitter", false) };
	const char *name = node_string(config, "name", "");

	if (!*name || !(port >= 1 && port <= UINT16_MAX) || !(attempts >= 1 && attempts <= 100) ||
	    !(connections >= 0 && connections <= 4096) || retries.timeout <= 0 || retries.pause < 0)
		return -EINVAL;
	ret_http->host = name;
	ret_http->port = (uint16_t)port;
	ret_http->max_connections = (unsigned)connections;
	ret_http->max_connection_age = read_ms(config, "max_connection_age_ms", 0);
	*ret_retries = retries;
	return 0;
}

/* --- attribute values -------------------------------------------------------------------------------- */

json_t *dynamo_s(const char *text)
{
	return json_pack("{s:s}", "S", text);
}

json_t *dynamo_n(int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	return json_pack("{s:s}", "N", text);
}

const char *dynamo_get_s(const json_t *item, const char *attribute, const char *fallback)
{
	return node_string(json_object_get(item, attribute), "S", fallback);
}

int64_t dynamo_get_n(const json_t *item, const char *attribute, int64_t fallback)
{
	const char *text = node_string(json_object_get(item, attribute), "N", "");
	char *end;
	long long number = strtoll(text, &end, 10);

	return *text && !*end ? number : fallback;
}
