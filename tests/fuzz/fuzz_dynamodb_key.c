// with: nodes/dynamodb/[a-ln-z]*.c nodes/common/*.c nodes/proto/*.c
/* Two texts, cut from any bytes: keys apart and in the order of their texts, numbers' keys in that of the
 * numbers. */
#include "dynamodb/keys.h"
#include <stdlib.h>
#include <string.h>

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static int compare(const void *a, size_t len_a, const void *b, size_t len_b)
{
	int order = memcmp(a, b, len_a < len_b ? len_a : len_b);
	return sign(order ? order : (len_a > len_b) - (len_a < len_b));
}

static bool make_key(const char *bytes, size_t len, struct key *ret)
{
	json_t *value = json_pack("{s:o}", "S", json_stringn_nocheck(bytes, len));
	bool cut = key_is_cut(value);

	key_table(ret, 1);
	key_add(ret, value);
	if (ret->len > 4 + KEY_PART_MAX) abort();
	json_decref(value);
	return cut;
}

static void check_texts(const char *a, size_t len_a, const char *b, size_t len_b)
{
	struct key key_a, key_b;
	bool cut = make_key(a, len_a, &key_a);

	cut |= make_key(b, len_b, &key_b);
	int order = compare(a, len_a, b, len_b);
	int of_keys = compare(key_a.bytes, key_a.len, key_b.bytes, key_b.len);
	if (!order != !of_keys || (!cut && order != of_keys)) abort();
}

static void check_numbers(const char *a, size_t len_a, const char *b, size_t len_b)
{
	struct number x, y, again;
	uint8_t key_x[NUMBER_KEY_MAX], key_y[NUMBER_KEY_MAX];
	char text[NUMBER_TEXT_MAX];

	if (number_parse(&x, a, len_a) != NUMBER_OK || number_parse(&y, b, len_b) != NUMBER_OK) return;
	size_t len_x = number_key(&x, key_x), len_y = number_key(&y, key_y);
	if (compare(key_x, len_x, key_y, len_y) != sign(number_compare(&x, &y))) abort();
	size_t len = number_format(&x, text);
	if (number_parse(&again, text, len) != NUMBER_OK || number_compare(&x, &again)) abort();
	number_add(&again, &x, &y);
	number_subtract(&again, &x, &y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) return 0;
	size_t first = data[0] < size - 1 ? data[0] : size - 1;
	const char *a = (const char *)data + 1, *b = a + first;
	check_texts(a, first, b, size - 1 - first);
	check_numbers(a, first, b, size - 1 - first);
	return 0;
}
