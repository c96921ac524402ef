/* The HTTP client and the DynamoDB client: by name, over kept connections, against a server of the test's
 * own. */
#include "common/dynamo_client.h"
#include "common/http_server.h"
#include "tests/netns/leaselab.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <zlib.h>
#include <cmocka.h>

enum { CALLS_MAX = 8, TIMEOUT_S = 20 };

static struct event_base *base;
static struct http_server *server;
static struct http_client *client;

/* --- the server -------------------------------------------------------------------------------------- */

static struct {
	bool hold;
	struct http_request *held[CALLS_MAX];
	unsigned n_held, requests;
	/* what the next answers are, the last one for good: status and body */
	struct {
		unsigned status;
		const char *body, *headers;
	} script[4];
	unsigned at;
} serve;

static void on_request(struct http_request *r, void *arg)
{
	(void)arg;
	serve.requests++;
	if (serve.hold) {
		serve.held[serve.n_held++] = r;
		return;
	}
	unsigned at = serve.at;
	if (serve.at + 1 < ARRAY_SIZE(serve.script) && serve.script[serve.at + 1].status) serve.at++;
	const char *body = serve.script[at].body ? serve.script[at].body : r->path;
	http_answer(r, serve.script[at].status, serve.script[at].headers, body, strlen(body));
}

static void answer_held(void)
{
	for (unsigned i = 0; i < serve.n_held; i++)
		http_answer(serve.held[i], 200, NULL, "late", 4);
	serve.n_held = 0;
}

/* --- calls ------------------------------------------------------------------------------------------- */

struct outcome {
	bool over;
	enum call_outcome outcome;
	unsigned status;
	char body[64], mark[16];
};

static void on_done(const struct http_reply *reply, void *arg)
{
	struct outcome *o = arg;

	assert_false(o->over);
	*o = (struct outcome){ .over = true, .outcome = reply->outcome, .status = reply->status };
	snprintf(o->body, sizeof(o->body), "%s", reply->body);
	http_reply_header(reply, "x-mark", o->mark, sizeof(o->mark));
}

static struct http_call *begin(const char *path, int timeout_ms, struct outcome *o)
{
	struct http_call_spec spec = { .method = "GET", .path = path, .timeout = timeout_ms * NS_PER_MS };
	struct http_call *call;

	*o = (struct outcome){ 0 };
	assert_int_equal(http_client_call(client, &spec, on_done, o, &call), 0);
	assert_false(o->over); /* never from within */
	return call;
}

static void finish(const struct outcome *o)
{
	while (!o->over)
		assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
}

static struct outcome get(const char *path)
{
	struct outcome o;

	begin(path, TIMEOUT_S * 1000, &o);
	finish(&o);
	return o;
}

static void on_pause_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	*(bool *)arg = true;
}

static void let_pass(int ms)
{
	struct timeval tv = mono_timeval(ms * NS_PER_MS);
	bool over = false;

	event_base_once(base, -1, EV_TIMEOUT, on_pause_end, &over, &tv);
	while (!over)
		event_base_loop(base, EVLOOP_ONCE);
}

static void open_client(struct http_client_config config)
{
	if (!config.host) config.host = "dynamodb.lab";
	if (!config.port) config.port = LEASELAB_STORE_PORT;
	config.resolver = LEASELAB_NAMES;
	assert_int_equal(http_client_new(base, &config, &client), 0);
}

static int setup(void **state)
{
	struct http_config config = { .max_body = 4096 };

	(void)state;
	memset(&serve, 0, sizeof(serve));
	serve.script[0].status = 200;
	serve.script[0].headers = "X-Mark: 7\r\n";
	*leaselab.gone = false;
	client = NULL;
	return http_server_new(base, &config, on_request, NULL, &server) < 0 ||
	       http_server_listen(server, LEASELAB_STORE_PORT) < 0;
}

static int teardown(void **state)
{
	(void)state;
	answer_held();
	http_client_free(client);
	http_server_free(server);
	return 0;
}

/* --- HTTP -------------------------------------------------------------------------------------------- */

static void calls_share_a_kept_connection(void **state)
{
	(void)state;
	open_client((struct http_client_config){ 0 });
	for (int i = 0; i < 5; i++) {
		struct outcome o = get("/five");
		assert_int_equal(o.outcome, CALL_ANSWERED);
		assert_int_equal(o.status, 200);
		assert_string_equal(o.body, "/five");
		assert_string_equal(o.mark, "7");
	}
	assert_int_equal(http_client_connections(client), 1);
	assert_int_equal(http_server_connections(server), 1);
}

