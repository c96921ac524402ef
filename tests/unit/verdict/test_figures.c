/* Every figure on small records, at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "common/random.h"
#include "tests/unit/verdict/facts.h"
#include <math.h>

static int new_record(void **state)
{
	*state = record_new(-1, -1, RECORD_KEEP_ALL);
	return *state ? 0 : -1;
}
static int drop_record(void **state)
{
	record_free(*state);
	return 0;
}

static struct figures of(const struct record *r, double from, double to, double run_to)
{
	struct figures f;
	struct span window = figures_window(r, (struct span){ 0, run_to });
	assert_int_equal(figures_of(r, (struct span){ from, to }, window, &f), 0);
	return f;
}
static void assert_about(double got, double want)
{
	if (!(fabs(got - want) < 1e-6)) fail_msg("%.9g instead of %.9g", got, want);
}

static void a_quiet_run_is_all_zeros(void **state)
{
	struct figures f = of(*state, 0, 10, 10);

	assert_int_equal(f.zone_removals + f.zone_restores + f.zone_holds + f.zones + f.false_removals, 0);
	assert_true(isnan(f.error_rate));
	assert_true(f.time_to_stable_s == 0 && !f.metastable);
	assert_true(f.capacity_seconds_lost == 0 && f.empty_answer_s == 0 && f.max_zones_out == 0);
	json_t *json = figures_json(&f);
	assert_true(json_is_null(json_object_get(json, "error_rate")));
	assert_true(json_is_false(json_object_get(json, "metastable")));
	assert_int_equal(json_integer_value(json_object_get(json, "requests")), 0);
	json_decref(json);
}

static void zones_and_their_changes_are_counted(void **state)
{
	struct record *r = *state;

	removed(r, -1, "az3", 3, 0, 3); /* before the scenario */
	removed(r, 0, "az1", 0, 0, 3);
	event(r, 1, "zone.restored", json_pack("{s:s}", "zone", "az1"));
	removed(r, 2, "az2", 0, 0, 3);
	removed(r, 3, "az1", 0, 0, 3);
	event(r, 4, "zone.held", json_pack("{s:s}", "zone", "az2"));
	removed(r, 10, "az3", 0, 0, 3); /* at the end: outside */
	struct figures f = of(r, 0, 10, 10);
	assert_int_equal(f.zone_removals, 3);
	assert_int_equal(f.zones, 2);
	assert_int_equal(f.zone_restores, 1);
	assert_int_equal(f.zone_holds, 1);
}

static void a_removal_is_false_when_enough_targets_were_well(void **state)
{
	struct record *r = *state;

	removed(r, 1, "az1", 2, 0, 3); /* 2 >= 1.5: false */
	removed(r, 2, "az1", 1, 0, 3); /* 1 < 1.5: right */
	removed(r, 3, "az1", 1, 0, 2); /* exactly the share: false */
	removed(r, 4, "az1", 3, 2, 3); /* false, and of an overloaded zone */
	removed(r, 5, "az1", 3, 1, 3); /* false; 2 are well and not overloaded */
	removed(r, 6, "az1", 1, 1, 3); /* right, overloaded or not */
	removed(r, 7, "az1", 0, 0, 0); /* no targets: nothing was well */
	event(r, 8, "zone.removed", json_pack("{s:s}", "zone", "az1")); /* truth unknown */
	event(r, 9, "zone.removed",
	      json_pack("{s:s, s:i, s:i, s:f}", "zone", "az1", "well", 55, "of", 100, "min_healthy",
	                0.55)); /* false */
	struct figures f = of(r, 0, 10, 10);
	assert_int_equal(f.zone_removals, 9);
	assert_int_equal(f.false_removals, 5);
	assert_int_equal(f.false_removals_overloaded, 1);
}

static void requests_belong_where_their_bucket_begins(void **state)
{
	struct record *r = *state;

	bucket(r, 9.9, 50, 5);
	bucket(r, 10, 50, 10);
	bucket(r, 10.1, 0, 0);
	struct figures before = of(r, 0, 10, 20), after = of(r, 10, 20, 20);
	assert_true(before.requests == 50 && before.errors == 5);
	assert_true(after.requests == 50 && after.errors == 10);
	assert_about(before.error_rate, 0.1);
	assert_about(after.error_rate, 0.2);
}

