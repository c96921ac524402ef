/* The report: whole, self-contained, names escaped; and a run folder from begin to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/verdict/report.h"
#include "orchestrator/verdict/rundir.h"
#include "tests/unit/verdict/thrash.h"
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

static char *page_of(const struct record *r, const json_t *summary, const char *topology)
{
	struct report_input in = { .record = r, .summary = summary, .topology_text = topology };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	assert_int_equal(report_write(&in, out), 0);
	fclose(out);
	return text;
}

/* The data that the page's script reads, parsed as the script does. */
static json_t *data_in(const char *page)
{
	static const char open[] = "<script type=\"application/json\" id=\"data\">";
	const char *from = strstr(page, open);
	assert_non_null(from);
	from += strlen(open);
	const char *to = strstr(from, "</script>");
	assert_non_null(to);
	json_t *data = json_loadb(from, (size_t)(to - from), 0, NULL);
	assert_non_null(data);
	return data;
}

static void the_page_tells_the_run(void **state)
{
	(void)state;
	struct record *r = thrash_record();
	json_t *summary = thrash_summary(r);
	cleanup_free char *page = page_of(r, summary, "zones: [az1, az2, az3]\n");
	json_t *data = data_in(page), *zones;

	assert_non_null(strstr(page, "<p class=\"badge fail\">fail</p>"));
	assert_non_null(strstr(page, "<tr><th scope=\"row\">settled</th><td>65–80 s</td><td>0</td>"));
	assert_non_null(strstr(page, "<li class=\"fail\">after: error_rate is"));
	assert_non_null(strstr(page, "azlab run topologies/az-thrash.yaml --seed 1"));
	assert_int_equal(json_array_size(json_object_get(data, "phases")), 5);
	zones = json_object_get(json_array_get(json_object_get(data, "services"), 0), "zones");
	assert_int_equal(json_array_size(zones), 3);
	/* changes only: far fewer than the 800 values behind them */
	size_t changes = json_array_size(json_object_get(json_array_get(zones, 0), "in"));
	assert_true(changes > 10 && changes < 60);
	assert_int_equal(json_array_size(json_object_get(json_array_get(zones, 1), "holds")), 1);
	assert_int_equal(json_array_size(json_object_get(data, "events")), r->n_events);
	json_decref(data);
	json_decref(summary);
	record_free(r);
}

static void load_adds_up_to_the_figures(void **state)
{
	(void)state;
	struct record *r = thrash_record();
	json_t *summary = thrash_summary(r), *data = report_data(r, summary), *row;
	double requests = 0,
	       width = json_number_value(json_object_get(json_object_get(data, "load"), "width"));
	size_t i;

	json_array_foreach (json_object_get(json_object_get(data, "load"), "rows"), i, row) {
		requests += json_number_value(json_array_get(row, 1)) * width;
	}
	assert_true(fabs(requests - json_number_value(json_object_get(summary, "requests"))) < 1e-3);
	json_decref(data);
	json_decref(summary);
	record_free(r);
}

static void names_do_not_become_markup(void **state)
{
	(void)state;
	static const char evil[] = "</script><img src=x onerror=alert(1)>\"'&";
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
	struct fidelity *f = fidelity_new(NS_PER_S);
	struct topology t = { .file = evil, .region = evil, .n_zones = 1, .zones = { evil } };
	struct summary_input in = {
		.topology = &t, .record = r, .fidelity = f, .end = 5, .lab = evil, .repeat = evil
	};

	removed(r, 1, evil, 1, 0, 1);
	answer(r, 1, evil, 0);
	record_event(r, 2, 0, 0, evil, evil, evil, json_pack("{s:s}", evil, evil));
	fidelity_doubt(f, "%s", evil);
	json_t *summary = summary_make(&in);
	cleanup_free char *page = page_of(r, summary, evil);
	assert_null(strstr(page, "<img"));
	assert_null(strstr(page, "</script><"));
	json_t *data = data_in(page);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(json_object_get(data, "events"), 1), "node")),
	    evil);
	json_decref(data);
	json_decref(summary);
	fidelity_free(f);
	record_free(r);
}

