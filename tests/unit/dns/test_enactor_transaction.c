/* What an enactor decides from what it has read, and the transaction that it sends. */
#include "dns-enactor/transaction.h"
#include "tests/unit/dns/plans.h"
#include <ldns/ldns.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

#define TOP_OLD "any.oldtree1.tree.us-east-1.lab."
#define TOP_OWN "any.k3v9x0qa.tree.us-east-1.lab."
#define LOCK_MINE "\"holder=az1 until_ms=1000\""
#define LOCK_THEIRS "\"holder=az2 until_ms=1000\""

static struct dne_config config;
static struct dns_plan plan; /* 17 */
static struct dne_target target;

static int set_up(void **state)
{
	(void)state;
	config = (struct dne_config){ .holder = "az1", .zone = "us-east-1.lab" };
	config.knobs = (struct dne_knobs){ .alias_check = true, .leader_lease = 2 * NS_PER_S };
	plan = plan_with(3);
	target = (struct dne_target){ .config = &config, .plan = &plan, .endpoint = &plan.endpoints[0] };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_plan_release(&plan);
	return 0;
}

static struct dne_view view_of(const char *lock, const char *root, uint64_t generation)
{
	struct dne_view v = { .plan = generation, .own_there = true, .old_there = true };

	strcpy(v.lock, lock);
	strcpy(v.root, root);
	strcpy(v.generation, dns_generation_write(generation).text);
	return v;
}

/* --- before ------------------------------------------------------------------------------------------ */

static void a_lock_of_another_holds_until_it_expires(void **state)
{
	struct dne_view v = view_of(LOCK_THEIRS, TOP_OLD, 12);

	(void)state;
	assert_int_equal(dne_before(&target, &v, 999), DNE_HELD);
	assert_int_equal(dne_before(&target, &v, 1000), DNE_SEND);
	v = view_of(LOCK_MINE, TOP_OLD, 12);
	assert_int_equal(dne_before(&target, &v, 0), DNE_SEND);
	v = view_of("", TOP_OLD, 12);
	assert_int_equal(dne_before(&target, &v, 0), DNE_SEND);
	v.lock_foreign = true;
	assert_int_equal(dne_before(&target, &v, INT64_MAX), DNE_HELD);
}

static void only_once_is_blind_to_a_newer_plan(void **state)
{
	static const enum dne_freshness watchful[] = { FRESH_PER_WRITE, FRESH_COMPARE_AND_SET };
	struct dne_view newer = view_of("", TOP_OLD, 18), same = view_of("", TOP_OWN, 17);
	/* its root was read before another's transaction, its generation after */
	struct dne_view torn = view_of("", TOP_OLD, 17);

	(void)state;
	assert_int_equal(dne_before(&target, &newer, 0), DNE_SEND);
	assert_int_equal(dne_before(&target, &same, 0), DNE_SEND);
	for (size_t i = 0; i < 2; i++) {
		config.knobs.freshness = watchful[i];
		target.forced = false;
		assert_int_equal(dne_before(&target, &newer, 0), DNE_STALE);
		assert_int_equal(dne_before(&target, &same, 0), DNE_KEPT);
		assert_int_equal(dne_before(&target, &torn, 0), DNE_SEND); /* and the root refuses it */
		target.forced = true;                                      /* an operator's will */
		assert_int_equal(dne_before(&target, &newer, 0), DNE_SEND);
	}
}

/* --- after ------------------------------------------------------------------------------------------- */

static void a_lost_answer_is_no_lost_lock(void **state)
{
	struct dne_view sent = view_of("", TOP_OLD, 12), now = view_of(LOCK_MINE, TOP_OWN, 17);

	(void)state;
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_TAKEN);
	assert_int_equal(dne_after(&target, &sent, &now, false), DNE_TAKEN);
	/* the same sight before and after is no sign of a transaction */
	assert_int_equal(dne_after(&target, &now, &now, false), DNE_SEND);
	/* another has the lock of the same plan */
	now = view_of(LOCK_THEIRS, TOP_OWN, 17);
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_MOVED);
}

static void each_prerequisite_has_its_verdict(void **state)
{
	struct dne_view sent = view_of(LOCK_MINE, TOP_OLD, 12), now = sent;

	(void)state;
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_MOVED); /* and has moved back */
	assert_int_equal(dne_after(&target, &sent, &now, false), DNE_SEND);
	strcpy(now.generation, "\"13\"");
	assert_int_equal(dne_after(&target, &sent, &now, false), DNE_SEND);
	config.knobs.freshness = FRESH_COMPARE_AND_SET;
	assert_int_equal(dne_after(&target, &sent, &now, false), DNE_MOVED);
	now = sent;
	now.own_there = false;
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_OWN_GONE);
	config.knobs.alias_check = false;
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_MOVED);
	now.own_empty = true;
	config.knobs.refuse_empty = true;
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_EMPTY);
	now.old_there = false; /* nothing else matters then */
	assert_int_equal(dne_after(&target, &sent, &now, true), DNE_OLD_GONE);
}