static void errors_are_told_by_class(void **state)
{
	struct record *r = *state;

	bucket(r, 1, 100, 3);
	record_metric(r, 1, "internet.client-1", "internet", "shop", "refused", 2);
	record_metric(r, 1, "az1.client-2", "az1", "shop", "refused", 1);
	record_metric(r, 12, "internet.client-1", "internet", "shop", "http", 1);
	struct figures f = of(r, 0, 10, 20);
	json_t *json = figures_json(&f), *classes = json_object_get(json, "errors_by_class");
	assert_int_equal(json_object_size(classes), FIGURES_CLASSES);
	assert_int_equal(json_integer_value(json_object_get(classes, "refused")), 3);
	assert_int_equal(json_integer_value(json_object_get(classes, "http")), 0);
	json_decref(json);
}

static void lost_capacity_is_an_integral(void **state)
{
	struct record *r = *state;

	lost(r, -5, 2);
	lost(r, 1, 3);
	lost(r, 4, 0);
	lost(r, 6, 1); /* to the end */
	assert_about(of(r, 0, 10, 10).capacity_seconds_lost, 2 + 9 + 4);
	assert_about(of(r, 2, 3, 10).capacity_seconds_lost, 3); /* nothing changes inside */
	assert_about(of(r, 3.5, 6.5, 10).capacity_seconds_lost, 1.5 + 0.5);
	assert_about(of(r, 10, 10, 10).capacity_seconds_lost, 0);
}

static void answers_are_watched(void **state)
{
	struct record *r = *state;

	for (int i = 0; i < 3; i++)
		answer(r, -1, (const char *[]){ "az1", "az2", "az3" }[i], 1);
	answer(r, 2, "az1", 0);
	answer(r, 3, "az2", 0); /* two out */
	answer(r, 4, "az1", 1);
	answer(r, 5, "az1", 0); /* at one instant one goes and another comes: never three out */
	answer(r, 5, "az2", 1);
	answer(r, 6, "az2", 0);
	answer(r, 7, "az3", 0); /* empty for a second and a half */
	answer(r, 8.5, "az2", 1);
	assert_int_equal(of(r, 0, 3, 10).max_zones_out, 1);
	assert_int_equal(of(r, 0, 7, 10).max_zones_out, 2);
	assert_int_equal(of(r, 3.5, 3.6, 10).max_zones_out, 2); /* as it stood when the span began */
	assert_int_equal(of(r, 0, 10, 10).max_zones_out, 3);
	assert_about(of(r, 0, 10, 10).empty_answer_s, 1.5);
	assert_about(of(r, 0, 8, 10).empty_answer_s, 1);
}

/* --- the window and time to stable ---------------------------------------------------------------------- */

static void assert_window(const struct record *r, double from, double to)
{
	struct span w = figures_window(r, (struct span){ 0, 80 });
	assert_about(w.from, from);
	assert_about(w.to, to);
}

static void the_window_follows_the_last_fault(void **state)
{
	struct record *r = *state;

	assert_window(r, 0, 80); /* no fault: the run */
	step(r, 10, "fault on slow-routes");
	event(r, 10, "fault.on", NULL);
	assert_window(r, 80, 80); /* never gone: no window */
	step(r, 20, "instance replace shop az1 2");
	step(r, 30, "fault off slow-routes");
	event(r, 30, "fault.off", NULL);
	assert_window(r, 30, 80);
	step(r, 40, "fault on lossy-checks"); /* switching a fault is no operator step */
	event(r, 40, "fault.on", NULL);
	assert_window(r, 30, 80);
	step(r, 45, "fault set lossy-checks drop=10%"); /* turning its knob is */
	assert_window(r, 30, 45);
	event(r, 50, "fault.off", NULL);
	assert_window(r, 50, 80);
	step(r, 60, "failover rate-limit on");
	step(r, 55, "failover disable");
	assert_window(r, 50, 55);
	event(r, 80, "fault.off", NULL); /* after the run */
	assert_window(r, 50, 55);
}

