/* Plans: written and read again, refused when anything is wrong with them, expanded to records. */
#include "common/cleanup.h"
#include "plans.h"
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <zlib.h>
#include <cmocka.h>

#define NOW_MS INT64_C(1790000000000)

static char why[DNS_PLAN_WHY_MAX];

static int read_text(const char *text, struct dns_plan *ret)
{
	return dns_plan_read(text, strlen(text), NOW_MS, ret, why);
}

static void a_plan_comes_back(void **state)
{
	struct dns_plan p = plan_with(3), back;
	cleanup_free char *text = text_of(&p);

	(void)state;
	assert_int_equal(read_text(text, &back), 0);
	cleanup_free char *again = text_of(&back);
	assert_string_equal(again, text);
	assert_int_equal(back.number, 17);
	assert_string_equal(back.tree, "k3v9x0qa");
	assert_int_equal(back.event, 5);
	assert_int_equal(back.n_endpoints, 5);
	assert_int_equal(back.endpoints[1].variant, DNS_IPV4);
	assert_int_equal(back.n_balancers, 3);
	assert_string_equal(back.balancers[2].name, "az3");
	assert_int_equal(back.balancers[2].weight, 8);
	dns_plan_release(&back);
	dns_plan_release(&p);
}

/* The checksum is defined by what any JSON library writes, not by our writer. */
static void the_checksum_is_that_of_the_sorted_form(void **state)
{
	struct dns_plan p = plan_with(2), back;
	cleanup_free char *text = text_of(&p);
	json_t *o = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(o);
	json_int_t said = json_integer_value(json_object_get(o, "crc32"));
	cleanup_free char *pretty = json_dumps(o, JSON_INDENT(4));
	json_object_del(o, "crc32");
	cleanup_free char *sorted = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	assert_int_equal(said, crc32(0, (const Bytef *)sorted, (uInt)strlen(sorted)));
	assert_int_equal(read_text(pretty, &back), 0); /* the form on the wire doesn't matter */
	dns_plan_release(&back);
	json_decref(o);
	dns_plan_release(&p);
}

static void half_a_plan_is_none(void **state)
{
	struct dns_plan p = plan_with(3), ret = { .number = 99 };
	cleanup_free char *text = text_of(&p);
	size_t len = strlen(text);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(dns_plan_read(text, cut, NOW_MS, &ret, why), -EBADMSG);
		assert_true(*why);
	}
	assert_int_equal(ret.number, 99);
	dns_plan_release(&p);
}

static void a_changed_letter_is_noticed(void **state)
{
	struct dns_plan p = plan_with(3), ret;
	cleanup_free char *text = text_of(&p);
	size_t len = strlen(text);

	(void)state;
	for (size_t at = 0; at < len; at++) {
		char was = text[at];
		text[at] = was == '1' ? '2' : '1';
		if (text[at] != was && dns_plan_read(text, len, NOW_MS, &ret, why) == 0)
			fail_msg("a change at byte %zu of '%s' passes", at, text);
		text[at] = was;
	}
	dns_plan_release(&p);
}

/* A plan with one member replaced (NULL: missing) and a proper checksum over that. */
static char *forged(const char *key, json_t *value)
{
	struct dns_plan p = plan_with(3);
	cleanup_free char *text = text_of(&p);
	json_t *o = json_loads(text, 0, NULL);

	dns_plan_release(&p);
	json_object_del(o, "crc32");
	if (value)
		json_object_set_new(o, key, value);
	else
		json_object_del(o, key);
	cleanup_free char *sorted = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_object_set_new(o, "crc32", json_integer(crc32(0, (const Bytef *)sorted, (uInt)strlen(sorted))));
	char *whole = json_dumps(o, 0);
	json_decref(o);
	return whole;
}

static void must_be_refused(const char *key, json_t *value, const char *reason)
{
	cleanup_free char *text = forged(key, value);
	struct dns_plan ret;

	strcpy(why, "");
	if (read_text(text, &ret) != -EBADMSG) fail_msg("passes with another '%s': %s", key, text);
	if (!strstr(why, reason)) fail_msg("another '%s': expected '%s', got '%s'", key, reason, why);
}

