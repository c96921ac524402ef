/* Which zones are in the answer: told as steps, each with what must happen and the answer after it. */
#include "policy/stages.h"
#include "tests/unit/policy/chains.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TARGETS = 4 };

/* A step is "a1" (zone a now has 1 of its 4 targets healthy), "+30" (30 s go by), "on", "off" (rate limit),
 * "enable" or "disable". Happenings: -a removed, +a restored, ?a held, open, shut. */
struct step {
	const char *does, *happens, *answer;
};

static void do_step(struct verdicts *v, const char *does, mono_ns *now, uint64_t cause, struct happenings *h)
{
	struct verdicts_config c = v->config;

	if (does[0] == '+') {
		*now += (mono_ns)(strtod(does + 1, NULL) * (double)NS_PER_S);
		verdicts_tick(v, *now, h);
	} else if (strlen(does) == 2 && does[1] >= '0' && does[1] <= '9') {
		verdicts_feed(v, (unsigned)(does[0] - 'a'), (unsigned)(does[1] - '0'), TARGETS, cause, *now,
		              h);
	} else {
		if (!strcmp(does, "on") || !strcmp(does, "off")) c.rate_limit = !strcmp(does, "on");
		if (!strcmp(does, "enable") || !strcmp(does, "disable")) c.enabled = !strcmp(does, "enable");
		assert_int_equal(verdicts_configure(v, &c, cause, *now, h), 0);
	}
}

static const char *told(const struct happenings *h)
{
	static char text[512];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < h->n; i++) {
		const struct happening *one = &h->list[i];
		const char *gap = i ? " " : "";
		if (one->kind >= FAILOPEN_ON)
			used += (size_t)sprintf(text + used, "%s%s", gap,
			                        one->kind == FAILOPEN_ON ? "open" : "shut");
		else
			used += (size_t)sprintf(text + used, "%s%c%c", gap, "-+?"[one->kind],
			                        'a' + (int)one->zone);
	}
	return text;
}

static const char *letters(zone_set zones)
{
	static char text[STAGE_ZONES_MAX + 1];
	size_t n = 0;

	for (unsigned z = 0; z < STAGE_ZONES_MAX; z++)
		if (zones >> z & 1) text[n++] = (char)('a' + z);
	text[n] = '\0';
	return text;
}

static void play(struct verdicts_config config, const struct step *steps)
{
	struct verdicts v;
	struct happenings h;
	mono_ns now = 1000 * NS_PER_S;

	assert_int_equal(verdicts_init(&v, &config), 0);
	for (unsigned z = 0; z < config.zones; z++)
		verdicts_feed(&v, z, TARGETS, TARGETS, 0, now, &h);
	for (size_t i = 0; steps[i].does; i++) {
		do_step(&v, steps[i].does, &now, 100 + i, &h);
		if (strcmp(told(&h), steps[i].happens) || strcmp(letters(v.answer), steps[i].answer))
			fail_msg("step %zu '%s': happened '%s', answer %s; expected '%s', %s", i,
			         steps[i].does, told(&h), letters(v.answer), steps[i].happens,
			         steps[i].answer);
	}
}

static const struct stage_type *const velocity_only[] = { &stage_velocity };
static const struct stage_type *const hold_down_only[] = { &stage_hold_down };
static const struct stage_type *const disabled_only[] = { &stage_disabled };

static void without_stages_every_change_acts(void **state)
{
	static const struct step steps[] = {
		{ "a2", "", "abc" },    { "a1", "-a", "bc" },
		{ "a0", "", "bc" },     { "a2", "+a", "abc" },
		{ "b0", "-b", "ac" },   { "c1", "-c", "a" },
		{ "c4", "+c", "ac" },   { "b2", "+b", "abc" },
		{ "+1000", "", "abc" }, { 0 },
	};
	(void)state;
	play(config_of(3, false, 0, NULL), steps);
}

static void the_last_zone_opens_the_answer_to_all(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" },          { "b0", "-b", "c" },
		{ "c0", "open +a +b", "abc" }, { "b1", "", "abc" },
		{ "b3", "shut -a -c", "b" },   { "c3", "+c", "bc" },
		{ "a2", "+a", "abc" },         { 0 },
	};
	(void)state;
	play(config_of(3, false, 0, NULL), steps);
}

