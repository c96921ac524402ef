/* Expressions on items: what holds, what changes, what is refused and in which words. */
#include "dynamodb/expression.h"
#include "common/cleanup.h"
#include "dynamodb/value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;
static struct fault fault;
static json_t *item, *names, *values;

static json_t *parse(const char *text)
{
	json_error_t why;
	json_t *value = json_loads(text, JSON_ALLOW_NUL, &why);

	if (!value) fail_msg("%s: %s", why.text, text);
	return value;
}

static int set_up(void **state)
{
	(void)state;
	item = parse(
	    "{\"id\":{\"S\":\"a\"}, \"n\":{\"N\":\"10\"}, \"tx\":{\"S\":\"h\\u00e9llo\"},"
	    " \"st\":{\"SS\":[\"x\",\"y\"]}, \"nums\":{\"NS\":[\"1\",\"2\"]},"
	    " \"li\":{\"L\":[{\"N\":\"1\"},{\"S\":\"two\"},{\"M\":{\"k\":{\"S\":\"v\"}}}]},"
	    " \"mp\":{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"S\":\"deep\"}}}}},"
	    " \"bin\":{\"B\":\"AQID\"}, \"yes\":{\"BOOL\":true}, \"nil\":{\"NULL\":true},"
	    " \"nul\":{\"S\":\"a\\u0000b\"}, \"a.b\":{\"S\":\"dotted\"}, \"name\":{\"S\":\"reserved\"}}");
	names = parse("{\"#n\":\"name\", \"#dot\":\"a.b\", \"#m\":\"mp\"}");
	values = parse(
	    "{\":ten\":{\"N\":\"10\"}, \":nine\":{\"N\":\"9\"}, \":one\":{\"N\":\"1\"}, \":a\":{\"S\":\"a\"},"
	    " \":x\":{\"S\":\"x\"}, \":he\":{\"S\":\"h\"}, \":yx\":{\"SS\":[\"y\",\"x\"]}, "
	    "\":nul\":{\"S\":\"a\\u0000b\"},"
	    " \":true\":{\"BOOL\":true}, \":S\":{\"S\":\"S\"}, \":Q\":{\"S\":\"Q\"}, "
	    "\":l\":{\"L\":[{\"S\":\"new\"}]},"
	    " \":m\":{\"M\":{}}, \":bin\":{\"B\":\"AQI=\"}, \":two\":{\"S\":\"two\"}, "
	    "\":z\":{\"SS\":[\"z\"]},"
	    " \":big\":{\"N\":\"9e125\"}}");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(item);
	json_decref(names);
	json_decref(values);
	return 0;
}

static struct expressions begin(void)
{
	arena_reset(&arena);
	fault.text[0] = '\0';
	return (struct expressions){ .arena = &arena, .names = names, .values = values, .fault = &fault };
}

/* --- conditions -------------------------------------------------------------------------------------- */

static void check_conditions(const char *const *texts, size_t n, bool wanted)
{
	for (size_t i = 0; i < n; i++) {
		struct expressions x = begin();
		struct condition *c;
		if (expression_parse_condition(&x, "ConditionExpression", texts[i], &c) < 0)
			fail_msg("%s: %s", texts[i], fault.text);
		if (condition_holds(c, item) != wanted) fail_msg("%s: not %d", texts[i], wanted);
	}
}

static void conditions_that_hold(void **state)
{
	static const char *const texts[] = {
		"n = :ten",
		":ten = n",
		"n <> :nine",
		"n > :nine AND n >= :ten AND n <= :ten AND NOT n < :ten",
		"n BETWEEN :nine AND :ten and id = :a", /* the first AND is BETWEEN's */
		"id IN (:x, :a)",
		"attribute_exists(id)",
		"attribute_exists ( mp.b.c )",
		"attribute_exists(li[2].k) and attribute_not_exists(li[3])",
		"attribute_not_exists(gone) OR gone = :a",
		"NOT attribute_exists(gone)",
		"not not n = :ten",
		"begins_with(tx, :he)",
		"begins_with(bin, :bin)",
		"contains(st, :x) AND contains(nums, :one) AND contains(li, :two) AND contains(tx, :he)",
		"st = :yx", /* sets have no order */
		"size(st) = size(nums) AND size(mp) < :ten and size(tx) > size(mp)",
		"attribute_type(id, :S)",
		"#n <> :a AND #dot <> :a AND #m.a = :one",
		"yes = :true",
		"nul = :nul",
		"gone <> :a", /* what is not there differs from what is */
		"n = :nine OR n = :ten AND id = :a",
		"(n = :nine OR n = :ten) AND id = :a",
		"mp.a = :one AND li[0] = :one",
		"n = :ten OR n = :ten OR n = :nine AND n = :nine",
	};

	(void)state;
	check_conditions(texts, ARRAY_SIZE(texts), true);
}

