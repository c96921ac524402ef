/* Numbers of 38 digits: what is one, how it is written, order, sums, the order of its key. */
#include "dynamodb/number.h"
#include "common/cleanup.h"
#include "common/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define DIGITS_38 "12345678901234567890123456789012345678"
#define ZEROS_100                                                                                            \
	"00000000000000000000000000000000000000000000000000"                                                 \
	"00000000000000000000000000000000000000000000000000"
#define ZEROS_125 ZEROS_100 "0000000000000000000000000"

static struct number number(const char *text)
{
	struct number n;

	if (number_parse(&n, text, strlen(text)) != NUMBER_OK) fail_msg("no number: %s", text);
	return n;
}

static const char *text_of(const struct number *n)
{
	static char text[NUMBER_TEXT_MAX];

	size_t len = number_format(n, text);
	assert_int_equal(len, strlen(text));
	return text;
}

static void numbers_come_back_canonical(void **state)
{
	static const char *const cases[][2] = {
		{ "0010", "10" },
		{ "1e3", "1000" },
		{ "-0", "0" },
		{ "-0.000e50", "0" },
		{ "+7", "7" },
		{ "1.50", "1.5" },
		{ ".5", "0.5" },
		{ "5.", "5" },
		{ "-12.3400E-2", "-0.1234" },
		{ "100E-2", "1" },
		{ "0.00001", "0.00001" },
		{ DIGITS_38, DIGITS_38 },
		{ "0." DIGITS_38, "0." DIGITS_38 },
		{ DIGITS_38 "000", DIGITS_38 "000" },
		{ "000" DIGITS_38 ".000", DIGITS_38 },
		{ "1e125", "1" ZEROS_125 },
		{ "9.9E125", "99" ZEROS_100 "000000000000000000000000" },
		{ "1e-130", "0.0000" ZEROS_125 "1" },
		{ "0e99999999999999999999", "0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct number n = number(cases[i][0]);
		assert_string_equal(text_of(&n), cases[i][1]);
		/* and canonical text stays what it is */
		n = number(cases[i][1]);
		assert_string_equal(text_of(&n), cases[i][1]);
	}
}

static void what_is_no_number_or_too_much_of_one_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum number_error error;
	} cases[] = {
		{ "", NUMBER_NOT_ONE },
		{ "-", NUMBER_NOT_ONE },
		{ ".", NUMBER_NOT_ONE },
		{ "e5", NUMBER_NOT_ONE },
		{ "1e", NUMBER_NOT_ONE },
		{ "1e+", NUMBER_NOT_ONE },
		{ "1.2.3", NUMBER_NOT_ONE },
		{ " 1", NUMBER_NOT_ONE },
		{ "1 ", NUMBER_NOT_ONE },
		{ "0x10", NUMBER_NOT_ONE },
		{ "NaN", NUMBER_NOT_ONE },
		{ "Infinity", NUMBER_NOT_ONE },
		{ "--1", NUMBER_NOT_ONE },
		{ "1e126", NUMBER_OVERFLOW },
		{ "-10e125", NUMBER_OVERFLOW },
		{ "1e999999999999999999999", NUMBER_OVERFLOW },
		{ "1e-131", NUMBER_UNDERFLOW },
		{ "0.1e-130", NUMBER_UNDERFLOW },
		{ "1e-999999999999999999999", NUMBER_UNDERFLOW },
		{ DIGITS_38 "9", NUMBER_TOO_PRECISE },
		{ "1." DIGITS_38, NUMBER_TOO_PRECISE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct number n = { .exponent = 77 };
		enum number_error e = number_parse(&n, cases[i].text, strlen(cases[i].text));
		if (e != cases[i].error) fail_msg("%s: %d", cases[i].text, e);
		assert_int_equal(n.exponent, 77); /* untouched */
	}
	struct number n;
	assert_int_equal(number_parse(&n, "1\0", 2), NUMBER_NOT_ONE);
}

