/* One probe against a listener on loopback that plays a given part. */
#include "common/cleanup.h"
#include "common/probe.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

enum ending { END_FIN, END_RESET, END_NEVER };
struct part {
	const char *says;
	enum ending ending;
	bool hears_first;
};

static struct event_base *base;

/* --- the other side ---------------------------------------------------------------------------------- */

static int listen_on(in_port_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void play(int listener, const struct part *part)
{
	struct linger reset = { .l_onoff = 1 };
	char request[1024];
	int fd = accept(listener, NULL, NULL);

	if (part->hears_first && recv(fd, request, sizeof(request), 0) <= 0) _exit(1);
	for (const char *at = part->says; at && *at;
	     at++) { /* byte by byte: no answer may need one segment */
		if (send(fd, at, 1, MSG_NOSIGNAL) < 0) _exit(0);
	}
	if (part->ending == END_RESET) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (part->ending != END_NEVER) close(fd);
	pause();
}

static pid_t start_part(int listener, const struct part *part)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		play(listener, part);
	}
	return pid;
}

/* --- the probe --------------------------------------------------------------------------------------- */

static void on_done(struct probe *p, const struct probe_result *result, void *arg)
{
	(void)p;
	*(struct probe_result *)arg = *result;
	event_base_loopbreak(base);
}

static struct probe_result run_with(struct probe *probe, const struct probe_spec *spec)
{
	struct probe_result result = { .outcome = PROBE_OUTCOMES };

	probe_start(probe, base, spec, on_done, &result);
	assert_int_equal(result.outcome, PROBE_OUTCOMES); /* never from within */
	event_base_dispatch(base);
	assert_false(probe->active);
	return result;
}

static struct probe_result run(const struct probe_spec *spec)
{
	struct probe probe = { 0 };
	struct probe_result result = run_with(&probe, spec);

	probe_cancel(&probe); /* what it keeps for the next time */
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	return result;
}

static struct probe_result get_from(in_port_t port, bool http, mono_ns timeout)
{
	char request[256];
	struct probe_spec spec = { .timeout = timeout, .reset = true };

	if (http) {
		spec.request_len = (size_t)probe_request(request, sizeof(request), "shop", "/health");
		spec.request = request;
	}
	assert_int_equal(probe_address("127.0.0.1", port, &spec.to), 0);
	return run(&spec);
}

static struct probe_result against(const struct part *part, bool http)
{
	in_port_t port;
	int listener = listen_on(&port);
	pid_t pid = start_part(listener, part);
	struct probe_result result = get_from(port, http, 300 * NS_PER_MS);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(listener);
	return result;
}

static void answers_are_judged(void **state)
{
	static const struct {
		struct part part;
		enum probe_outcome outcome;
		unsigned status;
	} cases[] = {
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", END_NEVER, true }, PROBE_OK, 200 },
		{ { "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", END_NEVER, true }, PROBE_OK, 301 },
		{ { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", END_NEVER, true },
		  PROBE_OK,
		  204 },
		{ { "HTTP/1.0 200 OK\r\n\r\nuntil the end", END_FIN, true }, PROBE_OK, 200 },
		{ { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", END_NEVER,
		    true },
		  PROBE_OK,
		  200 },
		{ { "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n", END_NEVER, true },
		  PROBE_HTTP_STATUS,
		  503 },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", END_FIN, true },
		  PROBE_CLOSED_EARLY,
		  0 },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", END_RESET, true }, PROBE_RESET, 0 },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", END_NEVER, true }, PROBE_TIMED_OUT, 0 },
		{ { "", END_FIN, true }, PROBE_CLOSED_EARLY, 0 },
		{ { "SSH-2.0-OpenSSH_9.2\r\n", END_NEVER, true }, PROBE_MALFORMED, 0 },
		{ { "", END_NEVER, true }, PROBE_TIMED_OUT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct probe_result result = against(&cases[i].part, true);
		if (result.outcome != cases[i].outcome)
			fail_msg("case %zu: %s", i, probe_outcome_text(result.outcome));
		assert_int_equal(result.status, cases[i].status);
		assert_true((ntohs(result.source.v4.sin_port) > 0) == (result.outcome != PROBE_OK));
	}
}