static void conditions_that_do_not(void **state)
{
	static const char *const texts[] = {
		"n = :a", /* another type */
		"n < :a", /* and there is no order between types */
		"gone = :a",
		"gone < :ten",
		"gone <> gone2",
		"NOT n = :ten",
		"n = :nine OR id = :x",
		"n = :ten AND (id = :x OR id = :two)",
		"n BETWEEN :one AND :nine",
		"id IN (:x, :two)",
		"attribute_exists(mp.zzz)",
		"attribute_exists(li[9])",
		"attribute_exists(n.a)",
		"begins_with(n, :he)",
		"begins_with(tx, :two)",
		"contains(st, :two)",
		"contains(st, :one)",
		"size(n) > :one", /* numbers have none */
		"attribute_type(n, :S)",
		"yes <> :true",
		"id = :nul",
		"st = :z",
	};

	(void)state;
	check_conditions(texts, ARRAY_SIZE(texts), false);
}

static void without_an_item_nothing_exists(void **state)
{
	struct expressions x = begin();
	struct condition *c;

	(void)state;
	assert_int_equal(expression_parse_condition(&x, "ConditionExpression",
	                                            "attribute_not_exists(id) AND NOT id = :a", &c),
	                 0);
	assert_true(condition_holds(c, NULL));
	assert_true(condition_holds(NULL, NULL));
}