static void the_way_back_must_be_there_itself(void **state)
{
	struct dne_view v = view_of("", TOP_OLD, 12);

	(void)state;
	v.old_there = false;
	v.rollback_there = true;
	assert_false(dne_can_roll_back(&target, &v));
	config.knobs.auto_rollback = true;
	assert_true(dne_can_roll_back(&target, &v));
	v.rollback_there = false;
	assert_false(dne_can_roll_back(&target, &v));
	v.rollback_there = v.old_there = true;
	assert_false(dne_can_roll_back(&target, &v));
}

/* --- views ------------------------------------------------------------------------------------------- */

static char *one(const char *value)
{
	return (char *)value;
}

static void for_a_tree_that_is_gone_the_wildcard_answers(void **state)
{
	char *lock[] = { one(LOCK_THEIRS) }, *root[] = { one(TOP_OLD) }, *generation[] = { one("\"12\"") };
	char *wildcard[] = { one("\"no tree of this name\"") }, *mark[] = { one("\"plan=17\"") };
	char *address[] = { one("10.1.254.1") };
	struct dns_rrset sets[DNE_QUESTIONS_MAX], marks[DNE_MARKS_MAX];
	struct dne_view v;

	(void)state;
	assert_int_equal(dne_questions(&target, false, sets), 3);
	assert_int_equal(dne_questions(&target, true, sets), 6);
	char **const values[] = { lock, root, generation, mark, address, root };
	for (size_t i = 0; i < 6; i++)
		sets[i].n = 1, sets[i].rdata = values[i];
	dne_view_read(sets, true, &v);
	assert_string_equal(v.lock, LOCK_THEIRS);
	assert_string_equal(v.root, TOP_OLD);
	assert_int_equal(v.plan, 12);
	assert_true(v.own_there && !v.own_empty && !v.lock_foreign);
	sets[3].rdata = wildcard;
	sets[4].n = 0;
	dne_view_read(sets, true, &v);
	assert_true(!v.own_there && v.own_empty);
	assert_int_equal(dne_marks(&target, &v, marks), 2);
	assert_string_equal(marks[0].owner.text, "oldtree1.tree.us-east-1.lab.");
	marks[0].n = marks[1].n = 1;
	marks[0].rdata = wildcard;
	marks[1].rdata = mark;
	dne_view_read_marks(&target, marks, &v);
	assert_true(!v.old_there && v.rollback_there);
	assert_int_equal(v.rollback_plan, 17);
}

static void strange_locks_are_told_apart(void **state)
{
	static const char *const strange[] = { "\"holder=az2\"", "\"\"", "\"until_ms=4 holder=az2\"",
		                               "\"holder=az2 until_ms=99999999999999999999999\"" };
	struct dns_rrset sets[DNE_QUESTIONS_MAX];
	char *values[2] = { one(LOCK_MINE), one(LOCK_THEIRS) };
	struct dne_view v;

	(void)state;
	dne_questions(&target, false, sets);
	dne_view_read(sets, false, &v);
	assert_false(v.lock_foreign);
	assert_string_equal(v.root, "");
	sets[0].rdata = values;
	sets[0].n = 2; /* two locks */
	dne_view_read(sets, false, &v);
	assert_true(v.lock_foreign);
	sets[0].n = 1;
	for (size_t i = 0; i < 4; i++) {
		values[0] = one(strange[i]);
		dne_view_read(sets, false, &v);
		assert_true(v.lock_foreign);
		assert_string_equal(dne_holder(&v).holder, "?");
	}
}

/* --- transactions ------------------------------------------------------------------------------------ */

/* The message, as text, of prerequisites or updates. */
static char *section_of(struct dns_update *u, ldns_pkt_section section)
{
	struct dns_request r;
	ldns_pkt *packet = NULL;

	assert_non_null(u);
	assert_int_equal(dns_update_encode(u, 1, NULL, &r), 0);
	assert_int_equal(ldns_wire2pkt(&packet, r.wire, r.len), LDNS_STATUS_OK);
	ldns_rr_list *list = ldns_pkt_get_section_clone(packet, section);
	char *text = ldns_rr_list2str(list);
	ldns_rr_list_deep_free(list);
	ldns_pkt_free(packet);
	dns_request_release(&r);
	dns_update_free(u);
	for (char *c; (c = strstr(text, "\\# 0"));) /* what has no value */
		memmove(c, c + 4, strlen(c + 4) + 1);
	for (char *c = text; *c; c++)
		if (*c == '\t') *c = ' ';
	return text;
}