static void a_step_in_the_same_instant_ends_the_window(void **state)
{
	struct record *r = *state;

	step(r, 30, "failover enable"); /* before it in the same list: not the next one */
	event(r, 30, "fault.off", NULL);
	assert_window(r, 30, 80);
	step(r, 30, "failover disable");
	assert_window(r, 30, 30);
	assert_true(isnan(of(r, 0, 80, 80).time_to_stable_s));
	assert_false(of(r, 0, 80, 80).metastable);
}

static void stable_from_the_last_disturbed_second_on(void **state)
{
	struct record *r = *state;

	event(r, 30, "fault.off", NULL);
	step(r, 50, "failover rate-limit on");
	for (int t = 0; t < 80; t++)
		bucket(r, t, 1000, 9); /* 0.9 %: undisturbed */
	assert_about(of(r, 0, 80, 80).time_to_stable_s, 0);
	bucket(r, 33.5, 0, 1); /* 1 % in [33, 34) */
	assert_about(of(r, 0, 80, 80).time_to_stable_s, 4);
	removed(r, 38, "az1", 0, 0, 3); /* at the boundary: its second is [38, 39) */
	assert_about(of(r, 0, 80, 80).time_to_stable_s, 9);
	removed(r, 44.9, "az1", 0, 0, 3); /* ends where the last five seconds begin */
	assert_about(of(r, 0, 80, 80).time_to_stable_s, 15);
	assert_false(of(r, 0, 80, 80).metastable);
	removed(r, 45, "az1", 0, 0, 3);
	assert_true(isnan(of(r, 0, 80, 80).time_to_stable_s));
	assert_true(of(r, 0, 80, 80).metastable);
	removed(r, 60, "az1", 0, 0, 3); /* after the window */
}

static void phases_cut_the_window(void **state)
{
	struct record *r = *state;

	event(r, 30.0004, "fault.off", NULL);
	step(r, 50.0003, "failover rate-limit on");
	removed(r, 31.5, "az1", 0, 0, 3);
	removed(r, 44.9, "az1", 0, 0, 3);
	assert_about(of(r, 0, 80, 80).time_to_stable_s, 15);
	assert_true(isnan(of(r, 0, 30, 80).time_to_stable_s)); /* before it */
	assert_false(of(r, 0, 30, 80).metastable);
	assert_about(of(r, 30, 40, 80).time_to_stable_s, 2);
	assert_about(of(r, 40, 50, 80).time_to_stable_s, 5);
	assert_true(of(r, 40, 49, 80).metastable);
	bucket(r, 50, 100, 100);
	assert_true(isnan(of(r, 50, 65, 80).time_to_stable_s)); /* 0.3 ms can't be judged */
	assert_false(of(r, 50, 65, 80).metastable);
	assert_about(of(r, 46, 80, 80).time_to_stable_s, 0); /* nor do they disturb what came before */
}

static void a_window_shorter_than_five_seconds(void **state)
{
	struct record *r = *state;

	assert_about(of(r, 0, 3, 3).time_to_stable_s, 0);
	removed(r, 0.5, "az1", 0, 0, 3);
	assert_true(of(r, 0, 3, 3).metastable);
	assert_true(of(r, 0, 0.95, 3).metastable); /* less than one second */
	assert_about(of(r, 0, 6, 6).time_to_stable_s, 1);
}

/* --- phases of a topology ------------------------------------------------------------------------------- */

static void phases_end_where_the_next_begins(void **state)
{
	struct phase_config phases[] = { { .name = "calm", .at = 0 },
		                         { .name = "fault", .at = 10 * NS_PER_S },
		                         { .name = "end", .at = 30 * NS_PER_S } };
	struct topology t = { .n_phases = 3, .phases = phases };
	struct span run = figures_run(&t, INFINITY);

	(void)state;
	assert_true(run.from == 0 && run.to == 30);
	assert_true(figures_phase(&t, 1, run).from == 10 && figures_phase(&t, 1, run).to == 30);
	assert_true(figures_phase(&t, 2, run).from == 30 && figures_phase(&t, 2, run).to == 30);
	run = figures_run(&t, 7.5); /* broke down */
	assert_true(run.to == 7.5 && figures_phase(&t, 0, run).to == 7.5);
	struct span never = figures_phase(&t, 1, run);
	assert_true(never.to == never.from);
	t.n_phases = 0; /* `up`: no scenario */
	assert_true(figures_run(&t, 99).to == 99);
}

