/* The figures of EC2, and what the report makes of the same seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/verdict/figures_ec2.h"
#include "orchestrator/verdict/report_ec2.h"
#include "tests/unit/verdict/facts.h"
#include <math.h>
#include <string.h>

static const struct ec2_store STORE = { "dynamodb", "dynamodb.east.lab" };
static const struct span CALM = { 0, 20 };

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
static void work(struct record *r, double t, int host, const char *metric, double value)
{
	char node[32];
	snprintf(node, sizeof(node), "region.dwfm-%d", host);
	record_metric(r, t, node, "region", "", metric, value);
}
/* One sample of a host with 100 droplets. */
static void sample(struct record *r, double t, int host, double held, double good)
{
	work(r, t, host, "work.droplets", 100);
	work(r, t, host, "work.held", held);
	work(r, t, host, "work.good_per_s", good);
}
/* A sample a second of both hosts, in the middle of seconds [from, to). */
static void samples(struct record *r, int from, int to, double held, double good)
{
	for (int t = from; t < to; t++) {
		sample(r, t + 0.5, 1, held, good);
		sample(r, t + 0.6, 2, held, good);
	}
}
static void name(struct record *r, double t, const char *what, const char *endpoint)
{
	event(r, t, what, json_pack("{s:s}", "endpoint", endpoint));
}

/* One figure of a span; NAN for null. */
static double figure(const struct record *r, double from, double to, const char *which)
{
	json_t *figures = figures_ec2_json(r, (struct span){ from, to }, CALM, &STORE);
	const json_t *value = json_object_get(figures, which);
	assert_non_null(value);
	double number = json_is_null(value) ? NAN : json_number_value(value);
	json_decref(figures);
	return number;
}
#define assert_figure(r, from, to, which, want)                                                              \
	do {                                                                                                 \
		double got = figure(r, from, to, which);                                                     \
		if (!(fabs(got - (want)) < 1e-6))                                                            \
			fail_msg("%s is %.9g, not %.9g", which, got, (double)(want));                        \
	} while (0)

static void hosts_are_summed(void **state)
{
	struct record *r = *state;

	samples(r, 0, 20, 100, 30);
	work(r, 3.5, 1, "work.queued", 7);
	work(r, 3.6, 2, "work.queued", 5);
	work(r, 3.5, 1, "work.oldest_ms", 70);
	work(r, 3.6, 2, "work.oldest_ms", 50);
	record_metric(r, 4.9, "region.ec2-api", "region", "", "api.errors.Unavailable", 2);
	record_metric(r, 4.9, "region.ec2-api", "region", "", "api.errors.RequestLimitExceeded", 3);
	record_metric(r, 4.9, "region.ec2-api", "region", "", "api.launches.ok", 4);
	assert_figure(r, 0, 20, "droplets", 200);
	assert_figure(r, 0, 20, "leases_held", 200);
	assert_figure(r, 0, 20, "leases_held_min", 200);
	assert_figure(r, 0, 20, "good_per_s", 60);
	assert_figure(r, 0, 20, "good_of_calm", 1);
	assert_figure(r, 0, 20, "queue_max", 12);
	assert_figure(r, 0, 20, "oldest_max_ms", 70);
	assert_figure(r, 0, 20, "api_errors", 5);
	assert_figure(r, 5, 20, "api_errors", 0); /* counted once, and not held on */
	assert_figure(r, 0, 20, "launches", 4);
	assert_figure(r, 0, 20, "recovery_broken_s", 0);
}

static void customers_see_the_worst_second(void **state)
{
	struct record *r = *state;
	static const char network[] = "api.launches.stages_ms.network.p99";

	record_metric(r, 3.1, "region.ec2-api", "region", "", "api.requests.RunInstances", 6);
	record_metric(r, 3.1, "region.ec2-api", "region", "", "api.requests.DescribeInstances", 1);
	record_metric(r, 3.1, "region.ec2-api", "region", "", network, 900);
	record_metric(r, 3.9, "region.ec2-api", "region", "", network, 800); /* they don't add up */
	record_metric(r, 7.1, "region.ec2-api", "region", "", network, 30);
	record_metric(r, 7.1, "region.ec2-api", "region", "", "api.launches.stages_ms.droplet.p99", 120);
	record_metric(r, 3.2, "region.network-manager", "region", "", "routes.queued", 40);
	record_metric(r, 8.2, "region.network-manager", "region", "", "routes.queued", 4);
	assert_figure(r, 0, 20, "api_calls", 7);
	assert_figure(r, 4, 20, "api_calls", 0);
	assert_figure(r, 0, 20, "launch_network_max_ms", 800);
	assert_figure(r, 6, 20, "launch_network_max_ms", 30);
	assert_figure(r, 0, 20, "launch_droplet_max_ms", 120);
	assert_figure(r, 8, 20, "launch_droplet_max_ms", 0);
	assert_figure(r, 0, 20, "network_backlog_max", 40);
	assert_figure(r, 8, 20, "network_backlog_max", 4);
}

