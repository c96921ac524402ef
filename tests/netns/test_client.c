/* The client against real backends, and a name server of the test's own whose answers change at will. */
#include "common/arrivals.h"
#include "common/cleanup.h"
#include "common/mono.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { SEED = 5, ADDRESSES_MAX = 4, RCODE_NXDOMAIN = 3 };
#define NAME_SERVER "127.0.0.53"

static int ns;

/* --- a name server ----------------------------------------------------------------------------------- */

static struct {
	_Atomic unsigned asked[2]; /* A, AAAA */
	_Atomic unsigned n, ttl, rcode, delay_ms;
	_Atomic bool silent;
	_Atomic in_addr_t addresses[ADDRESSES_MAX];
} * dns; /* shared with the process that serves it */

/* Turns a question into its answer in place: same id and question, addresses behind it. */
static size_t answer(uint8_t *m, size_t len)
{
	size_t end = 12;
	unsigned n;

	while (end < len && m[end])
		end += m[end] + 1u;
	bool v6 = m[end + 2] == 28;
	dns->asked[v6]++;
	end += 5;
	n = v6 || dns->rcode ? 0 : dns->n;
	m[2] = 0x81, m[3] = (uint8_t)(0x80 | dns->rcode);
	m[6] = 0, m[7] = (uint8_t)n, m[8] = m[9] = m[10] = m[11] = 0;
	for (unsigned i = 0; i < n; i++, end += 16) {
		in_addr_t address = dns->addresses[i];
		uint32_t ttl = htonl(dns->ttl);
		memcpy(m + end, "\xc0\x0c\0\1\0\1", 6);
		memcpy(m + end + 6, &ttl, 4);
		memcpy(m + end + 10, "\0\4", 2);
		memcpy(m + end + 12, &address, 4);
	}
	return end;
}

static void serve_names(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) }, from;
	uint8_t message[512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	testnet_enter(ns);
	inet_pton(AF_INET, NAME_SERVER, &at.sin_addr);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) _exit(1);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &len);
		if (n < 17) continue;
		size_t out = answer(message, (size_t)n);
		if (dns->silent) continue;
		usleep(dns->delay_ms * 1000);
		sendto(fd, message, out, 0, (struct sockaddr *)&from, len);
	}
}

static void answer_with(unsigned ttl, const char *const *addresses)
{
	unsigned n = 0;

	for (; addresses[n]; n++)
		dns->addresses[n] = inet_addr(addresses[n]);
	dns->n = n;
	dns->ttl = ttl;
	dns->rcode = dns->delay_ms = 0;
	dns->silent = false;
	dns->asked[0] = dns->asked[1] = 0;
}
#define ANSWER(ttl, ...) answer_with(ttl, (const char *const[]){ __VA_ARGS__, NULL })

/* --- a client ---------------------------------------------------------------------------------------- */

struct options {
	double rate;
	int timeout_ms, retries, port;
	bool poisson, any_family;
	const char *path;
};

static json_t *client_config(const struct options *o)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:f, s:b, s:i, s:i, s:i}", "resolver", NAME_SERVER, "host",
	                 "shop.lab", "port", o->port ? o->port : 80, "path", o->path ? o->path : "/",
	                 "rate_per_s", o->rate, "poisson", o->poisson, "timeout_ms",
	                 o->timeout_ms ? o->timeout_ms : 1000, "retries", o->retries, "family",
	                 o->any_family ? 0 : 4);
}

static struct testnode *start_client(const struct options *o)
{
	static const int none;
	return testnode_start(&(struct testnode_spec){ .ns = ns,
	                                               .daemon = "client",
	                                               .name = "internet.client-1",
	                                               .zone = "internet",
	                                               .seed = SEED,
	                                               .config = client_config(o),
	                                               .keep_caps = &none });
}

static struct testnode *start_backend(const char *name, unsigned concurrency, unsigned queue, int service_ms)
{
	return testnode_start(&(struct testnode_spec){
	    .ns = ns,
	    .daemon = "backend",
	    .name = name,
	    .zone = "az1",
	    .seed = SEED,
	    .config = json_pack("{s:i, s:i, s:i, s:i, s:s}", "port", 80, "concurrency", concurrency, "queue",
	                        queue, "service_time_ms", service_ms, "distribution", "fixed") });
}