static void past_max_connections_calls_wait_in_their_order_and_past_max_waiting_fail(void **state)
{
	struct outcome o[5];

	(void)state;
	open_client((struct http_client_config){ .max_connections = 2, .max_waiting = 2 });
	serve.hold = true;
	for (int i = 0; i < 5; i++)
		begin("/", TIMEOUT_S * 1000, &o[i]);
	finish(&o[4]);
	assert_int_equal(o[4].outcome, CALL_OVERLOADED);
	while (serve.n_held < 2)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(http_client_connections(client), 2);
	serve.hold = false;
	answer_held();
	finish(&o[3]);
	assert_true(o[0].over && o[1].over);
	finish(&o[2]);
	assert_int_equal(serve.requests, 4);
}

static void an_open_connection_hides_that_the_name_is_gone_until_it_is_too_old(void **state)
{
	(void)state;
	open_client((struct http_client_config){ .max_connection_age = 500 * NS_PER_MS });
	mono_ns opened = mono_now();
	assert_int_equal(get("/").outcome, CALL_ANSWERED);
	*leaselab.gone = true;
	let_pass(1100); /* the TTL is over, too */
	assert_true(mono_now() > opened + 500 * NS_PER_MS);
	assert_int_equal(get("/").outcome, CALL_NO_ADDRESS);
	*leaselab.gone = false;
	assert_int_equal(get("/").outcome, CALL_ANSWERED);
	http_client_set_max_age(client, 0);
	*leaselab.gone = true;
	let_pass(1100);
	assert_int_equal(get("/").outcome, CALL_ANSWERED);
}

static void a_call_that_timed_out_costs_its_connection_not_the_next_ones_answer(void **state)
{
	struct outcome late, next;

	(void)state;
	open_client((struct http_client_config){ .max_connections = 1 });
	serve.hold = true;
	begin("/late", 50, &late);
	finish(&late);
	assert_int_equal(late.outcome, CALL_TIMED_OUT);
	serve.hold = false;
	begin("/next", TIMEOUT_S * 1000, &next);
	answer_held();
	finish(&next);
	assert_string_equal(next.body, "/next");
}

static void ends_are_told_apart(void **state)
{
	(void)state;
	open_client((struct http_client_config){ .host = LEASELAB_STORE, .port = 9 });
	assert_int_equal(get("/").outcome, CALL_REFUSED);
	http_client_free(client);
	open_client((struct http_client_config){ .host = "203.0.113.1" });
	assert_int_equal(get("/").outcome, CALL_UNREACHABLE);
	http_client_free(client);
	open_client((struct http_client_config){ .max_body = 4 });
	assert_int_equal(get("/long").outcome, CALL_MALFORMED);
	http_client_free(client);
	open_client((struct http_client_config){ .host = "::1" });
	assert_int_equal(get("/six").outcome, CALL_ANSWERED);
}

static void a_server_that_closes_old_connections_costs_no_call(void **state)
{
	(void)state;
	open_client((struct http_client_config){ 0 });
	http_server_configure(server, &(struct http_config){ .max_body = 4096, .max_connection_age = 1 });
	for (int i = 0; i < 20; i++)
		assert_int_equal(get("/").outcome, CALL_ANSWERED);
}

static void what_is_cancelled_or_freed_never_calls_back(void **state)
{
	struct outcome cancelled, freed, well;

	(void)state;
	open_client((struct http_client_config){ .max_connections = 1 });
	serve.hold = true;
	struct http_call *call = begin("/", 1000, &cancelled);
	begin("/", TIMEOUT_S * 1000, &well);
	while (serve.n_held < 1)
		event_base_loop(base, EVLOOP_ONCE);
	http_call_cancel(call);
	while (serve.n_held < 2) /* the next one has its turn */
		event_base_loop(base, EVLOOP_ONCE);
	answer_held();
	finish(&well);
	begin("/", 100, &freed);
	http_client_free(client);
	client = NULL;
	let_pass(200);
	assert_false(cancelled.over || freed.over);
}

/* --- DynamoDB ---------------------------------------------------------------------------------------- */

struct item {
	bool over;
	enum dynamo_outcome outcome;
	unsigned attempts;
	char code[64], holder[32];
};

static void on_item(const struct dynamo_reply *reply, void *arg)
{
	struct item *i = arg;

	*i = (struct item){ .over = true, .outcome = reply->outcome, .attempts = reply->attempts };
	snprintf(i->code, sizeof(i->code), "%s", reply->code);
	snprintf(i->holder, sizeof(i->holder), "%s",
	         dynamo_get_s(json_object_get(reply->body, "Item"), "holder", ""));
}

static struct item get_item(struct dynamo_retries retries)
{
	struct http_client_config http = { .host = "dynamodb.lab",
		                           .port = LEASELAB_STORE_PORT,
		                           .resolver = LEASELAB_NAMES };
	struct dynamo_client *d;
	struct item item = { 0 };