static void mistakes_are_told_in_the_services_words(void **state)
{
	static const char *const cases[][2] = {
		{ "", "Invalid ConditionExpression: The expression can not be empty;" },
		{ "n =", "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \"=\"" },
		{ "n = :ten id",
		  "Invalid ConditionExpression: Syntax error; token: \"id\", near: \":ten id\"" },
		{ "n ! :ten", "Invalid ConditionExpression: Syntax error; token: \"!\", near: \"n ! :ten\"" },
		{ "(n = :ten",
		  "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \":ten\"" },
		{ "n = :undefined",
		  "Invalid ConditionExpression: An expression attribute value used in expression is not "
		  "defined; attribute value: :undefined" },
		{ "#zz = :ten",
		  "Invalid ConditionExpression: An expression attribute name used in the document path is "
		  "not defined; attribute name: #zz" },
		{ "name = :ten",
		  "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: "
		  "name" },
		{ "frob(n)", "Invalid ConditionExpression: Invalid function name; function: frob" },
		{ "attribute_exists(n, id)",
		  "Invalid ConditionExpression: Incorrect number of operands for operator or "
		  "function; operator or function: attribute_exists, number of operands: 2" },
		{ "n < :m",
		  "Invalid ConditionExpression: Incorrect operand type for operator or function; operator or "
		  "function: <, operand type: M" },
		{ "n BETWEEN :ten AND :nine",
		  "Invalid ConditionExpression: The BETWEEN operator requires upper bound to "
		  "be greater than or equal to lower bound" },
		{ "attribute_type(n, :Q)",
		  "Invalid ConditionExpression: Invalid attribute type name found; type: Q" },
		{ "li[x] = :ten", "Invalid ConditionExpression: Syntax error; token: \"x\", near: \"[x]\"" },
		{ "n = :ten AND",
		  "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \"AND\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct expressions x = begin();
		struct condition *c;
		assert_true(expression_parse_condition(&x, "ConditionExpression", cases[i][0], &c) < 0);
		assert_int_equal(fault.code, ERROR_VALIDATION);
		assert_string_equal(fault.text, cases[i][1]);
	}
}

static void depth_and_length_have_limits(void **state)
{
	static char text[EXPRESSION_BYTES_MAX + 2];
	struct expressions x = begin();
	struct condition *c;

	(void)state;
	memset(text, '(', EXPRESSION_BYTES_MAX);
	assert_true(expression_parse_condition(&x, "C", text, &c) < 0);
	assert_string_equal(fault.text, "Invalid C: The expression is nested too deeply");
	memset(text, ' ', EXPRESSION_BYTES_MAX + 1);
	assert_true(expression_parse_condition(&x, "C", text, &c) < 0);
	assert_non_null(strstr(fault.text, "size has exceeded the maximum allowed size"));
	/* the shortest words, as many as there can be */
	text[0] = '\0';
	size_t len = 0;
	while (len + 8 < EXPRESSION_BYTES_MAX)
		len += (size_t)sprintf(text + len, len ? "OR z=z " : "z=z ");
	x = begin();
	assert_int_equal(expression_parse_condition(&x, "C", text, &c), 0);
	assert_false(condition_holds(c, item));
}

static void what_no_expression_uses_is_a_mistake(void **state)
{
	struct expressions x = begin();
	struct condition *c;
	json_t *two = parse("{\":ten\":{\"N\":\"10\"}, \":spare\":{\"N\":\"1\"}}");

	(void)state;
	x.values = two;
	x.names = NULL;
	assert_int_equal(expression_parse_condition(&x, "C", "n = :ten", &c), 0);
	assert_true(expression_check_used(&x) < 0);
	assert_string_equal(
	    fault.text, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:spare}");
	json_decref(two);
}

/* --- updates ----------------------------------------------------------------------------------------- */

static int update(const char *text, json_t *target)
{
	struct expressions x = begin();
	struct action *actions;
	int result = expression_parse_update(&x, text, &actions);

	return result < 0 ? result : update_apply(actions, target, &fault);
}

static void updates_change_what_they_say(void **state)
{
	/* the update, a path in the result, what is there */
	static const char *const cases[][3] = {
		{ "SET n = n + :one", "n", "{\"N\":\"11\"}" },
		{ "SET n = :one - n", "n", "{\"N\":\"-9\"}" },
		{ "set fresh = if_not_exists(fresh, :one) + :ten", "fresh", "{\"N\":\"11\"}" },
		{ "SET fresh = if_not_exists(n, :one)", "fresh", "{\"N\":\"10\"}" },
		{ "SET li = list_append(li, :l)", "li[3]", "{\"S\":\"new\"}" },
		{ "SET li = list_append(:l, li)", "li[0]", "{\"S\":\"new\"}" },
		{ "SET fresh = list_append(if_not_exists(fresh, :l), :l)", "fresh[1]", "{\"S\":\"new\"}" },
		{ "SET li[1] = :one", "li[1]", "{\"N\":\"1\"}" },
		{ "SET li[99] = :one", "li[3]", "{\"N\":\"1\"}" },
		{ "SET mp.b.c = :one, #m.fresh = :a", "mp.fresh", "{\"S\":\"a\"}" },
		{ "SET #dot = :one", "#dot", "{\"N\":\"1\"}" },
		{ "SET n = id, id2 = n", "id2", "{\"N\":\"10\"}" }, /* operands are those before the update */
		{ "SET twin = mp, mp.b.c = :one", "twin.b.c", "{\"S\":\"deep\"}" },
		{ "REMOVE n", "n", NULL },
		{ "REMOVE gone, mp.b.c", "mp.b.c", NULL },
		{ "REMOVE li[0], li[1]", "li[0]", "{\"M\":{\"k\":{\"S\":\"v\"}}}" },
		{ "REMOVE li[0], li[2].k SET li[1] = :one", "li[0]", "{\"N\":\"1\"}" },
		{ "ADD n :one", "n", "{\"N\":\"11\"}" },
		{ "ADD fresh :ten", "fresh", "{\"N\":\"10\"}" },
		{ "ADD st :z, fresh :z", "st", "{\"SS\":[\"x\",\"y\",\"z\"]}" },
		{ "ADD st :yx", "st", "{\"SS\":[\"x\",\"y\"]}" },
		{ "DELETE st :yx", "st", NULL }, /* an empty set is none */
		{ "DELETE st :z", "st", "{\"SS\":[\"x\",\"y\"]}" },
		{ "DELETE gone :z", "gone", NULL },
		{ "SET a1 = :a REMOVE n ADD tally :one DELETE st :z", "tally", "{\"N\":\"1\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i) set_up(state);
		if (update(cases[i][0], item) < 0) fail_msg("%s: %s", cases[i][0], fault.text);
		struct expressions x = begin();
		struct projection p;
		assert_int_equal(expression_parse_projection(&x, cases[i][1], &p), 0);
		json_t *there = path_get(p.paths[0], item), *wanted = cases[i][2] ? parse(cases[i][2]) : NULL;
		if (there != wanted && !json_equal(there, wanted)) {
			cleanup_free char *text = there ? json_dumps(there, 0) : NULL;
			fail_msg("%s: %s", cases[i][0], text ? text : "nothing");
		}
		json_decref(wanted);
		if (i + 1 < ARRAY_SIZE(cases)) tear_down(state);
	}
}

static void updates_that_cannot_be_made(void **state)
{
	static const char *const cases[][2] = {
		{ "SET n = gone",
		  "The provided expression refers to an attribute that does not exist in the item" },
		{ "SET n = id + :one", "An operand in the update expression has an incorrect data type" },
		{ "SET n = list_append(id, :l)",
		  "An operand in the update expression has an incorrect data type" },
		{ "SET gone.a = :one",
		  "The document path provided in the update expression is invalid for update" },
		{ "SET n[0] = :one",
		  "The document path provided in the update expression is invalid for update" },
		{ "REMOVE gone.a",
		  "The document path provided in the update expression is invalid for update" },
		{ "ADD id :one", "An operand in the update expression has an incorrect data type" },
		{ "ADD n :a",
		  "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, "
		  "operand type: S" },
		{ "DELETE n :one",
		  "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: "
		  "DELETE, operand type: N" },
		{ "SET a1 = :a SET b1 = :a",
		  "Invalid UpdateExpression: The \"SET\" section can only be used once in an "
		  "update expression;" },
		{ "SET mp = :m, mp.a = :one",
		  "Invalid UpdateExpression: Two document paths overlap with each other; must "
		  "remove or rewrite one of these paths; path one: [mp], path two: [mp, a]" },
		{ "SET n = :big + :big",
		  "Number overflow. Attempting to store a number with magnitude larger than supported "
		  "range" },
		{ "n = :one", "Invalid UpdateExpression: Syntax error; token: \"n\", near: \"n =\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(update(cases[i][0], item) < 0);
		assert_string_equal(fault.text, cases[i][1]);
	}
}

/* --- projections ------------------------------------------------------------------------------------- */

static void projections_keep_structure(void **state)
{
	static const char *const cases[][2] = {
		{ "id, gone", "{\"id\":{\"S\":\"a\"}}" },
		{ "mp.b.c, mp.a",
		  "{\"mp\":{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"S\":\"deep\"}}}}}}" },
		{ "li[2].k, li[0]", "{\"li\":{\"L\":[{\"N\":\"1\"},{\"M\":{\"k\":{\"S\":\"v\"}}}]}}" },
		{ "mp.zzz, li[7]", "{}" },
		{ "#dot", "{\"a.b\":{\"S\":\"dotted\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct expressions x = begin();
		struct projection p;
		assert_int_equal(expression_parse_projection(&x, cases[i][0], &p), 0);
		json_t *part = path_project(p.paths, p.n, item), *wanted = parse(cases[i][1]);
		assert_true(json_equal(part, wanted));
		json_decref(part);
		json_decref(wanted);
	}
}

#define with_item(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		with_item(conditions_that_hold),           with_item(conditions_that_do_not),
		with_item(without_an_item_nothing_exists), with_item(mistakes_are_told_in_the_services_words),
		with_item(depth_and_length_have_limits),   with_item(what_no_expression_uses_is_a_mistake),
		with_item(updates_change_what_they_say),   with_item(updates_that_cannot_be_made),
		with_item(projections_keep_structure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
