#include "dynamodb/number.h"
#include <ctype.h>
#include <string.h>

const char *number_why(enum number_error e)
{
	switch (e) {
	case NUMBER_OVERFLOW:
		return "Number overflow. Attempting to store a number with magnitude larger than supported "
		       "range";
	case NUMBER_UNDERFLOW:
		return "Number underflow. Attempting to store a number with magnitude smaller than supported "
		       "range";
	case NUMBER_TOO_PRECISE:
		return "Attempting to store more than 38 significant digits in a Number";
	case NUMBER_OK:
	case NUMBER_NOT_ONE:
		break;
	}
	return "The parameter cannot be converted to a numeric value";
}

/* --- text in ----------------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
	bool any;          /* a digit was seen */
	bool significant;  /* one that is not 0 */
	unsigned n_digits; /* significant ones, zeros at the end included; may exceed what `digits` holds */
	unsigned last_nonzero; /* their number up to the last one that is not 0 */
	int point;             /* the exponent of the first significant digit */
};

static void take_digit(struct reader *r, struct number *n, unsigned digit, bool fraction)
{
	r->any = true;
	if (!r->significant && digit == 0) {
		if (fraction) r->point--;
		return;
	}
	if (!r->significant && fraction) r->point--;
	if (r->significant && !fraction) r->point++;
	r->significant = true;
	if (r->n_digits < NUMBER_DIGITS_MAX) n->digits[r->n_digits] = (uint8_t)digit;
	r->n_digits++;
	if (digit) r->last_nonzero = r->n_digits;
}

static void take_digits(struct reader *r, struct number *n, bool fraction)
{
	for (; r->at < r->end && isdigit((unsigned char)*r->at); r->at++)
		take_digit(r, n, (unsigned)(*r->at - '0'), fraction);
}

static bool take_char(struct reader *r, const char *choice)
{
	if (r->at == r->end || !*r->at || !strchr(choice, *r->at)) return false;
	r->at++;
	return true;
}

/* "e-7"; false if there is something else. Sums are cut where they are out of range anyway. */
static bool take_exponent(struct reader *r, int *ret)
{
	const int most = 1 << 24;
	bool any = false, negative;

	*ret = 0;
	if (!take_char(r, "eE")) return true;
	negative = r->at < r->end && *r->at == '-';
	take_char(r, "+-");
	for (; r->at < r->end && isdigit((unsigned char)*r->at); r->at++, any = true)
		*ret = *ret < most ? *ret * 10 + (*r->at - '0') : *ret;
	if (negative) *ret = -*ret;
	return any;
}

static enum number_error check_range(const struct number *n)
{
	if (n->exponent > NUMBER_EXPONENT_MAX) return NUMBER_OVERFLOW;
	if (n->exponent < NUMBER_EXPONENT_MIN) return NUMBER_UNDERFLOW;
	return n->n_digits > NUMBER_DIGITS_MAX ? NUMBER_TOO_PRECISE : NUMBER_OK;
}

enum number_error number_parse(struct number *ret, const char *text, size_t len)
{
	struct reader r = { .at = text, .end = text + len };
	struct number n = { 0 };
	int exponent;

	n.negative = r.at < r.end && *r.at == '-';
	take_char(&r, "+-");
	take_digits(&r, &n, false);
	if (take_char(&r, ".")) take_digits(&r, &n, true);
	if (!r.any || !take_exponent(&r, &exponent) || r.at != r.end) return NUMBER_NOT_ONE;
	n.n_digits = r.last_nonzero;
	n.exponent = r.point + exponent;
	if (n.n_digits == 0) n = (struct number){ 0 };
	/* digits behind the last that counts were stored, too: equal numbers must be equal structures */
	for (unsigned i = n.n_digits; i < NUMBER_DIGITS_MAX; i++)
		n.digits[i] = 0;
	enum number_error e = check_range(&n);
	if (e == NUMBER_OK) *ret = n;
	return e;
}

/* --- text out ---------------------------------------------------------------------------------------- */

size_t number_format(const struct number *n, char text[static NUMBER_TEXT_MAX])
{
	char *out = text;
	/* exponents of the first and of the last digit to be written */
	int first = n->exponent > 0 ? n->exponent : 0, last = n->exponent - (int)n->n_digits + 1;

	if (n->negative) *out++ = '-';
	if (last > 0 || n->n_digits == 0) last = 0;
	for (int e = first; e >= last; e--) {
		int index = n->exponent - e;
		if (e == -1) *out++ = '.';
		*out++ = index >= 0 && index < (int)n->n_digits ? (char)('0' + n->digits[index]) : '0';
	}
	*out = '\0';
	return (size_t)(out - text);
}

