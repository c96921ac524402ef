/* Names and small values of the DNS automation: what is written is read again, and nothing else is. */
#include "proto/dns_names.h"
#include "common/cleanup.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define ZONE "us-east-1.lab"

static void names_are_as_documented(void **state)
{
	(void)state;
	assert_string_equal(dns_name_endpoint("dynamodb", ZONE).text, "dynamodb.us-east-1.lab.");
	assert_string_equal(dns_name_lock("000000000001.ddb", ZONE).text,
	                    "_lock.000000000001.ddb.us-east-1.lab.");
	assert_string_equal(dns_name_rollback("dynamodb", ZONE).text, "_rollback.dynamodb.us-east-1.lab.");
	assert_string_equal(dns_name_generation("dynamodb", ZONE).text, "_plan.dynamodb.us-east-1.lab.");
	assert_string_equal(dns_name_top(DNS_ANY, "k3v9x0qa", ZONE).text, "any.k3v9x0qa.tree.us-east-1.lab.");
	assert_string_equal(dns_name_leaf(3, "k3v9x0qa", ZONE).text, "lb-3.k3v9x0qa.tree.us-east-1.lab.");
	assert_string_equal(dns_name_weights(1, "k3v9x0qa", ZONE).text,
	                    "_weights-1.k3v9x0qa.tree.us-east-1.lab.");
	assert_string_equal(dns_name_mark("k3v9x0qa", ZONE).text, "k3v9x0qa.tree.us-east-1.lab.");
	assert_string_equal(dns_name_index(ZONE).text, "_trees.us-east-1.lab.");
	assert_string_equal(dns_name_leader(ZONE).text, "_leader.us-east-1.lab.");
	assert_string_equal(dns_name_wildcard(ZONE).text, "*.tree.us-east-1.lab.");
}

static void the_longest_parts_fit_a_name(void **state)
{
	char endpoint[DNS_LABELS_MAX], zone[DNS_ZONE_MAX];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(endpoint); i++)
		endpoint[i] = i % 10 == 9 ? '.' : 'e';
	endpoint[sizeof(endpoint) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(zone); i++)
		zone[i] = i % 20 == 19 ? '.' : 'z';
	zone[sizeof(zone) - 1] = '\0';
	assert_true(dns_labels_ok(endpoint, sizeof(endpoint), true));
	assert_true(dns_labels_ok(zone, sizeof(zone), true));
	const struct dns_name name = dns_name_rollback(endpoint, zone);
	assert_int_equal(strlen(name.text), strlen("_rollback.") + strlen(endpoint) + 1 + strlen(zone) + 1);
}

static void labels_are_checked(void **state)
{
	static const char *const good[] = { "a", "az1", "000000000001.ddb", "us-east-1.lab" };
	static const char *const bad[] = {
		"", ".", "a.", ".a", "a..b", "A", "a b", "a\"b", "_a", "a\n", "*"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(dns_labels_ok(good[i], DNS_LABELS_MAX, true));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (dns_labels_ok(bad[i], DNS_LABELS_MAX, true)) fail_msg("'%s' passes", bad[i]);
	assert_false(dns_labels_ok("a.b", DNS_LABELS_MAX, false));
	assert_true(dns_labels_ok("abc", 4, false));
	assert_false(dns_labels_ok("abc", 3, false));
	char label[65];
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_false(dns_labels_ok(label, DNS_ZONE_MAX, true));
	label[63] = '\0';
	assert_true(dns_labels_ok(label, DNS_ZONE_MAX, true));
}

static void trees_have_eight_letters(void **state)
{
	(void)state;
	assert_true(dns_tree_ok("k3v9x0qa"));
	assert_false(dns_tree_ok(""));
	assert_false(dns_tree_ok("k3v9x0q"));
	assert_false(dns_tree_ok("k3v9x0qab"));
	assert_false(dns_tree_ok("k3v9x0qA"));
	assert_false(dns_tree_ok("k3v9-0qa"));
}

static void tops_are_recognised(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"any.k3v9x0qa.tree.us-east-1.lab",
		"any.k3v9x0qa.tree.us-east-2.lab.",
		"all.k3v9x0qa.tree.us-east-1.lab.",
		"any.k3v9x0q.tree.us-east-1.lab.",
		"any.k3v9x0qab.tree.us-east-1.lab.",
		"k3v9x0qa.tree.us-east-1.lab.",
		"any.k3v9x0qa.tree.us-east-1.lab. ",
	};
	char tree[DNS_TREE_LEN + 1] = "untouchd";
	enum dns_variant v = DNS_IPV4;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(dns_top_parse(bad[i], ZONE, &v, tree), -EINVAL);
	assert_string_equal(tree, "untouchd");
	for (unsigned w = 0; w < DNS_VARIANTS; w++) {
		struct dns_name top = dns_name_top((enum dns_variant)w, "k3v9x0qa", ZONE);
		assert_int_equal(dns_top_parse(top.text, ZONE, &v, tree), 0);
		assert_int_equal(v, w);
		assert_string_equal(tree, "k3v9x0qa");
	}
}

