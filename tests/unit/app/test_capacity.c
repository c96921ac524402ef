/* The backend's queue and slots, driven by hand-made clocks. */
#include "common/capacity.h"
#include "backend/inbound.h"
#include "common/cleanup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MS NS_PER_MS

static void make(struct capacity *c, unsigned concurrency, unsigned queue,
                 enum service_distribution distribution)
{
	struct capacity_config config = { .concurrency = concurrency,
		                          .queue = queue,
		                          .service_time = 100 * MS,
		                          .distribution = distribution,
		                          .overload_after = 250 * MS };
	capacity_init(c, &config, random_of(1, "test"));
}

static void slots_serve_in_order_of_arrival(void **state)
{
	struct work w[5];
	struct capacity c;

	(void)state;
	make(&c, 2, 3, SERVICE_FIXED);
	for (int i = 0; i < 5; i++)
		assert_true(capacity_submit(&c, &w[i], i * MS));
	assert_int_equal(c.busy, 2);
	assert_int_equal(c.queued, 3);
	assert_int_equal(capacity_due(&c), 100 * MS);
	assert_null(capacity_next(&c, 100 * MS - 1));
	assert_ptr_equal(capacity_next(&c, 100 * MS), &w[0]);
	/* nobody looks for a long time: slots went on by themselves, each work 100 ms after the one before */
	assert_ptr_equal(capacity_next(&c, 1000 * MS), &w[1]);
	assert_ptr_equal(capacity_next(&c, 1000 * MS), &w[2]);
	assert_int_equal(w[2].done, 200 * MS);
	assert_ptr_equal(capacity_next(&c, 1000 * MS), &w[3]);
	assert_ptr_equal(capacity_next(&c, 1000 * MS), &w[4]);
	assert_int_equal(w[4].done, 300 * MS);
	assert_null(capacity_next(&c, 1000 * MS));
	assert_int_equal(capacity_due(&c), MONO_NEVER);
	assert_int_equal(c.served, 5);
}

static void a_full_queue_refuses(void **state)
{
	struct work w[4];
	struct capacity c;

	(void)state;
	make(&c, 1, 2, SERVICE_FIXED);
	for (int i = 0; i < 3; i++)
		assert_true(capacity_submit(&c, &w[i], 0));
	assert_false(capacity_submit(&c, &w[3], 1));
	assert_int_equal(c.refused, 1);
	assert_ptr_equal(capacity_next(&c, 100 * MS), &w[0]);
	assert_true(capacity_submit(&c, &w[3], 100 * MS));
}

static void a_queue_of_none_still_uses_the_slots(void **state)
{
	struct work w[2];
	struct capacity c;

	(void)state;
	make(&c, 1, 0, SERVICE_FIXED);
	assert_true(capacity_submit(&c, &w[0], 0));
	assert_false(capacity_submit(&c, &w[1], 0));
}

static void abandoned_work_is_skipped_in_its_turn(void **state)
{
	struct work w[3];
	struct capacity c;

	(void)state;
	make(&c, 1, 8, SERVICE_FIXED);
	for (int i = 0; i < 3; i++)
		assert_true(capacity_submit(&c, &w[i], 0));
	capacity_abandon(&w[1]);
	assert_int_equal(c.queued, 2); /* it keeps its place */
	assert_ptr_equal(capacity_next(&c, 100 * MS), &w[0]);
	assert_ptr_equal(capacity_next(&c, 100 * MS), &w[1]);
	assert_int_equal(w[1].state, WORK_SKIPPED);
	assert_ptr_equal(capacity_next(&c, 200 * MS), &w[2]);
	assert_int_equal(w[2].done, 200 * MS); /* the skipped one took no time */
	assert_int_equal(c.abandoned, 1);
}

static void serve_abandoned_wastes_the_slot(void **state)
{
	struct work w[3];
	struct capacity c;

	(void)state;
	make(&c, 1, 8, SERVICE_FIXED);
	c.config.serve_abandoned = true;
	for (int i = 0; i < 3; i++)
		assert_true(capacity_submit(&c, &w[i], 0));
	capacity_abandon(&w[1]);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(capacity_next(&c, 1000 * MS), &w[i]);
	assert_int_equal(w[2].done, 300 * MS);
}

static void overload_is_told_at_the_crossing(void **state)
{
	struct work w[6];
	struct capacity c;

	(void)state;
	make(&c, 1, 8, SERVICE_FIXED);
	for (int i = 0; i < 6; i++)
		assert_true(capacity_submit(&c, &w[i], 0));
	for (int at = 100; at <= 200; at += 100) {
		assert_non_null(capacity_next(&c, at * MS));
		assert_false(capacity_judge(&c, at * MS));
	}
	assert_int_equal(capacity_due(&c), 250 * MS); /* the crossing comes before the next end */
	assert_false(capacity_judge(&c, 250 * MS - 1));
	assert_true(capacity_judge(&c, 250 * MS));
	assert_true(c.overloaded);
	assert_int_equal(capacity_due(&c), 300 * MS);
	while (capacity_next(&c, 500 * MS))
		continue;
	assert_true(capacity_judge(&c, 500 * MS));
	assert_false(c.overloaded);
}