/* --- order ------------------------------------------------------------------------------------------- */

static int compare_magnitudes(const struct number *a, const struct number *b)
{
	if (a->n_digits == 0 || b->n_digits == 0) return (a->n_digits > 0) - (b->n_digits > 0);
	if (a->exponent != b->exponent) return a->exponent < b->exponent ? -1 : 1;
	return memcmp(a->digits, b->digits, NUMBER_DIGITS_MAX); /* filled up with zeros */
}

int number_compare(const struct number *a, const struct number *b)
{
	if (a->negative != b->negative) return a->negative ? -1 : 1;
	return a->negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

/* Sign, exponent from 1 on in two bytes, digits in pairs from 1 on, 0; all but the sign of a negative number
 * inverted. */
size_t number_key(const struct number *n, uint8_t key[static NUMBER_KEY_MAX])
{
	unsigned exponent = (unsigned)(n->exponent - NUMBER_EXPONENT_MIN + 1);
	size_t len = 0;

	if (n->n_digits == 0) {
		key[0] = 1;
		return 1;
	}
	key[len++] = n->negative ? 0 : 2;
	key[len++] = (uint8_t)(exponent >> 8);
	key[len++] = (uint8_t)exponent;
	for (unsigned i = 0; i < n->n_digits; i += 2) {
		unsigned second = i + 1 < NUMBER_DIGITS_MAX ? n->digits[i + 1] : 0;
		key[len++] = (uint8_t)(n->digits[i] * 10 + second + 1);
	}
	key[len++] = 0;
	for (size_t i = 1; n->negative && i < len; i++)
		key[i] = (uint8_t)~key[i];
	return len;
}

/* --- sums -------------------------------------------------------------------------------------------- */

enum { /* one column for each exponent that a digit can have, and one for the carry */
       COLUMN_MIN = NUMBER_EXPONENT_MIN - NUMBER_DIGITS_MAX,
       COLUMNS = NUMBER_EXPONENT_MAX + 1 - COLUMN_MIN + 1
};

static void add_columns(int columns[static COLUMNS], const struct number *n, int sign)
{
	for (unsigned i = 0; i < n->n_digits; i++)
		columns[n->exponent - (int)i - COLUMN_MIN] += sign * n->digits[i];
}

/* Makes every column a digit; the sum must not be negative. */
static void carry(int columns[static COLUMNS])
{
	for (int i = 0; i + 1 < COLUMNS; i++) {
		int over = columns[i] < 0 ? -1 : columns[i] / 10;
		columns[i] -= over * 10;
		columns[i + 1] += over;
	}
}

static enum number_error read_columns(struct number *ret, const int columns[static COLUMNS], bool negative)
{
	struct number n = { .negative = negative };
	int high = COLUMNS - 1, low = 0;

	while (high >= 0 && columns[high] == 0)
		high--;
	if (high < 0) {
		*ret = (struct number){ 0 };
		return NUMBER_OK;
	}
	while (columns[low] == 0)
		low++;
	n.exponent = high + COLUMN_MIN;
	n.n_digits = (unsigned)(high - low + 1);
	for (int i = 0; i < NUMBER_DIGITS_MAX && high - i >= low; i++)
		n.digits[i] = (uint8_t)columns[high - i];
	enum number_error e = check_range(&n);
	if (e == NUMBER_OK) *ret = n;
	return e;
}

enum number_error number_add(struct number *ret, const struct number *a, const struct number *b)
{
	bool same = a->negative == b->negative, swap = !same && compare_magnitudes(a, b) < 0;
	int columns[COLUMNS] = { 0 };

	/* the larger one's sign is the sum's, so the columns' sum is not negative */
	add_columns(columns, swap ? b : a, 1);
	add_columns(columns, swap ? a : b, same ? 1 : -1);
	carry(columns);
	return read_columns(ret, columns, swap ? b->negative : a->negative);
}

enum number_error number_subtract(struct number *ret, const struct number *a, const struct number *b)
{
	struct number minus = *b;

	minus.negative = b->n_digits > 0 && !b->negative;
	return number_add(ret, a, &minus);
}
