/* The HTTP server over socket pairs: pieces, pipelines, bodies, late answers, clients that go or dawdle. */
#include "common/cleanup.h"
#include "common/http_server.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { DEADLINE_S = 20, HELD_MAX = 8, BODY_MAX = 100000 };

struct fixture {
	struct event_base *base;
	struct http_server *server;
	bool hold; /* requests wait in `held` instead of being answered at once */
	struct http_request *held[HELD_MAX];
	unsigned n_held, n_requests;
	char got[2 * BODY_MAX]; /* what the client has read */
	size_t n_got;
};

/* Tells what came. */
static void echo(struct http_request *r)
{
	static char text[BODY_MAX + 256];
	const char *color = http_header(r, "x-color");
	int n = snprintf(text, sizeof(text), "%s %s %s %zu ", r->method, r->path, color ? color : "none",
	                 r->body_len);

	memcpy(text + n, r->body, r->body_len);
	http_answer(r, 200, "X-Mark: 1\r\n", text, (size_t)n + r->body_len);
}

static void on_request(struct http_request *r, void *arg)
{
	struct fixture *f = arg;

	f->n_requests++;
	if (f->hold)
		f->held[f->n_held++] = r;
	else
		echo(r);
}

static struct fixture *make(struct http_config config)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base = event_base_new();
	assert_int_equal(http_server_new(f->base, &config, on_request, f, &f->server), 0);
	return f;
}

static struct fixture *make_plain(void)
{
	return make((struct http_config){ .max_body = BODY_MAX });
}

static void end(struct fixture *f)
{
	http_server_free(f->server);
	event_base_free(f->base);
	free(f);
}

/* --- a client ---------------------------------------------------------------------------------------- */

static int dial(struct fixture *f)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(http_server_adopt(f->server, pair[1]), 0);
	f->n_got = 0;
	return pair[0];
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void turn(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* Lets the server work until the client has read this; false if it never comes. */
static bool hears(struct fixture *f, int fd, const char *wanted)
{
	mono_ns deadline = mono_now() + DEADLINE_S * NS_PER_S;

	while (mono_now() < deadline) {
		turn(f);
		ssize_t n = recv(fd, f->got + f->n_got, sizeof(f->got) - 1 - f->n_got, MSG_DONTWAIT);
		if (n > 0) f->n_got += (size_t)n;
		f->got[f->n_got] = '\0';
		if (strstr(f->got, wanted)) return true;
	}
	return false;
}

static bool is_closed(struct fixture *f, int fd)
{
	mono_ns deadline = mono_now() + DEADLINE_S * NS_PER_S;
	char rest[4096];

	while (mono_now() < deadline) {
		turn(f);
		if (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) == 0) return true;
	}
	return false;
}

