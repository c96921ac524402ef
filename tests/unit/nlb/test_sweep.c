#include "nlb/sweep.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct sweep_timeouts timeouts = {
	.idle = 1000, .half_open = 100, .closing = 10, .time_wait = 50
};
static struct sweep sweep;

static int setup(void **state)
{
	(void)state;
	memset(&sweep, 0, sizeof(sweep));
	sweep.sets = aligned_alloc(64, sizeof(*sweep.sets) * NLB_PORTS);
	if (!sweep.sets) return -1;
	memset(sweep.sets, 0, sizeof(*sweep.sets) * NLB_PORTS);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	free(sweep.sets);
	return 0;
}

static void put(uint32_t port, int way, uint32_t state, uint32_t seen)
{
	sweep.sets[port].state[way] = state;
	sweep.sets[port].seen[way] = seen;
	sweep.sets[port].flow[way].client_port = htons((uint16_t)port);
}
static void sweep_all(uint32_t now)
{
	sweep_step(&sweep, &timeouts, NLB_PORTS, now);
}

static void each_state_has_its_time(void **state)
{
	const uint32_t open = NLB_USED | NLB_REPLIED | NLB_OPEN,
	               both = open | NLB_FIN_CLIENT | NLB_FIN_TARGET;
	const struct {
		uint32_t state, timeout;
		bool ended; /* otherwise it is silence that ends it */
	} cases[] = {
		{ NLB_USED, 100, false },
		{ NLB_USED | NLB_REPLIED, 100, false },
		{ open, 1000, false },
		{ open | NLB_FIN_CLIENT, 1000, false }, /* half-closed: may go on for long */
		{ open | NLB_FIN_TARGET, 1000, false },
		{ both, 50, true },
		{ both | NLB_PASSIVE, 10, true },
		{ both | NLB_ORPHAN, 50, true },
		{ open | NLB_RESET, 10, true },
		{ NLB_USED | NLB_RESET, 10, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t freed = sweep.freed, timed_out = sweep.timed_out;
		put(7, 1, cases[i].state, 5000);
		sweep_all(5000 + cases[i].timeout);
		assert_int_equal(sweep.freed, freed);
		assert_int_equal(sweep.held, 1);
		sweep_all(5000 + cases[i].timeout + 1);
		assert_int_equal(sweep.freed, freed + 1);
		assert_int_equal(sweep.timed_out, timed_out + !cases[i].ended);
		assert_int_equal(sweep.sets[7].state[1], 0);
		assert_int_equal(sweep.held, 0);
	}
}

static void generation_outlives_the_flow(void **state)
{
	(void)state;
	put(7, 0, 5 * NLB_GENERATION | NLB_USED, 0);
	sweep_all(200);
	assert_int_equal(sweep.sets[7].state[0], 5 * NLB_GENERATION);
}

static void clock_wraps(void **state)
{
	(void)state;
	put(7, 0, NLB_USED, UINT32_MAX - 10);
	put(8, 0, NLB_USED, 20); /* seen just after the sweep looked at the clock */
	sweep_all(5);
	assert_int_equal(sweep.freed, 0);
	sweep_all(95);
	assert_int_equal(sweep.freed, 1);
}

static void displaced_flows_are_forgotten_with_the_last(void **state)
{
	struct nlb_set *home = &sweep.sets[500];

	(void)state;
	home->displaced = 2 * NLB_DISPLACED_ONE | 6;
	put(600, 0, NLB_USED, 0);
	put(700, 3, NLB_USED, 50);
	sweep.sets[600].flow[0].client_port = sweep.sets[700].flow[3].client_port = htons(500);
	sweep_all(120);
	assert_int_equal(home->displaced, NLB_DISPLACED_ONE | 6);
	sweep_all(160);
	assert_int_equal(home->displaced, 0);
}

static void steps_go_round(void **state)
{
	(void)state;
	put(0, 0, NLB_USED, 0);
	put(NLB_PORTS - 1, 0, NLB_USED, 0);
	sweep_step(&sweep, &timeouts, 1, 200);
	assert_int_equal(sweep.freed, 1);
	sweep_step(&sweep, &timeouts, NLB_PORTS - 2, 200);
	assert_int_equal(sweep.freed, 1);
	sweep_step(&sweep, &timeouts, 1, 200);
	assert_int_equal(sweep.freed, 2);
	assert_int_equal(sweep.next, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_state_has_its_time),
		T(generation_outlives_the_flow),
		T(clock_wraps),
		T(displaced_flows_are_forgotten_with_the_last),
		T(steps_go_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