static void one_zone_alone_is_never_removed(void **state)
{
	static const struct step steps[] = { { "a0", "open", "a" }, { "a4", "shut", "a" }, { 0 } };
	(void)state;
	play(config_of(1, false, 0, NULL), steps);
}

static void velocity_holds_the_second_zone_until_tokens_return(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" },
		{ "b0", "?b", "bc" },
		{ "b1", "", "bc" }, /* the same episode */
		{ "+50", "", "bc" },
		{ "+8", "-b", "c" }, /* 0.67 % were left; 32.7 % return in 57.6 s */
		{ "c0", "?c", "c" },
		{ "a4", "+a", "ac" }, /* a restore passes */
		{ "c4", "", "ac" },
		{ "c0", "?c", "ac" }, /* a new episode */
		{ 0 },
	};
	(void)state;
	play(config_of(3, true, 1, velocity_only), steps);
}

static void a_removal_while_off_takes_tokens_all_the_same(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" }, { "b0", "-b", "c" },  { "b4", "+b", "bc" },
		{ "on", "", "bc" },   { "b0", "?b", "bc" }, { "+57", "", "bc" },
		{ "+2", "-b", "c" },  { "off", "", "c" },   { 0 },
	};
	(void)state;
	play(config_of(3, false, 1, velocity_only), steps);
}

static void leaving_fail_open_goes_through_the_chain(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" }, { "b0", "-b", "c" },           { "c0", "open +a +b", "abc" },
		{ "on", "", "abc" },  { "a4", "shut ?b ?c", "abc" }, { "+59", "-b", "ac" },
		{ "a0", "?a", "ac" }, { "b4", "+b", "abc" },         { 0 },
	};
	(void)state;
	play(config_of(3, false, 1, velocity_only), steps);
}

static void held_zones_alone_are_an_answer(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" },
		{ "b0", "?b", "bc" },
		{ "c0", "?c", "bc" },        /* no zone is well, but two are held: not failing open */
		{ "off", "open +a", "abc" }, /* both would go now: none would be left */
		{ 0 },
	};
	(void)state;
	play(config_of(3, true, 1, velocity_only), steps);
}

static void switching_off_releases_what_is_held(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" }, { "b0", "?b", "bc" }, { "off", "-b", "c" }, { 0 }
	};
	(void)state;
	play(config_of(3, true, 1, velocity_only), steps);
}

static void a_zone_larger_than_the_bucket_never_goes(void **state)
{
	static const struct step steps[] = { { "a0", "?a", "ab" }, { "+100000", "", "ab" }, { 0 } };
	(void)state;
	play(config_of(2, true, 1, velocity_only), steps);
}

/* 1000 a removal, held above 2000 until below 750, half-life 900 s. */
static void hold_down_counts_each_zone_apart(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" },
		{ "a4", "+a", "abc" },
		{ "a0", "-a", "bc" },
		{ "a4", "+a", "abc" },
		{ "a0", "-a", "bc" },
		{ "a4", "+a", "abc" },
		{ "a0", "?a", "abc" },
		{ "b0", "-b", "ac" },
		{ "+1799", "", "ac" }, /* 3000 halve twice in 1800 s: 750 */
		{ "+1.5", "-a", "c" },
		{ "a4", "+a", "ac" },
		{ "a0", "-a", "c" }, /* from 750 on it counts anew */
		{ "a4", "+a", "ac" },
		{ "a0", "?a", "ac" },
		{ 0 },
	};
	(void)state;
	play(config_of(3, true, 1, hold_down_only), steps);
}

static void hold_down_forgets_slow_changes(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" },
		{ "a4", "+a", "abc" },
		{ "+3600", "", "abc" },
		{ "a0", "-a", "bc" },
		{ "a4", "+a", "abc" },
		{ "+3600", "", "abc" },
		{ "a0", "-a", "bc" },
		{ "a4", "+a", "abc" },
		{ "+3600", "", "abc" },
		{ "a0", "-a", "bc" },
		{ 0 },
	};
	(void)state;
	play(config_of(3, true, 1, hold_down_only), steps);
}