static void values_come_back(void **state)
{
	struct dns_lock lock = { .holder = "az1", .until_ms = 1790000000123 }, back;
	char tree[DNS_TREE_LEN + 1];
	uint64_t plan;

	(void)state;
	assert_string_equal(dns_lock_write(&lock).text, "\"holder=az1 until_ms=1790000000123\"");
	assert_int_equal(dns_lock_read(dns_lock_write(&lock).text, &back), 0);
	assert_string_equal(back.holder, "az1");
	assert_int_equal(back.until_ms, lock.until_ms);
	assert_string_equal(dns_mark_write(17).text, "\"plan=17\"");
	assert_int_equal(dns_mark_read("\"plan=17\"", &plan), 0);
	assert_int_equal(plan, 17);
	assert_string_equal(dns_generation_write(18).text, "\"18\"");
	assert_int_equal(dns_generation_read("\"18\"", &plan), 0);
	assert_int_equal(plan, 18);
	assert_string_equal(dns_index_write(19, "k3v9x0qa").text, "\"19 k3v9x0qa\"");
	assert_int_equal(dns_index_read("\"19 k3v9x0qa\"", &plan, tree), 0);
	assert_int_equal(plan, 19);
	assert_string_equal(tree, "k3v9x0qa");
}

static void other_values_are_refused(void **state)
{
	static const char *const bad[] = {
		"",        "\"\"",         "17",           "\"017\"",          "\"-1\"",
		"\"17\" ", "\"plan= 17\"", "\"plan=17 \"", "\"17 k3v9x0q\"",   "\"17  k3v9x0qa\"",
		"\"17",    "\"1e3\"",      "\"holder=\"",  "\"holder=az1 \"",  "\"holder=az1 until_ms=\"",
		"\"x\"",   "\"plan=x\"",   "\"+17\"",      "\"17\" \"extra\"", "\"holder=az1 until_ms=1 x\"",
	};
	struct dns_lock lock;
	char tree[DNS_TREE_LEN + 1];
	uint64_t plan;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(dns_lock_read(bad[i], &lock), -EINVAL);
		assert_int_equal(dns_mark_read(bad[i], &plan), -EINVAL);
		assert_int_equal(dns_generation_read(bad[i], &plan), -EINVAL);
		assert_int_equal(dns_index_read(bad[i], &plan, tree), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_as_documented),  cmocka_unit_test(the_longest_parts_fit_a_name),
		cmocka_unit_test(labels_are_checked),       cmocka_unit_test(trees_have_eight_letters),
		cmocka_unit_test(tops_are_recognised),      cmocka_unit_test(values_come_back),
		cmocka_unit_test(other_values_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