static void a_connection_that_ends_at_once_is_no_time_out(void **state)
{
	(void)state;
	enum probe_outcome fin = against(&(struct part){ "", END_FIN, false }, true).outcome;
	enum probe_outcome rst = against(&(struct part){ "", END_RESET, false }, true).outcome;
	/* whether our request meets the closed socket before its FIN meets us is a race; both are ends */
	assert_true(fin == PROBE_CLOSED_EARLY || fin == PROBE_RESET);
	assert_int_equal(rst, PROBE_RESET);
}

static void connecting_is_enough_for_tcp(void **state)
{
	(void)state;
	assert_int_equal(against(&(struct part){ "", END_NEVER, false }, false).outcome, PROBE_OK);
}

static void a_closed_port_refuses(void **state)
{
	in_port_t port;
	int listener = listen_on(&port);

	(void)state;
	close(listener);
	for (int http = 0; http <= 1; http++) {
		struct probe_result result = get_from(port, http, NS_PER_S);
		assert_int_equal(result.outcome, PROBE_REFUSED);
		assert_int_equal(result.error, ECONNREFUSED);
		assert_true(ntohs(result.source.v4.sin_port) > 0);
	}
}

static void expect_tcp(struct probe *probe, const struct probe_spec *spec, enum probe_outcome outcome)
{
	struct probe_result result = run_with(probe, spec);

	if (result.outcome != outcome) fail_msg("%s", probe_outcome_text(result.outcome));
	assert_true((ntohs(result.source.v4.sin_port) > 0) == (outcome != PROBE_OK));
}

/* Each way in which a connection can end, and after it one that succeeds, on the same socket. */
static void a_socket_serves_again_after_any_end(void **state)
{
	struct probe probe = { 0 };
	struct probe_spec spec = { .timeout = 100 * NS_PER_MS, .reset = true };
	in_port_t port, closed;
	int listener = listen_on(&port), filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	close(listen_on(&closed));
	assert_int_equal(probe_address("127.0.0.1", port, &spec.to), 0);
	expect_tcp(&probe, &spec, PROBE_OK);
	int fd = probe.fd;
	expect_tcp(&probe, &spec, PROBE_OK);
	spec.to.v4.sin_port = htons(closed);
	expect_tcp(&probe, &spec, PROBE_REFUSED);
	spec.to.v4.sin_port = htons(port);
	expect_tcp(&probe, &spec, PROBE_OK);
	/* a listener whose queue is full doesn't hear SYNs: the connection never gets to stand */
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(connect(filler, &spec.to.any, sizeof(spec.to.v4)), 0);
	expect_tcp(&probe, &spec, PROBE_TIMED_OUT);
	close(accept(listener, NULL, NULL));
	expect_tcp(&probe, &spec, PROBE_OK);
	assert_int_equal(probe.fd, fd);
	probe_cancel(&probe);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	close(filler);
	close(listener);
}

/* What is left of one request must not become the next one's answer. */
static void a_late_answer_is_not_the_next_ones(void **state)
{
	static const struct part silent = { "", END_NEVER, true };
	static const struct part full = { "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n", END_FIN, true };
	const struct part *const parts[] = { &silent, &full, &silent, &full };
	char request[256];
	struct probe probe = { 0 };
	struct probe_spec spec = { .timeout = 200 * NS_PER_MS, .reset = true, .request = request };
	in_port_t port;
	int listener = listen_on(&port);

	(void)state;
	spec.request_len = (size_t)probe_request(request, sizeof(request), "shop", "/health");
	assert_int_equal(probe_address("127.0.0.1", port, &spec.to), 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		pid_t pid = start_part(listener, parts[i]);
		struct probe_result result = run_with(&probe, &spec);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_int_equal(result.outcome, parts[i] == &full ? PROBE_HTTP_STATUS : PROBE_TIMED_OUT);
		assert_int_equal(result.status, parts[i] == &full ? 503 : 0);
	}
	probe_cancel(&probe);
	close(listener);
}