static void sums_are_exact(void **state)
{
	static const char *const cases[][3] = {
		{ "1", "1", "2" },
		{ "0.1", "0.2", "0.3" },
		{ "5", "-5", "0" },
		{ "-5", "3", "-2" },
		{ "3", "-5", "-2" },
		{ "-1.5", "-1.5", "-3" },
		{ "999", "1", "1000" },
		{ "1000", "-0.001", "999.999" },
		{ "1e37", "1", "10000000000000000000000000000000000001" },
		{ "99999999999999999999999999999999999999", "1", "100000000000000000000000000000000000000" },
		{ "0", "-7e-130", "-7e-130" },
		{ "9e125", "-8e125", "1e125" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct number a = number(cases[i][0]), b = number(cases[i][1]), sum, back;
		struct number wanted = number(cases[i][2]);
		assert_int_equal(number_add(&sum, &a, &b), NUMBER_OK);
		assert_memory_equal(&sum, &wanted, sizeof(sum));
		assert_int_equal(number_add(&sum, &b, &a), NUMBER_OK);
		assert_memory_equal(&sum, &wanted, sizeof(sum));
		assert_int_equal(number_subtract(&back, &sum, &b), NUMBER_OK);
		assert_memory_equal(&back, &a, sizeof(back));
	}
}

static void sums_out_of_range_are_refused(void **state)
{
	static const struct {
		const char *a, *b;
		enum number_error error;
	} cases[] = {
		{ "9e125", "1e125", NUMBER_OVERFLOW },
		{ "-9e125", "-9e125", NUMBER_OVERFLOW },
		{ "1e38", "1", NUMBER_TOO_PRECISE },
		{ "1e125", "1e-130", NUMBER_TOO_PRECISE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct number a = number(cases[i].a), b = number(cases[i].b), sum;
		assert_int_equal(number_add(&sum, &a, &b), cases[i].error);
	}
	/* the difference of two neighbours is smaller than any number may be */
	struct number a = number("1.2e-130"), b = number("1.1e-130"), difference;
	assert_int_equal(number_subtract(&difference, &a, &b), NUMBER_UNDERFLOW);
}

/* Any number at all: sign, up to 38 digits, any exponent. */
static struct number any_number(struct random *r)
{
	struct number n = { 0 };
	unsigned digits =
	    (unsigned)(random_next(r) % 4 ? random_next(r) % 4 : random_next(r) % NUMBER_DIGITS_MAX + 1);
	char text[80];
	size_t len = 0;

	if (random_next(r) % 2) text[len++] = '-';
	for (unsigned i = 0; i < digits; i++)
		text[len++] = (char)('0' + random_next(r) % 10);
	int exponent = random_next(r) % 2 ? (int)(random_next(r) % 5) : (int)(random_next(r) % 250) - 125;
	len += (size_t)snprintf(text + len, sizeof(text) - len, "0e%d", exponent - (int)digits);
	number_parse(&n, text, len); /* what is out of range stays 0 */
	return n;
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void keys_have_the_order_of_numbers(void **state)
{
	struct random r = random_of(1, "numbers");

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct number a = any_number(&r), b = any_number(&r), difference;
		uint8_t key_a[NUMBER_KEY_MAX], key_b[NUMBER_KEY_MAX];
		size_t len_a = number_key(&a, key_a), len_b = number_key(&b, key_b);
		size_t common = len_a < len_b ? len_a : len_b;
		int order = number_compare(&a, &b);
		assert_true(len_a <= NUMBER_KEY_MAX && len_b <= NUMBER_KEY_MAX);
		assert_int_equal(sign(memcmp(key_a, key_b, common)), sign(order));
		assert_int_equal(order == 0, len_a == len_b && !memcmp(key_a, key_b, common));
		if (number_subtract(&difference, &a, &b) != NUMBER_OK) continue;
		int zero_or_sign = difference.n_digits == 0 ? 0 : difference.negative ? -1 : 1;
		assert_int_equal(zero_or_sign, sign(order));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_back_canonical),
		cmocka_unit_test(what_is_no_number_or_too_much_of_one_is_refused),
		cmocka_unit_test(sums_are_exact),
		cmocka_unit_test(sums_out_of_range_are_refused),
		cmocka_unit_test(keys_have_the_order_of_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