static json_t *balancer(const char *name, const char *addr4, int weight)
{
	return json_pack("[{s:s, s:s, s:s, s:i}]", "name", name, "addr4", addr4, "addr6", "fd00::1", "weight",
	                 weight);
}

static void what_is_missing_or_of_another_type_is_refused(void **state)
{
	static const char *const needed[] = { "plan", "tree",  "made_ms",   "kind",           "service",
		                              "zone", "ttl_s", "endpoints", "load_balancers", "records" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		must_be_refused(needed[i], NULL, needed[i]);
		must_be_refused(needed[i], json_null(), needed[i]);
		must_be_refused(needed[i], json_true(), needed[i]);
	}
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	must_be_refused("plan", json_integer(-1), "'plan'");
	must_be_refused("plan", json_real(17.0), "'plan'");
	must_be_refused("event", json_integer(-1), "'event'");
	must_be_refused("tree", json_string("K3V9X0QA"), "its tree");
	must_be_refused("tree", json_string("k3v9x0qab"), "'tree'");
	must_be_refused("kind", json_string("whim"), "kind 'whim'");
	must_be_refused("zone", json_string("us east"), "its zone");
	must_be_refused("service", json_string("dynamo.db"), "its service");
	must_be_refused("records", json_integer(1), "it says 1 records and has");
	must_be_refused("endpoints", json_array(), "no endpoint");
	must_be_refused("endpoints", json_pack("[{s:s, s:s}]", "name", "a", "variant", "other"),
	                "variant 'other'");
	must_be_refused("endpoints", json_pack("[{s:s, s:s}]", "name", "a..b", "variant", "any"),
	                "endpoint 0");
	must_be_refused("load_balancers", balancer("az1", "10.0.0.256", 1), "'addr4'");
	must_be_refused("load_balancers", balancer("az1", "10.0.0.1", 0), "'az1' has no weight");
	must_be_refused("load_balancers", balancer("az1", "10.0.0.1", 65536), "'weight'");
	must_be_refused("load_balancers", balancer("az 1", "10.0.0.1", 1), "load balancer 0");
}

static void garbage_is_refused(void **state)
{
	static const char *const garbage[] = { "", "x", "[]", "17", "{}", "{\"plan\":1,\"plan\":2}", "\xff" };
	struct dns_plan ret;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		assert_int_equal(read_text(garbage[i], &ret), -EBADMSG);
}

static void the_future_is_five_seconds_away(void **state)
{
	struct dns_plan p = plan_with(3), ret;

	(void)state;
	p.made_ms = NOW_MS + 5000;
	cleanup_free char *just = text_of(&p);
	assert_int_equal(read_text(just, &ret), 0);
	dns_plan_release(&ret);
	p.made_ms++;
	cleanup_free char *beyond = text_of(&p);
	assert_int_equal(read_text(beyond, &ret), -ETIME);
	assert_non_null(strstr(why, "future"));
	dns_plan_release(&p);
}

/* --- expansion --------------------------------------------------------------------------------------- */