static void an_answer_that_trickles_meets_the_deadline(void **state)
{
	/* 1 MB announced and never whole: each byte that comes must not move the deadline */
	static char slow[200000];
	struct part part = { slow, END_NEVER, true };

	(void)state;
	memset(slow, 'x', sizeof(slow) - 1);
	memcpy(slow, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 44);
	mono_ns began = mono_now();
	assert_int_equal(against(&part, true).outcome, PROBE_TIMED_OUT);
	mono_ns took = mono_now() - began;
	assert_true(took >= 300 * NS_PER_MS && took < 20 * NS_PER_S); /* it would trickle for minutes */
}

static void failures_at_once_come_from_the_loop_too(void **state)
{
	struct probe_spec spec = { .timeout = NS_PER_S, .to.any.sa_family = AF_INET };
	struct probe_result result;
	char text[64];

	(void)state;
	spec.to.v4.sin_addr.s_addr = htonl(INADDR_BROADCAST);
	result = run(&spec);
	assert_int_equal(result.outcome, PROBE_UNREACHABLE);
	spec.to.any.sa_family = AF_UNSPEC; /* no such family of sockets */
	result = run(&spec);
	assert_int_equal(result.outcome, PROBE_LAB_ERROR);
	probe_result_text(&result, text, sizeof(text));
	assert_string_equal(text, "lab error: Address family not supported by protocol");
}

static void a_cancelled_probe_is_silent(void **state)
{
	in_port_t port;
	int listener = listen_on(&port);
	struct probe_result result = { .outcome = PROBE_OUTCOMES };
	struct probe probe = { 0 };
	struct probe_spec spec = { .timeout = NS_PER_MS };

	(void)state;
	probe_cancel(&probe);
	assert_int_equal(probe_address("127.0.0.1", port, &spec.to), 0);
	probe_start(&probe, base, &spec, on_done, &result);
	probe_cancel(&probe);
	event_base_dispatch(base); /* nothing is left in it */
	assert_int_equal(result.outcome, PROBE_OUTCOMES);
	close(listener);
}

static void own_limits_are_errors_of_the_lab(void **state)
{
	static const int own[] = { EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRINUSE, EPERM };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_int_equal(probe_outcome_of(own[i]), PROBE_LAB_ERROR);
	assert_int_equal(probe_outcome_of(ENETUNREACH), PROBE_UNREACHABLE);
	assert_int_equal(probe_outcome_of(EHOSTUNREACH), PROBE_UNREACHABLE);
}

static void inputs_are_checked(void **state)
{
	union probe_address address;
	char small[16];

	(void)state;
	assert_int_equal(probe_address("10.0.0.1", 80, &address), 0);
	assert_int_equal(address.any.sa_family, AF_INET);
	assert_int_equal(probe_address("fd00::1", 80, &address), 0);
	assert_int_equal(address.v6.sin6_port, htons(80));
	assert_int_equal(probe_address("shop.lab", 80, &address), -EINVAL);
	assert_int_equal(probe_address("", 80, &address), -EINVAL);
	assert_int_equal(probe_request(small, sizeof(small), "shop", "/"), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(a_connection_that_ends_at_once_is_no_time_out),
		cmocka_unit_test(connecting_is_enough_for_tcp),
		cmocka_unit_test(a_closed_port_refuses),
		cmocka_unit_test(a_socket_serves_again_after_any_end),
		cmocka_unit_test(a_late_answer_is_not_the_next_ones),
		cmocka_unit_test(an_answer_that_trickles_meets_the_deadline),
		cmocka_unit_test(failures_at_once_come_from_the_loop_too),
		cmocka_unit_test(a_cancelled_probe_is_silent),
		cmocka_unit_test(own_limits_are_errors_of_the_lab),
		cmocka_unit_test(inputs_are_checked),
	};
	struct event_config *config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER); /* as in node.c */
	base = event_base_new_with_config(config);
	event_config_free(config);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
