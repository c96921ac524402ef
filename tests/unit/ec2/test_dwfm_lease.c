/* A droplet's lease as its host sees it, by the clock of the test. */
#include "dwfm/lease.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define S NS_PER_S
static struct dwfm_knobs knobs;
static struct retry retry;
static struct lease lease;

static int setup(void **state)
{
	(void)state;
	knobs = (struct dwfm_knobs){ .workers = 8, .timeout = 2 * S, .lease = 60 * S, .renew_every = 20 * S };
	retry_init(&retry, 1, "test");
	lease_init(&lease, 0);
	return 0;
}

static unsigned tick(mono_ns now)
{
	return lease_tick(&lease, &knobs, &retry, now);
}

static bool succeed(uint32_t attempt, mono_ns until, mono_ns now)
{
	return lease_succeed(&lease, &knobs, &retry, attempt, until, 1, now);
}

/* Takes the lease at 0, until 60 s. */
static void take(void)
{
	assert_int_equal(tick(0), LEASE_ATTEMPT);
	assert_true(succeed(1, 60 * S, S));
}

static void an_attempt_is_due_at_once_and_again_after_renew_every(void **state)
{
	(void)state;
	take();
	assert_true(lease_holds(&lease, S));
	assert_true(lease_next(&lease) == 21 * S);
	assert_int_equal(tick(20 * S), 0);
	assert_int_equal(tick(21 * S), LEASE_ATTEMPT);
	assert_int_equal(lease.attempt, 2);
	assert_true(lease_next(&lease) == 23 * S);
}

static void an_attempt_that_takes_too_long_is_stale_and_another_one_queued(void **state)
{
	(void)state;
	assert_int_equal(tick(0), LEASE_ATTEMPT);
	assert_int_equal(tick(2 * S), LEASE_ATTEMPT);
	assert_int_equal(lease.attempt, 2);
	assert_false(succeed(1, 60 * S, 3 * S));
	assert_false(lease.held);
	assert_true(succeed(2, 60 * S, 3 * S));
	assert_true(lease.held);
}

static void a_result_at_its_time_out_is_stale_even_before_the_tick(void **state)
{
	(void)state;
	tick(0);
	assert_false(lease_wants(&lease, 1, 2 * S));
	assert_false(succeed(1, 60 * S, 2 * S));
}

static void a_lease_runs_out_whatever_attempts_do(void **state)
{
	(void)state;
	take();
	for (mono_ns now = 21 * S; now < 60 * S; now = lease_next(&lease))
		assert_int_equal(tick(now), LEASE_ATTEMPT);
	assert_true(lease_holds(&lease, 60 * S - 1));
	assert_false(lease_holds(&lease, 60 * S));
	assert_true(tick(60 * S) & LEASE_LOST);
	assert_false(lease.held);
}

static void after_a_long_pause_everything_is_over(void **state)
{
	(void)state;
	take();
	tick(21 * S); /* an attempt is under way, and the process stands still */
	assert_false(lease_holds(&lease, 500 * S));
	assert_false(succeed(2, 81 * S, 500 * S));
	assert_int_equal(tick(500 * S), LEASE_LOST | LEASE_ATTEMPT);
}

static void a_result_whose_lease_is_over_already_gives_none(void **state)
{
	(void)state;
	tick(0);
	assert_false(succeed(1, S, S));
	assert_false(lease.held);
}

static void one_that_ran_out_unnoticed_is_tried_at_once(void **state)
{
	(void)state;
	take();
	lease.due = 100 * S; /* as after a budget that ran dry */
	assert_int_equal(tick(60 * S), LEASE_LOST | LEASE_ATTEMPT);
}

static void who_is_usurped_holds_nothing_and_looks_again_later(void **state)
{
	(void)state;
	take();
	assert_true(lease_usurped(&lease, &knobs, 5 * S, false));
	assert_false(lease_holds(&lease, 5 * S));
	assert_true(lease_next(&lease) == 25 * S);
	assert_false(lease_usurped(&lease, &knobs, 6 * S, true));
	assert_int_equal(tick(6 * S), LEASE_ATTEMPT);
}

static void back_off_doubles_up_to_its_limit_and_a_success_ends_it(void **state)
{
	mono_ns now = 0;
	(void)state;
	knobs.backoff = S;
	knobs.backoff_max = 4 * S;
	tick(0);
	for (int pause = 1; pause <= 8; pause *= 2) {
		now = lease.gives_up;
		assert_int_equal(tick(now), 0);
		assert_true(lease_next(&lease) == now + (pause < 4 ? pause : 4) * S);
		assert_int_equal(tick(lease_next(&lease)), LEASE_ATTEMPT);
	}
	assert_true(succeed(lease.attempt, now + 60 * S, lease.gives_up - 1));
	assert_int_equal(lease.failures, 0);
}

static void full_jitter_takes_every_part_of_the_pause(void **state)
{
	mono_ns least = S, most = 0;

	(void)state;
	knobs.backoff = S;
	knobs.full_jitter = true;
	for (int i = 0; i < 1000; i++) {
		mono_ns pause = retry_wait(&retry, &knobs, 1);
		assert_true(pause >= 0 && pause < S);
		least = pause < least ? pause : least;
		most = pause > most ? pause : most;
	}
	assert_true(least < S / 10 && most > S / 10 * 9);
}

static void a_budget_of_20_percent_lets_one_retry_pass_in_five(void **state)
{
	int passed = 0;

	(void)state;
	knobs.retry_budget = 0.2;
	while (retry_spend(&retry, &knobs)) /* what was saved up */
		continue;
	for (int i = 0; i < 1000; i++) {
		retry_earn(&retry, &knobs);
		passed += retry_spend(&retry, &knobs);
	}
	assert_in_range(passed, 195, 200);
}

static void a_retry_without_budget_waits_for_the_next_renewal(void **state)
{
	(void)state;
	knobs.retry_budget = 0.001;
	retry.tokens = 0;
	tick(0);
	assert_int_equal(tick(2 * S), 0);
	assert_true(lease_next(&lease) == 22 * S);
	assert_int_equal(tick(22 * S), LEASE_ATTEMPT);
}

static void spread_leases_and_renewals_differ_and_still_overlap(void **state)
{
	mono_ns least = 60 * S, most = 0;

	(void)state;
	knobs.spread = true;
	for (int i = 0; i < 1000; i++) {
		mono_ns length = lease_length(&knobs, &retry);
		assert_true(length >= 30 * S && length <= 60 * S);
		least = length < least ? length : least;
		most = length > most ? length : most;
	}
	assert_true(least < 35 * S && most > 55 * S);
	take();
	assert_true(lease_next(&lease) >= 11 * S && lease_next(&lease) <= 21 * S);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(an_attempt_is_due_at_once_and_again_after_renew_every),
		TEST(an_attempt_that_takes_too_long_is_stale_and_another_one_queued),
		TEST(a_result_at_its_time_out_is_stale_even_before_the_tick),
		TEST(a_lease_runs_out_whatever_attempts_do),
		TEST(after_a_long_pause_everything_is_over),
		TEST(a_result_whose_lease_is_over_already_gives_none),
		TEST(one_that_ran_out_unnoticed_is_tried_at_once),
		TEST(who_is_usurped_holds_nothing_and_looks_again_later),
		TEST(back_off_doubles_up_to_its_limit_and_a_success_ends_it),
		TEST(full_jitter_takes_every_part_of_the_pause),
		TEST(a_budget_of_20_percent_lets_one_retry_pass_in_five),
		TEST(a_retry_without_budget_waits_for_the_next_renewal),
		TEST(spread_leases_and_renewals_differ_and_still_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
