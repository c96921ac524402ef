/* number.h - DynamoDB's numbers: up to 38 decimal digits, 1E-130 to 9.99...E125 and their negatives. Pure. */
#ifndef AZLAB_DYNAMODB_NUMBER_H
#define AZLAB_DYNAMODB_NUMBER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NUMBER_DIGITS_MAX = 38,
	NUMBER_EXPONENT_MIN = -130,
	NUMBER_EXPONENT_MAX = 125,
	NUMBER_TEXT_MAX = 192,                          /* "-0." and 129 zeros before 38 digits, '\0' */
	NUMBER_KEY_MAX = 3 + NUMBER_DIGITS_MAX / 2 + 1, /* bytes of number_key() */
};

/* d.ddd * 10^exponent; no zeros at either end of the digits, so that equal numbers are equal structures. */
struct number {
	bool negative;
	int exponent;
	unsigned n_digits; /* 0: the number is 0, not negative, exponent 0 */
	uint8_t digits[NUMBER_DIGITS_MAX];
};

enum number_error {
	NUMBER_OK,
	NUMBER_NOT_ONE, /* the text is no number */
	NUMBER_OVERFLOW,
	NUMBER_UNDERFLOW,
	NUMBER_TOO_PRECISE /* more than 38 significant digits */
};

/* What the real service says of it. */
const char *number_why(enum number_error e);

enum number_error number_parse(struct number *ret, const char *text, size_t len);
/* Canonical: plain decimal notation without useless zeros; returns its length. */
size_t number_format(const struct number *n, char text[static NUMBER_TEXT_MAX]);
/* Below, equal to, above 0 as a is to b. */
int number_compare(const struct number *a, const struct number *b);
enum number_error number_add(struct number *ret, const struct number *a, const struct number *b);
enum number_error number_subtract(struct number *ret, const struct number *a, const struct number *b);
/* Bytes whose order under memcmp() is that of the numbers, none the beginning of another; returns how many.
 */
size_t number_key(const struct number *n, uint8_t key[static NUMBER_KEY_MAX]);
#endif
