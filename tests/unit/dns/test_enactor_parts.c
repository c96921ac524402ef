/* The order of a walk and its back-off; which messages make a tree, and which delete it; what is configured.
 */
#include "common/dns_tree.h"
#include "dns-enactor/config.h"
#include "dns-enactor/fell.h"
#include "dns-enactor/walk.h"
#include "tests/unit/dns/plans.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

enum { ONE_PACKET = 1472 }; /* what a datagram holds at an MTU of 1500 */

static const struct dns_key key = { "azlab", "hmac-sha256", "VaIcwvLR5FP1qRYtwguRhUB7LRSA7I+Jwp/sHJthXXU=" };

static size_t wire_length(const struct dns_update *u)
{
	struct dns_request r;

	assert_int_equal(dns_update_encode(u, 1, &key, &r), 0);
	size_t len = r.len;
	dns_request_release(&r);
	return len;
}

/* --- walk -------------------------------------------------------------------------------------------- */

static void a_walk_meets_each_endpoint_once_in_the_seeds_order(void **state)
{
	struct random a = random_of(1, "az1"), again = random_of(1, "az1"), b = random_of(2, "az1");
	struct dne_walk first, same, other;
	unsigned met = 0, differ = 0;

	(void)state;
	assert_int_equal(dne_walk_begin(&first, 20, &a, 5), 0);
	assert_int_equal(dne_walk_begin(&same, 20, &again, 5), 0);
	assert_int_equal(dne_walk_begin(&other, 20, &b, 5), 0);
	do {
		met |= 1u << dne_walk_at(&first);
		assert_int_equal(dne_walk_at(&first), dne_walk_at(&same));
		differ += dne_walk_at(&first) != dne_walk_at(&other);
		dne_walk_next(&same, 6), dne_walk_next(&other, 6);
	} while (dne_walk_next(&first, 7));
	assert_int_equal(met, (1u << 20) - 1);
	assert_true(differ > 0);
	assert_int_equal(first.begun, 5);
	dne_walk_release(&first), dne_walk_release(&same), dne_walk_release(&other);
}

static void back_off_doubles_up_to_its_limit_with_full_jitter(void **state)
{
	static const mono_ns most[] = { 100, 200, 400, 800, 1000, 1000 };
	struct random r = random_of(1, "az1");
	struct dne_walk w;
	double sums[6] = { 0 };

	(void)state;
	assert_int_equal(dne_walk_begin(&w, 2, &r, 0), 0);
	for (int round = 0; round < 2000; round++) {
		w.attempt = 1;
		for (int i = 0; i < 6; i++) {
			mono_ns wait = dne_walk_back_off(&w, 100, 1000, &r);
			assert_true(wait >= 0 && wait < most[i]);
			sums[i] += (double)wait;
		}
	}
	for (int i = 0; i < 6; i++)
		assert_true(sums[i] / 2000 > 0.45 * (double)most[i] &&
		            sums[i] / 2000 < 0.55 * (double)most[i]);
	assert_true(dne_walk_next(&w, 9));
	assert_int_equal(w.attempt, 1);
	assert_false(dne_walk_next(&w, 9));
	dne_walk_release(&w);
}

/* --- making ------------------------------------------------------------------------------------------ */

static void no_message_of_a_tree_needs_fragments(void **state)
{
	static const size_t sizes[] = { 0, 1, 3, 8, 64, 65, 1000 };

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		struct dns_plan p = plan_with(sizes[i]);
		struct dns_bundles b;
		size_t messages = 0;
		bool last = false;
		for (dns_bundles_begin(&b, &p); !last; messages++) {
			struct dns_update *u = dns_bundles_next(&b, &last);
			assert_non_null(u);
			assert_true(wire_length(u) <= ONE_PACKET);
			dns_update_free(u);
		}
		if (sizes[i] <= 3) assert_int_equal(messages, 1);
		assert_true(messages >= dns_plan_records(&p) / 36);
		dns_plan_release(&p);
	}
}