static void the_page_asks_no_network(void **state)
{
	(void)state;
	struct record *r = thrash_record();
	json_t *summary = thrash_summary(r);
	cleanup_free char *page = page_of(r, summary, "");

	assert_non_null(strstr(page, "default-src 'none'"));
	assert_null(strstr(page, "<link"));
	assert_null(strstr(page, " src="));
	assert_null(strstr(page, "@import"));
	assert_null(strstr(page, "sourceMappingURL"));
	if (access("/usr/share/javascript/dygraphs/dygraph.min.js", R_OK) == 0) {
		assert_non_null(strstr(page, "Dygraph"));
		assert_null(strstr(page, "The charts need dygraphs"));
	} else {
		assert_non_null(strstr(page, "The charts need dygraphs"));
	}
	json_decref(summary);
	record_free(r);
}

static void too_many_events_keep_the_story(void **state)
{
	(void)state;
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
	json_t *summary = json_pack("{s:f, s:f}", "from_s", 0.0, "to_s", 10.0);

	for (int i = 0; i < 25000; i++)
		event(r, i / 2500.0, "route.sent", NULL);
	removed(r, 9, "az1", 1, 0, 1);
	json_t *data = report_data(r, summary), *events = json_object_get(data, "events"), *e;
	assert_int_equal(json_array_size(events), 20000);
	assert_int_equal(json_integer_value(json_object_get(data, "omitted")), 5001);
	size_t i, removals = 0;
	json_array_foreach (events, i, e)
		removals += !strcmp(json_string_value(json_object_get(e, "event")), "zone.removed");
	assert_int_equal(removals, 1);
	json_decref(data);
	json_decref(summary);
	record_free(r);
}

/* --- a folder ------------------------------------------------------------------------------------------- */

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void copy_facts(struct rundir *dir, const struct record *from)
{
	struct record *to = record_new(rundir_create(dir, "events.jsonl"), rundir_create(dir, "metrics.csv"),
	                               RECORD_KEEP_NOTHING);

	for (size_t i = 0; i < from->n_events; i++) {
		const struct record_event *e = &from->events[i];
		record_event(to, e->t, e->id, e->cause, e->node, e->zone, e->event, json_incref(e->json));
	}
	for (size_t i = 0; i < from->n_metrics; i++) {
		const struct record_metric *m = &from->metrics[i];
		const struct record_series *s = &from->series[m->series];
		record_metric(to, m->t, s->node, s->zone, s->service, s->metric, m->value);
	}
	record_flush(to);
	assert_int_equal(record_error(to), 0);
	record_free(to);
}

static void write_file(struct rundir *dir, const char *name, int (*write)(const json_t *, FILE *),
                       const json_t *summary)
{
	FILE *out;
	assert_int_equal(rundir_stream(dir, name, &out), 0);
	assert_int_equal(write(summary, out), 0);
	fclose(out);
}

static void a_report_made_again_is_the_same(void **state)
{
	(void)state;
	char here[] = "/tmp/azlab-report-XXXXXX", error[256] = "";
	assert_non_null(mkdtemp(here));
	cleanup_free char *path = NULL;
	assert_true(asprintf(&path, "%s/run", here) > 0);
	struct rundir *dir;
	struct record *r = thrash_record();
	json_t *summary = thrash_summary(r);
	assert_int_equal(rundir_open("thrash", path, &dir, error), 0);
	copy_facts(dir, r);
	write_file(dir, "summary.json", summary_write_json, summary);
	if (report_folder(dir->temporary, error) < 0)
		fail_msg("%s", error); /* already under its first name */
	assert_int_equal(rundir_finish(dir, error), 0);
	cleanup_free char *first = report_read(dir->fd, "report.html");
	if (report_folder(path, error) < 0) fail_msg("%s", error);
	cleanup_free char *second = report_read(dir->fd, "report.html");
	assert_string_equal(first, second);
	assert_int_equal(unlinkat(dir->fd, "summary.json", 0), 0);
	assert_true(report_folder(path, error) < 0);
	assert_non_null(strstr(error, "not a run folder"));
	json_decref(summary);
	record_free(r);
	rundir_free(dir);
	assert_int_equal(nftw(here, forget, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_tells_the_run),
		cmocka_unit_test(load_adds_up_to_the_figures),
		cmocka_unit_test(names_do_not_become_markup),
		cmocka_unit_test(the_page_asks_no_network),
		cmocka_unit_test(too_many_events_keep_the_story),
		cmocka_unit_test(a_report_made_again_is_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