struct totals {
	int buckets, requests, errors, attempts, lab_errors;
	int no_address, unreachable, refused, reset, timed_out, http;
	double p50_max;
};

static int member(const json_t *object, const char *key)
{
	return (int)json_integer_value(json_object_get(object, key));
}

/* Adds up the buckets of [0, buckets * 100 ms), waiting for them; each must come once and in order. */
static struct totals collect(struct testnode *c, int buckets)
{
	struct totals t = { 0 };
	const json_t *message;
	size_t i;

	assert_true(testnode_wait_count(c, json_pack("{s:s}", "kind", "requests"), (size_t)buckets,
	                                PATIENCE_MS) >= (size_t)buckets);
	json_array_foreach (testnode_messages(c), i, message) {
		const char *kind = json_string_value(json_object_get(message, "kind"));
		if (!kind || strcmp(kind, "requests") || t.buckets == buckets) continue;
		assert_int_equal((int)json_number_value(json_object_get(message, "from_ms")),
		                 100 * t.buckets++);
		const json_t *by = json_object_get(message, "by_class");
		t.requests += member(message, "requests");
		t.errors += member(message, "errors");
		t.attempts += member(message, "attempts");
		t.lab_errors += member(message, "lab_errors");
		t.no_address += member(by, "no_address");
		t.unreachable += member(by, "unreachable");
		t.refused += member(by, "refused");
		t.reset += member(by, "reset");
		t.timed_out += member(by, "timed_out");
		t.http += member(by, "http");
		double p50 =
		    json_number_value(json_object_get(json_object_get(message, "latency_ms"), "p50"));
		if (p50 > t.p50_max) t.p50_max = p50;
	}
	assert_int_equal(t.errors, t.no_address + t.unreachable + t.refused + t.reset + t.timed_out + t.http);
	return t;
}

static struct totals run(const struct options *o, int buckets)
{
	struct testnode *c = start_client(o);

	testnode_begin(c, mono_now());
	struct totals t = collect(c, buckets);
	assert_int_equal(testnode_stop(c), 0);
	return t;
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void a_well_service_gets_every_request_of_the_schedule(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 5);

	(void)state;
	ANSWER(60, "127.0.0.1");
	struct totals t = run(&(struct options){ .rate = 300, .poisson = true }, 20);
	assert_int_equal(t.requests, arrivals_count(SEED, "internet.client-1", 300, true, 2 * NS_PER_S));
	assert_int_equal(t.attempts, t.requests);
	assert_int_equal(t.errors + t.lab_errors, 0);
	assert_true(t.p50_max >= 5 && t.p50_max < 50);
	assert_int_equal(dns->asked[0], 1);
	assert_int_equal(dns->asked[1], 0);
	assert_int_equal(testnode_stop(b), 0);
}

static void every_way_to_fail_has_its_class(void **state)
{
	const struct options o = { .rate = 100, .timeout_ms = 200 };
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 1);

	(void)state;
	ANSWER(60, "127.0.0.1");
	struct totals t = run(&(struct options){ .rate = 100, .port = 81 }, 5);
	assert_int_equal(t.refused, 50);
	t = run(&(struct options){ .rate = 100, .path = "/bytes/x" }, 5);
	assert_int_equal(t.http, 50);
	ANSWER(60, "192.0.2.1"); /* no route */
	assert_int_equal(run(&o, 5).unreachable, 50);
	dns->rcode = RCODE_NXDOMAIN;
	assert_int_equal(run(&o, 5).no_address, 50);
	ANSWER(60, "127.0.0.1");
	dns->n = 0;
	assert_int_equal(run(&o, 5).no_address, 50);
	dns->silent = true;
	assert_int_equal(run(&o, 5).no_address, 50);
	ANSWER(60, "127.0.0.1");
	kill(testnode_pid(b), SIGSTOP);
	assert_int_equal(run(&o, 5).timed_out, 50);
	kill(testnode_pid(b), SIGCONT);
	t = run(&o, 5); /* control: with the causes gone, so are the errors */
	assert_int_equal(t.errors, 0);
	assert_int_equal(t.requests, 50);
	assert_int_equal(testnode_stop(b), 0);
}

