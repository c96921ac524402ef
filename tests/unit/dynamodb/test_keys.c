/* Keys in the store: apart, in the order of what they stand for, within LMDB's limit. */
#include "dynamodb/keys.h"
#include "common/cleanup.h"
#include "common/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static json_t *text_value(const char *bytes, size_t len)
{
	return json_pack("{s:o}", "S", json_stringn_nocheck(bytes, len));
}

static struct key key_of(const char *bytes, size_t len)
{
	json_t *value = text_value(bytes, len);
	struct key k;

	key_table(&k, 1);
	key_add(&k, value);
	json_decref(value);
	return k;
}

static int compare(const struct key *a, const struct key *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

/* Texts of few different bytes, NUL and 255 among them, so that beginnings are often shared. */
static size_t any_text(struct random *r, char *text, size_t max)
{
	static const char bytes[] = { 0, 1, 2, 'a', (char)254, (char)255 };
	size_t len = random_next(r) % 8 ? random_next(r) % 6 : random_next(r) % max;

	for (size_t i = 0; i < len; i++)
		text[i] = bytes[random_next(r) % sizeof(bytes)];
	return len;
}

static void keys_of_texts_have_their_order(void **state)
{
	struct random r = random_of(1, "texts");

	(void)state;
	for (int i = 0; i < 100000; i++) {
		char a[100], b[100];
		size_t len_a = any_text(&r, a, sizeof(a)), len_b = any_text(&r, b, sizeof(b));
		struct key key_a = key_of(a, len_a), key_b = key_of(b, len_b);
		size_t common = len_a < len_b ? len_a : len_b;
		int order = memcmp(a, b, common);
		if (order == 0) order = (len_a > len_b) - (len_a < len_b);
		assert_int_equal(sign(compare(&key_a, &key_b)), sign(order));
		/* none is another's beginning */
		size_t shorter = key_a.len < key_b.len ? key_a.len : key_b.len;
		assert_true(order == 0 || memcmp(key_a.bytes, key_b.bytes, shorter) != 0);
	}
}

static void long_texts_are_cut_and_stay_apart(void **state)
{
	enum { LEN = 2048 };
	char a[LEN], b[LEN];

	(void)state;
	memset(a, 'x', LEN);
	memset(b, 'x', LEN);
	b[LEN - 1] = 'y';
	struct key key_a = key_of(a, LEN), key_b = key_of(b, LEN), shorter = key_of(a, 233);
	assert_true(key_a.len <= 4 + KEY_PART_MAX && key_b.len <= 4 + KEY_PART_MAX);
	assert_true(compare(&key_a, &key_b) != 0);
	assert_true(compare(&key_a, &shorter) != 0);
	memset(a, 0, LEN); /* each takes two bytes */
	key_a = key_of(a, LEN);
	assert_true(key_a.len <= 4 + KEY_PART_MAX);
	struct key both;
	json_t *value = text_value(a, LEN);
	key_table(&both, UINT32_MAX - 1);
	key_add(&both, value);
	key_add(&both, value);
	assert_true(both.len <= KEY_BYTES_MAX && KEY_BYTES_MAX <= 511);
	assert_true(key_is_cut(value));
	json_decref(value);
}

static void a_beginning_comes_before_all_that_begin_so(void **state)
{
	static const char *const behind[] = { "abc", "abcd", "abc\x01", "abc\xff" };
	static const char *const elsewhere[] = { "ab", "abb\xff", "abd", "b" };
	json_t *value = text_value("abc", 3);
	struct key from, to;

	(void)state;
	key_table(&from, 1);
	key_add_beginning(&from, value);
	to = from;
	assert_true(key_after(&to));
	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		struct key k = key_of(behind[i], strlen(behind[i]));
		assert_true(compare(&from, &k) <= 0 && compare(&k, &to) < 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		struct key k = key_of(elsewhere[i], strlen(elsewhere[i]));
		assert_true(compare(&k, &from) < 0 || compare(&k, &to) >= 0);
	}
	json_decref(value);
}

static void after_a_key_comes_the_next_that_does_not_begin_so(void **state)
{
	struct key k = { .len = 3, .bytes = { 1, 255, 255 } };

	(void)state;
	assert_true(key_after(&k));
	assert_int_equal(k.len, 1);
	assert_int_equal(k.bytes[0], 2);
	k = (struct key){ .len = 2, .bytes = { 255, 255 } };
	assert_false(key_after(&k));
}

static void tables_are_apart(void **state)
{
	struct key last = key_of("\xff\xff\xff\xff", 4), next;

	(void)state;
	key_table(&next, 2);
	assert_true(compare(&last, &next) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_texts_have_their_order),
		cmocka_unit_test(long_texts_are_cut_and_stay_apart),
		cmocka_unit_test(a_beginning_comes_before_all_that_begin_so),
		cmocka_unit_test(after_a_key_comes_the_next_that_does_not_begin_so),
		cmocka_unit_test(tables_are_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
