/* The queue of a DWFM host, and its knobs. */
#include "common/cleanup.h"
#include "dwfm/queue.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MS NS_PER_MS
static struct dwfm_knobs knobs;
static struct queue *queue;
static unsigned dropped;
static uint32_t last_dropped;

static void on_dropped(const struct queue_item *item, void *arg)
{
	(void)arg;
	dropped++;
	last_dropped = item->droplet;
}

static int setup(void **state)
{
	(void)state;
	knobs = (struct dwfm_knobs){ .workers = 8, .work_time = 4 * MS, .timeout = 2000 * MS };
	dropped = 0;
	return (queue = queue_new(on_dropped, NULL)) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	queue_free(queue);
	return 0;
}

static int push(uint32_t number, mono_ns at, void *op)
{
	struct queue_item item = { .queued = at, .expires = at + knobs.timeout, .droplet = number, .op = op };
	return queue_push(queue, &knobs, &item);
}

/* The number of the next piece; 0 if there is none. */
static uint32_t pop(mono_ns now)
{
	struct queue_item item;
	return queue_pop(queue, &knobs, now, &item) ? item.droplet : 0;
}

static void fifo_hands_out_the_oldest_lifo_the_youngest(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 5000; i++)
		assert_int_equal(push(i, i, NULL), 0);
	assert_int_equal(pop(5000), 1);
	knobs.discipline = DWFM_LIFO;
	assert_int_equal(pop(5000), 5000);
	knobs.discipline = DWFM_FIFO;
	for (uint32_t i = 2; i < 5000; i++)
		assert_int_equal(pop(5000), i);
	assert_int_equal(pop(5000), 0);
	assert_int_equal(queue_length(queue), 0);
}

static void a_ring_goes_round_and_grows_in_the_middle(void **state)
{
	uint32_t in = 0, out = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 300; i++)
			push(in + 1, in, NULL), in++;
		for (int i = 0; i < 250; i++)
			assert_int_equal(pop(in), ++out);
	}
	assert_int_equal(queue_length(queue), in - out);
}

static void what_its_owner_has_given_up_is_handed_out_all_the_same(void **state)
{
	(void)state;
	push(1, 0, NULL);
	assert_int_equal(pop(3600 * NS_PER_S), 1);
	assert_int_equal(dropped, 0);
}

static void deadlines_drop_what_cannot_be_finished_in_time(void **state)
{
	(void)state;
	knobs.deadlines = true;
	push(1, 0, NULL);
	push(2, 100 * MS, NULL);
	push(3, 200 * MS, NULL);
	assert_int_equal(pop(2099 * MS), 3);
	assert_int_equal(dropped, 2);
}

static void admission_refuses_what_is_too_many(void **state)
{
	(void)state;
	knobs.admission = 2;
	assert_int_equal(push(1, 1, NULL), 0);
	assert_int_equal(push(2, 2, NULL), 0);
	assert_int_equal(push(3, 3, NULL), -EAGAIN);
	assert_int_equal(pop(3), 1);
	assert_int_equal(push(4, 4, NULL), 0);
}

static void operations_wait_in_the_same_line_unless_renewals_go_first(void **state)
{
	int op;

	(void)state;
	push(1, 1, NULL);
	push(2, 2, &op);
	push(3, 3, NULL);
	assert_true(queue_age(queue, 11) == 10);
	assert_int_equal(pop(3), 1);
	assert_int_equal(pop(3), 2);
	push(4, 4, &op);
	push(5, 5, NULL);
	knobs.renewals_first = true;
	assert_int_equal(pop(5), 3);
	assert_int_equal(pop(5), 5);
	assert_int_equal(pop(5), 4);
}

static void clearing_drops_everything_once(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 10; i++)
		push(i, i, NULL);
	assert_int_equal(queue_clear(queue), 10);
	assert_int_equal(dropped, 10);
	assert_int_equal(pop(10), 0);
	assert_true(queue_age(queue, 10) == 0);
}

/* A standing queue of so many pieces that have waited so long already, one piece handed out each millisecond.
 */
