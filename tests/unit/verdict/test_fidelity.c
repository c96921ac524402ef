/* Whether a run can be believed: lateness, stalls before removals, losses, the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "orchestrator/verdict/fidelity.h"
#include "tests/unit/verdict/facts.h"
#include <math.h>
#include <string.h>

struct run {
	struct record *record;
	struct fidelity *fidelity;
	json_t *judged;
};

static int begin(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	run->record = record_new(-1, -1, RECORD_KEEP_ALL);
	run->fidelity = fidelity_new(250 * NS_PER_MS); /* the limit is 25 ms */
	*state = run;
	return 0;
}
static int end(void **state)
{
	struct run *run = *state;
	json_decref(run->judged);
	fidelity_free(run->fidelity);
	record_free(run->record);
	free(run);
	return 0;
}

/* A second of samples ending at t, all of one value. */
static void second(struct run *run, const char *node, double t, uint32_t late_us)
{
	uint32_t batch[20];
	for (size_t i = 0; i < 20; i++)
		batch[i] = late_us;
	assert_int_equal(fidelity_lateness(run->fidelity, node, t, batch, 20), 0);
}
static void seconds(struct run *run, const char *node, int n, uint32_t late_us)
{
	for (int t = 1; t <= n; t++)
		second(run, node, t, late_us);
}
static const char *judge(struct run *run)
{
	json_decref(run->judged);
	run->judged = fidelity_judge(run->fidelity, run->record, (struct span){ 0, 80 });
	assert_non_null(run->judged);
	const char *first = json_string_value(json_array_get(json_object_get(run->judged, "reasons"), 0));
	return first ? first : "";
}
static double member(const struct run *run, const char *name)
{
	return json_number_value(json_object_get(run->judged, name));
}

static void a_punctual_run_is_believed(void **state)
{
	struct run *run = *state;

	seconds(run, "az1.nlb", 30, 100);
	seconds(run, "az1.checker", 30, 2000);
	assert_string_equal(judge(run), "");
	assert_string_equal(json_string_value(json_object_get(run->judged, "worst_node")), "az1.checker");
	assert_true(member(run, "late_p99_ms") >= 2 && member(run, "late_p99_ms") <= 2.07);
	assert_true(member(run, "limit_ms") == 25);
	assert_true(json_is_null(json_object_get(run->judged, "cpu_pressure")));
}

static void silence_is_no_proof(void **state)
{
	assert_non_null(strstr(judge(*state), "no process told"));
}

static void one_late_node_is_enough(void **state)
{
	struct run *run = *state;

	seconds(run, "az1.nlb", 100, 100);
	seconds(run, "az2.nlb", 99, 100);
	second(run, "az2.nlb", 100, 30000); /* 1 % of its samples: still the 99th percentile of the others */
	assert_string_equal(judge(run), "");
	second(run, "az2.nlb", 101, 30000);
	assert_non_null(strstr(judge(run), "the loop of az2.nlb ran late"));
}

static void few_samples_count_only_without_better(void **state)
{
	struct run *run = *state;

	seconds(run, "az1.late-joiner", 5, 200000);
	assert_non_null(strstr(judge(run), "late-joiner"));
	seconds(run, "az1.nlb", 20, 100);
	assert_string_equal(judge(run), "");
}

static void bring_up_does_not_count(void **state)
{
	struct run *run = *state;

	for (int t = -30; t < 0; t++)
		second(run, "az1.nlb", t, 200000);
	seconds(run, "az1.nlb", 20, 100);
	assert_string_equal(judge(run), "");
}

/* One firing of 300 ms, due at 9.7 and done at 10, amid punctual ones; the sample ends at 10.45. */
static void stall_at_ten(struct run *run)
{
	uint32_t batch[20] = { 0 };

	seconds(run, "az1.nlb", 30, 100);
	batch[10] = 300000;
	assert_int_equal(fidelity_lateness(run->fidelity, "az1.checker", 10.45, batch, 20), 0);
}

