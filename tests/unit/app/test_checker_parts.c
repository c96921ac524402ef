/* The health checker's pure parts: rise and fall, turns and slots, acknowledgements. */
#include "common/cleanup.h"
#include "health-checker/outbox.h"
#include "health-checker/schedule.h"
#include "health-checker/target.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MS NS_PER_MS

/* --- rise and fall ----------------------------------------------------------------------------------- */

/* One character a check: '+' passed, '-' failed; and the state behind each: U up, D down, ? pending. */
static void replay(enum target_state first, const char *checks, const char *states)
{
	const struct target_policy policy = { .rise = 2, .fall = 3 };
	struct target t;

	target_init(&t, first);
	for (size_t i = 0; checks[i]; i++) {
		enum target_state before = t.state;
		bool changed = target_feed(&t, &policy, checks[i] == '+');
		assert_int_equal(changed, before != t.state);
		if ("UD?"[t.state] != states[i])
			fail_msg("check %zu of \"%s\": not %c", i, checks, states[i]);
	}
}

static void a_state_changes_after_as_many_checks_in_a_row(void **state)
{
	(void)state;
	replay(TARGET_UP, "--+--+---", "UUUUUUUUD");
	replay(TARGET_DOWN, "+-+-++-++", "DDDDDUUUU");
	replay(TARGET_PENDING, "+-+-++", "?????U");
	replay(TARGET_PENDING, "--+---", "?????D");
	replay(TARGET_UP, "---++---", "UUDDUUUD");
}

static void a_state_is_confirmed_by_checks_only(void **state)
{
	const struct target_policy policy = { .rise = 2, .fall = 2 };
	struct target t;

	(void)state;
	target_init(&t, TARGET_UP);
	assert_false(t.confirmed);
	assert_false(target_feed(&t, &policy, true));
	assert_false(t.confirmed);
	assert_false(target_feed(&t, &policy, true));
	assert_true(t.confirmed);
	assert_int_equal(target_passes(&t), 2);
	target_feed(&t, &policy, false);
	assert_int_equal(target_passes(&t), 0);
}

/* --- turns ------------------------------------------------------------------------------------------- */

static void checks_keep_their_phase(void **state)
{
	struct schedule s;
	struct schedule_entry a = { 0 }, b = { 0 };

	(void)state;
	schedule_init(&s, 0);
	schedule_add(&s, &a, 30 * MS, 100 * MS);
	schedule_add(&s, &b, 70 * MS, 100 * MS);
	assert_int_equal(schedule_due(&s), 30 * MS);
	assert_null(schedule_next(&s, 30 * MS - 1));
	/* the loop looked 5 ms too late: that is no reason to shift */
	assert_ptr_equal(schedule_next(&s, 35 * MS), &a);
	assert_int_equal(a.late, 0);
	assert_null(schedule_next(&s, 35 * MS));
	schedule_done(&s, &a, 40 * MS);
	assert_ptr_equal(schedule_next(&s, 71 * MS), &b);
	schedule_done(&s, &b, 75 * MS);
	assert_int_equal(schedule_due(&s), 130 * MS);
	/* a check longer than the interval is followed by the next one at once */
	assert_ptr_equal(schedule_next(&s, 130 * MS), &a);
	schedule_done(&s, &a, 400 * MS);
	assert_int_equal(a.due, 400 * MS);
}

/* Plays `seconds` of n checks of 50 ms every 100 ms on c slots; returns the mean interval in ms. */
static double play(unsigned n, unsigned c, unsigned *ret_late)
{
	enum { MAX = 64, STEP_MS = 5, LENGTH_MS = 50, SECONDS = 20 };
	struct schedule s;
	struct schedule_entry entries[MAX] = { 0 }, *e;
	unsigned starts = 0;

	*ret_late = 0;
	schedule_init(&s, c);
	for (unsigned i = 0; i < n; i++)
		schedule_add(&s, &entries[i], i * 100 * MS / n, 100 * MS);
	for (mono_ns now = 0; now < SECONDS * NS_PER_S; now += STEP_MS * MS) {
		for (unsigned i = 0; i < n; i++) {
			bool over = entries[i].state == SCHEDULE_RUNNING &&
			            now - entries[i].started >= LENGTH_MS * MS;
			if (over) schedule_done(&s, &entries[i], now);
		}
		while ((e = schedule_next(&s, now))) {
			assert_true(c == 0 || s.busy <= c);
			starts++;
			*ret_late += e->late > 0;
		}
	}
	return 1000.0 * SECONDS * n / starts;
}

static void past_the_limit_the_interval_stretches_as_computed(void **state)
{
	unsigned late;

	(void)state;
	assert_true(play(20, 0, &late) < 102 && late == 0);
	assert_true(play(20, 10, &late) < 106); /* just enough: 20 * 50 / 10 = 100 */
	double stretched = play(20, 5, &late);  /* 20 * 50 / 5 = 200 */
	assert_true(stretched > 195 && stretched < 206);
	assert_true(late > 1900);
	stretched = play(60, 5, &late); /* 60 * 50 / 5 = 600 */
	assert_true(stretched > 590 && stretched < 615);
}

