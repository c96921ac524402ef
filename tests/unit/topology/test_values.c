/* Texts to values and back. */
#include "orchestrator/topology/schema.h"
#include "common/cleanup.h"
#include "common/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void durations_need_units(void **state)
{
	static const struct {
		const char *text;
		mono_ns ns;
	} good[] = { { "250ms", 250 * NS_PER_MS },
		     { "30s", 30 * NS_PER_S },
		     { "2us", 2000 },
		     { "5m", 300 * NS_PER_S },
		     { "1h", 3600 * NS_PER_S },
		     { "0", 0 },
		     { "0s", 0 },
		     { "1.5s", 1500 * NS_PER_MS },
		     { "7ns", 7 },
		     { "0.1s", 100 * NS_PER_MS } };
	static const char *const bad[] = { "",    "5",   "s",        "-1s",
		                           "+1s", "1 s", "1e3s",     "0x1s",
		                           "1.s", ".5s", "1d",       "1ss",
		                           "inf", "nan", "1000000h", "99999999999999999999s",
		                           "1,5s" };
	mono_ns ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(schema_duration(good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (schema_duration(bad[i], &ns)) fail_msg("'%s' taken for a duration", bad[i]);
	}
}

static void rates_and_fractions(void **state)
{
	double v;

	(void)state;
	assert_true(schema_rate("400/s", &v) && v == 400);
	assert_true(schema_rate("90/m", &v) && v == 1.5);
	assert_false(schema_rate("400", &v) || schema_rate("/s", &v) || schema_rate("-1/s", &v) ||
	             schema_rate("1/d", &v));
	assert_true(schema_fraction("34%", &v) && v == 0.34);
	assert_true(schema_fraction("0.34", &v) && v == 0.34);
	assert_false(schema_fraction("34 %", &v) || schema_fraction("%", &v) || schema_fraction("1%%", &v));
}

static void counts_and_labels(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(schema_count("18446744073709551615", &n) && n == UINT64_MAX);
	assert_false(schema_count("18446744073709551616", &n) || schema_count("", &n) ||
	             schema_count("1.0", &n));
	assert_true(schema_label("az-1", 4));
	assert_false(schema_label("az-1", 3) || schema_label("-a", 9) || schema_label("a-", 9) ||
	             schema_label("", 9));
	assert_false(schema_label("a.b", 9) || schema_label("A", 9) || schema_label("a b", 9));
}

static void what_is_formatted_parses_to_the_same(void **state)
{
	struct random r = random_of(1, "values");
	char buf[64];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		double again, fraction = random_unit(&r), rate = random_unit(&r) * 1e5;
		mono_ns span = (mono_ns)(random_next(&r) % (uint64_t)(86400 * NS_PER_S)), span_again;
		if (i % 2) span -= span % NS_PER_MS;
		if (i % 3 == 0) fraction = (double)(i % 1001) / 1000;
		assert_true(schema_duration(schema_format_duration(span, buf, sizeof(buf)), &span_again) &&
		            span == span_again);
		if (!schema_fraction(schema_format_fraction(fraction, buf, sizeof(buf)), &again) ||
		    again != fraction) {
			fail_msg("%.17g became %s", fraction, buf);
		}
		if (!schema_rate(schema_format_rate(rate, buf, sizeof(buf)), &again) || again != rate) {
			fail_msg("%.17g became %s", rate, buf);
		}
	}
	assert_string_equal(schema_format_duration(90 * NS_PER_S, buf, sizeof(buf)), "90s");
	assert_string_equal(schema_format_duration(1500 * NS_PER_US, buf, sizeof(buf)), "1500us");
	assert_string_equal(schema_format_fraction(0.34, buf, sizeof(buf)), "34%");
	assert_string_equal(schema_format_rate(530, buf, sizeof(buf)), "530/s");
}

static void near_misses_are_found(void **state)
{
	static const char *const names[] = { "services", "seed", "zones" };

	(void)state;
	assert_string_equal(schema_near("servces", names, 3), "services");
	assert_string_equal(schema_near("zone", names, 3), "zones");
	assert_null(schema_near("faults", names, 3));
	assert_null(
	    schema_near("a word far longer than all that could ever be meant by anybody here", names, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_need_units),
		cmocka_unit_test(rates_and_fractions),
		cmocka_unit_test(counts_and_labels),
		cmocka_unit_test(what_is_formatted_parses_to_the_same),
		cmocka_unit_test(near_misses_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