static void assert_has(struct dns_update *u, ldns_pkt_section section, const char *const *lines, size_t n)
{
	char *text = section_of(u, section), *at = text;
	size_t found = 0;

	for (char *line; (line = strsep(&at, "\n"));) {
		if (!*line) continue;
		assert_true(found < n);
		assert_string_equal(line, lines[found++]);
	}
	assert_int_equal(found, n);
	free(text);
}

static void a_flip_is_lock_root_rollback_and_generation_in_one(void **state)
{
	static const char *const required[] = {
		"_lock.dynamodb.us-east-1.lab. 0 IN TXT \"holder=az2 until_ms=1000\"",
		"dynamodb.us-east-1.lab. 0 IN CNAME any.oldtree1.tree.us-east-1.lab.",
		"oldtree1.tree.us-east-1.lab. 0 ANY TXT ",
		"k3v9x0qa.tree.us-east-1.lab. 0 ANY TXT ",
		"any.k3v9x0qa.tree.us-east-1.lab. 0 ANY A ",
		"_plan.dynamodb.us-east-1.lab. 0 IN TXT \"12\"",
	};
	static const char *const written[] = {
		"_lock.dynamodb.us-east-1.lab. 0 NONE TXT \"holder=az2 until_ms=1000\"",
		"_lock.dynamodb.us-east-1.lab. 0 IN TXT \"holder=az1 until_ms=5000\"",
		"_rollback.dynamodb.us-east-1.lab. 0 ANY CNAME ",
		"_rollback.dynamodb.us-east-1.lab. 0 IN CNAME any.oldtree1.tree.us-east-1.lab.",
		"dynamodb.us-east-1.lab. 0 ANY CNAME ",
		"dynamodb.us-east-1.lab. 2 IN CNAME any.k3v9x0qa.tree.us-east-1.lab.",
		"_plan.dynamodb.us-east-1.lab. 0 ANY TXT ",
		"_plan.dynamodb.us-east-1.lab. 0 IN TXT \"17\"",
	};
	struct dne_view v = view_of(LOCK_THEIRS, TOP_OLD, 12);

	(void)state;
	config.knobs.refuse_empty = true;
	config.knobs.freshness = FRESH_COMPARE_AND_SET;
	assert_has(dne_flip(&target, &v, 5000), LDNS_SECTION_ANSWER, required, 6);
	assert_has(dne_flip(&target, &v, 5000), LDNS_SECTION_AUTHORITY, written, 8);
	config.knobs.refuse_empty = config.knobs.alias_check = false;
	config.knobs.freshness = FRESH_PER_WRITE;
	assert_has(dne_flip(&target, &v, 5000), LDNS_SECTION_ANSWER, required, 3);
}

static void a_roll_back_wants_the_tree_gone_and_the_other_there(void **state)
{
	static const char *const required[] = {
		"_lock.dynamodb.us-east-1.lab. 0 NONE TXT ",
		"dynamodb.us-east-1.lab. 0 IN CNAME any.oldtree1.tree.us-east-1.lab.",
		"_rollback.dynamodb.us-east-1.lab. 0 IN CNAME any.oldtree0.tree.us-east-1.lab.",
		"oldtree1.tree.us-east-1.lab. 0 NONE TXT ",
		"oldtree0.tree.us-east-1.lab. 0 ANY TXT ",
	};
	struct dne_view v = view_of("", TOP_OLD, 12);

	(void)state;
	strcpy(v.rollback, "any.oldtree0.tree.us-east-1.lab.");
	v.rollback_plan = 11;
	assert_has(dne_roll_back(&target, &v, 5000), LDNS_SECTION_ANSWER, required, 5);
}

static void a_leader_renews_in_its_second_half(void **state)
{
	(void)state;
	assert_int_equal(dne_leads(&config, "", 0), 0);
	assert_int_equal(dne_leads(&config, "\"nonsense\"", 0), 0);
	assert_int_equal(dne_leads(&config, "\"holder=az1 until_ms=2000\"", 0), 1);
	assert_int_equal(dne_leads(&config, "\"holder=az1 until_ms=2000\"", 1500), 0);
	assert_int_equal(dne_leads(&config, "\"holder=az2 until_ms=2000\"", 1999), -1);
	assert_int_equal(dne_leads(&config, "\"holder=az2 until_ms=2000\"", 2000), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_lock_of_another_holds_until_it_expires),
		CASE(only_once_is_blind_to_a_newer_plan),
		CASE(a_lost_answer_is_no_lost_lock),
		CASE(each_prerequisite_has_its_verdict),
		CASE(the_way_back_must_be_there_itself),
		CASE(for_a_tree_that_is_gone_the_wildcard_answers),
		CASE(strange_locks_are_told_apart),
		CASE(a_flip_is_lock_root_rollback_and_generation_in_one),
		CASE(a_roll_back_wants_the_tree_gone_and_the_other_there),
		CASE(a_leader_renews_in_its_second_half),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
