/* Expectations, verdict and the files for machines and people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/verdict/expect.h"
#include "orchestrator/verdict/junit.h"
#include "orchestrator/verdict/summary.h"
#include "orchestrator/topology/topology_schema.h"
#include "tests/unit/verdict/facts.h"
#include <math.h>
#include <string.h>

/* --- expectations ------------------------------------------------------------------------------------- */

static json_t *evaluate(const char *phase, struct bound bound)
{
	struct expect_config e = { .phase = phase, .n_bounds = 1, .bounds = &bound };
	struct topology t = { .n_expects = 1, .expects = &e };
	json_t *summary =
	    json_loads("{\"zone_removals\": 3, \"error_rate\": null, \"metastable\": true, \"a.b\": 7,"
	               " \"fidelity\": {\"late_p99_ms\": 1.5, \"worst_node\": \"az1\"},"
	               " \"phases\": {\"calm.1\": {\"error_rate\": 0.01, \"zone_removals\": 0}}}",
	               0, NULL);
	json_t *results = expect_evaluate(&t, summary);
	assert_int_equal(json_array_size(results), 1);
	json_decref(summary);
	return results;
}
static void assert_expect(const char *phase, struct bound bound, bool pass, const char *text)
{
	json_t *results = evaluate(phase, bound);
	assert_string_equal(json_string_value(json_object_get(json_array_get(results, 0), "text")), text);
	assert_int_equal(expect_failures(results), !pass);
	json_decref(results);
}

static void bounds_are_inclusive(void **state)
{
	(void)state;
	struct bound three = {
		.figure = "zone_removals", .has_min = true, .has_max = true, .min = 3, .max = 3
	};

	assert_expect(NULL, three, true, "run: zone_removals is 3, expected at least 3, at most 3");
	assert_expect("calm.1", three, false, "calm.1: zone_removals is 0, expected at least 3, at most 3");
	assert_expect("calm.1", (struct bound){ .figure = "error_rate", .has_max = true, .max = 0.01 }, true,
	              "calm.1: error_rate is 0.01, expected at most 0.01");
}

static void what_is_not_a_number_meets_no_number(void **state)
{
	(void)state;
	assert_expect(NULL, (struct bound){ .figure = "error_rate", .has_max = true, .max = 1 }, false,
	              "run: error_rate is null, expected at most 1");
	assert_expect(NULL, (struct bound){ .figure = "error_rate", .has_equals = true, .equals = "null" },
	              true, "run: error_rate is null, expected null");
	assert_expect(NULL, (struct bound){ .figure = "metastable", .has_equals = true, .equals = "false" },
	              false, "run: metastable is true, expected false");
	assert_expect(NULL, (struct bound){ .figure = "zone_removals", .has_equals = true, .equals = "3" },
	              true, "run: zone_removals is 3, expected 3");
	assert_expect(NULL, (struct bound){ .figure = "zone_removals", .has_equals = true, .equals = "" },
	              false, "run: zone_removals is 3, expected ");
}

static void paths_lead_into_the_summary(void **state)
{
	(void)state;
	assert_expect(NULL, (struct bound){ .figure = "fidelity.late_p99_ms", .has_max = true, .max = 2 },
	              true, "run: fidelity.late_p99_ms is 1.5, expected at most 2");
	assert_expect(NULL,
	              (struct bound){ .figure = "fidelity.worst_node", .has_equals = true, .equals = "az1" },
	              true, "run: fidelity.worst_node is az1, expected az1");
	assert_expect(NULL, (struct bound){ .figure = "a.b", .has_min = true, .min = 7 }, true,
	              "run: a.b is 7, expected at least 7");
	assert_expect(NULL, (struct bound){ .figure = "nowhere.at.all", .has_min = true }, false,
	              "run: nowhere.at.all is unknown, expected at least 0");
	assert_expect("storm", (struct bound){ .figure = "zone_removals", .has_max = true, .max = 9 }, false,
	              "storm: zone_removals is unknown, expected at most 9");
}

/* --- a whole run -------------------------------------------------------------------------------------- */

static struct phase_config phases[] = { { .name = "calm", .at = 0 },
	                                { .name = "a|b <\"&'>", .at = 10 * NS_PER_S },
	                                { .name = "end", .at = 20 * NS_PER_S } };
static struct bound no_removals = { .figure = "zone_removals", .has_max = true, .max = 0 };
static struct bound some_errors = { .figure = "error_rate", .has_min = true, .min = 0.1 };
static struct expect_config expects[] = { { .phase = "calm", .n_bounds = 1, .bounds = &no_removals },
	                                  { .phase = "a|b <\"&'>", .n_bounds = 1, .bounds = &some_errors } };
static const struct topology plain = { .file = "topologies/az-thrash.yaml",
	                               .region = "us-east-1",
	                               .seed = 42,
	                               .n_zones = 3,
	                               .zones = { "az1", "az2", "az3" },
	                               .n_phases = 3,
	                               .phases = phases,
	                               .n_expects = 2,
	                               .expects = expects };