static void a_full_backend_is_an_http_error(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 1, 0, 1000);

	(void)state;
	ANSWER(60, "127.0.0.1");
	struct totals t = run(&(struct options){ .rate = 50, .timeout_ms = 300 }, 5);
	assert_int_equal(t.http, 24);
	assert_int_equal(t.timed_out, 1); /* the one in the slot */
	assert_int_equal(testnode_stop(b), 0);
}

static void no_local_port_is_the_labs_own_error(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 1);

	(void)state;
	ANSWER(60, "127.0.0.1");
	testnet_run(ns, "echo 2000 2001 >/proc/sys/net/ipv4/ip_local_port_range;"
	                " echo 0 >/proc/sys/net/ipv4/tcp_tw_reuse");
	/* the few ports that there are go into TIME_WAIT, each once */
	struct totals t = run(&(struct options){ .rate = 100 }, 5);
	testnet_run(ns, "echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range");
	assert_true(t.lab_errors > 40);
	assert_int_equal(t.errors, 0);
	assert_int_equal(t.requests, 50);
	assert_int_equal(testnode_stop(b), 0);
}

static void a_retry_picks_among_all_addresses_again(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 200, 1);

	(void)state;
	ANSWER(60, "127.0.0.1", "192.0.2.1"); /* one is dead: half of the attempts fail */
	struct totals once = run(&(struct options){ .rate = 400 }, 10);
	assert_in_range(once.unreachable, 200 - 50, 200 + 50); /* 5 standard deviations of 10 */
	assert_int_equal(once.attempts, 400);
	struct totals twice = run(&(struct options){ .rate = 400, .retries = 1 }, 10);
	assert_in_range(twice.unreachable, 100 - 45,
	                100 + 45); /* a quarter: any address, the failed one too */
	assert_in_range(twice.attempts, 600 - 50, 600 + 50);
	assert_int_equal(testnode_stop(b), 0);
}

static void it_asks_again_when_the_ttl_ends(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 1);
	struct testnode *c;

	(void)state;
	ANSWER(1, "127.0.0.1");
	c = start_client(&(struct options){ .rate = 100 });
	testnode_begin(c, mono_now());
	testnode_idle(300);
	dns->addresses[0] = inet_addr("192.0.2.1");
	collect(c, 30);
	assert_int_equal(testnode_stop(c), 0);
	assert_in_range(dns->asked[0], 3, 4);

	ANSWER(1, "127.0.0.1");
	c = start_client(&(struct options){ .rate = 100 });
	mono_ns t0 = mono_now();
	testnode_begin(c, t0);
	testnode_idle(300);
	dns->addresses[0] = inet_addr("192.0.2.1"); /* cached: seen 1 s after the first answer, not before */
	const json_t *begin = testnode_wait_event(c, "client.errors", "state", "begin", PATIENCE_MS);
	assert_non_null(begin);
	struct totals t = collect(c, 20);
	assert_in_range(t.unreachable, 50,
	                100); /* of the second second; the answer's own second may begin late */
	dns->addresses[0] = inet_addr("127.0.0.1");
	assert_non_null(testnode_wait_event(c, "client.errors", "state", "end", PATIENCE_MS));
	assert_int_equal(testnode_stop(c), 0);
	assert_int_equal(testnode_stop(b), 0);
}

static void ttl_0_serves_those_that_wait_with_one_query_at_a_time(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 1);

	(void)state;
	ANSWER(0, "127.0.0.1");
	dns->delay_ms = 100;
	struct totals t = run(&(struct options){ .rate = 200 }, 10);
	assert_int_equal(t.errors, 0);
	assert_int_equal(t.requests, 200);
	/* one query a round trip of 100 ms, each for about 20 attempts */
	assert_in_range(dns->asked[0], 9, 13);
	assert_int_equal(testnode_stop(b), 0);
}