static void turn_until_requests(struct fixture *f, unsigned n)
{
	mono_ns deadline = mono_now() + DEADLINE_S * NS_PER_S;

	while (f->n_requests < n && mono_now() < deadline)
		turn(f);
	assert_int_equal(f->n_requests, n);
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void a_request_is_told_whole_and_answered(void **state)
{
	struct fixture *f = make_plain();
	int fd = dial(f);

	(void)state;
	say(fd, "POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-COLOR: blue \r\nContent-Length: "
	        "5\r\n\r\nhello");
	assert_true(hears(f, fd, "POST /a?b=c blue 5 hello"));
	assert_non_null(strstr(f->got, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(f->got, "Content-Length: 24\r\n"));
	assert_non_null(strstr(f->got, "X-Mark: 1\r\n\r\n"));
	assert_null(strstr(f->got, "Connection:"));
	close(fd);
	end(f);
}

static void bytes_may_come_one_by_one(void **state)
{
	static const char text[] = "PUT /slow HTTP/1.1\r\nx-color: re\r\nContent-Length: 3\r\n\r\nabc"
	                           "GET /next HTTP/1.1\r\nX-Color: green\r\n\r\n";
	struct fixture *f = make_plain();
	int fd = dial(f);

	(void)state;
	for (const char *at = text; *at; at++) {
		assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
		turn(f);
	}
	assert_true(hears(f, fd, "PUT /slow re 3 abc"));
	assert_true(hears(f, fd, "GET /next green 0 "));
	close(fd);
	end(f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	enum { N = 500 };
	struct fixture *f = make_plain();
	int fd = dial(f), n = 0;
	char text[N * 32];

	(void)state;
	/* in one piece: many small ones fill a socket's buffer */
	for (int i = 0; i < N; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "GET /%d/ HTTP/1.1\r\n\r\n", i);
	say(fd, text);
	const char *at = f->got;
	assert_true(hears(f, fd, "GET /499/ none"));
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "GET /%d/ none", i);
		at = strstr(at, text);
		assert_non_null(at);
	}
	assert_int_equal(f->n_requests, N);
	close(fd);
	end(f);
}

static void the_next_request_waits_for_a_late_answer(void **state)
{
	struct fixture *f = make_plain();
	int fd = dial(f);

	(void)state;
	f->hold = true;
	say(fd, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	turn_until_requests(f, 1);
	turn(f);
	assert_int_equal(f->n_requests, 1);
	echo(f->held[0]);
	turn_until_requests(f, 2);
	assert_string_equal(f->held[1]->path, "/2");
	echo(f->held[1]);
	assert_true(hears(f, fd, "GET /2 none"));
	close(fd);
	end(f);
}

/* More than one read's worth behind a request in work: the rest has to stay outside, and come in afterwards.
 */
static void a_flood_behind_a_request_in_work_comes_through(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";
	enum { N = 2000 };
	struct fixture *f = make_plain();
	int fd = dial(f);
	char *text = malloc((N + 1) * sizeof(request) + 32), *at = text;

	(void)state;
	f->hold = true;
	for (int i = 0; i < N; i++)
		at = stpcpy(at, request);
	strcpy(at, "GET /last HTTP/1.1\r\n\r\n");
	say(fd, text);
	free(text);
	turn_until_requests(f, 1);
	for (int i = 0; i < 20; i++)
		turn(f);
	f->hold = false;
	echo(f->held[0]);
	assert_true(hears(f, fd, "GET /last none"));
	assert_int_equal(f->n_requests, N + 1);
	close(fd);
	end(f);
}

static void a_large_body_comes_whole(void **state)
{
	struct fixture *f = make_plain();
	int fd = dial(f), left = BODY_MAX;
	char piece[1000];

	(void)state;
	memset(piece, 'z', sizeof(piece));
	say(fd, "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
	for (; left > 0; left -= (int)sizeof(piece)) {
		assert_int_equal(send(fd, piece, sizeof(piece), MSG_NOSIGNAL), (int)sizeof(piece));
		turn(f);
	}
	assert_true(hears(f, fd, "POST / none 100000 zzz"));
	while (!strstr(f->got, "zzz") || f->n_got < BODY_MAX)
		assert_true(hears(f, fd, "z"));
	close(fd);
	end(f);
}

static void a_body_waits_for_continue(void **state)
{
	struct fixture *f = make_plain();
	int fd = dial(f);

	(void)state;
	say(fd, "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
	assert_true(hears(f, fd, "HTTP/1.1 100 Continue\r\n\r\n"));
	say(fd, "ok");
	assert_true(hears(f, fd, "POST / none 2 ok"));
	close(fd);
	end(f);
}

static void what_is_no_good_is_refused_and_cut_off(void **state)
{
	static const struct {
		const char *said, *status;
	} cases[] = {
		{ "nonsense\r\n\r\n", "HTTP/1.1 400 " },
		{ "\x16\x03\x01\x02", "HTTP/1.1 400 " },
		{ "GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 " },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 411 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n", "HTTP/1.1 413 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 9007199254740993\r\n\r\n", "HTTP/1.1 413 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f = make_plain();
		int fd = dial(f);
		say(fd, cases[i].said);
		if (!hears(f, fd, cases[i].status)) fail_msg("%s: %s", cases[i].said, f->got);
		assert_non_null(strstr(f->got, "Connection: close\r\n"));
		assert_true(is_closed(f, fd));
		assert_int_equal(f->n_requests, 0);
		close(fd);
		end(f);
	}
}

static void too_many_headers_are_refused(void **state)
{
	struct fixture *f = make_plain();
	int many = dial(f);

	(void)state;
	say(many, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 65; i++)
		say(many, "A: b\r\n");
	assert_true(hears(f, many, "HTTP/1.1 431 "));
	close(many);
	int long_one = dial(f);
	char value[20001];
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	say(long_one, "GET / HTTP/1.1\r\nA: ");
	say(long_one, value);
	assert_true(hears(f, long_one, "HTTP/1.1 431 "));
	close(long_one);
	end(f);
}

static void a_client_may_go_while_its_request_is_in_work(void **state)
{
	struct fixture *f = make_plain();

	(void)state;
	f->hold = true;
	for (unsigned i = 0; i < 4; i++) {
		int fd = dial(f);
		say(fd, "GET / HTTP/1.1\r\n\r\n");
		turn_until_requests(f, i + 1);
		assert_false(http_client_gone(f->held[i]));
		close(fd);
		mono_ns deadline = mono_now() + DEADLINE_S * NS_PER_S;
		while (!http_client_gone(f->held[i]) && mono_now() < deadline)
			turn(f);
		assert_true(http_client_gone(f->held[i]));
	}
	for (unsigned i = 0; i < 4; i++)
		echo(f->held[i]);
	turn(f);
	assert_int_equal(http_server_connections(f->server), 0);
	end(f);
}

static void a_client_that_only_stops_sending_is_answered(void **state)
{
	struct fixture *f = make_plain();
	int fd = dial(f);

	(void)state;
	say(fd, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /never");
	shutdown(fd, SHUT_WR);
	assert_true(hears(f, fd, "GET /a none"));
	assert_true(hears(f, fd, "GET /b none"));
	assert_true(is_closed(f, fd));
	assert_int_equal(f->n_requests, 2);
	close(fd);
	end(f);
}

static void an_old_connection_ends_with_its_next_answer(void **state)
{
	struct fixture *f = make((struct http_config){ .max_connection_age = 1 });
	int fd = dial(f);

	(void)state;
	say(fd, "GET / HTTP/1.1\r\n\r\nGET /unheard HTTP/1.1\r\n\r\n");
	assert_true(hears(f, fd, "GET / none"));
	assert_non_null(strstr(f->got, "Connection: close\r\n"));
	assert_true(is_closed(f, fd));
	assert_int_equal(f->n_requests, 1);
	close(fd);
	end(f);
}

static void an_old_idle_connection_is_closed(void **state)
{
	struct fixture *f = make((struct http_config){ 0 });
	int fd = dial(f);

	(void)state;
	say(fd, "GET / HTTP/1.1\r\n\r\n");
	assert_true(hears(f, fd, "GET / none"));
	assert_null(strstr(f->got, "Connection: close\r\n"));
	http_server_configure(f->server, &(struct http_config){ .max_connection_age = 1 });
	assert_true(is_closed(f, fd));
	close(fd);
	end(f);
}

static void clients_of_http_1_0_and_close_are_let_go(void **state)
{
	static const char *const requests[] = { "GET / HTTP/1.0\r\n\r\n",
		                                "GET / HTTP/1.1\r\nConnection: close\r\n\r\n" };
	struct fixture *f = make_plain();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		int fd = dial(f);
		say(fd, requests[i]);
		assert_true(hears(f, fd, "GET / none"));
		assert_non_null(strstr(f->got, "Connection: close\r\n"));
		assert_true(is_closed(f, fd));
		close(fd);
	}
	int fd = dial(f);
	say(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_true(hears(f, fd, "GET / none"));
	assert_non_null(strstr(f->got, "Connection: keep-alive\r\n"));
	say(fd, "HEAD /again HTTP/1.1\r\n\r\n");
	assert_true(hears(f, fd, "Content-Length: 19\r\n"));
	assert_null(strstr(f->got, "HEAD /again"));
	close(fd);
	end(f);
}

/* The client takes nothing at first: the answer has to wait for the socket. */
static void a_large_answer_waits_for_its_reader(void **state)
{
	struct fixture *f = make_plain();
	int fd = dial(f), small = 4096;
	size_t body = 90000;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	f->hold = true;
	for (int round = 0; round < 3; round++) {
		char *text = calloc(1, body);
		say(fd, "GET / HTTP/1.1\r\n\r\n");
		turn_until_requests(f, (unsigned)round + 1);
		memset(text, 'a' + round, body);
		memcpy(text + body - 3, "end", 3);
		f->n_got = 0;
		http_answer(f->held[round], 200, NULL, text, body);
		free(text);
		assert_true(hears(f, fd, "end"));
		const char *at = strstr(f->got, "\r\n\r\n");
		assert_non_null(at);
		assert_int_equal(f->got + f->n_got - (at + 4), body);
	}
	close(fd);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_told_whole_and_answered),
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(the_next_request_waits_for_a_late_answer),
		cmocka_unit_test(a_flood_behind_a_request_in_work_comes_through),
		cmocka_unit_test(a_large_body_comes_whole),
		cmocka_unit_test(a_body_waits_for_continue),
		cmocka_unit_test(what_is_no_good_is_refused_and_cut_off),
		cmocka_unit_test(too_many_headers_are_refused),
		cmocka_unit_test(a_client_may_go_while_its_request_is_in_work),
		cmocka_unit_test(a_client_that_only_stops_sending_is_answered),
		cmocka_unit_test(an_old_connection_ends_with_its_next_answer),
		cmocka_unit_test(an_old_idle_connection_is_closed),
		cmocka_unit_test(clients_of_http_1_0_and_close_are_let_go),
		cmocka_unit_test(a_large_answer_waits_for_its_reader),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