static void no_hold_outlasts_its_maximum(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "b" },   { "a4", "+a", "ab" }, { "a0", "?a", "ab" }, { "+9.9", "", "ab" },
		{ "+0.1", "-a", "b" }, { "a4", "+a", "ab" }, { "a0", "?a", "ab" }, { 0 },
	};
	struct verdicts_config c = config_of(2, true, 1, hold_down_only);

	(void)state;
	c.stages[0].params[1] = 999;  /* suppress: a single removal is enough */
	c.stages[0].params[4] = 10e9; /* max */
	play(c, steps);
}

static void disabled_brings_all_back_and_removes_none(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" },    { "on", "+a ?a", "abc" },
		{ "b0", "?b", "abc" },   { "c0", "?c", "abc" },
		{ "c4", "", "abc" },     { "+100000", "", "abc" },
		{ "off", "-a -b", "c" }, { 0 },
	};
	(void)state;
	play(config_of(3, false, 1, disabled_only), steps);
}

static void disabling_as_a_whole_does_the_same(void **state)
{
	static const struct step steps[] = {
		{ "a0", "-a", "bc" }, { "disable", "+a ?a", "abc" }, { "b0", "?b", "abc" },
		{ "b4", "", "abc" },  { "enable", "-a", "bc" },      { 0 },
	};
	(void)state;
	play(config_of(3, false, 0, NULL), steps);
}

static void an_empty_zone_is_out_only_after_it_had_targets(void **state)
{
	struct verdicts_config c = config_of(2, false, 0, NULL);
	struct verdicts v;
	struct happenings h;

	(void)state;
	assert_int_equal(verdicts_init(&v, &c), 0);
	verdicts_feed(&v, 0, 0, 0, 1, 0, &h);
	verdicts_feed(&v, 1, 4, 4, 1, 0, &h);
	assert_string_equal(letters(v.answer), "ab");
	verdicts_feed(&v, 0, 3, 3, 2, 0, &h);
	verdicts_feed(&v, 0, 0, 0, 3, 0, &h);
	assert_string_equal(told(&h), "-a");
	assert_int_equal(h.list[0].cause, 3);
}

static void each_happening_carries_the_event_that_tipped_it(void **state)
{
	struct verdicts_config c = config_of(3, true, 1, velocity_only);
	struct verdicts v;
	struct happenings h;

	(void)state;
	assert_int_equal(verdicts_init(&v, &c), 0);
	for (unsigned z = 0; z < 3; z++)
		verdicts_feed(&v, z, 4, 4, 0, 0, &h);
	verdicts_feed(&v, 0, 1, 4, 71, 0, &h);
	assert_int_equal(h.list[0].cause, 71);
	assert_int_equal(h.list[0].healthy, 1);
	assert_int_equal(h.list[0].of, 4);
	verdicts_feed(&v, 1, 1, 4, 72, 0, &h);
	assert_int_equal(h.list[0].kind, ZONE_HELD);
	assert_int_equal(h.list[0].cause, 72);
	assert_non_null(strstr(h.list[0].reason,
	                       "velocity: 34 % may be removed per 60 s: 1 % left, the zone holds 33 %"));
	verdicts_feed(&v, 1, 0, 4, 73, 0, &h); /* worse, but 72 tipped it */
	assert_int_equal(h.n, 0);
	verdicts_tick(&v, verdicts_retry(&v), &h);
	assert_string_equal(told(&h), "-b");
	assert_int_equal(h.list[0].cause, 72);
}

