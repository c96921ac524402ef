/* Reports of several parts, repeated, reordered and interrupted; silence. */
#include "common/health_inbox.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct health_inbox *inbox;

/* A part whose targets are "+" (healthy) or "-", with ids from first_id on and events 1000 + id. */
static struct health_report part_of(uint32_t epoch, uint32_t sequence, unsigned part, unsigned parts,
                                    unsigned total, uint32_t first_id, const char *targets)
{
	struct health_report r = { .zone = 1,
		                   .service = 1,
		                   .epoch = epoch,
		                   .sequence = sequence,
		                   .part = (uint16_t)part,
		                   .parts = (uint16_t)parts,
		                   .total = (uint16_t)total,
		                   .n = (uint16_t)strlen(targets) };

	for (unsigned i = 0; targets[i]; i++)
		r.targets[i] = (struct health_target){ first_id + i, targets[i] == '+', 1000 + first_id + i };
	return r;
}

static int take(struct health_report r, struct health_count *health)
{
	return health_inbox_take(inbox, &r, NS_PER_S, health);
}

static int take_whole(uint32_t sequence, const char *targets, struct health_count *health)
{
	return take(part_of(1, sequence, 0, 1, (unsigned)strlen(targets), 1, targets), health);
}

static void a_report_counts_once_and_only_if_newer(void **state)
{
	struct health_count h = { 0 };

	(void)state;
	assert_int_equal(take_whole(5, "++-", &h), 1);
	assert_int_equal(h.healthy, 2);
	assert_int_equal(h.of, 3);
	assert_int_equal(take_whole(5, "++-", &h), 0);
	assert_int_equal(take_whole(4, "---", &h), 0);
	assert_int_equal(take_whole(6, "+++", &h), 1);
	assert_int_equal(h.healthy, 3);
	assert_int_equal(take(part_of(2, 1, 0, 1, 1, 1, "-"), &h), 1); /* a restarted checker */
	assert_int_equal(h.healthy, 0);
	assert_int_equal(take_whole(7, "+++", &h), 0);
	assert_int_equal(take(part_of(2, 2, 0, 1, 0, 1, ""), &h), 1); /* no targets at all */
	assert_int_equal(h.of, 0);
}

static void parts_come_in_any_order_and_twice(void **state)
{
	struct health_count h = { 0 };

	(void)state;
	assert_int_equal(take(part_of(1, 1, 2, 3, 5, 50, "+"), &h), 0);
	assert_int_equal(take(part_of(1, 1, 0, 3, 5, 10, "+-"), &h), 0);
	assert_int_equal(take(part_of(1, 1, 0, 3, 5, 10, "+-"), &h), 0);
	assert_int_equal(take(part_of(1, 1, 1, 3, 5, 30, "++"), &h), 1);
	assert_int_equal(h.healthy, 4);
	assert_int_equal(h.of, 5);
}

static void a_newer_report_replaces_a_half_one(void **state)
{
	struct health_count h = { 0 };

	(void)state;
	assert_int_equal(take(part_of(1, 1, 0, 2, 4, 10, "++"), &h), 0);
	assert_int_equal(take(part_of(1, 2, 0, 2, 4, 10, "--"), &h), 0);
	assert_int_equal(take(part_of(1, 1, 1, 2, 4, 20, "++"), &h), 0); /* too late */
	assert_int_equal(take(part_of(1, 2, 1, 2, 4, 20, "+-"), &h), 1);
	assert_int_equal(h.healthy, 1);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct health_report r = part_of(1, 1, 0, 1, 1, 1, "+");
	struct health_count h;

	(void)state;
	r.zone = 3;
	assert_int_equal(take(r, &h), -EINVAL);
	r = part_of(1, 1, 0, 1, 1, 1, "+");
	r.service = 2;
	assert_int_equal(take(r, &h), -EINVAL);
	assert_int_equal(take(part_of(1, 1, 0, 65, 1, 1, "+"), &h), -EINVAL);
	assert_int_equal(take(part_of(1, 1, 0, 1, 5, 1, "+"), &h), -EINVAL); /* all parts, not all targets */
	assert_int_equal(take(part_of(1, 2, 0, 2, 3, 1, "++"), &h), 0);
	assert_int_equal(take(part_of(1, 2, 1, 2, 3, 9, "++"), &h), -EINVAL); /* more than announced */
	assert_int_equal(take(part_of(1, 2, 1, 3, 3, 9, "+"), &h), -EINVAL);  /* another shape */
	assert_int_equal(take(part_of(1, 2, 1, 2, 3, 9, "+"), &h), 1);
}

static void the_cause_is_what_changed(void **state)
{
	struct health_count h;

	(void)state;
	take_whole(1, "++++", &h);
	take_whole(2, "++-+", &h);
	assert_int_equal(h.cause, 1003);
	take_whole(3, "++-+", &h);
	assert_int_equal(h.cause, 0);
	take_whole(4, "--++", &h); /* worse on the whole: the newest of those that fell */
	assert_int_equal(h.cause, 1002);
	take_whole(5, "++++", &h);
	assert_int_equal(h.cause, 1002);
	take(part_of(1, 6, 0, 1, 4, 2, "+++-"), &h); /* target 1 has gone, 5 is new and sick */
	assert_int_equal(h.cause, 1005);
}

static void a_checker_falls_silent_once(void **state)
{
	struct health_count h;

	(void)state;
	assert_int_equal(health_inbox_deadline(inbox), MONO_NEVER);
	take_whole(1, "+", &h); /* zone 1, at 1 s */
	assert_int_equal(health_inbox_deadline(inbox), 4 * NS_PER_S);
	health_inbox_begin(inbox, 2 * NS_PER_S);
	assert_int_equal(health_inbox_fell_silent(inbox, 4 * NS_PER_S - 1), 0);
	assert_int_equal(health_inbox_fell_silent(inbox, 4 * NS_PER_S), 2);
	assert_int_equal(health_inbox_deadline(inbox), 5 * NS_PER_S);
	assert_int_equal(health_inbox_fell_silent(inbox, 9 * NS_PER_S), 5); /* zones 0 and 2, never heard */
	assert_int_equal(health_inbox_deadline(inbox), MONO_NEVER);
	assert_int_equal(health_inbox_heard_again(inbox), 0);
	take_whole(1, "+", &h); /* old, but alive */
	assert_int_equal(health_inbox_heard_again(inbox), 2);
	assert_int_equal(health_inbox_heard_again(inbox), 0);
}

static int set_up(void **state)
{
	(void)state;
	return health_inbox_new(3, 2, &inbox);
}

static int tear_down(void **state)
{
	(void)state;
	health_inbox_free(inbox);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_report_counts_once_and_only_if_newer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parts_come_in_any_order_and_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_newer_report_replaces_a_half_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_cause_is_what_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_checker_falls_silent_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
