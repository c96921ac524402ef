/* How an autoscaler decides and retries. */
#include "autoscaler/group.h"
#include "autoscaler/retry.h"
#include "common/cleanup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct reply_instance make(const char *id, const char *state, const char *group, const char *launched)
{
	struct reply_instance i = { 0 };

	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.state, sizeof(i.state), "%s", state);
	snprintf(i.group, sizeof(i.group), "%s", group);
	snprintf(i.launched, sizeof(i.launched), "%s", launched);
	return i;
}

static void what_lives_is_counted(void **state)
{
	struct reply_instance seen[] = {
		make("i-1", "running", "web", "2025"),
		make("i-2", "pending", "web", "2025"),
		make("i-3", "terminated", "web", "2025"),
		make("i-4", "running", "other", "2025"),
	};
	struct group g = { .name = "web", .size = 5 };

	(void)state;
	assert_int_equal(group_judge(&g, seen, 4, 1), 3);
	assert_int_equal(g.running, 1);
	assert_int_equal(g.pending, 1);
	g.size = 1;
	assert_int_equal(group_judge(&g, seen, 4, 1), -1);
	g.size = 1000;
	assert_int_equal(group_judge(&g, seen, 4, 1), GROUP_STEP_MAX);
}

static void a_group_that_changes_is_not_judged(void **state)
{
	struct group g = { .name = "web", .size = 5, .changing = true };

	(void)state;
	assert_int_equal(group_judge(&g, NULL, 0, 10), 0);
	g.changing = false;
	g.changed = 10;
	assert_int_equal(group_judge(&g, NULL, 0, 10), 0); /* asked before the change had come to its end */
	assert_int_equal(group_judge(&g, NULL, 0, 11), 5);
}

static void the_youngest_goes_first(void **state)
{
	struct reply_instance seen[] = {
		make("i-1", "running", "web", "2025-10-20T07:00:00.000Z"),
		make("i-2", "running", "web", "2025-10-20T09:00:00.000Z"),
		make("i-3", "terminated", "web", "2025-10-20T10:00:00.000Z"),
		make("i-4", "pending", "web", "2025-10-20T08:00:00.000Z"),
	};
	struct group g = { .name = "web" };
	const struct reply_instance *picked[4];

	(void)state;
	assert_int_equal(group_pick(&g, seen, 4, picked, 2), 2);
	assert_string_equal(picked[0]->id, "i-2");
	assert_string_equal(picked[1]->id, "i-4");
	assert_int_equal(group_pick(&g, seen, 4, picked, 4), 3);
}

static void what_the_sdks_retry_is_retried(void **state)
{
	static const struct {
		enum call_outcome outcome;
		unsigned status;
		const char *code;
		bool retried;
	} cases[] = {
		{ CALL_ANSWERED, 500, "InsufficientInstanceCapacity", true },
		{ CALL_ANSWERED, 503, "RequestLimitExceeded", true },
		{ CALL_ANSWERED, 503, "Unavailable", true },
		{ CALL_ANSWERED, 400, "RequestLimitExceeded", true },
		{ CALL_ANSWERED, 400, "InvalidParameterValue", false },
		{ CALL_ANSWERED, 412, "DryRunOperation", false },
		{ CALL_ANSWERED, 501, "", false },
		{ CALL_NO_ADDRESS, 0, "", true },
		{ CALL_TIMED_OUT, 0, "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (retry_worthy(cases[i].outcome, cases[i].status, cases[i].code) != cases[i].retried)
			fail_msg("case %zu", i);
	}
}

static void pauses_double_up_to_twenty_seconds(void **state)
{
	struct retry_policy p = { .attempts = 9, .pause = NS_PER_S };
	struct random random = random_of(1, "test");
	static const int seconds[] = { 1, 2, 4, 8, 16, 20, 20 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(seconds); i++)
		assert_true(retry_pause(&p, i + 1, &random) == seconds[i] * NS_PER_S);
	assert_true(retry_pause(&p, 100, &random) == RETRY_PAUSE_MAX);
	p.pause = 0;
	assert_true(retry_pause(&p, 100, &random) == RETRY_PAUSE_MAX || retry_pause(&p, 3, &random) == 0);
}

static void jitter_takes_any_part_of_the_pause(void **state)
{
	struct retry_policy p = { .attempts = 3, .pause = NS_PER_S, .jitter = true };
	struct random random = random_of(1, "test");
	mono_ns sum = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		mono_ns pause = retry_pause(&p, 2, &random);
		assert_in_range(pause, 0, 2 * NS_PER_S - 1);
		sum += pause;
	}
	/* the mean is 1 s, and its own deviation here 2 s / sqrt(12 * 10000) = 6 ms */
	assert_in_range(sum / 10000, 970 * NS_PER_MS, 1030 * NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lives_is_counted),
		cmocka_unit_test(a_group_that_changes_is_not_judged),
		cmocka_unit_test(the_youngest_goes_first),
		cmocka_unit_test(what_the_sdks_retry_is_retried),
		cmocka_unit_test(pauses_double_up_to_twenty_seconds),
		cmocka_unit_test(jitter_takes_any_part_of_the_pause),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