static void asking_when_told_to_is_enough_and_needed(void **state)
{
	const struct stage_type *const both[] = { &stage_velocity, &stage_hold_down };
	struct verdicts_config c = config_of(3, true, 2, both);
	struct verdicts v;
	struct happenings h;

	(void)state;
	assert_int_equal(verdicts_init(&v, &c), 0);
	for (unsigned z = 0; z < 3; z++)
		verdicts_feed(&v, z, 4, 4, 0, 0, &h);
	assert_int_equal(verdicts_retry(&v), MONO_NEVER);
	verdicts_feed(&v, 0, 0, 4, 1, 0, &h);
	verdicts_feed(&v, 1, 0, 4, 2, 0, &h);
	mono_ns when = verdicts_retry(&v);
	assert_in_range(when, 57 * NS_PER_S, 58 * NS_PER_S);
	verdicts_tick(&v, when - NS_PER_MS, &h);
	assert_int_equal(h.n, 0);
	assert_int_equal(verdicts_retry(&v), when);
	verdicts_tick(&v, when, &h);
	assert_string_equal(told(&h), "-b");
	assert_int_equal(verdicts_retry(&v), MONO_NEVER);
}

static void turning_a_knob_keeps_the_books(void **state)
{
	struct verdicts_config c = config_of(3, true, 1, velocity_only);
	struct verdicts v;
	struct happenings h;

	(void)state;
	assert_int_equal(verdicts_init(&v, &c), 0);
	for (unsigned z = 0; z < 3; z++)
		verdicts_feed(&v, z, 4, 4, 0, 0, &h);
	verdicts_feed(&v, 0, 0, 4, 1, 0, &h);
	c.stages[1] = stage_of(&stage_hold_down);
	c.n_stages = 2;
	assert_int_equal(verdicts_configure(&v, &c, 0, 0, &h), 0);
	verdicts_feed(&v, 1, 0, 4, 2, 0, &h);
	assert_string_equal(told(&h), "?b");
	c.stages[0].params[0] = 0.7; /* room for two: what is out stays out, the rest is new */
	assert_int_equal(verdicts_configure(&v, &c, 9, 0, &h), 0);
	assert_string_equal(told(&h), "-b");
	c.min_healthy = 0;
	assert_int_equal(verdicts_configure(&v, &c, 9, 0, &h), 0);
	assert_string_equal(told(&h), "+a +b");
	assert_int_equal(h.list[0].cause, 9);
}

static void bad_configurations_change_nothing(void **state)
{
	struct verdicts_config c = config_of(3, true, 1, velocity_only), bad = c;
	struct verdicts v;
	struct happenings h;

	(void)state;
	assert_int_equal(verdicts_init(&v, &c), 0);
	bad.n_stages = CHAIN_STAGES_MAX + 1;
	assert_int_equal(verdicts_configure(&v, &bad, 0, 0, &h), -E2BIG);
	bad = c;
	bad.zones = 2;
	assert_int_equal(verdicts_configure(&v, &bad, 0, 0, &h), -EINVAL);
	bad.zones = 0;
	assert_int_equal(verdicts_init(&v, &bad), -EINVAL);
	bad.zones = 65;
	assert_int_equal(verdicts_init(&v, &bad), -E2BIG);
	assert_string_equal(letters(v.answer), "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_stages_every_change_acts),
		cmocka_unit_test(the_last_zone_opens_the_answer_to_all),
		cmocka_unit_test(one_zone_alone_is_never_removed),
		cmocka_unit_test(velocity_holds_the_second_zone_until_tokens_return),
		cmocka_unit_test(a_removal_while_off_takes_tokens_all_the_same),
		cmocka_unit_test(leaving_fail_open_goes_through_the_chain),
		cmocka_unit_test(held_zones_alone_are_an_answer),
		cmocka_unit_test(switching_off_releases_what_is_held),
		cmocka_unit_test(a_zone_larger_than_the_bucket_never_goes),
		cmocka_unit_test(hold_down_counts_each_zone_apart),
		cmocka_unit_test(hold_down_forgets_slow_changes),
		cmocka_unit_test(no_hold_outlasts_its_maximum),
		cmocka_unit_test(disabled_brings_all_back_and_removes_none),
		cmocka_unit_test(disabling_as_a_whole_does_the_same),
		cmocka_unit_test(an_empty_zone_is_out_only_after_it_had_targets),
		cmocka_unit_test(each_happening_carries_the_event_that_tipped_it),
		cmocka_unit_test(asking_when_told_to_is_enough_and_needed),
		cmocka_unit_test(turning_a_knob_keeps_the_books),
		cmocka_unit_test(bad_configurations_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
