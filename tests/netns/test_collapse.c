/* DWFM through an outage of DynamoDB: what holds it down afterwards, what doesn't, and what gets it out.
 * Nothing in it knows of a collapse: workers, a queue, a time-out, retries. Times and sizes are a quarter. */
#include "tests/netns/collapse_trial.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* Attempts come at DROPLETS / 2 a second, one a time-out. Where DWFM does less than that, old work never
 * ends; where it does half of it, what is new is done in time once the old is gone. So with 1,200 these tests
 * hold for anything from 300 to 600 pieces of work a second; 8 workers of 16 ms do 500 at best. Few pieces a
 * second, so that a slow machine has time for each. */
#define WORKERS "\"workers\": 8"
enum { DROPLETS = 1200, OUTAGE_S = 70, PATIENCE_S = 400 };

static void the_collapse_does_not_end_by_itself_and_clearing_the_queue_ends_it(void **state)
{
	struct trial t = { .knobs = "{" WORKERS "}",
		           .droplets = DROPLETS,
		           .calm_s = 20,
		           .outage_s = OUTAGE_S,
		           .watch_s = PATIENCE_S,
		           .step = trial_clear_queue,
		           .step_at_s = 60 };
	struct trial_result r = trial_play(&t);

	(void)state;
	assert_true(r.stepped); /* 60 s with DynamoDB well were not enough */
	assert_true(r.calm_per_s > 0 && r.before_step_per_s < r.calm_per_s / 10);
	assert_true(r.back_s >= 0);
}

static void a_short_outage_ends_by_itself(void **state)
{
	struct trial t = { .knobs = "{" WORKERS "}",
		           .droplets = DROPLETS,
		           .calm_s = 8,
		           .outage_s = 3,
		           .watch_s = PATIENCE_S,
		           .queue_too = true };

	(void)state;
	assert_true(trial_play(&t).back_s >= 0);
}

static void remedy(const char *knobs)
{
	struct trial t = {
		.knobs = knobs, .droplets = DROPLETS, .calm_s = 8, .outage_s = OUTAGE_S, .watch_s = PATIENCE_S
	};

	assert_true(trial_play(&t).back_s >= 0);
}

static void with_deadlines_it_needs_no_operator(void **state)
{
	(void)state;
	remedy("{" WORKERS ", \"deadlines\": true}");
}

static void nor_with_the_youngest_first(void **state)
{
	(void)state;
	remedy("{" WORKERS ", \"discipline\": \"lifo\"}");
}

static void nor_with_admission_by_length(void **state)
{
	(void)state;
	remedy("{" WORKERS ", \"admission\": 500}");
}

static void nor_with_a_retry_budget_back_off_and_jitter(void **state)
{
	(void)state;
	remedy("{" WORKERS ", \"retry_budget\": 0.2, \"backoff_ms\": 1000, \"backoff_max_ms\": 15000, "
	       "\"jitter\": \"full\"}");
}

/* Under the sanitizers DWFM does a fraction of its work in a second, so that claims about a number of
 * droplets mean nothing: what counts is that a whole trial is sound. */
static void few_droplets_come_back(void **state)
{
	struct trial t = { .knobs = "{" WORKERS ", \"deadlines\": true}",
		           .droplets = 400,
		           .calm_s = 8,
		           .outage_s = 20,
		           .watch_s = PATIENCE_S };

	(void)state;
	assert_true(trial_play(&t).back_s >= 0);
}

int main(void)
{
	const struct CMUnitTest sound[] = { cmocka_unit_test(few_droplets_come_back) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_collapse_does_not_end_by_itself_and_clearing_the_queue_ends_it),
		cmocka_unit_test(a_short_outage_ends_by_itself),
		cmocka_unit_test(with_deadlines_it_needs_no_operator),
		cmocka_unit_test(nor_with_the_youngest_first),
		cmocka_unit_test(nor_with_admission_by_length),
		cmocka_unit_test(nor_with_a_retry_budget_back_off_and_jitter),
	};

	leaselab_start();
	if (getenv("SAN")) return cmocka_run_group_tests(sound, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