	if (!retries.timeout) retries.timeout = TIMEOUT_S * NS_PER_S;
	assert_int_equal(dynamo_client_new(base, &http, &retries, &d), 0);
	assert_int_equal(
	    dynamo_call(d, "GetItem", json_pack("{s:s}", "TableName", "t"), on_item, &item, NULL), 0);
	while (!item.over)
		assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
	dynamo_client_free(d);
	return item;
}

#define ITEM "{\"Item\":{\"holder\":{\"S\":\"dwfm-1\"}}}"
#define ERROR(code) "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" code "\",\"message\":\"\"}"

static void what_can_be_tried_again_is(void **state)
{
	(void)state;
	serve.script[0].status = 503;
	serve.script[1].status = 400;
	serve.script[1].body = ERROR("ProvisionedThroughputExceededException");
	serve.script[2].status = 200;
	serve.script[2].body = ITEM;
	struct item i =
	    get_item((struct dynamo_retries){ .attempts = 3, .pause = NS_PER_MS, .jitter = true });
	assert_int_equal(i.outcome, DYNAMO_OK);
	assert_int_equal(i.attempts, 3);
	assert_string_equal(i.holder, "dwfm-1");
}

static void attempts_have_an_end(void **state)
{
	(void)state;
	serve.script[0].status = 500;
	serve.script[0].body = ERROR("InternalServerError");
	struct item i = get_item((struct dynamo_retries){ .attempts = 2 });
	assert_int_equal(i.outcome, DYNAMO_UNAVAILABLE);
	assert_string_equal(i.code, "InternalServerError");
	assert_int_equal(serve.requests, 2);
}

static void a_condition_that_failed_is_an_answer(void **state)
{
	(void)state;
	serve.script[0].status = 400;
	serve.script[0].body = ERROR("ConditionalCheckFailedException");
	struct item i = get_item((struct dynamo_retries){ .attempts = 5 });
	assert_int_equal(i.outcome, DYNAMO_CONDITION_FAILED);
	assert_int_equal(i.attempts, 1);
	serve.script[0].body = ERROR("ValidationException");
	i = get_item((struct dynamo_retries){ .attempts = 5 });
	assert_int_equal(i.outcome, DYNAMO_REFUSED);
	assert_string_equal(i.code, "ValidationException");
}

static void an_answer_whose_sum_does_not_fit_is_not_believed(void **state)
{
	char right[64];

	(void)state;
	snprintf(right, sizeof(right), "x-amz-crc32: %lu\r\n", crc32(0, (const Bytef *)ITEM, strlen(ITEM)));
	serve.script[0].status = serve.script[1].status = 200;
	serve.script[0].body = serve.script[1].body = ITEM;
	serve.script[0].headers = "x-amz-crc32: 1\r\n";
	serve.script[1].headers = right;
	struct item i = get_item((struct dynamo_retries){ .attempts = 3 });
	assert_int_equal(i.outcome, DYNAMO_OK);
	assert_int_equal(i.attempts, 2);
}

static void a_name_without_address_is_unavailable_and_tried_again(void **state)
{
	(void)state;
	*leaselab.gone = true;
	struct item i = get_item((struct dynamo_retries){ .attempts = 3, .pause = NS_PER_MS });
	assert_int_equal(i.outcome, DYNAMO_UNAVAILABLE);
	assert_string_equal(i.code, "no address");
	assert_int_equal(i.attempts, 3);
	*leaselab.gone = false;
	serve.hold = true;
	i = get_item((struct dynamo_retries){ .attempts = 2, .timeout = 50 * NS_PER_MS });
	assert_int_equal(i.outcome, DYNAMO_TIMED_OUT);
	assert_int_equal(i.attempts, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(calls_share_a_kept_connection),
		TEST(past_max_connections_calls_wait_in_their_order_and_past_max_waiting_fail),
		TEST(an_open_connection_hides_that_the_name_is_gone_until_it_is_too_old),
		TEST(a_call_that_timed_out_costs_its_connection_not_the_next_ones_answer),
		TEST(ends_are_told_apart),
		TEST(a_server_that_closes_old_connections_costs_no_call),
		TEST(what_is_cancelled_or_freed_never_calls_back),
		TEST(what_can_be_tried_again_is),
		TEST(attempts_have_an_end),
		TEST(a_condition_that_failed_is_an_answer),
		TEST(an_answer_whose_sum_does_not_fit_is_not_believed),
		TEST(a_name_without_address_is_unavailable_and_tried_again),
	};

	leaselab_start();
	testnet_enter(leaselab.ns);
	base = event_base_new();
	return base ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