static void stand(size_t pieces, mono_ns wait, int ms)
{
	for (uint32_t i = 0; i < (uint32_t)ms; i++) {
		mono_ns now = wait + i * MS;
		while (queue_length(queue) < pieces)
			push(i + 1, now - wait, NULL);
		pop(now);
	}
}

static void codel_leaves_short_waits_alone(void **state)
{
	(void)state;
	knobs.discipline = DWFM_CODEL;
	stand(2, 2 * MS, 1000);
	assert_int_equal(dropped, 0);
}

static void codel_drops_faster_and_faster_while_the_wait_stays_long(void **state)
{
	unsigned first;

	(void)state;
	knobs.discipline = DWFM_CODEL;
	stand(10, 50 * MS, 100);
	assert_int_equal(dropped, 0); /* an interval of grace */
	stand(10, 50 * MS, 1000);
	first = dropped;
	/* RFC 8289: the n-th drop comes interval / sqrt(n) after the one before; 2 sqrt(n) intervals for n
	 * drops */
	assert_in_range(first, 15, 30);
	stand(10, 50 * MS, 1);
	assert_true(dropped >= first);
}

static void codel_waits_an_interval_before_it_drops_anything(void **state)
{
	(void)state;
	knobs.discipline = DWFM_CODEL;
	for (uint32_t i = 1; i <= 200; i++)
		push(i, 0, NULL);
	assert_int_equal(pop(50 * MS), 1);
	assert_int_equal(pop(149 * MS), 2);
	assert_int_equal(pop(150 * MS), 4);
	assert_int_equal(dropped, 1);
	assert_int_equal(last_dropped, 3);
	assert_int_equal(pop(151 * MS), 5); /* the next one is due an interval later */
	assert_int_equal(pop(250 * MS), 7);
}

/* --- knobs ------------------------------------------------------------------------------------------- */

static const char *wrong_member(const char *text)
{
	json_t *config = json_loads(text, 0, NULL);
	struct dwfm_knobs k;
	const char *member = "";

	assert_non_null(config);
	int r = dwfm_knobs_read(config, &k, &member);
	json_decref(config);
	return r < 0 ? member : "";
}

static void knobs_have_defaults_and_bounds(void **state)
{
	struct dwfm_knobs k;
	const char *member;
	json_t *none = json_object();

	(void)state;
	assert_int_equal(dwfm_knobs_read(none, &k, &member), 0);
	json_decref(none);
	assert_int_equal(k.workers, 32);
	assert_true(k.work_time == 16 * MS && k.timeout == 2000 * MS && k.lease == 60000 * MS);
	assert_true(k.start_over == k.renew_every && k.discipline == DWFM_FIFO && !k.deadlines);
	assert_string_equal(wrong_member("{\"workers\": 0}"), "workers");
	assert_string_equal(wrong_member("{\"discipline\": \"best\"}"), "discipline");
	assert_string_equal(wrong_member("{\"lease_ms\": 1000, \"renew_every_ms\": 1000}"), "renew_every_ms");
	assert_string_equal(wrong_member("{\"jitter\": \"some\"}"), "jitter");
	assert_string_equal(wrong_member("{\"timeout_ms\": -1}"), "timeout_ms");
	assert_string_equal(wrong_member("{\"retry_budget\": -1}"), "retry_budget");
	assert_string_equal(wrong_member("{\"jitter\": \"full\", \"deadlines\": true, \"spread\": \"on\"}"),
	                    "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(fifo_hands_out_the_oldest_lifo_the_youngest),
		TEST(a_ring_goes_round_and_grows_in_the_middle),
		TEST(what_its_owner_has_given_up_is_handed_out_all_the_same),
		TEST(deadlines_drop_what_cannot_be_finished_in_time),
		TEST(admission_refuses_what_is_too_many),
		TEST(operations_wait_in_the_same_line_unless_renewals_go_first),
		TEST(clearing_drops_everything_once),
		TEST(codel_leaves_short_waits_alone),
		TEST(codel_drops_faster_and_faster_while_the_wait_stays_long),
		TEST(codel_waits_an_interval_before_it_drops_anything),
		TEST(knobs_have_defaults_and_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
