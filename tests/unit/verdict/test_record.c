/* The facts of a run: kept as given, written as told, read back the same, and no crash when the disk is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "tests/unit/verdict/facts.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

struct folder {
	char path[64];
	int fd;
};

static int make_folder(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	strcpy(f->path, "/tmp/azlab-record-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->fd = open(f->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	*state = f;
	return 0;
}
static int remove_folder(void **state)
{
	struct folder *f = *state;
	unlinkat(f->fd, "events.jsonl", 0);
	unlinkat(f->fd, "metrics.csv", 0);
	close(f->fd);
	rmdir(f->path);
	free(f);
	return 0;
}
static int create(const struct folder *f, const char *name)
{
	int fd = openat(f->fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}
static void put(const struct folder *f, const char *name, const char *text)
{
	cleanup_close int fd = create(f, name);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void what_was_written_is_read_back(void **state)
{
	const struct folder *f = *state;
	struct record *r = record_new(create(f, "events.jsonl"), create(f, "metrics.csv"), RECORD_KEEP_ALL),
	              *back = NULL;
	char error[256] = "";
	uint64_t cause = record_event(r, -0.1234567, 0, 0, "azlab", NULL, "lab.up", NULL);
	uint64_t id = (uint64_t)300 << 32 | 7;

	assert_int_equal(
	    record_event(r, 12.0000004, id, cause, "region.az-failover", "region", "zone.removed",
	                 json_pack("{s:s, s:i, s:s}", "zone", "az1", "well", 3, "id", "never replaces")),
	    id);
	assert_int_equal(record_event(r, 13, 40, 0, "azlab", "", "phase", NULL),
	                 40); /* an id of the orchestrator's own */
	assert_int_equal(record_event(r, 13, 0, 0, "azlab", "", "verdict", NULL), 41);
	record_metric(r, 0.3, "internet.client-1", "internet", "shop", "error_rate", 1.0 / 3);
	record_metric(r, 0.4, "a \"quoted\", name", "", NULL, "requests", 53);
	record_metric(r, 0.5, "x", "", "", "latency_p99_ms", NAN);
	record_flush(r);
	assert_int_equal(record_error(r), 0);
	assert_int_equal(record_load(f->path, &back, error), 0);

	assert_int_equal(back->n_events, 4);
	assert_true(back->events[0].t == -0.123457);
	assert_int_equal(back->events[0].id, cause);
	assert_true(back->events[1].t == 12);
	assert_int_equal(back->events[1].id, id);
	assert_int_equal(back->events[1].cause, cause);
	assert_string_equal(back->events[1].zone, "az1");
	assert_string_equal(back->events[1].node, "region.az-failover");
	assert_true(record_number(&back->events[1], "well", 0) == 3);
	assert_int_equal(back->n_metrics, 2);
	assert_int_equal(back->n_series, r->n_series);
	for (size_t i = 0; i < r->n_metrics; i++) {
		assert_true(back->metrics[i].t == r->metrics[i].t);
		assert_true(fabs(back->metrics[i].value - r->metrics[i].value) < 1e-14);
	}
	assert_string_equal(back->series[1].node, "a \"quoted\", name");
	record_free(back);
	record_free(r);
}

static void a_line_is_there_while_the_run_goes_on(void **state)
{
	const struct folder *f = *state;
	struct record *r = record_new(create(f, "events.jsonl"), -1, RECORD_KEEP_NOTHING);
	struct stat before, after;

	event(r, 0, "phase", NULL);
	assert_int_equal(fstatat(f->fd, "events.jsonl", &before, 0), 0);
	event(r, 1, "phase", NULL);
	assert_int_equal(fstatat(f->fd, "events.jsonl", &after, 0), 0);
	assert_true(before.st_size > 0 && after.st_size > before.st_size);
	assert_int_equal(r->n_events, 0); /* written only */
	record_free(r);
}

static void a_full_disk_is_told_and_the_facts_stay(void **state)
{
	(void)state;
	struct record *r = record_new(open("/dev/full", O_WRONLY | O_CLOEXEC),
	                              open("/dev/full", O_WRONLY | O_CLOEXEC), RECORD_KEEP_ALL);

	for (int i = 0; i < 1000; i++) {
		event(r, i, "phase", NULL);
		bucket(r, i, 10, 1);
	}
	record_flush(r);
	assert_int_equal(record_error(r), -ENOSPC);
	assert_int_equal(r->n_events, 1000);
	assert_int_equal(r->n_metrics, 2000);
	record_free(r);
}

