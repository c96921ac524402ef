/* The race that empties an endpoint, with real enactors and a real Knot, on a fraction of a region's times;
 * what guards against it and what only seems to; and the way out. Few seeds here, tests/bench/race.c plays
 * many. */
#include "tests/netns/racelab.h"
#include <setjmp.h>
#include <cmocka.h>

enum {
	SEEDS = 3,
	ZONES = 6 * SEEDS + 1,
	FIRES_WITHIN_MS = 20000, /* for what must happen; it takes 1 to 3 s */
	QUIET_MS = 2500,         /* in which it would have happened several times over */
	EVENT_MS = 20000
};

static unsigned next_zone;

static size_t fired_in(const struct race_settings *s, struct race_outcome *sum)
{
	size_t fired = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct race_outcome o = race_run(s, next_zone++, seed);
		print_message("# seed %d: %s after %.0f ms: %zu applied, %zu locks lost, %zu stale writes, "
		              "%zu trees cleaned\n",
		              (int)seed, o.fired ? "empty" : "well", o.took_ms, o.applied, o.lost,
		              o.stale_writes, o.cleaned);
		fired += o.fired;
		sum->applied += o.applied;
		sum->lost += o.lost;
		sum->stale_writes += o.stale_writes;
		sum->cleaned += o.cleaned;
		sum->stuck_aborts += o.stuck_aborts;
	}
	return fired;
}

static void as_it_was_the_race_fires(void **state)
{
	struct race_settings s = race_historical(FIRES_WITHIN_MS);
	struct race_outcome sum = { 0 };

	(void)state;
	assert_int_equal(fired_in(&s, &sum), SEEDS);
	assert_true(sum.stale_writes >= SEEDS);
	assert_true(sum.stuck_aborts >= SEEDS); /* every later plan aborts by itself */
}

static void compare_and_set_fences(void **state)
{
	struct race_settings s = race_historical(QUIET_MS);
	struct race_outcome sum = { 0 };

	(void)state;
	s.freshness = "compare-and-set";
	assert_int_equal(fired_in(&s, &sum), 0);
	assert_int_equal(sum.stale_writes, 0);
	assert_true(sum.lost > 0 && sum.cleaned > 0); /* they did contend, and clean up */
}

static void never_active_holds_with_the_alias_check(void **state)
{
	struct race_settings s = race_historical(QUIET_MS);
	struct race_outcome sum = { 0 };

	(void)state;
	s.cleanup = "never-active";
	assert_int_equal(fired_in(&s, &sum), 0);
	assert_true(sum.stale_writes > 0 && sum.cleaned > 0); /* roots do go back, to trees that are there */
}

static void never_active_alone_only_looks_enough(void **state)
{
	struct race_settings s = race_historical(FIRES_WITHIN_MS);
	struct race_outcome sum = { 0 };

	(void)state;
	s.cleanup = "never-active";
	s.alias_check = false;
	assert_int_equal(fired_in(&s, &sum), SEEDS);
}

/* --- stuck, and the way out -------------------------------------------------------------------------- */

static struct testnode *start_console(const struct race_settings *s, unsigned zone)
{
	static const int no_caps[1];

	return testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                               .daemon = "dns-operator",
	                                               .name = "region.dns-operator",
	                                               .zone = "region",
	                                               .config = race_console_config(s, zone),
	                                               .keep_caps = no_caps });
}

static void ask_repair(struct testnode *whom)
{
	testnode_send(whom, json_pack("{s:s, s:i}", "type", "repair", "cause", 77));
}

static const json_t *repaired(struct testnode *whom, const char *how)
{
	const json_t *m = testnode_wait_event(whom, "dns.repaired", "how", how, EVENT_MS);

	assert_non_null(m);
	assert_int_equal(json_integer_value(json_object_get(m, "cause")), 77);
	return json_object_get(m, "fields");
}

static void each_enactor(const char *message)
{
	for (unsigned i = 0; i < RACE_ENACTORS; i++)
		testnode_send(race_enactors[i], json_pack("{s:s}", "type", message));
}

/* What is empty stays so for whoever goes by the rules; the operator doesn't. Then plans are applied again.
 */
static void only_the_operator_brings_it_back(void **state)
{
	struct race_settings s = race_historical(FIRES_WITHIN_MS);
	unsigned zone = next_zone++;
	struct testnode *console = start_console(&s, zone);

	(void)state;
	race_begin(&s, zone, 4);
	assert_true(race_await_stuck(FIRES_WITHIN_MS) > 0);
	assert_non_null(testnode_wait_event(console, "endpoint.empty", NULL, NULL, EVENT_MS));
	ask_repair(race_enactors[0]);
	const json_t *by_enactor = repaired(race_enactors[0], "enactor");
	assert_false(json_is_true(json_object_get(by_enactor, "ok")));
	assert_true(*json_string_value(json_object_get(by_enactor, "reason")));
	assert_int_equal(testnode_count(console, json_pack("{s:s}", "event", "endpoint.restored")), 0);

	each_enactor("pause"); /* or the next race may be over before the repair is seen */
	ask_repair(console);
	const json_t *by_hand = repaired(console, "out-of-band");
	assert_true(json_is_true(json_object_get(by_hand, "ok")));
	size_t empty = testnode_count(console, json_pack("{s:s}", "event", "endpoint.empty"));
	assert_int_equal(
	    testnode_wait_count(console, json_pack("{s:s}", "event", "endpoint.restored"), empty, EVENT_MS),
	    empty);
	struct race_outcome o = { 0 };
	struct dns_plan first = race_plan(zone, zone, 0, s.endpoints);
	race_look(&first, &o);
	assert_false(o.fired);
	testnode_forget(race_enactors[0]);
	testnode_send(race_enactors[0], json_pack("{s:s}", "type", "resume"));
	assert_non_null(testnode_wait_event(race_enactors[0], "plan.applied", NULL, NULL, EVENT_MS));
	print_message("# repaired out of band in %.1f ms\n",
	              json_number_value(json_object_get(by_hand, "took_ms")));
	race_end();
	testnode_stop(console);
}

/* --- life -------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	race_start(ZONES, RACE_ENDPOINTS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	race_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_was_the_race_fires),
		cmocka_unit_test(compare_and_set_fences),
		cmocka_unit_test(never_active_holds_with_the_alias_check),
		cmocka_unit_test(never_active_alone_only_looks_enough),
		cmocka_unit_test(only_the_operator_brings_it_back),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