static void a_lost_question_is_asked_again(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 200, 200, 1);
	struct testnode *c;

	(void)state;
	ANSWER(60, "127.0.0.1");
	dns->silent = true;
	c = start_client(&(struct options){ .rate = 50, .timeout_ms = 3000 });
	testnode_begin(c, mono_now());
	testnode_idle(500);
	assert_int_equal(dns->asked[0], 1);
	dns->silent = false;
	struct totals t = collect(c, 15);
	assert_int_equal(t.errors, 0);
	assert_int_equal(dns->asked[0], 2);
	assert_true(t.p50_max > 800 && t.p50_max < 1100); /* waited for the second question */
	assert_int_equal(testnode_stop(c), 0);
	assert_int_equal(testnode_stop(b), 0);
}

static void any_family_asks_for_both(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 1);

	(void)state;
	ANSWER(60, "127.0.0.1");
	struct totals t = run(&(struct options){ .rate = 100, .any_family = true }, 3);
	assert_int_equal(t.errors, 0);
	assert_int_equal(dns->asked[0], 1);
	assert_int_equal(dns->asked[1], 1);
	assert_int_equal(testnode_stop(b), 0);
}

static void the_rate_turns_while_it_runs(void **state)
{
	struct testnode *b = start_backend("az1.shop-1", 100, 100, 1);
	struct testnode *c = start_client(&(struct options){ .rate = 100 });

	(void)state;
	ANSWER(60, "127.0.0.1");
	testnode_begin(c, mono_now());
	assert_int_equal(collect(c, 5).requests, 50);
	testnode_set(c, client_config(&(struct options){ .rate = 400 }));
	testnode_idle(300); /* buckets of both rates */
	testnode_forget(c);
	testnode_wait_count(c, json_pack("{s:s}", "kind", "requests"), 5, PATIENCE_MS);
	const json_t *message;
	size_t i;
	json_array_foreach (testnode_messages(c), i, message) {
		const char *kind = json_string_value(json_object_get(message, "kind"));
		if (kind && strcmp(kind, "requests") == 0)
			assert_in_range(member(message, "requests"), 39, 41);
	}
	assert_int_equal(testnode_stop(c), 0);
	assert_int_equal(testnode_stop(b), 0);
}

static void bad_configurations_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}", "{\"host\":\"shop.lab\",\"resolver\":\"nonsense\"}",
		"{\"host\":\"a..b\",\"resolver\":\"127.0.0.1\"}",
		"{\"host\":\"shop.lab\",\"resolver\":\"127.0.0.1\",\"rate_per_s\":-1}",
		"{\"host\":\"shop.lab\",\"resolver\":\"127.0.0.1\",\"family\":5}"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct testnode *c =
		    testnode_launch(&(struct testnode_spec){ .ns = ns,
		                                             .daemon = "client",
		                                             .name = "internet.client-1",
		                                             .zone = "internet",
		                                             .config = json_loads(bad[i], 0, NULL) });
		testnode_idle(50);
		assert_int_equal(testnode_stop(c), 111);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_well_service_gets_every_request_of_the_schedule),
		cmocka_unit_test(every_way_to_fail_has_its_class),
		cmocka_unit_test(a_full_backend_is_an_http_error),
		cmocka_unit_test(a_retry_picks_among_all_addresses_again),
		cmocka_unit_test(it_asks_again_when_the_ttl_ends),
		cmocka_unit_test(ttl_0_serves_those_that_wait_with_one_query_at_a_time),
		cmocka_unit_test(a_lost_question_is_asked_again),
		cmocka_unit_test(any_family_asks_for_both),
		cmocka_unit_test(the_rate_turns_while_it_runs),
		cmocka_unit_test(no_local_port_is_the_labs_own_error),
		cmocka_unit_test(bad_configurations_are_refused),
	};
	ns = testnet_new();
	testnet_run(
	    ns,
	    "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start; echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse");
	dns = mmap(NULL, sizeof(*dns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t server = fork();
	if (server == 0) serve_names();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return failed;
}
