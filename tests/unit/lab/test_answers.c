/* What the lab makes of what az-failover tells: the answer of a service, as it was at each moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/lab/lab.h"
#include "orchestrator/verdict/figures.h"
#include "tests/unit/topology/load.h"

static struct lab *lab;
static struct station failover = { .name = "region.az-failover" };
static uint64_t last_id;

/* A lab's books alone: no process, no namespace. Both zones are in the answer. */
static int open_books(void **state)
{
	struct loaded l = load_well(MINIMAL);
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);

	(void)state;
	free(l.warnings);
	if (!r || lab_new(l.t, "books", NULL, r, &lab) < 0) return -1;
	while (strcmp(lab->plan->nodes[failover.node].name, failover.name))
		failover.node++;
	lab->t0 = mono_now();
	lab->answer[0] = 3;
	lab_observe(lab, true);
	return 0;
}
static int close_books(void **state)
{
	struct record *r = lab->record;

	(void)state;
	lab_free(lab);
	record_free(r);
	failover.node = 0;
	return 0;
}

/* fields is consumed */
static void tell(const char *event, json_t *fields)
{
	json_object_set_new(fields, "service", json_string("shop"));
	json_t *message = json_pack("{s:s, s:s, s:I, s:I, s:o}", "type", "event", "event", event, "id",
	                            (json_int_t)++last_id, "at_ns", (json_int_t)mono_now(), "fields", fields);
	lab_on_message(lab, &failover, message);
	json_decref(message);
}
static struct figures so_far(void)
{
	struct span run = { 0, lab_time(lab, mono_now()) };
	struct figures f;

	assert_int_equal(figures_of(lab->record, run, run, &f), 0);
	return f;
}

/* az1 leaves and az2 comes in one transaction: neither is ever out beside the other. */
static void an_exchange_of_zones_leaves_no_gap(void **state)
{
	(void)state;
	tell("dns.updated", json_pack("{s:[s]}", "answer", "az1"));
	tell("zone.removed", json_pack("{s:s}", "zone", "az2"));
	for (int i = 0; i < 10; i++) {
		tell("dns.updated", json_pack("{s:[s]}", "answer", i % 2 ? "az1" : "az2"));
		tell("zone.removed", json_pack("{s:s}", "zone", i % 2 ? "az2" : "az1"));
		assert_int_equal(lab->answer[0], i % 2 ? 1 : 2);
		tell("zone.restored", json_pack("{s:s}", "zone", i % 2 ? "az1" : "az2"));
	}
	struct figures f = so_far();
	assert_true(f.empty_answer_s == 0);
	assert_int_equal(f.max_zones_out, 1);
	assert_int_equal(f.zone_removals, 11);
	assert_int_equal(f.zone_restores, 10);
}

/* The figure is no constant: an answer that is empty counts until the next one. */
static void an_empty_answer_is_seen(void **state)
{
	(void)state;
	tell("dns.updated", json_pack("{s:[]}", "answer"));
	mono_ns from = mono_now();
	while (mono_now() - from < NS_PER_MS)
		continue;
	tell("dns.updated", json_pack("{s:[s]}", "answer", "az1"));
	struct figures f = so_far();
	assert_true(f.empty_answer_s >= 0.001);
	assert_int_equal(f.max_zones_out, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_exchange_of_zones_leaves_no_gap, open_books, close_books),
		cmocka_unit_test_setup_teardown(an_empty_answer_is_seen, open_books, close_books),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
