/* The backend over real sockets in a namespace of its own: capacity, both families, garbage, transfers. */
#include "backend/inbound.h"
#include "common/cleanup.h"
#include "common/mono.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { PORT = 80, TIMEOUT_MS = 5000 };

static int ns;

static json_t *config(unsigned concurrency, unsigned queue, int service_ms)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:s, s:i}", "port", PORT, "concurrency", concurrency, "queue",
	                 queue, "service_time_ms", service_ms, "distribution", "fixed", "overload_after_ms",
	                 250);
}

static struct testnode *start(json_t *with)
{
	static const int none;
	return testnode_start(&(struct testnode_spec){ .ns = ns,
	                                               .daemon = "backend",
	                                               .name = "az1.shop-1",
	                                               .zone = "az1",
	                                               .seed = 1,
	                                               .config = with,
	                                               .keep_caps = &none });
}

/* --- a caller ---------------------------------------------------------------------------------------- */

static int dial(int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		                  .sin_port = htons(PORT),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		                   .sin6_port = htons(PORT),
		                   .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	testnet_enter(ns);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	assert_true(fd >= 0);
	assert_int_equal(family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
	                                   : connect(fd, (struct sockaddr *)&v6, sizeof(v6)),
	                 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static int ask(const char *request)
{
	int fd = dial(AF_INET);
	say(fd, request);
	return fd;
}

/* One read of what comes next; 0 at the end, -1 if nothing came in time. */
static ssize_t hear(int fd, char *buf, size_t size, int timeout_ms)
{
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, timeout_ms) <= 0) return -1;
	ssize_t n = recv(fd, buf, size - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

static unsigned status_of(int fd)
{
	char buf[1024] = "";
	unsigned status = 0;

	if (hear(fd, buf, sizeof(buf), TIMEOUT_MS) > 0) sscanf(buf, "HTTP/1.1 %u", &status);
	return status;
}

static double ms_since(mono_ns then)
{
	return mono_ms(mono_now() - then);
}

#define GET "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"

/* --- tests ------------------------------------------------------------------------------------------- */

static void both_families_get_the_answer(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct testnode *b = start(config(2, 2, 1));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		char buf[1024] = "";
		int fd = dial(families[i]);
		say(fd, GET);
		assert_true(hear(fd, buf, sizeof(buf), TIMEOUT_MS) > 0);
		assert_non_null(strstr(buf, "HTTP/1.1 200 OK\r\n"));
		assert_non_null(strstr(buf, "{\"zone\":\"az1\",\"node\":\"az1.shop-1\"}\n"));
		assert_null(strcasestr(buf, "connection: close"));
		/* the connection lives on, and the caller closes first */
		say(fd, GET GET);
		assert_int_equal(status_of(fd), 200);
		close(fd);
	}
	assert_int_equal(testnode_stop(b), 0);
}

/* Where tcp_tw_reuse lets ports go on; on the backend's side they would pile up. */
static void time_wait_falls_to_the_caller(void **state)
{
	struct testnode *b = start(config(2, 2, 0));

	(void)state;
	for (int i = 0; i < 20; i++) {
		int fd = ask(GET);
		assert_int_equal(status_of(fd), 200);
		close(fd);
	}
	testnet_run(ns, "test $(ss -Htan state time-wait 'sport = :80' | wc -l) = 0 &&"
	                " test $(ss -Htan state time-wait 'dport = :80' | wc -l) -ge 20");
	assert_int_equal(testnode_stop(b), 0);
}

static void requests_wait_for_a_slot_and_a_full_queue_answers_503(void **state)
{
	struct testnode *b = start(config(1, 2, 200));
	mono_ns began = mono_now();
	int fds[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		fds[i] = ask(GET);
	assert_int_equal(status_of(fds[3]), 503);
	assert_true(ms_since(began) < 150); /* at once, not after the queue */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(status_of(fds[i]), 200);
		assert_true(ms_since(began) > 200 * (i + 1) - 5);
		assert_true(ms_since(began) < 200 * (i + 1) + 100);
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	assert_int_equal(testnode_stop(b), 0);
}

/* One slot of 200 ms, three callers; the middle one goes. Returns when the last one had its answer. */
static double with_one_gone(bool serve_abandoned, bool reset)
{
	json_t *with = config(1, 8, 200);
	json_object_set_new(with, "serve_abandoned", json_boolean(serve_abandoned));
	struct testnode *b = start(with);
	struct linger linger = { .l_onoff = reset };
	mono_ns began = mono_now();
	int first = ask(GET), gone = ask(GET), last = ask(GET);

	setsockopt(gone, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(gone);
	assert_int_equal(status_of(first), 200);
	assert_int_equal(status_of(last), 200);
	double took = ms_since(began);
	close(first), close(last);
	assert_int_equal(testnode_stop(b), 0);
	return took;
}

static void work_whose_caller_has_gone_is_skipped_unless_told_otherwise(void **state)
{
	(void)state;
	for (int reset = 0; reset <= 1; reset++) {
		double skipped = with_one_gone(false, reset), served = with_one_gone(true, reset);
		assert_true(skipped > 395 && skipped < 500);
		assert_true(served > 595 && served < 700);
	}
}

static void a_tcp_check_costs_no_slot(void **state)
{
	struct testnode *b = start(config(1, 0, 300));
	int busy = ask(GET);

	(void)state;
	for (int i = 0; i < 50; i++)
		close(dial(AF_INET));
	assert_int_equal(status_of(busy), 200);
	close(busy);
	assert_int_equal(testnode_stop(b), 0);
}

static void overload_is_reported_at_the_crossing(void **state)
{
	enum { CALLERS = 7 };
	struct testnode *b = start(config(1, 64, 100));
	mono_ns began = mono_now();
	int fds[CALLERS];

	(void)state;
	for (int i = 0; i < CALLERS; i++)
		fds[i] = ask(GET);
	/* the queue's head has waited 250 ms at 250 ms: no request comes then, no service ends */
	const json_t *event = testnode_wait_event(b, "target.overloaded", NULL, NULL, PATIENCE_MS);
	assert_non_null(event);
	double at = (double)(json_integer_value(json_object_get(event, "at_ns")) - began) / NS_PER_MS;
	assert_true(at >= 249 && at < 280);
	assert_non_null(testnode_wait_event(b, "target.recovered", NULL, NULL, PATIENCE_MS));
	for (int i = 0; i < CALLERS; i++) {
		assert_int_equal(status_of(fds[i]), 200);
		close(fds[i]);
	}
	assert_int_equal(testnode_stop(b), 0);
}

static void below_capacity_nothing_is_reported(void **state)
{
	struct testnode *b = start(config(2, 8, 20));

	(void)state;
	for (int i = 0; i < 30; i++) {
		int fd = ask(GET);
		assert_int_equal(status_of(fd), 200);
		close(fd);
	}
	testnode_idle(1100);
	assert_int_equal(testnode_count(b, json_pack("{s:s}", "type", "event")), 0);
	const json_t *load = testnode_wait(b, json_pack("{s:s}", "kind", "load"), PATIENCE_MS);
	assert_int_equal(json_integer_value(json_object_get(load, "served")), 30);
	assert_int_equal(json_integer_value(json_object_get(load, "refused")), 0);
	assert_int_equal(testnode_stop(b), 0);
}

static void a_transfer_arrives_byte_for_byte(void **state)
{
	enum { SIZE = 10 * 1000 * 1000 };
	struct testnode *b = start(config(2, 8, 1));
	char buf[65536];
	uint64_t offset = 0;
	int fd = ask("GET /bytes/10000000 HTTP/1.1\r\n\r\n");

	(void)state;
	ssize_t n = hear(fd, buf, sizeof(buf), TIMEOUT_MS);
	assert_true(n > 0);
	char *body = strstr(buf, "\r\n\r\n");
	assert_non_null(strstr(buf, "Content-Length: 10000000\r\n"));
	assert_non_null(body);
	for (char *at = body + 4; n > 0; at = buf) {
		for (; at < buf + n; at++, offset++)
			if ((uint8_t)*at != inbound_byte_at(offset)) fail_msg("byte %lu differs", offset);
		if (offset >= SIZE) break;
		n = hear(fd, buf, sizeof(buf), TIMEOUT_MS);
	}
	assert_int_equal(offset, SIZE);
	say(fd, GET);
	assert_int_equal(status_of(fd), 200);
	close(fd);
	assert_int_equal(testnode_stop(b), 0);
}

static void garbage_gets_400_and_hurts_nobody(void **state)
{
	static const char *const garbage[] = { "nonsense\r\n\r\n", "\x16\x03\x01\x02",
		                               "GET /bytes/x HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
		                               "\r\n\r\n\x01" };
	struct testnode *b = start(config(2, 8, 1));
	unsigned short seed[3] = { 1, 2, 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = ask(garbage[i]);
		char end[16];
		assert_int_equal(status_of(fd), 400);
		assert_int_equal(hear(fd, end, sizeof(end), TIMEOUT_MS), 0); /* and is cut off */
		close(fd);
	}
	for (int i = 0; i < 200; i++) {
		char noise[3000];
		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)(nrand48(seed) >> 8);
		int fd = dial(AF_INET);
		send(fd, noise, (size_t)nrand48(seed) % sizeof(noise), MSG_NOSIGNAL);
		close(fd);
	}
	int fd = ask(GET);
	assert_int_equal(status_of(fd), 200);
	close(fd);
	assert_int_equal(testnode_stop(b), 0);
}

static void a_flood_of_pipelined_requests_is_answered_in_full(void **state)
{
	enum { N = 500 };
	struct testnode *b = start(config(1, 1, 0));
	char buf[65536];
	int answers = 0, fd = dial(AF_INET);

	(void)state;
	for (int i = 0; i < N; i++)
		say(fd, "GET /bytes/0 HTTP/1.1\r\n\r\n");
	while (answers < N) {
		ssize_t n = hear(fd, buf, sizeof(buf), TIMEOUT_MS);
		assert_true(n > 0);
		for (char *at = buf; (at = strstr(at, "\r\n\r\n")); at++)
			answers++;
	}
	assert_int_equal(answers, N);
	close(fd);
	assert_int_equal(testnode_stop(b), 0);
}

static void knobs_turn_while_it_runs(void **state)
{
	struct testnode *b = start(config(1, 8, 60000));
	int stuck = ask(GET), waiting = ask(GET);
	char none[8];

	(void)state;
	assert_int_equal(hear(waiting, none, sizeof(none), 100), -1);
	testnode_set(b, config(2, 8, 10));
	assert_int_equal(status_of(waiting), 200);
	close(stuck), close(waiting);
	assert_int_equal(testnode_stop(b), 0);
}

static void bad_configurations_are_refused(void **state)
{
	static const char *const bad[] = { "{\"port\":0}", "{\"port\":80,\"concurrency\":0}",
		                           "{\"port\":80,\"distribution\":\"normal\"}",
		                           "{\"port\":80,\"service_time_ms\":-1}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct testnode *b =
		    testnode_launch(&(struct testnode_spec){ .ns = ns,
		                                             .daemon = "backend",
		                                             .name = "az1.shop-1",
		                                             .zone = "az1",
		                                             .config = json_loads(bad[i], 0, NULL) });
		testnode_idle(50);
		assert_int_equal(testnode_stop(b), 111);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_get_the_answer),
		cmocka_unit_test(time_wait_falls_to_the_caller),
		cmocka_unit_test(requests_wait_for_a_slot_and_a_full_queue_answers_503),
		cmocka_unit_test(work_whose_caller_has_gone_is_skipped_unless_told_otherwise),
		cmocka_unit_test(a_tcp_check_costs_no_slot),
		cmocka_unit_test(overload_is_reported_at_the_crossing),
		cmocka_unit_test(below_capacity_nothing_is_reported),
		cmocka_unit_test(a_transfer_arrives_byte_for_byte),
		cmocka_unit_test(garbage_gets_400_and_hurts_nobody),
		cmocka_unit_test(a_flood_of_pipelined_requests_is_answered_in_full),
		cmocka_unit_test(knobs_turn_while_it_runs),
		cmocka_unit_test(bad_configurations_are_refused),
	};
	ns = testnet_new();
	testnet_run(ns, "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
