#include "ec2-api/api.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "ec2-api/request.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VERSION "2016-11-15"

static const struct {
	const char *name;
	void (*run)(struct call *c);
} actions[ACTIONS] = {
	[ACTION_RUN] = { "RunInstances", launch_call },
	[ACTION_TERMINATE] = { "TerminateInstances", terminate_call },
	[ACTION_DESCRIBE] = { "DescribeInstances", describe_call },
	[ACTION_DESCRIBE_STATUS] = { "DescribeInstanceStatus", describe_call },
	[ACTION_REBOOT] = { "RebootInstances", reboot_call },
};

/* --- answers ----------------------------------------------------------------------------------------- */

static void send_answer(struct call *c, unsigned status, const char *body, size_t len)
{
	char headers[160];

	snprintf(headers, sizeof(headers), "Content-Type: text/xml;charset=UTF-8\r\nx-amzn-RequestId: %s\r\n",
	         c->request_id);
	http_answer(c->http, status, headers, body, len);
	query_release(&c->query);
	free(c);
}

void call_begin(const struct call *c, struct answer *a)
{
	answer_begin(a, action_text(c->action), c->request_id);
}

void call_answer(struct call *c, struct answer *a)
{
	size_t len;
	const char *body = answer_end(a, &len);

	if (body)
		send_answer(c, 200, body, len);
	else
		call_fail(c, API_INTERNAL, "The answer could not be written");
	answer_release(a);
}

static void count_error(struct api *api, const struct api_error *e)
{
	if (e->code == API_DRY_RUN || !stats_error(&api->stats, e->code)) return;
	node_event(api->node, "api.error", 0,
	           json_pack("{s:s, s:s}", "code", api_code_text(e->code), "state", "begin"));
}

void call_error(struct call *c, const struct api_error *e)
{
	struct answer a;
	size_t len = 0;
	const char *body = answer_error(&a, e, c->request_id, &len);

	count_error(c->api, e);
	send_answer(c, api_code_status(e->code), body ? body : "", len);
	answer_release(&a);
}

void call_fail(struct call *c, enum api_code code, const char *format, ...)
{
	struct api_error e;
	va_list args;

	va_start(args, format);
	api_vfail(&e, code, format, args);
	va_end(args);
	call_error(c, &e);
}

/* --- requests ---------------------------------------------------------------------------------------- */

static void make_request_id(struct random *random, char ret[API_REQUEST_ID_MAX])
{
	uint64_t a = random_next(random), b = random_next(random);

	snprintf(ret, API_REQUEST_ID_MAX, "%08" PRIx32 "-%04x-%04x-%04x-%012" PRIx64, (uint32_t)(a >> 32),
	         (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
	         b & UINT64_C(0xffffffffffff));
}

/* A query comes as a POST's body, or behind a GET's '?'. */
static int parse_query(struct call *c)
{
	const char *question = strchr(c->http->path, '?');

	if (strcmp(c->http->method, "POST") == 0)
		return query_parse(&c->query, c->http->body, c->http->body_len);
	if (strcmp(c->http->method, "GET") == 0 && question)
		return query_parse(&c->query, question + 1, strlen(question + 1));
	return -EBADMSG;
}

static bool find_action(struct call *c, struct api_error *e)
{
	const char *name = query_get(&c->query, "Action"), *version = query_get(&c->query, "Version");

	if (!name) return api_fail(e, API_MISSING, "The request must contain the parameter Action");
	if (!version || strcmp(version, VERSION))
		return api_fail(e, API_NO_VERSION, "The requested version (%s) is not valid; it is " VERSION,
		                version ? version : "none");
	for (int i = 0; i < ACTIONS; i++) {
		if (strcmp(actions[i].name, name)) continue;
		c->action = (enum api_action)i;
		return true;
	}
	return api_fail(e, API_INVALID_ACTION, "The action %s is not valid for this web service.", name);
}

/* Throttled requests count as requests of their action: what a client sent is what it sent. */
static void begin_call(struct call *c)
{
	struct api_error e = { 0 };
	int r = parse_query(c);

	if (r < 0) {
		call_fail(c, r == -ENOMEM ? API_INTERNAL : API_MALFORMED, "The query string is malformed");
	} else if (!find_action(c, &e)) {
		call_error(c, &e);
	} else {
		c->api->stats.requests[c->action]++;
		if (!bucket_take(&c->api->bucket, c->received))
			call_fail(c, API_THROTTLED, "Request limit exceeded.");
		else
			actions[c->action].run(c);
	}
}

void call_take(struct http_request *http, void *arg)
{
	struct api *api = arg;

	if (strcmp(http->path, "/health") == 0) {
		http_answer(http, 200, NULL, "ok", 2);
		return;
	}
	struct call *c = malloc(sizeof(*c));
	if (!c) {
		http_answer(http, 500, NULL, "", 0);
		return;
	}
	*c = (struct call){ .api = api, .http = http, .received = mono_now() };
	make_request_id(&api->random, c->request_id);
	begin_call(c);
}

/* --- what all actions use ---------------------------------------------------------------------------- */

enum api_code api_code_of(enum dynamo_outcome outcome)
{
	switch (outcome) {
	case DYNAMO_OK:
		return API_OK;
	case DYNAMO_THROTTLED:
		return API_THROTTLED;
	case DYNAMO_TIMED_OUT:
	case DYNAMO_UNAVAILABLE:
		return API_UNAVAILABLE;
	default:
		return API_INTERNAL;
	}
}

void api_store(struct api *api, const char *operation, json_t *request, dynamo_done *done, void *arg)
{
	int r = dynamo_call(api->dynamo, operation, request, done, arg, NULL);

	if (r == 0) return;
	log_errno(r, "cannot call DynamoDB");
	done(&(struct dynamo_reply){ .outcome = DYNAMO_UNAVAILABLE, .code = "no memory" }, arg);
}