static json_t *run_of(const struct topology *t, bool calm_breaks, const char *doubt,
                      struct record **ret_record)
{
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
	struct fidelity *f = fidelity_new(250 * NS_PER_MS);
	struct summary_input in = { .topology = t,
		                    .record = r,
		                    .fidelity = f,
		                    .end = INFINITY,
		                    .lab = "thrash",
		                    .started = "2026-01-01T00:00:00Z",
		                    .repeat = "azlab run topologies/az-thrash.yaml --seed 42" };

	assert_int_equal(fidelity_lateness(f, "az1.nlb", 1, (uint32_t[]){ 50 }, 1), 0);
	if (doubt) assert_int_equal(fidelity_doubt(f, "%s", doubt), 0);
	bucket(r, 1, 100, 0);
	bucket(r, 11, 100, 50);
	removed(r, calm_breaks ? 9.999 : 10, "az1", 3, 0, 3);
	removed(r, 20.5, "az2", 3, 0, 3); /* while it is being torn down */
	json_t *summary = summary_make(&in);
	assert_non_null(summary);
	fidelity_free(f);
	if (ret_record) *ret_record = r;
	if (!ret_record) record_free(r);
	return summary;
}
static json_t *run(bool calm_breaks, const char *doubt, struct record **ret_record)
{
	return run_of(&plain, calm_breaks, doubt, ret_record);
}
static json_int_t figure(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void a_summary_has_the_figures_of_run_and_phases(void **state)
{
	(void)state;
	json_t *summary = run(false, NULL, NULL), *phases_of = json_object_get(summary, "phases");

	assert_string_equal(json_string_value(json_object_get(summary, "verdict")), "pass");
	assert_int_equal(summary_verdict(summary), VERDICT_PASS);
	assert_int_equal(figure(summary, "seed"), 42);
	assert_int_equal(figure(summary, "zone_removals"), 1);
	assert_int_equal(figure(summary, "requests"), 200);
	assert_int_equal(json_object_size(phases_of), 2);
	assert_int_equal(figure(json_object_get(phases_of, "calm"), "zone_removals"), 0);
	assert_int_equal(figure(json_object_get(phases_of, "a|b <\"&'>"), "false_removals"), 1);
	json_decref(summary);
}

static void what_a_topology_may_expect_is_there(void **state)
{
	(void)state;
	struct service_config service = { .name = "dynamodb", .dns_name = "dynamodb.east.lab" };
	struct topology automated = plain;
	automated.n_services = 1;
	automated.services = &service;
	automated.has_dns_automation = 1;
	automated.dns_automation.service = "dynamodb";
	automated.has_ec2 = 1;
	automated.ec2.dynamodb = "dynamodb";
	json_t *summary = run_of(&automated, false, NULL, NULL), *calm;

	for (const struct topology_figure *f = topology_figures; f->name; f++) {
		if (!json_object_get(summary, f->name)) fail_msg("no %s", f->name);
	}
	assert_int_equal(figure(json_object_get(summary, "dns"), "plans"), 0);
	calm = json_object_get(json_object_get(summary, "phases"), "calm");
	assert_true(json_is_false(json_object_get(json_object_get(calm, "dns"), "stuck")));
	json_decref(summary);
	summary = run(false, NULL, NULL);
	assert_null(json_object_get(summary, "dns"));
	assert_null(json_object_get(summary, "ec2"));
	json_decref(summary);
}

static void the_verdict_can_be_expected(void **state)
{
	(void)state;
	struct bound trusted = { .figure = "verdict", .has_equals = true, .equals = "pass" };
	struct expect_config expect = { .n_bounds = 1, .bounds = &trusted };
	struct topology t = { .n_expects = 1, .expects = &expect };

	for (int doubtful = 0; doubtful < 2; doubtful++) {
		struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
		struct fidelity *f = fidelity_new(NS_PER_S);
		assert_int_equal(fidelity_lateness(f, "az1.nlb", 1, (uint32_t[]){ 50 }, 1), 0);
		if (doubtful) fidelity_lost_events(f, 1);
		json_t *summary = summary_make(
		    &(struct summary_input){ .topology = &t, .record = r, .fidelity = f, .end = 5 });
		assert_int_equal(expect_failures(json_object_get(summary, "expectations")), doubtful);
		assert_int_equal(summary_verdict(summary), doubtful ? VERDICT_UNTRUSTED : VERDICT_PASS);
		json_decref(summary);
		fidelity_free(f);
		record_free(r);
	}
}

static void a_failed_expectation_fails_the_run(void **state)
{
	(void)state;
	struct record *r;
	json_t *summary = run(true, NULL, &r);

	assert_int_equal(summary_verdict(summary), VERDICT_FAIL);
	size_t before = r->n_events;
	summary_record(summary, r, 20);
	assert_int_equal(r->n_events, before + 3);
	assert_string_equal(r->events[before].event, "expect.fail");
	assert_string_equal(r->events[before + 1].event, "expect.pass");
	assert_string_equal(r->events[before + 2].event, "verdict");
	assert_string_equal(record_text(&r->events[before + 2], "verdict"), "fail");
	json_decref(summary);
	record_free(r);
}

static void untrusted_wins_over_fail(void **state)
{
	(void)state;
	json_t *summary = run(true, "the lab broke down", NULL);

	assert_int_equal(summary_verdict(summary), VERDICT_UNTRUSTED);
	assert_int_equal(expect_failures(json_object_get(summary, "expectations")), 1);
	json_decref(summary);
	json_t *nothing = json_object();
	assert_int_equal(summary_verdict(nothing), VERDICT_UNTRUSTED);
	json_decref(nothing);
}

static char *text_of(const json_t *summary, int (*write)(const json_t *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	assert_int_equal(write(summary, out), 0);
	fclose(out);
	return text;
}

static void summary_json_reads_back_the_same(void **state)
{
	(void)state;
	json_t *summary = run(false, NULL, NULL);
	cleanup_free char *text = text_of(summary, summary_write_json);
	json_t *back = json_loads(text, 0, NULL);
	assert_true(json_equal(summary, back));
	json_decref(back);
	json_decref(summary);
}

static void summary_md_is_short_and_names_what_failed(void **state)
{
	(void)state;
	json_t *summary = run(true, NULL, NULL);
	cleanup_free char *text = text_of(summary, summary_write_markdown);

	assert_non_null(strstr(text, "**azlab: fail**, `thrash`, seed 42, 1 of 2 expectations met"));
	assert_non_null(strstr(text, "| calm | 0–10 s | 1 | 1 | 0 | 0 | 100 | 0.00 % |"));
	assert_non_null(strstr(text, "| a\\|b <\"&'> |"));
	assert_non_null(strstr(text, "- failed: calm: zone_removals is 1, expected at most 0\n"));
	assert_non_null(strstr(text, "- repeat: `azlab run topologies/az-thrash.yaml --seed 42`\n"));
	json_decref(summary);
}

static void junit_has_a_case_for_each_expectation(void **state)
{
	(void)state;
	json_t *summary = run(true, NULL, NULL);
	cleanup_free char *text = text_of(summary, junit_write);

	assert_non_null(strstr(text, "tests=\"2\" failures=\"1\" errors=\"0\" time=\"20.000\""));
	assert_non_null(strstr(
	    text,
	    "<failure type=\"expectation\" message=\"calm: zone_removals is 1, expected at most 0\"/>"));
	assert_non_null(strstr(
	    text, "classname=\"thrash.a|b &lt;&quot;&amp;&#39;&gt;\" name=\"error_rate: at least 0.1\"/>"));
	json_decref(summary);
}

static void junit_of_an_untrusted_run_has_errors(void **state)
{
	(void)state;
	json_t *summary = run(true, "a \x1b[31mred\x1b[0m line\n", NULL);
	cleanup_free char *text = text_of(summary, junit_write);

	assert_non_null(strstr(text, "tests=\"2\" failures=\"0\" errors=\"2\""));
	assert_null(strchr(text, '\x1b'));
	json_decref(summary);
	json_t *bare = json_pack("{s:s, s:s}", "lab", "x", "verdict", "pass");
	cleanup_free char *one = text_of(bare, junit_write);
	assert_non_null(strstr(one, "tests=\"1\" failures=\"0\" errors=\"0\""));
	json_decref(bare);
}

static void a_full_disk_is_an_error(void **state)
{
	(void)state;
	json_t *summary = run(false, NULL, NULL);
	cleanup_fclose FILE *full = fopen("/dev/full", "w");
	assert_true(summary_write_json(summary, full) < 0);
	clearerr(full);
	assert_true(junit_write(summary, full) < 0);
	json_decref(summary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_inclusive),
		cmocka_unit_test(what_is_not_a_number_meets_no_number),
		cmocka_unit_test(paths_lead_into_the_summary),
		cmocka_unit_test(a_summary_has_the_figures_of_run_and_phases),
		cmocka_unit_test(what_a_topology_may_expect_is_there),
		cmocka_unit_test(the_verdict_can_be_expected),
		cmocka_unit_test(a_failed_expectation_fails_the_run),
		cmocka_unit_test(untrusted_wins_over_fail),
		cmocka_unit_test(summary_json_reads_back_the_same),
		cmocka_unit_test(summary_md_is_short_and_names_what_failed),
		cmocka_unit_test(junit_has_a_case_for_each_expectation),
		cmocka_unit_test(junit_of_an_untrusted_run_has_errors),
		cmocka_unit_test(a_full_disk_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