static void more_slots_take_effect_at_once(void **state)
{
	struct work w[4];
	struct capacity c;
	make(&c, 1, 8, SERVICE_FIXED);
	struct capacity_config wide = c.config;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(capacity_submit(&c, &w[i], 0));
	wide.concurrency = 3;
	capacity_configure(&c, &wide, 10 * MS);
	assert_int_equal(c.busy, 3);
	assert_int_equal(w[2].done, 110 * MS);
}

/* 8 slots of 100 ms serve 80/s whatever the distribution, while there is work. */
static void every_distribution_has_the_same_mean(void **state)
{
	enum { N = 20000 };
	static struct work w[N];

	(void)state;
	for (int d = SERVICE_UNIFORM; d <= SERVICE_EXPONENTIAL; d++) {
		struct capacity c;
		make(&c, 8, N, (enum service_distribution)d);
		mono_ns last = 0;
		for (int i = 0; i < N; i++)
			assert_true(capacity_submit(&c, &w[i], 0));
		for (struct work *one; (one = capacity_next(&c, INT64_MAX));) {
			assert_true(one->done >= last);
			last = one->done;
		}
		double seconds = (double)last / NS_PER_S, expected = N * 0.1 / 8;
		assert_true(seconds > expected * 0.97 && seconds < expected * 1.03);
	}
}

/* --- requests ---------------------------------------------------------------------------------------- */

/* Feeds a text in pieces of n bytes; 'c' complete, '.' not yet, 'b' bad. */
static char feed(struct inbound *in, const char *text, size_t piece)
{
	size_t len = strlen(text);

	inbound_init(in);
	for (size_t at = 0; at < len && !in->complete;) {
		ssize_t used = inbound_feed(in, text + at, len - at < piece ? len - at : piece);
		if (used < 0) return 'b';
		at += (size_t)used;
	}
	return in->complete ? 'c' : '.';
}

static void requests_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		char outcome;
		bool keep_alive, head, wants_bytes;
		uint64_t bytes;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 'c', .keep_alive = true },
		{ "GET /any/path?x=1 HTTP/1.0\r\n\r\n", 'c', .keep_alive = false },
		{ "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 'c', .keep_alive = false },
		{ "HEAD /bytes/7 HTTP/1.1\r\n\r\n", 'c', true, true, true, 7 },
		{ "GET /bytes/1000000 HTTP/1.1\r\n\r\n", 'c', true, false, true, 1000000 },
		{ "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 'c', .keep_alive = true },
		{ "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", '.', .keep_alive = false },
		{ "GET / HTTP/1.1\r\n", '.', .keep_alive = false },
		{ "CONNECT a:1 HTTP/1.1\r\n\r\n", 'c', .keep_alive = false },
		{ "GET /bytes/ HTTP/1.1\r\n\r\n", 'b', .keep_alive = false },
		{ "GET /bytes/-1 HTTP/1.1\r\n\r\n", 'b', .keep_alive = false },
		{ "GET /bytes/99999999999999999999999 HTTP/1.1\r\n\r\n", 'b', .keep_alive = false },
		{ "\x16\x03\x01 TLS?", 'b', .keep_alive = false },
		{ "nonsense\r\n\r\n", 'b', .keep_alive = false },
	};
	struct inbound in;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t piece = 1; piece < 200; piece += 66) {
			char outcome = feed(&in, cases[i].text, piece);
			if (outcome != cases[i].outcome) fail_msg("case %zu by %zu: %c", i, piece, outcome);
			if (outcome != 'c') continue;
			assert_int_equal(in.keep_alive, cases[i].keep_alive);
			assert_int_equal(in.head, cases[i].head);
			assert_int_equal(in.wants_bytes, cases[i].wants_bytes);
			assert_int_equal(in.bytes, cases[i].bytes);
		}
	}
}

static void a_pipelined_request_stays_behind(void **state)
{
	const char *two = "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
	struct inbound in;

	(void)state;
	inbound_init(&in);
	assert_int_equal(inbound_feed(&in, two, strlen(two)), (int)strlen(two) / 2);
	assert_true(in.complete);
	assert_string_equal(in.path, "/1");
}

static void an_endless_header_is_refused(void **state)
{
	struct inbound in;
	const char *line = "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	size_t fed = 0;

	(void)state;
	inbound_init(&in);
	assert_true(inbound_feed(&in, "GET / HTTP/1.1\r\n", 16) == 16);
	while (inbound_feed(&in, line, strlen(line)) >= 0 && fed < 1 << 20)
		fed += strlen(line);
	assert_true(fed <= INBOUND_HEADER_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_serve_in_order_of_arrival),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(a_queue_of_none_still_uses_the_slots),
		cmocka_unit_test(abandoned_work_is_skipped_in_its_turn),
		cmocka_unit_test(serve_abandoned_wastes_the_slot),
		cmocka_unit_test(overload_is_told_at_the_crossing),
		cmocka_unit_test(more_slots_take_effect_at_once),
		cmocka_unit_test(every_distribution_has_the_same_mean),
		cmocka_unit_test(requests_are_told_apart),
		cmocka_unit_test(a_pipelined_request_stays_behind),
		cmocka_unit_test(an_endless_header_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