static void other_work_takes_slots_from_checks(void **state)
{
	struct schedule s;
	struct schedule_entry e = { 0 };

	(void)state;
	schedule_init(&s, 1);
	schedule_add(&s, &e, 0, 100 * MS);
	schedule_occupy(&s);
	assert_null(schedule_next(&s, 0));
	assert_int_equal(schedule_due(&s), MONO_NEVER);
	schedule_release(&s);
	assert_int_equal(schedule_due(&s), 0);
	assert_ptr_equal(schedule_next(&s, 30 * MS), &e);
	assert_int_equal(e.late, 30 * MS);
	schedule_done(&s, &e, 40 * MS);
	assert_int_equal(e.due, 130 * MS); /* from its start, not from when it was due */
}

static void removal_leaves_nothing_behind(void **state)
{
	struct schedule s;
	struct schedule_entry running = { 0 }, queued = { 0 }, waiting = { 0 };

	(void)state;
	schedule_init(&s, 1);
	schedule_add(&s, &running, 0, MS);
	schedule_add(&s, &queued, 0, MS);
	schedule_add(&s, &waiting, 50 * MS, MS);
	assert_ptr_equal(schedule_next(&s, 0), &running);
	assert_null(schedule_next(&s, 0));
	schedule_remove(&s, &queued);
	schedule_remove(&s, &waiting);
	schedule_remove(&s, &running);
	schedule_remove(&s, &running);
	assert_int_equal(s.busy, 0);
	assert_null(schedule_next(&s, NS_PER_S));
	assert_int_equal(schedule_due(&s), MONO_NEVER);
}

static void a_new_interval_counts_from_the_last_start(void **state)
{
	struct schedule s;
	struct schedule_entry e = { 0 };

	(void)state;
	schedule_init(&s, 0);
	schedule_add(&s, &e, 0, 1000 * MS);
	assert_ptr_equal(schedule_next(&s, 0), &e);
	schedule_done(&s, &e, 10 * MS);
	schedule_retime(&s, &e, 200 * MS, 50 * MS);
	assert_int_equal(schedule_due(&s), 200 * MS);
	schedule_retime(&s, &e, 20 * MS, 50 * MS);
	assert_int_equal(schedule_due(&s), 50 * MS);
}

/* --- acknowledgements -------------------------------------------------------------------------------- */

static void a_report_is_settled_when_all_have_all_parts(void **state)
{
	struct outbox o;

	(void)state;
	outbox_init(&o, 2);
	assert_int_equal(outbox_begin(&o, 2), 1);
	assert_int_equal(outbox_settled(&o), 0);
	outbox_ack(&o, 0, 1, 0);
	outbox_ack(&o, 0, 1, 1);
	outbox_ack(&o, 1, 1, 0);
	assert_int_equal(outbox_settled(&o), 0);
	assert_false(outbox_lacks(&o, 1, 0));
	assert_true(outbox_lacks(&o, 1, 1));
	outbox_ack(&o, 1, 1, 0); /* again */
	assert_int_equal(outbox_settled(&o), 0);
	outbox_ack(&o, 1, 1, 1);
	assert_int_equal(outbox_settled(&o), 1);
}

static void stale_and_senseless_acknowledgements_change_nothing(void **state)
{
	struct outbox o;

	(void)state;
	outbox_init(&o, 1);
	outbox_begin(&o, 1);
	outbox_begin(&o, 1);
	outbox_ack(&o, 0, 1, 0);
	outbox_ack(&o, 0, 3, 0);
	outbox_ack(&o, 0, 2, 1);
	outbox_ack(&o, 0, 2, 200);
	outbox_ack(&o, 7, 2, 0);
	assert_int_equal(outbox_settled(&o), 0);
	outbox_ack(&o, 0, 2, 0);
	assert_int_equal(outbox_settled(&o), 2);
}

static void without_receivers_all_is_settled(void **state)
{
	struct outbox o;

	(void)state;
	outbox_init(&o, 0);
	outbox_begin(&o, 1);
	assert_int_equal(outbox_settled(&o), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_changes_after_as_many_checks_in_a_row),
		cmocka_unit_test(a_state_is_confirmed_by_checks_only),
		cmocka_unit_test(checks_keep_their_phase),
		cmocka_unit_test(past_the_limit_the_interval_stretches_as_computed),
		cmocka_unit_test(other_work_takes_slots_from_checks),
		cmocka_unit_test(removal_leaves_nothing_behind),
		cmocka_unit_test(a_new_interval_counts_from_the_last_start),
		cmocka_unit_test(a_report_is_settled_when_all_have_all_parts),
		cmocka_unit_test(stale_and_senseless_acknowledgements_change_nothing),
		cmocka_unit_test(without_receivers_all_is_settled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