static void a_stall_before_a_removal_is_named(void **state)
{
	struct run *run = *state;

	stall_at_ten(run);
	removed(run->record, 9.6, "az1", 3, 0, 3);  /* before it */
	removed(run->record, 11.1, "az1", 3, 0, 3); /* more than a second after it */
	assert_string_equal(judge(run), "");
	removed(run->record, 10.9, "az2", 3, 0, 3);
	assert_string_equal(
	    judge(run), "event 3, zone.removed az2 at 10.900 s: the loop of az1.checker was 300 ms late in "
	                "the second before it");
	removed(run->record, 9.8, "az3", 3, 0, 3); /* while it lasted */
	judge(run);
	assert_int_equal(json_array_size(json_object_get(run->judged, "reasons")), 2);
}

static void many_doubtful_removals_are_summed_up(void **state)
{
	struct run *run = *state;

	stall_at_ten(run);
	for (int i = 0; i < 12; i++)
		removed(run->record, 10.5, "az1", 3, 0, 3);
	judge(run);
	const json_t *reasons = json_object_get(run->judged, "reasons");
	assert_int_equal(json_array_size(reasons), 6);
	assert_non_null(strstr(json_string_value(json_array_get(reasons, 5)), "7 more"));
}

static void losses_are_told(void **state)
{
	struct run *run = *state;

	seconds(run, "az1.nlb", 20, 100);
	fidelity_lost_events(run->fidelity, 2);
	fidelity_lost_events(run->fidelity, 3);
	assert_string_equal(judge(run), "5 events were lost");
	fidelity_fault_lost(run->fidelity, 7);
	assert_int_equal(fidelity_doubt(run->fidelity, "the lab broke down: %s", "az1.nlb died"), 0);
	judge(run);
	assert_true(member(run, "lost_events") == 5 && member(run, "fault_lost") == 7);
	assert_int_equal(json_array_size(json_object_get(run->judged, "reasons")), 3);
}

static void the_machine_is_watched(void **state)
{
	struct run *run = *state;
	struct fidelity_probe a = { .mono = 0, .boot = 5 * NS_PER_S, .cpu_stall_us = 1000000 };
	struct fidelity_probe b = { .mono = 10 * NS_PER_S, .boot = 15 * NS_PER_S, .cpu_stall_us = 3500000 };

	seconds(run, "az1.nlb", 20, 100);
	fidelity_machine(run->fidelity, &a, &b);
	assert_string_equal(judge(run), "");
	assert_true(member(run, "cpu_pressure") == 0.25 && member(run, "clock_jump_s") == 0);
	b.boot += 2 * NS_PER_S;
	b.cpu_stall_us = -1;
	fidelity_machine(run->fidelity, &a, &b);
	assert_string_equal(judge(run), "the machine was suspended for 2.0 s");
	assert_true(json_is_null(json_object_get(run->judged, "cpu_pressure")));
}

static void this_machine_can_be_probed(void **state)
{
	(void)state;
	struct fidelity_probe a = fidelity_probe_now(), b = fidelity_probe_now();
	assert_true(b.mono >= a.mono && b.boot >= a.boot && a.boot >= a.mono);
	assert_true(a.cpu_stall_us >= -1 && b.cpu_stall_us >= a.cpu_stall_us);
}

static void p99_is_never_understated(void **state)
{
	struct run *run = *state;

	for (uint32_t us = 1; us < 2000000; us = us * 5 / 4 + 1) {
		struct run one = { .record = run->record, .fidelity = fidelity_new(60 * NS_PER_S) };
		seconds(&one, "n", 20, us);
		judge(&one);
		double got = member(&one, "late_p99_ms") * 1e3;
		if (got < us || got > us * 1.04 + 1) fail_msg("%u us became %.0f", us, got);
		json_decref(one.judged);
		fidelity_free(one.fidelity);
	}
}

int main(void)
{
#define ON_RUN(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		ON_RUN(a_punctual_run_is_believed),
		ON_RUN(silence_is_no_proof),
		ON_RUN(one_late_node_is_enough),
		ON_RUN(few_samples_count_only_without_better),
		ON_RUN(bring_up_does_not_count),
		ON_RUN(a_stall_before_a_removal_is_named),
		ON_RUN(many_doubtful_removals_are_summed_up),
		ON_RUN(losses_are_told),
		ON_RUN(the_machine_is_watched),
		cmocka_unit_test(this_machine_can_be_probed),
		ON_RUN(p99_is_never_understated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
