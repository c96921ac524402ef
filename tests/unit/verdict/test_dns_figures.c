/* The figures of a DNS automation, and the story that the report tells of an emptied endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/verdict/figures_dns.h"
#include "orchestrator/verdict/report_dns.h"
#include "tests/unit/verdict/facts.h"
#include <math.h>
#include <string.h>

#define NAME "dynamodb.east.lab"

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
static void of_zone(struct record *r, double t, const char *zone, const char *name, json_t *fields)
{
	char node[32];
	snprintf(node, sizeof(node), "%s.dns-enactor", zone);
	record_event(r, t, 0, 0, node, zone, name, fields);
}
static void made(struct record *r, double t, int plan)
{
	event(r, t, "plan.made", json_pack("{s:i}", "plan", plan));
}
static void aborted(struct record *r, double t, int plan)
{
	of_zone(r, t, "az2", "plan.aborted",
	        json_pack("{s:i, s:s}", "plan", plan, "reason", "the tree in force is gone"));
}
static void endpoint(struct record *r, double t, const char *name, const char *endpoint)
{
	event(r, t, name, json_pack("{s:s}", "endpoint", endpoint));
}
static void repaired(struct record *r, double t, const char *how, bool ok)
{
	event(r, t, "dns.repaired", json_pack("{s:s, s:b, s:i}", "how", how, "ok", ok, "took_ms", 12));
}
static void no_address(struct record *r, double t, const char *service, int n)
{
	record_metric(r, t, "internet.client-1", "internet", service, "no_address", n);
}
static struct dns_figures of(const struct record *r, double from, double to)
{
	struct dns_figures f;
	dns_figures_of(r, (struct span){ from, to }, "dynamodb", NAME, &f);
	return f;
}
static void assert_about(double got, double want)
{
	if (!(fabs(got - want) < 1e-6)) fail_msg("%.9g instead of %.9g", got, want);
}

static void without_an_outage(void **state)
{
	struct record *r = *state;

	made(r, -0.5, 1);
	made(r, 1, 2);
	made(r, 10, 3);
	of_zone(r, 2, "az1", "plan.stale", json_pack("{s:i, s:b}", "plan", 1, "written", false));
	of_zone(r, 3, "az1", "plan.stale", json_pack("{s:i, s:b}", "plan", 1, "written", true));
	no_address(r, 4, "dynamodb", 3);
	struct dns_figures f = of(r, 0, 10);
	assert_int_equal(f.plans, 1);
	assert_int_equal(f.stale_writes, 1);
	assert_true(f.empty_seconds == 0 && !f.stuck && isnan(f.repaired_s) && isnan(f.negative_tail_s));
	json_t *json = dns_figures_json(&f);
	assert_true(json_is_null(json_object_get(json, "repaired_s")));
	assert_true(json_is_false(json_object_get(json, "stuck")));
	json_decref(json);
}

/* 5 s empty, plans abort, the operator comes, clients follow 3.1 s later. */
static void an_outage(struct record *r)
{
	made(r, 1, 7);
	endpoint(r, 10, "endpoint.empty", "dynamodb");
	aborted(r, 10.5, 7); /* made before: an abort of the old days */
	made(r, 11, 8);
	aborted(r, 11.5, 8);
	repaired(r, 12, "enactor", false);
	endpoint(r, 15, "endpoint.restored", "dynamodb");
	repaired(r, 15.01, "out-of-band", true);
	no_address(r, 14, "dynamodb", 20);
	no_address(r, 18, "dynamodb", 1);
	no_address(r, 19, "shop", 1);
	no_address(r, 20, "dynamodb", 0);
}

static void an_outage_until_an_operator_comes(void **state)
{
	struct record *r = *state;

	an_outage(r);
	struct dns_figures f = of(r, 0, 30), before = of(r, 0, 10), early = of(r, 10, 11),
	                   during = of(r, 11, 13), after = of(r, 15, 30);
	assert_about(f.empty_seconds, 5);
	assert_true(f.stuck);
	assert_about(f.repaired_s, 5.01);
	assert_about(f.negative_tail_s, 3.1);
	assert_true(before.empty_seconds == 0 && !before.stuck);
	assert_true(!early.stuck); /* nobody had tried yet */
	assert_about(during.empty_seconds, 2);
	assert_true(during.stuck && isnan(during.repaired_s) && isnan(during.negative_tail_s));
	assert_true(after.empty_seconds == 0 && !after.stuck);
	assert_about(after.negative_tail_s, 3.1);
}

static void other_endpoints_are_not_the_service(void **state)
{
	struct record *r = *state;

	endpoint(r, 1, "endpoint.empty", "dynamodb-ipv4");
	endpoint(r, 2, "endpoint.empty", "000000000001.ddb");
	endpoint(r, 2.5, "endpoint.empty", "dynamodb-ipv4");
	assert_true(of(r, 0, 10).empty_seconds == 0);
	assert_int_equal(of(r, 0, 10).emptied, 2);
	endpoint(r, 3, "endpoint.empty", NAME ".");
	endpoint(r, 4, "endpoint.restored", NAME);
	assert_about(of(r, 0, 10).empty_seconds, 1);
}