/* Leases come back at 30 s, go once more at 35 s, and are back for good at 37 s. */
static void recovered_is_back_for_good(void **state)
{
	struct record *r = *state;

	samples(r, 0, 20, 100, 30);
	samples(r, 20, 30, 0, 0);
	samples(r, 30, 35, 100, 30);
	samples(r, 35, 37, 98, 30);
	samples(r, 37, 40, 99.5, 30);
	assert_figure(r, 20, 40, "leases_recovered_s", 17);
	assert_figure(r, 20, 40, "leases_held_min", 0);
	assert_figure(r, 0, 20, "leases_recovered_s", 0);
	assert_true(isnan(figure(r, 20, 30, "leases_recovered_s")));
	assert_figure(r, 20, 35, "leases_recovered_s", 10);
}

/* A host's beat drifts over the seconds: two samples in one, then none, and the first one late. */
static void a_drifting_host_is_one_host(void **state)
{
	struct record *r = *state;

	for (int t = 0; t < 20; t++) {
		sample(r, t + 0.5, 1, 100, 30);
		sample(r, t + (t % 2 ? 0.001 : 1.999), 2, 100, 30);
	}
	assert_figure(r, 0, 20, "leases_held_min", 200);
	assert_figure(r, 0, 20, "droplets", 200);
	assert_figure(r, 0, 20, "good_per_s", 60);
}

/* Host 2 is gone from 21 s to 30 s: it is believed for 3 s, then its leases are gone but not its droplets. */
static void a_host_that_restarts(void **state)
{
	struct record *r = *state;

	samples(r, 0, 21, 100, 30);
	for (int t = 21; t < 30; t++)
		sample(r, t + 0.5, 1, 100, 30);
	sample(r, 30.5, 1, 100, 30);
	sample(r, 30.6, 2, 0, 0);
	samples(r, 31, 40, 100, 30);
	assert_figure(r, 20, 24, "leases_held_min", 200);
	assert_figure(r, 20, 40, "leases_held_min", 100);
	assert_figure(r, 25, 30, "droplets", 200); /* all that it told was before this span */
	assert_true(isnan(figure(r, 25, 30, "leases_recovered_s")));
	assert_figure(r, 25, 30, "good_of_calm", 0.5);
	assert_figure(r, 20, 40, "leases_recovered_s", 11);
}

/* The name is gone from 20 s to 30 s and nothing good is done until 60 s. */
static void a_collapse(struct record *r)
{
	samples(r, 0, 20, 100, 30);
	samples(r, 20, 60, 0, 5);
	samples(r, 60, 80, 100, 30);
	name(r, 20.2, "endpoint.empty", "dynamodb");
	name(r, 20.2, "endpoint.empty", "dynamodb-fips");
	name(r, 22.0, "endpoint.restored", "dynamodb-fips"); /* not the name that clients ask for */
	name(r, 30.4, "endpoint.restored", "dynamodb");
}

/* The name is there again at 30.4 s: 31 to 45 s are the 15 well seconds before the first that counts, 46. The
 * last one that counts is 60, as the five seconds before 61 have one good one: (60 + 4 * 10) / 5 > 12. */
static void the_invariant_breaks_after_the_cause_is_gone(void **state)
{
	struct record *r = *state;

	a_collapse(r);
	assert_figure(r, 0, 80, "recovery_broken_s", 15);
	assert_figure(r, 0, 46, "recovery_broken_s", 0);
	assert_figure(r, 46, 47, "recovery_broken_s", 1);
	assert_figure(r, 47, 80, "recovery_broken_s", 14); /* phases add up */
	assert_figure(r, 61, 80, "recovery_broken_s", 0);
}

static void while_dynamodb_is_ill_nothing_is_owed(void **state)
{
	struct record *r = *state;

	a_collapse(r);
	record_metric(r, -0.1, "az1", "az1", "dynamodb", "of", 2);
	record_metric(r, -0.1, "az1", "az1", "dynamodb", "well", 2);
	record_metric(r, -0.1, "az1", "az1", "shop", "of", 2);
	record_metric(r, -0.1, "az1", "az1", "shop", "well", 0); /* is none of its business */
	assert_figure(r, 0, 80, "recovery_broken_s", 15);
	record_metric(r, 40.5, "az1", "az1", "dynamodb", "well", 0);
	assert_figure(r, 0, 80, "recovery_broken_s", 0);
	record_metric(r, 40.6, "az1", "az1", "dynamodb", "well", 1);
	assert_figure(r, 0, 80, "recovery_broken_s", 15);
}

