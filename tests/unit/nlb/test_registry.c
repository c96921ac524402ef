#include "nlb/registry.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct registry r;

static int register_ids(const char *ids)
{
	struct registry_target targets[16] = { 0 };
	size_t n = strlen(ids);
	for (size_t i = 0; i < n; i++)
		targets[i].id = (uint32_t)ids[i];
	return registry_set(&r, targets, n, 77);
}
/* ids: the targets reported on; upper case is unhealthy. */
static int report(uint32_t epoch, uint32_t sequence, uint16_t part, uint16_t parts, const char *ids)
{
	struct health_report h = { .epoch = epoch, .sequence = sequence, .part = part, .parts = parts };
	for (; ids[h.n]; h.n++) {
		bool healthy = ids[h.n] >= 'a';
		h.targets[h.n] = (struct health_target){ (uint32_t)ids[h.n] | 0x20, healthy, sequence * 10 };
	}
	return registry_report(&r, &h);
}
/* Who gets new flows. */
static void expect(const char *ids)
{
	char got[17] = "";
	for (size_t i = 0; i < r.n; i++)
		if (registry_eligible(&r, i)) got[strlen(got)] = (char)r.targets[i].id;
	assert_string_equal(got, ids);
}

static int setup(void **state)
{
	(void)state;
	return register_ids("cab");
}
static int teardown(void **state)
{
	(void)state;
	registry_release(&r);
	return 0;
}

static void unknown_counts_as_healthy(void **state)
{
	(void)state;
	expect("abc");
	assert_int_equal(registry_healthy(&r), 3);
	assert_int_equal(report(1, 1, 0, 1, "A"), 1);
	expect("bc");
}

static void none_healthy_means_all(void **state)
{
	(void)state;
	assert_int_equal(report(1, 1, 0, 1, "ABC"), 1);
	assert_true(registry_fails_open(&r));
	assert_int_equal(registry_healthy(&r), 0);
	expect("abc");
	assert_int_equal(r.cause, 10);
	assert_int_equal(report(1, 2, 0, 1, "Abc"), 1);
	assert_false(registry_fails_open(&r));
	expect("bc");
	assert_int_equal(r.cause, 20);
}

static void no_target_is_not_fail_open(void **state)
{
	(void)state;
	assert_int_equal(register_ids(""), 0);
	assert_false(registry_fails_open(&r));
	expect("");
}

static void older_reports_and_repetitions_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(report(2, 5, 0, 1, "A"), 1);
	assert_int_equal(report(2, 5, 0, 1, "a"), -ESTALE); /* the same again */
	assert_int_equal(report(2, 4, 0, 1, "a"), -ESTALE);
	assert_int_equal(report(1, 9, 0, 1, "a"), -ESTALE); /* a checker that is no more */
	expect("bc");
	assert_int_equal(report(2, 6, 0, 1, "A"), 0); /* newer, nothing new */
	assert_int_equal(report(3, 1, 0, 1, "a"), 1); /* a restarted checker counts from the start */
	expect("abc");
}

static void parts_of_one_report_add_up_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(report(1, 3, 1, 2, "B"), 1);
	assert_int_equal(report(1, 3, 0, 2, "A"), 1);
	assert_int_equal(report(1, 3, 1, 2, "b"), -ESTALE);
	expect("c");
}

static void targets_that_stay_keep_their_health(void **state)
{
	(void)state;
	assert_int_equal(report(1, 1, 0, 1, "AB"), 1);
	assert_int_equal(register_ids("bcd"), 0);
	assert_int_equal(r.cause, 77);
	expect("cd");
	assert_int_equal(report(1, 2, 0, 1, "xAbCD"), 1); /* x and a aren't registered */
	expect("b");
}

static void an_id_given_twice_is_refused(void **state)
{
	(void)state;
	assert_int_equal(register_ids("xyx"), -EEXIST);
	expect("abc");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(unknown_counts_as_healthy),
		T(none_healthy_means_all),
		T(no_target_is_not_fail_open),
		T(older_reports_and_repetitions_change_nothing),
		T(parts_of_one_report_add_up_in_any_order),
		T(targets_that_stay_keep_their_health),
		T(an_id_given_twice_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