static void who_recovers_by_itself_was_not_stuck(void **state)
{
	struct record *r = *state;

	endpoint(r, 1, "endpoint.empty", "dynamodb");
	made(r, 2, 1);
	aborted(r, 3, 1);
	repaired(r, 4, "auto", true);
	endpoint(r, 4, "endpoint.restored", "dynamodb");
	struct dns_figures f = of(r, 0, 10);
	assert_true(!f.stuck && isnan(f.repaired_s));
	assert_about(f.negative_tail_s, 0);
	endpoint(r, 6, "endpoint.empty", "dynamodb"); /* and this one stays */
	made(r, 7, 2);
	aborted(r, 8, 2);
	f = of(r, 0, 10);
	assert_true(f.stuck && isnan(f.repaired_s));
	assert_about(f.empty_seconds, 7);
}

/* --- the report -------------------------------------------------------------------------------------- */

static void a_race(struct record *r)
{
	of_zone(r, 1, "az1", "plan.picked", json_pack("{s:i, s:i}", "plan", 12, "in_force", 11));
	for (int i = 0; i < 500; i++)
		of_zone(r, 2 + i * 1e-3, "az1", "lock.lost",
		        json_pack("{s:s, s:i, s:s, s:s}", "endpoint", "dynamodb", "plan", 12, "holder",
		                  "az<2>", "why", "held"));
	of_zone(r, 3, "az2", "plan.applied", json_pack("{s:i}", "plan", 17));
	of_zone(r, 4, "az1", "lock.taken",
	        json_pack("{s:s, s:i, s:i, s:i}", "endpoint", "dynamodb", "plan", 12, "over", 17, "attempts",
	                  501));
	of_zone(r, 4, "az1", "plan.stale",
	        json_pack("{s:s, s:i, s:i, s:b}", "endpoint", "dynamodb", "plan", 12, "in_force", 17,
	                  "written", true));
	of_zone(r, 4.2, "az2", "plan.cleaned", json_pack("{s:i, s:i}", "plan", 12, "by_plan", 17));
	endpoint(r, 4.1, "endpoint.empty", "000000000003.ddb");
	endpoint(r, 4.3, "endpoint.empty", "dynamodb");
	aborted(r, 5, 18);
	aborted(r, 6, 19);
	repaired(r, 9, "out-of-band", true);
	endpoint(r, 9.1, "endpoint.restored", "dynamodb");
}

static void the_story_is_found(void **state)
{
	struct record *r = *state;
	struct dns_story s;

	assert_false(dns_story_of(r, NAME, &s));
	a_race(r);
	assert_true(dns_story_of(r, NAME, &s));
	assert_about(s.empty->t, 4.3);
	assert_about(s.picked->t, 1);
	assert_int_equal(s.n_lost, 500);
	assert_about(s.stale->t, 4);
	assert_about(s.cleaned->t, 4.2);
	assert_about(s.applied->t, 3);
	assert_int_equal(s.n_aborted, 2);
	assert_about(s.repaired->t, 9);
	assert_about(s.restored->t, 9.1);
}

static void the_section_is_bounded_and_escaped(void **state)
{
	struct record *r = *state;
	char *text = NULL;
	size_t size;

	a_race(r);
	json_t *summary = json_pack("{s:f, s:f, s:[s, s], s:{s:s, s:b}}", "from_s", 0.0, "to_s", 30.0,
	                            "zone_names", "az1", "az2", "dns", "endpoint", NAME, "stuck", true);
	FILE *out = open_memstream(&text, &size);
	report_dns(out, r, summary);
	fclose(out);
	assert_non_null(strstr(text, "<b>the stale write</b>"));
	assert_non_null(strstr(text, "<b>the fatal clean-up</b>: it deletes the tree of plan 12"));
	assert_non_null(strstr(text, "held by az&lt;2&gt;"));
	assert_null(strstr(text, "az<2>"));
	assert_true(size < 16384);
	free(text);
	json_decref(summary);
}

static void the_chart_has_hundreds_of_points_at_most(void **state)
{
	struct record *r = *state;
	json_t *summary = json_pack("{s:f, s:f, s:[s], s:{s:s}}", "from_s", 0.0, "to_s", 100.0, "zone_names",
	                            "az2", "dns", "endpoint", NAME);

	for (int i = 0; i < 20000; i++) {
		made(r, i * 0.005, i);
		of_zone(r, i * 0.005, "az2", "plan.applied", json_pack("{s:i}", "plan", i));
		record_metric(r, i * 0.005, "region.dns-operator", "region", "dynamodb", "dns.plan", i);
	}
	json_t *data = report_dns_data(r, summary), *force = json_object_get(data, "in_force");
	json_t *applied = json_object_get(json_array_get(json_object_get(data, "enactors"), 0), "applied");
	assert_true(json_array_size(json_object_get(data, "made")) <= 601);
	assert_true(json_array_size(applied) <= 601 && json_array_size(force) <= 601);
	assert_true(json_array_size(force) > 500);
	/* the last value is kept */
	assert_int_equal(
	    json_real_value(json_array_get(json_array_get(force, json_array_size(force) - 1), 1)), 19999);
	json_decref(data);
	json_object_del(summary, "dns");
	data = report_dns_data(r, summary);
	assert_true(json_is_null(data));
	json_decref(data);
	json_decref(summary);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, new_record, drop_record)
	const struct CMUnitTest tests[] = {
		TEST(without_an_outage),
		TEST(an_outage_until_an_operator_comes),
		TEST(other_endpoints_are_not_the_service),
		TEST(who_recovers_by_itself_was_not_stuck),
		TEST(the_story_is_found),
		TEST(the_section_is_bounded_and_escaped),
		TEST(the_chart_has_hundreds_of_points_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