static void a_small_tree(void **state)
{
	static const char *const expected[] = {
		"_trees 0 TXT \"17 k3v9x0qa\"",
		"lb-1.T 2 A 10.0.0.1",
		"lb-1.T 2 AAAA fd00:a21a:b::a00:1",
		"_weights-1.T 2 SRV 0 8 0 lb-1.k3v9x0qa.tree.us-east-1.lab.",
		"any.T 2 A 10.0.0.1",
		"any.T 2 AAAA fd00:a21a:b::a00:1",
		"ipv4.T 2 A 10.0.0.1",
		"fips.T 2 A 10.0.0.1",
		"fips.T 2 AAAA fd00:a21a:b::a00:1",
		"account.T 2 A 10.0.0.1",
		"account.T 2 AAAA fd00:a21a:b::a00:1",
		"T 0 TXT \"plan=17\"",
	};
	struct dns_plan p = plan_with(1);
	struct dns_plan_walk w;
	struct dns_record r;
	size_t n = 0;

	(void)state;
	for (dns_plan_walk(&w, &p); dns_plan_next(&w, &r); n++) {
		char line[1024], *tree;
		snprintf(line, sizeof(line), "%s", r.owner.text);
		if ((tree = strstr(line, "k3v9x0qa.tree.us-east-1.lab."))) strcpy(tree, "T");
		if ((tree = strstr(line, ".us-east-1.lab."))) *tree = '\0';
		size_t len = strlen(line);
		snprintf(line + len, sizeof(line) - len, " %u %s %s", r.ttl_s, r.type, r.rdata);
		assert_true(n < ARRAY_SIZE(expected));
		assert_string_equal(line, expected[n]);
	}
	assert_int_equal(n, ARRAY_SIZE(expected));
	assert_int_equal(n, dns_plan_records(&p));
	assert_false(dns_plan_next(&w, &r)); /* and stays at its end */
	dns_plan_release(&p);
}

static void the_count_is_that_of_the_walk(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 64, 65, 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t endpoints = 1; endpoints <= 5; endpoints++) {
			struct dns_plan p = plan_with(sizes[i]);
			struct dns_plan_walk w;
			struct dns_record r;
			size_t n = 0;
			p.n_endpoints = endpoints;
			for (dns_plan_walk(&w, &p); dns_plan_next(&w, &r);)
				n++;
			assert_int_equal(n, dns_plan_records(&p));
			dns_plan_release(&p);
		}
	}
}

/* How often each of n load balancers is in the top `any` of 1,000 trees; the first weighs `heavy`. */
static void count_draws(size_t n, uint16_t heavy, unsigned *counts)
{
	struct dns_plan p = plan_with(n);
	struct dns_plan_walk w;

	p.balancers[0].weight = heavy;
	memset(counts, 0, n * sizeof(*counts));
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(p.tree, sizeof(p.tree), "tree%04u", i);
		dns_plan_walk(&w, &p);
		assert_int_equal(w.n_drawn, DNS_TOP_BALANCERS);
		for (unsigned j = 0; j < w.n_drawn; j++) {
			for (unsigned k = 0; k < j; k++)
				assert_int_not_equal(w.drawn[DNS_ANY][j], w.drawn[DNS_ANY][k]);
			counts[w.drawn[DNS_ANY][j]]++;
		}
	}
	dns_plan_release(&p);
}

static void tops_are_drawn_by_weight(void **state)
{
	unsigned counts[80];

	(void)state;
	count_draws(80, 8, counts);
	for (size_t i = 0; i < 80; i++) /* 100 expected, sigma 9.5: six of them */
		assert_in_range(counts[i], 43, 157);
	count_draws(80, 800, counts); /* a hundred others' weight: 0.9999 of all trees have it */
	assert_in_range(counts[0], 990, 1000);
	for (size_t i = 1; i < 80; i++)
		assert_in_range(counts[i], 30, 157);
}

static void everyone_draws_the_same(void **state)
{
	struct dns_plan a = plan_with(100), b = plan_with(100);
	struct dns_plan_walk wa, wb;

	(void)state;
	dns_plan_walk(&wa, &a);
	dns_plan_walk(&wb, &b);
	assert_memory_equal(wa.drawn, wb.drawn, sizeof(wa.drawn));
	dns_plan_release(&a);
	dns_plan_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_comes_back),
		cmocka_unit_test(the_checksum_is_that_of_the_sorted_form),
		cmocka_unit_test(half_a_plan_is_none),
		cmocka_unit_test(a_changed_letter_is_noticed),
		cmocka_unit_test(what_is_missing_or_of_another_type_is_refused),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(the_future_is_five_seconds_away),
		cmocka_unit_test(a_small_tree),
		cmocka_unit_test(the_count_is_that_of_the_walk),
		cmocka_unit_test(tops_are_drawn_by_weight),
		cmocka_unit_test(everyone_draws_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
