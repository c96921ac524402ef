/* The delay line's heap: due order, arrival order among equals, and its bound. */
#include "delay-line/held.h"
#include "delay-line/lag.h"
#include "common/random.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static int push(struct held *h, mono_ns due, uint32_t mark)
{
	union {
		struct fault_packet p;
		uint8_t bytes[sizeof(struct fault_packet) + 100];
	} x = { .p = { .due_ns = (uint64_t)due, .len = 100, .ifindex = mark } };

	return held_push(h, &x.p);
}

static void leaves_in_due_order_and_equals_in_arrival_order(void **state)
{
	struct held h = { .max_bytes = SIZE_MAX };
	struct random r = random_of(1, "held");
	mono_ns last_due = 0;
	uint64_t last_order = 0;
	(void)state;

	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(push(&h, (mono_ns)(random_next(&r) % 500), i), 0);
	for (uint32_t i = 0; i < 5000; i++) {
		struct held_packet *x = held_pop(&h, 500);
		assert_non_null(x);
		assert_true((mono_ns)x->p.due_ns > last_due || x->order > last_order || i == 0);
		assert_true((mono_ns)x->p.due_ns >= last_due);
		last_due = (mono_ns)x->p.due_ns;
		last_order = x->order;
		free(x);
	}
	assert_null(held_pop(&h, INT64_MAX - 1));
	assert_int_equal(h.bytes, 0);
	held_release(&h);
}

static void nothing_leaves_before_it_is_due(void **state)
{
	struct held h = { .max_bytes = SIZE_MAX };
	(void)state;

	assert_true(held_due(&h) == MONO_NEVER);
	push(&h, 20, 2);
	push(&h, 10, 1);
	assert_true(held_due(&h) == 10);
	assert_null(held_pop(&h, 9));
	struct held_packet *x = held_pop(&h, 10);
	assert_int_equal(x->p.ifindex, 1);
	free(x);
	assert_null(held_pop(&h, 19));
	held_release(&h);
}

static void memory_is_bounded(void **state)
{
	struct held h = { .max_bytes = 2 * (sizeof(struct held_packet) + 100) };
	(void)state;

	assert_int_equal(push(&h, 1, 0), 0);
	assert_int_equal(push(&h, 2, 0), 0);
	assert_int_equal(push(&h, 3, 0), -ENOBUFS);
	free(held_pop(&h, 1));
	assert_int_equal(push(&h, 3, 0), 0);
	held_release(&h);
}

static void quantiles(void **state)
{
	static struct lag l;
	(void)state;

	assert_int_equal(lag_quantile(&l, 0.99), 0);
	for (int i = 0; i < 100; i++)
		lag_add(&l, i * NS_PER_US);
	assert_int_equal(lag_quantile(&l, 0.5), 50);
	assert_int_equal(lag_quantile(&l, 0.99), 99);
	lag_add(&l, 5 * NS_PER_S);
	assert_int_equal(lag_quantile(&l, 1), LAG_BINS - 1);
	lag_reset(&l);
	assert_int_equal(lag_quantile(&l, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_in_due_order_and_equals_in_arrival_order),
		cmocka_unit_test(nothing_leaves_before_it_is_due),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(quantiles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