static void an_empty_span_has_no_leases(void **state)
{
	static const char *const none[] = { "droplets",           "leases_held",   "leases_held_min",
		                            "leases_recovered_s", "offered_per_s", "good_per_s",
		                            "stale_per_s",        "good_of_calm",  "queue_max",
		                            "oldest_max_ms" };
	static const char *const counts[] = { "api_errors", "launches", "launches_failed",
		                              "recovery_broken_s" };
	struct record *r = *state;

	assert_figure(r, 0, 20, "droplets", 0); /* nobody told anything */
	assert_true(isnan(figure(r, 0, 20, "leases_recovered_s")));
	assert_true(isnan(figure(r, 0, 20, "good_of_calm")));
	a_collapse(r);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (!isnan(figure(r, 90, 90, none[i]))) fail_msg("%s isn't null", none[i]);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		assert_figure(r, 50, 50, counts[i], 0);
	assert_figure(r, 70, 70.002, "leases_held", 200); /* not a second long, but it has a state */
}

/* --- the report -------------------------------------------------------------------------------------- */

static json_t *summary_of(double to)
{
	return json_pack("{s:f, s:f, s:{s:f, s:i}, s:{s:{s:{s:i, s:n}}}}", "from_s", 0.0, "to_s", to, "ec2",
	                 "timeout_ms", 500.0, "leases_held", 200, "phases", "ca<lm", "ec2", "leases_held",
	                 200, "good_of_calm");
}

static void the_section_is_there_for_ec2_only(void **state)
{
	(void)state;
	cleanup_free char *text = NULL;
	size_t size;
	json_t *summary = summary_of(80);
	FILE *out = open_memstream(&text, &size);

	report_ec2(out, summary);
	fflush(out);
	assert_non_null(strstr(text, "<h2>EC2: leases and work</h2>"));
	assert_non_null(strstr(text, "<th scope=\"row\">ca&lt;lm</th><td>200</td><td>–</td>"));
	json_object_del(summary, "ec2");
	long before = ftell(out);
	report_ec2(out, summary);
	assert_int_equal(ftell(out), before);
	fclose(out);
	json_decref(summary);
}

static void a_line_has_hundreds_of_points_at_most(void **state)
{
	struct record *r = *state;
	json_t *summary = summary_of(5000);

	for (int t = 0; t < 5000; t++) {
		sample(r, t + 0.5, 1, t % 100, t);
		record_metric(r, t + 0.9, "region.ec2-api", "region", "", "api.errors.Unavailable", t % 7);
	}
	record_metric(r, 9.5, "region.ec2-api", "region", "", "api.launches.stages_ms.droplet.p50", 120);
	json_t *data = report_ec2_data(r, summary), *held = json_object_get(data, "held");
	json_t *errors = json_array_get(json_object_get(data, "errors"), 0);
	json_t *stage = json_array_get(json_object_get(data, "stages"), 0);
	assert_true(json_array_size(held) > 300 && json_array_size(held) <= 600);
	assert_true(json_array_size(json_object_get(errors, "line")) <= 600);
	assert_string_equal(json_string_value(json_object_get(errors, "name")), "Unavailable");
	assert_string_equal(json_string_value(json_object_get(stage, "name")), "droplet");
	assert_int_equal(json_array_size(json_object_get(stage, "line")), 3); /* none, 120 ms, none */
	assert_int_equal(json_number_value(json_object_get(data, "timeout_ms")), 500);
	json_decref(data);
	json_object_del(summary, "ec2");
	data = report_ec2_data(r, summary);
	assert_true(json_is_null(data));
	json_decref(data);
	json_decref(summary);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, new_record, drop_record)
	const struct CMUnitTest tests[] = {
		TEST(hosts_are_summed),
		TEST(customers_see_the_worst_second),
		TEST(recovered_is_back_for_good),
		TEST(a_drifting_host_is_one_host),
		TEST(a_host_that_restarts),
		TEST(the_invariant_breaks_after_the_cause_is_gone),
		TEST(while_dynamodb_is_ill_nothing_is_owed),
		TEST(an_empty_span_has_no_leases),
		TEST(the_section_is_there_for_ec2_only),
		TEST(a_line_has_hundreds_of_points_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
