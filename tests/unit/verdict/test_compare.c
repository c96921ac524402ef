/* Runs beside each other: which figures and knobs differ, and the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/verdict/compare.h"
#include <string.h>

static const char *const summaries[] = {
	"{\"verdict\": \"pass\", \"lab\": \"calm\", \"seed\": 1, \"zone_removals\": 0, \"error_rate\": null,"
	" \"requests\": 1500, \"metastable\": false,"
	" \"phases\": {\"before\": {\"zone_removals\": 0}, \"late\": {\"zone_removals\": 0}}}",
	"{\"verdict\": \"fail\", \"lab\": \"calm\", \"seed\": 1, \"zone_removals\": 4, \"error_rate\": 0.25,"
	" \"requests\": 1500.0000001, \"metastable\": false, \"dns\": {\"stuck\": true, \"list\": [1]},"
	" \"phases\": {\"before\": {\"zone_removals\": 0}, \"extra\": {\"zone_removals\": 4}}}",
};
static const char *const topologies[] = {
	"seed: 1\nzones: [az1, az2]\nservices: {shop: {port: 80, stages: []}}\n",
	"seed: 1\nzones: [az1, az3]\nservices: {shop: {port: 80, stages: [{velocity: 1}]}}\n",
};

/* The two above. */
struct pair {
	struct compare_run runs[2];
};

static int make_pair(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	char why[256] = "";

	for (size_t i = 0; p && i < ARRAY_SIZE(p->runs); i++) {
		p->runs[i].folder = i == 0 ? "runs/a" : "runs/b";
		p->runs[i].summary = json_loads(summaries[i], 0, NULL);
		p->runs[i].knobs = compare_knobs(topologies[i], why);
	}
	*state = p;
	return p && p->runs[1].summary && p->runs[1].knobs ? 0 : -1;
}

static int free_pair(void **state)
{
	struct pair *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(p->runs); i++) {
		json_decref(p->runs[i].summary);
		json_decref(p->runs[i].knobs);
	}
	free(p);
	return 0;
}

/* Compares, and what is found under key, less its order, has to be this. */
static void assert_part(const struct pair *p, struct compare_phases phases, const char *key, const char *text)
{
	json_t *comparison = compare_make(p->runs, 2, &phases);
	json_t *expected = json_loads(text, JSON_DECODE_ANY, NULL);
	const json_t *actual = json_object_get(comparison, key);
	cleanup_free char *dump = json_dumps(actual, JSON_ENCODE_ANY);

	assert_non_null(comparison);
	assert_non_null(expected);
	if (!json_equal(actual, expected)) fail_msg("%s is %s, expected %s", key, dump, text);
	json_decref(expected);
	json_decref(comparison);
}

static void assert_row(const struct pair *p, const char *figure, bool differs)
{
	json_t *comparison = compare_make(p->runs, 2, &(struct compare_phases){ 0 });
	const json_t *row = json_object_get(json_object_get(comparison, "figures"), figure);

	assert_int_equal(json_array_size(json_object_get(row, "values")), 2);
	assert_int_equal(json_is_true(json_object_get(row, "differs")), differs);
	json_decref(comparison);
}

static void figures_that_differ_are_marked(void **state)
{
	assert_row(*state, "zone_removals", true);
	assert_row(*state, "error_rate", true); /* none against a number */
	assert_row(*state, "metastable", false);
	assert_row(*state, "time_to_stable_s", false); /* neither has it */
}

static void what_looks_the_same_does_not_differ(void **state)
{
	assert_row(*state, "requests", false); /* 1500 and 1500.0000001 */
}

static void a_group_of_one_run_has_rows(void **state)
{
	json_t *comparison = compare_make(((struct pair *)*state)->runs, 2, &(struct compare_phases){ 0 });
	const json_t *figures = json_object_get(comparison, "figures");

	assert_row(*state, "dns.stuck", true);
	assert_null(json_object_get(figures, "dns.list")); /* no figure */
	assert_null(json_object_get(figures, "ec2.droplets"));
	json_decref(comparison);
}

static void runs_are_named(void **state)
{
	assert_part(*state, (struct compare_phases){ 0 }, "runs",
	            "[{\"folder\": \"runs/a\", \"lab\": \"calm\", \"seed\": 1, \"verdict\": \"pass\"},"
	            " {\"folder\": \"runs/b\", \"lab\": \"calm\", \"seed\": 1, \"verdict\": \"fail\"}]");
}

static void assert_phases(const struct pair *p, struct compare_phases wanted, const char *names)
{
	json_t *comparison = compare_make(p->runs, 2, &wanted), *rows;
	char found[64] = "";
	const char *name;

	json_object_foreach (json_object_get(comparison, "phases"), name, rows) {
		strcat(strcat(found, " "), name);
		assert_non_null(json_object_get(rows, "zone_removals"));
	}
	assert_string_equal(found, names);
	json_decref(comparison);
}