/* --- deleting ---------------------------------------------------------------------------------------- */

static void only_index_entries_that_are_old_enough_are_victims(void **state)
{
	char *entries[] = { "\"10 aaaaaaaa\"", "\"12 bbbbbbbb\"",     "\"13 cccccccc\"",
		            "\"17 k3v9x0qa\"", "\"2 k3v9x0qa\"",      "\"20 dddddddd\"",
		            "\"nonsense\"",    "\"3 eeeeeeee more\"", "\"3 ffffffff\"" };
	struct dns_rrset index = { .n = 9, .rdata = entries };
	struct dns_plan p = plan_with(1); /* 17 */
	struct dne_victim *victims;
	size_t n;

	(void)state;
	assert_int_equal(dne_victims(&index, &p, 4, &victims, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(victims[0].tree, "ffffffff");
	assert_string_equal(victims[1].tree, "aaaaaaaa");
	assert_string_equal(victims[2].tree, "bbbbbbbb"); /* 5 older; the 13th is 4 older */
	free(victims);
	index.n = 0;
	assert_int_equal(dne_victims(&index, &p, 0, &victims, &n), 0);
	assert_int_equal(n, 0);
	free(victims);
	dns_plan_release(&p);
}

/* The zone's answers for a tree of so many leaves, of which those from..to are missing. */
static void answer(struct dns_rrset *sets, size_t n, bool whole, size_t first_set, size_t leaves, size_t from,
                   size_t to)
{
	static char *mark[] = { "\"plan=3\"" }, *wildcard[] = { "\"no tree of this name\"" }, *some[64];

	sets[0].n = 1;
	sets[0].rdata = whole ? mark : wildcard;
	for (size_t i = 1; i < n; i++) {
		size_t set = first_set + (i - 1) / 2, leaf = set * 64 + 1, left = leaves - set * 64;
		bool there = leaf <= leaves && !(leaf >= from && leaf <= to);
		sets[i].rdata = some;
		if (i % 2)
			sets[i].n = there;
		else
			sets[i].n = !there || !whole ? 0 : left < 64 ? left : 64;
	}
}

/* Plays the deletion; returns how many names go before the last message's own. */
static size_t fell(bool whole, size_t leaves, size_t from, size_t to, size_t *ret_messages)
{
	static const struct dne_victim victim = { 3, "aaaaaaaa" };
	struct dns_rrset sets[DNE_PROBE_QUESTIONS_MAX];
	struct dne_felling f;
	bool more = true, last = false;

	dne_fell_begin(&f, &victim, "us-east-1.lab");
	while (more) {
		size_t first = f.probed, n = dne_fell_questions(&f, sets);
		answer(sets, n, whole, first, leaves, from, to);
		more = dne_fell_answers(&f, sets) > 0;
	}
	for (*ret_messages = 0; !last; ++*ret_messages) {
		struct dns_update *u = dne_fell_next(&f, &last);
		assert_non_null(u);
		assert_true(wire_length(u) <= ONE_PACKET);
		dns_update_free(u);
	}
	return f.n_names;
}

static void a_whole_tree_is_measured_by_its_weights(void **state)
{
	size_t messages;

	(void)state;
	assert_int_equal(fell(true, 0, 0, 0, &messages), 0);
	assert_int_equal(messages, 1);
	assert_int_equal(fell(true, 3, 0, 0, &messages), 3 + 1);
	assert_int_equal(messages, 1);
	assert_int_equal(fell(true, 64, 0, 0, &messages), 64 + 1);
	assert_int_equal(fell(true, 65, 0, 0, &messages), 65 + 2);
	assert_int_equal(fell(true, 33000, 0, 0, &messages), 33000 + 516);
}

/* Whoever began it stopped: leaves without weights, and holes where messages got lost. */
static void of_a_tree_half_made_nothing_is_left(void **state)
{
	size_t messages;

	(void)state;
	assert_true(fell(false, 0, 0, 0, &messages) >= 64);
	assert_true(fell(false, 1000, 0, 0, &messages) >= 1000);
	assert_true(fell(false, 3000, 1, 1200, &messages) >= 3000);
}

/* --- configuration ----------------------------------------------------------------------------------- */

static json_t *config_with(const char *member, json_t *value)
{
	json_t *c = json_pack("{s:s, s:{s:s, s:i}, s:{s:s, s:{s:s, s:s, s:s}}, s:s, s:s}", "holder", "az1",
	                      "store", "address", "10.0.0.9", "port", 8053, "dns", "server", "10.0.0.53",
	                      "key", "name", key.name, "algorithm", key.algorithm, "secret", key.secret,
	                      "zone", "us-east-1.lab", "service_endpoint", "dynamodb");

	if (member) json_object_set_new(c, member, value);
	return c;
}

static int read_with(const char *member, json_t *value, struct dne_config *ret)
{
	char why[WHY_MAX] = "";
	json_t *c = config_with(member, value);
	int r = dne_config_read(c, ret, why);

	json_decref(c);
	assert_true(r == 0 || *why);
	return r;
}

static void a_configuration_has_that_days_guards_unless_told(void **state)
{
	struct dne_config c = { 0 };

	(void)state;
	assert_int_equal(read_with(NULL, NULL, &c), 0);
	assert_int_equal(c.knobs.freshness, FRESH_ONCE);
	assert_int_equal(c.knobs.cleanup, DNE_CLEANUP_BY_AGE);
	assert_true(c.knobs.alias_check && !c.knobs.refuse_empty && !c.knobs.auto_rollback &&
	            !c.knobs.leader);
	assert_int_equal(c.peers.store_port, 8053);
	assert_int_equal(read_with("freshness", json_string("compare-and-set"), &c), 0);
	assert_int_equal(c.knobs.freshness, FRESH_COMPARE_AND_SET);
	assert_int_equal(read_with("cleanup", json_string("never-active"), &c), 0);
	assert_int_equal(c.knobs.cleanup, DNE_CLEANUP_NEVER_ACTIVE);
	assert_int_equal(read_with("leader", json_string("lease"), &c), 0);
	assert_true(c.knobs.leader);
	assert_int_equal(read_with("backoff_ms", json_real(12.5), &c), 0);
	assert_int_equal(c.knobs.backoff, 12500 * NS_PER_US);
}

static void a_bad_configuration_is_refused_whole(void **state)
{
	struct dne_config c = { .holder = "untouched" };

	(void)state;
	assert_int_equal(read_with("freshness", json_string("twice"), &c), -EINVAL);
	assert_int_equal(read_with("alias_check", json_string("off"), &c), -EINVAL);
	assert_int_equal(read_with("lock_ms", json_integer(0), &c), -EINVAL);
	assert_int_equal(read_with("keep", json_integer(-1), &c), -EINVAL);
	assert_int_equal(read_with("holder", json_string("az1 until_ms=9"), &c), -EINVAL);
	assert_int_equal(read_with("zone", json_string("no zone"), &c), -EINVAL);
	assert_int_equal(read_with("dns", json_null(), &c), -EINVAL);
	assert_int_equal(read_with("store", json_pack("{s:s, s:i}", "address", "shop", "port", 1), &c),
	                 -EINVAL);
	assert_string_equal(c.holder, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_meets_each_endpoint_once_in_the_seeds_order),
		cmocka_unit_test(back_off_doubles_up_to_its_limit_with_full_jitter),
		cmocka_unit_test(no_message_of_a_tree_needs_fragments),
		cmocka_unit_test(only_index_entries_that_are_old_enough_are_victims),
		cmocka_unit_test(a_whole_tree_is_measured_by_its_weights),
		cmocka_unit_test(of_a_tree_half_made_nothing_is_left),
		cmocka_unit_test(a_configuration_has_that_days_guards_unless_told),
		cmocka_unit_test(a_bad_configuration_is_refused_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