static void a_cut_last_line_is_left_out(void **state)
{
	const struct folder *f = *state;
	struct record *r = NULL;
	char error[256];

	put(f, "events.jsonl",
	    "{\"t\":1.0,\"id\":1,\"cause\":0,\"event\":\"phase\"}\n{\"t\":2.0,\"id\":2,\"ca");
	put(f, "metrics.csv", "t,node,zone,service,metric,value\n1,,,,requests,5\n2,,,,requests,1");
	assert_int_equal(record_load(f->path, &r, error), 0);
	assert_int_equal(r->n_events, 1);
	assert_int_equal(r->n_metrics, 1);
	record_free(r);
}

static void an_empty_folder_is_an_empty_record(void **state)
{
	const struct folder *f = *state;
	struct record *r = NULL;
	char error[256];

	assert_int_equal(record_load(f->path, &r, error), 0);
	assert_int_equal(r->n_events + r->n_metrics, 0);
	record_free(r);
	assert_int_equal(record_load("/nonexistent/run", &r, error), -ENOENT);
	assert_non_null(strstr(error, "/nonexistent/run"));
}

static void malformed_files_name_file_and_line(void **state)
{
	static const char *const cases[][3] = {
		{ "events.jsonl", "{\"t\":1,\"id\":1,\"cause\":0,\"event\":\"x\"}\nnonsense\n",
		  "events.jsonl:2: " },
		{ "events.jsonl", "[1]\n", "events.jsonl:1: expected an object" },
		{ "events.jsonl", "{\"t\":1,\"id\":0,\"cause\":0,\"event\":\"x\"}\n",
		  "events.jsonl:1: expected t, id" },
		{ "events.jsonl", "{\"t\":\"1\",\"id\":1,\"cause\":0,\"event\":\"x\"}\n",
		  "events.jsonl:1: expected t, id" },
		{ "metrics.csv", "nonsense\n", "metrics.csv:1: expected the header" },
		{ "metrics.csv", "t,node,zone,service,metric,value\n1,a,b,c,d\n",
		  "metrics.csv:2: expected 6 columns" },
		{ "metrics.csv", "t,node,zone,service,metric,value\n1,a,b,c,d,2,3\n",
		  "metrics.csv:2: expected t," },
		{ "metrics.csv", "t,node,zone,service,metric,value\n1,a,b,c,d,2x\n",
		  "metrics.csv:2: expected t," },
		{ "metrics.csv", "t,node,zone,service,metric,value\n1,a,b,c,,2\n",
		  "metrics.csv:2: expected t," },
		{ "metrics.csv", "t,node,zone,service,metric,value\n1,\"a,b,c,d,2\n",
		  "metrics.csv:2: quotes" },
	};
	const struct folder *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record *r = NULL;
		char error[256] = "";
		put(f, cases[i][0], cases[i][1]);
		assert_int_equal(record_load(f->path, &r, error), -EBADMSG);
		assert_null(r);
		if (strncmp(error, cases[i][2], strlen(cases[i][2])))
			fail_msg("%s instead of %s", error, cases[i][2]);
		put(f, cases[i][0], "");
	}
}

static void points_come_in_order_of_time_then_arrival(void **state)
{
	(void)state;
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
	cleanup_free struct record_metric *points = NULL;
	size_t n = 0;

	lost(r, 2, 1);
	lost(r, 1, 2);
	bucket(r, 1, 9, 9);
	lost(r, 1, 3);
	assert_int_equal(record_points(r, "capacity_lost", &points, &n), 0);
	assert_int_equal(n, 3);
	assert_true(points[0].value == 2 && points[1].value == 3 && points[2].value == 1);
	record_free(r);
}

static void a_lab_that_stays_up_forgets_its_oldest_events(void **state)
{
	(void)state;
	struct record *r = record_new(-1, -1, RECORD_KEEP_RECENT);
	uint64_t last = 0;

	for (size_t i = 0; i < 3 * RECORD_RECENT_MAX; i++)
		last = record_event(r, (double)i, 0, 0, "region.x", "", "x", NULL);
	lost(r, 1, 1);
	assert_in_range(r->n_events, RECORD_RECENT_MAX / 2, RECORD_RECENT_MAX);
	assert_int_equal(r->events[r->n_events - 1].id, last);
	assert_int_equal(r->events[0].id, last - r->n_events + 1); /* none is missing between */
	assert_int_equal(r->n_metrics, 0);
	record_free(r);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(what_was_written_is_read_back),
		IN_FOLDER(a_line_is_there_while_the_run_goes_on),
		cmocka_unit_test(a_full_disk_is_told_and_the_facts_stay),
		IN_FOLDER(a_cut_last_line_is_left_out),
		IN_FOLDER(an_empty_folder_is_an_empty_record),
		IN_FOLDER(malformed_files_name_file_and_line),
		cmocka_unit_test(points_come_in_order_of_time_then_arrival),
		cmocka_unit_test(a_lab_that_stays_up_forgets_its_oldest_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