static void phases_come_when_asked_for(void **state)
{
	assert_phases(*state, (struct compare_phases){ 0 }, "");
	assert_phases(*state, (struct compare_phases){ .all = true }, " before late extra");
	assert_phases(*state, (struct compare_phases){ .only = "extra" }, " extra");
	assert_phases(*state, (struct compare_phases){ .only = "none" }, "");
}

static void only_knobs_that_differ_are_told(void **state)
{
	assert_part(*state, (struct compare_phases){ 0 }, "knobs",
	            "{\"zones.1\": [\"az2\", \"az3\"], \"services.shop.stages\": [\"[]\", null],"
	            " \"services.shop.stages.0.velocity\": [null, \"1\"]}");
}

static void unknown_knobs_are_not_compared(void **state)
{
	struct pair *p = *state;

	json_decref(p->runs[1].knobs);
	p->runs[1].knobs = NULL;
	assert_part(p, (struct compare_phases){ 0 }, "knobs", "null");
}

static void what_is_no_yaml_is_refused(void **state)
{
	char why[256] = "";

	(void)state;
	assert_null(compare_knobs("a: [1, 2\n", why));
	assert_non_null(strstr(why, "topology.yaml:"));
}

static void a_summary_of_another_shape_has_no_figures(void **state)
{
	struct pair *p = *state;

	json_decref(p->runs[1].summary);
	p->runs[1].summary =
	    json_loads("{\"verdict\": \"pass\", \"dns\": 3, \"phases\": [\"late\"]}", 0, NULL);
	assert_row(p, "requests", true);
	assert_phases(p, (struct compare_phases){ .all = true }, " before late");
}

static void assert_text(const char *json, const char *text)
{
	char buf[COMPARE_TEXT_MAX];
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

	assert_string_equal(compare_text(value, buf), text);
	json_decref(value);
}

static void counts_are_whole_and_measures_short(void **state)
{
	(void)state;
	assert_text("1234567", "1234567");
	assert_text("1234567.0", "1234567");
	assert_text("0.0", "0");
	assert_text("0.12345678", "0.123457");
	assert_text("-2.5", "-2.5");
	assert_text("1e300", "1e+300");
	assert_text("null", "-");
	assert_text("true", "true");
	assert_text("\"az1\"", "az1");
}

static char *printed(const struct pair *p, struct compare_phases phases)
{
	json_t *comparison = compare_make(p->runs, 2, &phases);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(compare_print(comparison, out), 0);
	fclose(out);
	json_decref(comparison);
	return text;
}

static void the_table_is_aligned_and_marked(void **state)
{
	cleanup_free char *text = printed(*state, (struct compare_phases){ .only = "extra" });

	assert_string_equal(text, "  run                    runs/a  runs/b\n"
	                          "  lab                      calm    calm\n"
	                          "  seed                        1       1\n"
	                          "* verdict                  pass    fail\n"
	                          "\nwhole run\n"
	                          "* zone_removals               0       4\n"
	                          "  false_removals              -       -\n"
	                          "  zone_holds                  -       -\n"
	                          "* error_rate                  -    0.25\n"
	                          "  requests                 1500    1500\n"
	                          "  capacity_seconds_lost       -       -\n"
	                          "  time_to_stable_s            -       -\n"
	                          "  metastable              false   false\n"
	                          "* dns.stuck                   -    true\n"
	                          "\nphase extra\n"
	                          "* zone_removals               -       4\n"
	                          "  false_removals              -       -\n"
	                          "  zone_holds                  -       -\n"
	                          "  error_rate                  -       -\n"
	                          "  requests                    -       -\n"
	                          "  capacity_seconds_lost       -       -\n"
	                          "  time_to_stable_s            -       -\n"
	                          "  metastable                  -       -\n"
	                          "\n* differs\n"
	                          "\ntopology:\n"
	                          "  zones.1: az2 -> az3\n"
	                          "  services.shop.stages: [] -> (none)\n"
	                          "  services.shop.stages.0.velocity: (none) -> 1\n");
}

static void names_do_not_steer_a_terminal(void **state)
{
	struct pair *p = *state;

	json_object_set_new(p->runs[0].summary, "lab", json_string("\x1b[2J"));
	cleanup_free char *text = printed(p, (struct compare_phases){ 0 });
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, "?[2J"));
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_pair, free_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(figures_that_differ_are_marked),
		PAIR_TEST(what_looks_the_same_does_not_differ),
		PAIR_TEST(a_group_of_one_run_has_rows),
		PAIR_TEST(runs_are_named),
		PAIR_TEST(phases_come_when_asked_for),
		PAIR_TEST(only_knobs_that_differ_are_told),
		PAIR_TEST(unknown_knobs_are_not_compared),
		cmocka_unit_test(what_is_no_yaml_is_refused),
		PAIR_TEST(a_summary_of_another_shape_has_no_figures),
		cmocka_unit_test(counts_are_whole_and_measures_short),
		PAIR_TEST(the_table_is_aligned_and_marked),
		PAIR_TEST(names_do_not_steer_a_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