static void fill_at_random(struct record *r, struct random *random)
{
	static const char *const zones[] = { "az1", "az2", "az3" };

	for (int i = 0; i < 300; i++) {
		const char *zone = zones[random_next(random) % 3];
		double t = round(random_unit(random) * 850) / 10 - 5; /* many on the boundaries */
		switch (random_next(random) % 6) {
		case 0:
			removed(r, t, zone, (int)(random_next(random) % 4), (int)(random_next(random) % 4),
			        3);
			break;
		case 1:
			event(r, t, "zone.restored", json_pack("{s:s}", "zone", zone));
			break;
		case 2:
			event(r, t, "zone.held", json_pack("{s:s}", "zone", zone));
			break;
		case 3:
			bucket(r, t, 10, (double)(random_next(random) % 10));
			break;
		case 4:
			lost(r, t, (double)(random_next(random) % 10));
			break;
		default:
			answer(r, t, zone, (int)(random_next(random) % 2));
			break;
		}
	}
}

static void figures_of_phases_add_up_to_the_runs(void **state)
{
	(void)state;
	static const double at[] = { 0, 10, 10.1, 30, 64.5, 80 };
	struct random random = random_of(1, "phases");

	for (int i = 0; i < 50; i++) {
		struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
		struct figures sum = { 0 };
		fill_at_random(r, &random);
		struct figures run = of(r, 0, 80, 80);
		for (size_t p = 0; p + 1 < ARRAY_SIZE(at); p++) {
			struct figures f = of(r, at[p], at[p + 1], 80);
			sum.zone_removals += f.zone_removals;
			sum.zone_restores += f.zone_restores;
			sum.zone_holds += f.zone_holds;
			sum.false_removals += f.false_removals;
			sum.false_removals_overloaded += f.false_removals_overloaded;
			sum.requests += f.requests;
			sum.errors += f.errors;
			sum.capacity_seconds_lost += f.capacity_seconds_lost;
			sum.empty_answer_s += f.empty_answer_s;
			if (f.max_zones_out > sum.max_zones_out) sum.max_zones_out = f.max_zones_out;
			assert_true(f.false_removals_overloaded <= f.false_removals && f.zones <= run.zones);
		}
		assert_int_equal(sum.zone_removals, run.zone_removals);
		assert_int_equal(sum.zone_restores, run.zone_restores);
		assert_int_equal(sum.zone_holds, run.zone_holds);
		assert_int_equal(sum.false_removals, run.false_removals);
		assert_int_equal(sum.false_removals_overloaded, run.false_removals_overloaded);
		assert_about(sum.requests, run.requests);
		assert_about(sum.errors, run.errors);
		assert_about(sum.capacity_seconds_lost, run.capacity_seconds_lost);
		assert_about(sum.empty_answer_s, run.empty_answer_s);
		assert_int_equal(sum.max_zones_out, run.max_zones_out);
		record_free(r);
	}
}

int main(void)
{
#define ON_RECORD(test) cmocka_unit_test_setup_teardown(test, new_record, drop_record)
	const struct CMUnitTest tests[] = {
		ON_RECORD(a_quiet_run_is_all_zeros),
		ON_RECORD(zones_and_their_changes_are_counted),
		ON_RECORD(a_removal_is_false_when_enough_targets_were_well),
		ON_RECORD(requests_belong_where_their_bucket_begins),
		ON_RECORD(errors_are_told_by_class),
		ON_RECORD(lost_capacity_is_an_integral),
		ON_RECORD(answers_are_watched),
		ON_RECORD(the_window_follows_the_last_fault),
		ON_RECORD(a_step_in_the_same_instant_ends_the_window),
		ON_RECORD(stable_from_the_last_disturbed_second_on),
		ON_RECORD(phases_cut_the_window),
		ON_RECORD(a_window_shorter_than_five_seconds),
		cmocka_unit_test(phases_end_where_the_next_begins),
		cmocka_unit_test(figures_of_phases_add_up_to_the_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
