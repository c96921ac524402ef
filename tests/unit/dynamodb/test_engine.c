/* Requests to the engine on a store of its own: what is answered, what is kept, what is refused, what a full
 * store does. */
#include "dynamodb/engine.h"
#include "common/cleanup.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

enum { MAP_BYTES = 64 << 20 };

static char folder[64];
static struct store *store;
static struct engine *engine;
static struct answer answer;

static void open_all(size_t map_bytes)
{
	assert_int_equal(store_open(folder, map_bytes, &store), 0);
	assert_int_equal(engine_new(store, &engine), 0);
}

static void close_all(void)
{
	engine_free(engine);
	store_close(store);
	text_free(&answer.body);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/azlab-store-XXXXXX");
	if (!mkdtemp(folder)) return -1;
	open_all(MAP_BYTES);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[128];

	(void)state;
	close_all();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	return rmdir(folder);
}

/* Runs a request to its commit; the answer as text. */
static const char *run(const char *name, const char *request)
{
	char target[64];

	snprintf(target, sizeof(target), "DynamoDB_20120810.%s", name);
	engine_run(engine, target, request, strlen(request), &answer);
	if (answer.store_error)
		store_abort(store);
	else
		assert_int_equal(store_commit(store), 0);
	text_add(&answer.body, "", 1);
	return answer.body.bytes;
}

static void expect(const char *name, const char *request, const char *wanted)
{
	const char *got = run(name, request);
	json_t *a = json_loads(got, JSON_ALLOW_NUL, NULL), *b = json_loads(wanted, JSON_ALLOW_NUL, NULL);

	if (!a || !b || !json_equal(a, b))
		fail_msg("%s %s\n  answered %s\n  wanted   %s", name, request, got, wanted);
	json_decref(a);
	json_decref(b);
}

static void expect_error(const char *name, const char *request, enum error_code code, const char *message)
{
	const char *got = run(name, request);
	json_t *a = json_loads(got, 0, NULL);
	const char *said = json_string_value(json_object_get(a, "message"));

	if (answer.code != code || (message && (!said || strcmp(said, message))))
		fail_msg("%s %s\n  answered %s", name, request, got);
	assert_string_equal(json_string_value(json_object_get(a, "__type")), error_type(code));
	json_decref(a);
}

/* --- tables ------------------------------------------------------------------------------------------ */

#define KEYED                                                                                                \
	"\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":\"S\"}],"                     \
	"\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}],\"BillingMode\":\"PAY_PER_"         \
	"REQUEST\""
#define SORTED                                                                                               \
	"\"AttributeDefinitions\":[{\"AttributeName\":\"p\",\"AttributeType\":\"S\"},"                       \
	"{\"AttributeName\":\"s\",\"AttributeType\":\"%s\"}],"                                               \
	"\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"},"                                     \
	"{\"AttributeName\":\"s\",\"KeyType\":\"RANGE\"}],\"BillingMode\":\"PAY_PER_REQUEST\""

static void make_table(void)
{
	run("CreateTable", "{\"TableName\":\"leases\"," KEYED "}");
	assert_int_equal(answer.code, ERROR_NONE);
}

static void make_sorted_table(const char *type)
{
	char request[512];

	snprintf(request, sizeof(request), "{\"TableName\":\"sorted\"," SORTED "}", type);
	run("CreateTable", request);
	assert_int_equal(answer.code, ERROR_NONE);
}

static void tables_come_and_go(void **state)
{
	(void)state;
	expect("ListTables", "{}", "{\"TableNames\":[]}");
	make_table();
	assert_non_null(strstr(answer.body.bytes, "\"TableStatus\":\"ACTIVE\""));
	expect_error("CreateTable", "{\"TableName\":\"leases\"," KEYED "}", ERROR_IN_USE,
	             "Table already exists: leases");
	make_sorted_table("N");
	expect("ListTables", "{\"Limit\":1}",
	       "{\"TableNames\":[\"leases\"],\"LastEvaluatedTableName\":\"leases\"}");
	expect("ListTables", "{\"Limit\":1,\"ExclusiveStartTableName\":\"leases\"}",
	       "{\"TableNames\":[\"sorted\"]}");
	run("PutItem", "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"a\"}}}");
	assert_non_null(strstr(run("DescribeTable", "{\"TableName\":\"leases\"}"), "\"ItemCount\":1"));
	assert_non_null(
	    strstr(run("DeleteTable", "{\"TableName\":\"leases\"}"), "\"TableStatus\":\"DELETING\""));
	expect_error("DescribeTable", "{\"TableName\":\"leases\"}", ERROR_NOT_FOUND,
	             "Requested resource not found: Table: leases not found");
	/* a new table of that name is empty */
	make_table();
	expect("GetItem", "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"a\"}}}", "{}");
}

static void tables_need_a_sound_schema(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"TableName\":\"ab\"," KEYED "}",
		"{\"TableName\":\"a b c\"," KEYED "}",
		"{\"TableName\":5," KEYED "}",
		"{\"TableName\":\"abc\"}",
		"{\"TableName\":\"abc\",\"AttributeDefinitions\":[],\"KeySchema\":[{\"AttributeName\":\"id\","
		"\"KeyType\":"
		"\"HASH\"}]}",
		"{\"TableName\":\"abc\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
		"\"AttributeType\":\"BOOL\"}],"
		"\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}]}",
		"{\"TableName\":\"abc\"," KEYED ",\"GlobalSecondaryIndexes\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_error("CreateTable", bad[i], ERROR_VALIDATION, NULL);
	expect("ListTables", "{}", "{\"TableNames\":[]}");
}

/* --- items ------------------------------------------------------------------------------------------- */

#define ITEM(members) "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"a\"}" members "}"
#define KEY(more) "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"a\"}}" more "}"

static void items_come_back_as_they_were(void **state)
{
	(void)state;
	make_table();
	expect("PutItem", ITEM(",\"n\":{\"N\":\"0012.50\"},\"b\":{\"B\":\"AAEC\"},\"z\":{\"S\":\"\"}") "}",
	       "{}");
	expect("GetItem", KEY(""),
	       "{\"Item\":{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"12.5\"},\"b\":{\"B\":\"AAEC\"},\"z\":{\"S\":"
	       "\"\"}}}");
	expect("GetItem", KEY(",\"ProjectionExpression\":\"n\""), "{\"Item\":{\"n\":{\"N\":\"12.5\"}}}");
	expect("PutItem", ITEM("") ",\"ReturnValues\":\"ALL_OLD\"}",
	       "{\"Attributes\":{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"12.5\"},\"b\":{\"B\":\"AAEC\"},\"z\":{"
	       "\"S\":\"\"}}}");
	expect("DeleteItem", KEY(",\"ReturnValues\":\"ALL_OLD\""), "{\"Attributes\":{\"id\":{\"S\":\"a\"}}}");
	expect("DeleteItem", KEY(",\"ReturnValues\":\"ALL_OLD\""), "{}");
	expect("GetItem", KEY(""), "{}");
}

static void nul_is_a_character_like_others(void **state)
{
	(void)state;
	make_table();
	expect("PutItem",
	       "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"a\\u0000b\"},\"t\":{\"S\":\"\\u0000\"}}}",
	       "{}");
	expect("GetItem", "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"a\"}}}", "{}");
	expect("GetItem", "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"a\\u0000b\"}}}",
	       "{\"Item\":{\"id\":{\"S\":\"a\\u0000b\"},\"t\":{\"S\":\"\\u0000\"}}}");
}

static void conditions_guard_writes(void **state)
{
	static const char failed[] = "The conditional request failed";

	(void)state;
	make_table();
	expect("PutItem", ITEM("") ",\"ConditionExpression\":\"attribute_not_exists(id)\"}", "{}");
	expect_error("PutItem", ITEM("") ",\"ConditionExpression\":\"attribute_not_exists(id)\"}",
	             ERROR_CONDITION, failed);
	expect_error("DeleteItem",
	             KEY(",\"ConditionExpression\":\"n = :n\",\"ExpressionAttributeValues\":{\":n\":{\"N\":"
	                 "\"1\"}}"),
	             ERROR_CONDITION, failed);
	expect("UpdateItem",
	       KEY(",\"UpdateExpression\":\"SET n = "
	           ":n\",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"1.0\"}}"),
	       "{}");
	expect(
	    "DeleteItem",
	    KEY(",\"ConditionExpression\":\"n = :n\",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"1\"}}"),
	    "{}");
}

static void updates_return_what_was_asked(void **state)
{
	static const char add[] =
	    ",\"UpdateExpression\":\"SET h = :h ADD n :one\",\"ExpressionAttributeValues\":{"
	    "\":one\":{\"N\":\"1\"},\":h\":{\"S\":\"me\"}},\"ReturnValues\":\"%s\"";
	static const char *const cases[][2] = {
		{ "UPDATED_OLD", "{}" }, /* there was nothing */
		{ "ALL_OLD",
		  "{\"Attributes\":{\"id\":{\"S\":\"a\"},\"h\":{\"S\":\"me\"},\"n\":{\"N\":\"1\"}}}" },
		{ "UPDATED_OLD", "{\"Attributes\":{\"h\":{\"S\":\"me\"},\"n\":{\"N\":\"2\"}}}" },
		{ "UPDATED_NEW", "{\"Attributes\":{\"h\":{\"S\":\"me\"},\"n\":{\"N\":\"4\"}}}" },
		{ "ALL_NEW",
		  "{\"Attributes\":{\"id\":{\"S\":\"a\"},\"h\":{\"S\":\"me\"},\"n\":{\"N\":\"5\"}}}" },
		{ "NONE", "{}" },
	};

	(void)state;
	make_table();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char more[256], request[512];
		snprintf(more, sizeof(more), add, cases[i][0]);
		snprintf(request, sizeof(request),
		         "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"a\"}}%s}", more);
		expect("UpdateItem", request, cases[i][1]);
	}
	expect("UpdateItem",
	       "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"new\"}},\"ReturnValues\":\"ALL_NEW\"}",
	       "{\"Attributes\":{\"id\":{\"S\":\"new\"}}}");
}

static void requests_with_mistakes_are_refused(void **state)
{
	static const struct {
		const char *operation, *request;
		enum error_code code;
		const char *message;
	} cases[] = {
		{ "PutItem", "not json", ERROR_SERIALIZATION, NULL },
		{ "PutItem", "[]", ERROR_SERIALIZATION, NULL },
		{ "Frobnicate", "{}", ERROR_UNKNOWN_OPERATION, NULL },
		{ "TransactWriteItems", "{}", ERROR_UNKNOWN_OPERATION, NULL },
		{ "GetItem", "{\"TableName\":\"nope\",\"Key\":{\"id\":{\"S\":\"a\"}}}", ERROR_NOT_FOUND,
		  "Requested resource not found: Table: nope not found" },
		{ "GetItem", "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"N\":\"1\"}}}", ERROR_VALIDATION,
		  "The provided key element does not match the schema" },
		{ "GetItem", KEY(",\"ExpressionAttributeNames\":{\"#a\":\"b\"}"), ERROR_VALIDATION,
		  "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}" },
		{ "PutItem", "{\"TableName\":\"leases\",\"Item\":{\"x\":{\"S\":\"a\"}}}", ERROR_VALIDATION,
		  "One or more parameter values were invalid: Missing the key id in the item" },
		{ "PutItem", "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"N\":\"1\"}}}", ERROR_VALIDATION,
		  "One or more parameter values were invalid: Type mismatch for key id expected: S actual: "
		  "N" },
		{ "PutItem", "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"\"}}}", ERROR_VALIDATION,
		  "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
		  "contain an "
		  "empty string value. Key: id" },
		{ "PutItem", ITEM(",\"n\":{\"N\":\"abc\"}") "}", ERROR_VALIDATION,
		  "The parameter cannot be converted to a numeric value: abc" },
		{ "PutItem", ITEM(",\"n\":{\"N\":\"1e200\"}") "}", ERROR_VALIDATION,
		  "Number overflow. Attempting to store a number with magnitude larger than supported "
		  "range" },
		{ "PutItem", ITEM(",\"n\":{\"N\":5}") "}", ERROR_SERIALIZATION, NULL },
		{ "PutItem", ITEM(",\"n\":{}") "}", ERROR_VALIDATION, NULL },
		{ "PutItem", ITEM(",\"n\":{\"S\":\"a\",\"N\":\"1\"}") "}", ERROR_VALIDATION, NULL },
		{ "PutItem", ITEM(",\"n\":{\"SS\":[]}") "}", ERROR_VALIDATION, NULL },
		{ "PutItem", ITEM(",\"n\":{\"SS\":[\"a\",\"a\"]}") "}", ERROR_VALIDATION,
		  "One or more parameter values were invalid: Input collection [a, a] contains duplicates." },
		{ "PutItem", ITEM(",\"n\":{\"NS\":[\"1\",\"1.0\"]}") "}", ERROR_VALIDATION,
		  "Input collection contains duplicates" },
		{ "PutItem", ITEM(",\"n\":{\"B\":\"A\"}") "}", ERROR_SERIALIZATION, NULL },
		{ "PutItem", ITEM(",\"n\":{\"NULL\":false}") "}", ERROR_VALIDATION, NULL },
		{ "PutItem", ITEM("") ",\"ReturnValues\":\"ALL_NEW\"}", ERROR_VALIDATION,
		  "ReturnValues can only be ALL_OLD or NONE" },
		{ "PutItem", ITEM("") ",\"Expected\":{}}", ERROR_VALIDATION, NULL },
		{ "UpdateItem",
		  KEY(",\"UpdateExpression\":\"SET id = "
		      ":a\",\"ExpressionAttributeValues\":{\":a\":{\"S\":\"b\"}}"),
		  ERROR_VALIDATION,
		  "One or more parameter values were invalid: Cannot update attribute id. This attribute is "
		  "part of the "
		  "key" },
		{ "UpdateItem",
		  KEY(",\"UpdateExpression\":\"SET n = "
		      ":a\",\"ExpressionAttributeValues\":{\":a\":{\"N\":\"x\"}}"),
		  ERROR_VALIDATION,
		  "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a "
		  "numeric "
		  "value: x for key :a" },
		{ "Query", "{\"TableName\":\"leases\"}", ERROR_VALIDATION,
		  "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
		  "request." },
		{ "Query", "{\"TableName\":\"leases\",\"IndexName\":\"i\"}", ERROR_VALIDATION,
		  "The table does not have the specified index: i" },
		{ "Scan", "{\"TableName\":\"leases\",\"Limit\":0}", ERROR_VALIDATION,
		  "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member "
		  "must have value "
		  "greater than or equal to 1" },
		{ "Scan", "{\"TableName\":\"leases\",\"Select\":\"SOME\"}", ERROR_VALIDATION, NULL },
	};

	(void)state;
	make_table();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].operation, cases[i].request, cases[i].code, cases[i].message);
	expect("Scan", "{\"TableName\":\"leases\"}", "{\"Items\":[],\"Count\":0,\"ScannedCount\":0}");
	engine_run(engine, NULL, "{}", 2, &answer);
	assert_int_equal(answer.code, ERROR_UNKNOWN_OPERATION);
}

static void an_item_may_have_400_kb(void **state)
{
	size_t size = 400 * 1024;
	char *request = malloc(size + 256);
	int head =
	    sprintf(request, "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"a\"},\"v\":{\"S\":\"");

	(void)state;
	make_table();
	memset(request + head, 'v', size);
	strcpy(request + head + size - 4, "\"}}}"); /* 4 bytes for id, a, v: exactly full with one more */
	run("PutItem", request);
	assert_int_equal(answer.code, ERROR_NONE);
	strcpy(request + head + size, "\"}}}");
	memset(request + head, 'v', size);
	expect_error("PutItem", request, ERROR_VALIDATION, "Item size has exceeded the maximum allowed size");
	free(request);
}

/* --- queries and scans ------------------------------------------------------------------------------- */

static void fill_sorted(void)
{
	char request[256];

	make_sorted_table("N");
	for (int i = 0; i < 20; i++) {
		/* in no order; -10 to 9 */
		snprintf(request, sizeof(request),
		         "{\"TableName\":\"sorted\",\"Item\":{\"p\":{\"S\":\"%s\"},\"s\":{\"N\":\"%d\"},"
		         "\"even\":{\"BOOL\":%s}}}",
		         i % 4 ? "x" : "y", i * 7 % 20 - 10, i % 2 ? "false" : "true");
		run("PutItem", request);
	}
}

/* The sort keys of a query's items, as "-3 0 4". */
static const char *sort_keys(const char *conditions)
{
	static char list[512];
	char request[512];

	snprintf(request, sizeof(request), "{\"TableName\":\"sorted\",%s}", conditions);
	json_t *page = json_loads(run("Query", request), 0, NULL), *items = json_object_get(page, "Items");
	if (answer.code != ERROR_NONE) return json_decref(page), answer.body.bytes;
	list[0] = '\0';
	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *s = json_object_get(json_array_get(items, i), "s");
		const char *number = json_string_value(json_object_get(s, "N"));
		sprintf(list + strlen(list), "%s%s", i ? " " : "", number);
	}
	json_decref(page);
	return list;
}

#define QUERY(condition, more)                                                                               \
	"\"KeyConditionExpression\":\"p = :p" condition                                                      \
	"\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"}" more "}"

static void queries_take_a_range_in_order(void **state)
{
	static const char *const cases[][2] = {
		{ QUERY("", ""), "-9 -8 -7 -5 -4 -3 -1 0 1 3 4 5 7 8 9" },
		{ QUERY("", "") ",\"ScanIndexForward\":false,\"Limit\":3", "9 8 7" },
		{ QUERY(" AND s = :s", ",\":s\":{\"N\":\"5.0\"}"), "5" },
		{ QUERY(" AND s < :s", ",\":s\":{\"N\":\"-5\"}"), "-9 -8 -7" },
		{ QUERY(" AND s <= :s", ",\":s\":{\"N\":\"-5\"}"), "-9 -8 -7 -5" },
		{ QUERY(" AND s > :s", ",\":s\":{\"N\":\"5\"}"), "7 8 9" },
		{ QUERY(" AND :s <= s", ",\":s\":{\"N\":\"5\"}"), "5 7 8 9" },
		{ QUERY(" AND s BETWEEN :a AND :b", ",\":a\":{\"N\":\"-1.5\"},\":b\":{\"N\":\"3\"}"),
		  "-1 0 1 3" },
		{ QUERY(" AND s > :s", ",\":s\":{\"N\":\"5\"}") ",\"ExclusiveStartKey\":{\"p\":{\"S\":\"x\"},"
		                                                "\"s\":{\"N\":\"7\"}}",
		  "8 9" },
		{ QUERY(" AND s < :s", ",\":s\":{\"N\":\"-5\"}") ",\"ScanIndexForward\":false,"
		                                                 "\"ExclusiveStartKey\":{\"p\":{\"S\":"
		                                                 "\"x\"},\"s\":{\"N\":\"-7\"}}",
		  "-8 -9" },
		{ QUERY("", ",\":t\":{\"BOOL\":true}") ",\"FilterExpression\":\"even = :t\"", "-8 -4 0 4 8" },
	};

	(void)state;
	fill_sorted();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = sort_keys(cases[i][0]);
		if (strcmp(got, cases[i][1]))
			fail_msg("%s\n  gave   %s\n  wanted %s", cases[i][0], got, cases[i][1]);
	}
}

static void key_conditions_are_only_about_keys(void **state)
{
	static const char *const bad[] = {
		"\"KeyConditionExpression\":\"s = :s\",\"ExpressionAttributeValues\":{\":s\":{\"N\":\"1\"}}",
		QUERY(" AND s <> :s", ",\":s\":{\"N\":\"1\"}"),
		QUERY(" OR s = :s", ",\":s\":{\"N\":\"1\"}"),
		QUERY(" AND even = :s", ",\":s\":{\"BOOL\":true}"),
		QUERY(" AND s = :s", ",\":s\":{\"S\":\"1\"}"),
		QUERY(" AND s > :s AND s < :s", ",\":s\":{\"N\":\"1\"}"),
		QUERY(" AND s = p", ""),
		QUERY("", "") ",\"ExclusiveStartKey\":{\"p\":{\"S\":\"y\"},\"s\":{\"N\":\"1\"}}",
		QUERY("", "") ",\"ExclusiveStartKey\":{\"p\":{\"S\":\"x\"}}",
	};

	(void)state;
	fill_sorted();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		sort_keys(bad[i]);
		if (answer.code != ERROR_VALIDATION) fail_msg("%s: %s", bad[i], answer.body.bytes);
	}
}

/* Walks all pages; how many items there were. */
static size_t scan_pages(const char *more, size_t *ret_pages)
{
	json_t *start = NULL;
	size_t n = 0;

	for (*ret_pages = 0;; ++*ret_pages) {
		cleanup_free char *from = start ? json_dumps(start, JSON_COMPACT) : NULL;
		char request[512];
		snprintf(request, sizeof(request), "{\"TableName\":\"sorted\"%s%s%s}", more,
		         from ? ",\"ExclusiveStartKey\":" : "", from ? from : "");
		json_t *page = json_loads(run("Scan", request), 0, NULL);
		assert_int_equal(answer.code, ERROR_NONE);
		n += json_array_size(json_object_get(page, "Items"));
		json_decref(start);
		start = json_incref(json_object_get(page, "LastEvaluatedKey"));
		json_decref(page);
		if (!start) return n;
	}
}

static void scans_go_page_by_page(void **state)
{
	size_t pages, in_segments = 0;
	char more[128];

	(void)state;
	fill_sorted();
	assert_int_equal(scan_pages("", &pages), 20);
	assert_int_equal(scan_pages(",\"Limit\":3", &pages), 20);
	assert_int_equal(pages, 6);
	assert_int_equal(
	    scan_pages(
	        ",\"Limit\":3,\"FilterExpression\":\"even = :t\",\"ExpressionAttributeValues\":{\":t\":{"
	        "\"BOOL\":true}}",
	        &pages),
	    10);
	for (int i = 0; i < 3; i++) {
		snprintf(more, sizeof(more), ",\"TotalSegments\":3,\"Segment\":%d,\"Limit\":4", i);
		in_segments += scan_pages(more, &pages);
	}
	assert_int_equal(in_segments, 20);
	assert_non_null(
	    strstr(run("Scan", "{\"TableName\":\"sorted\",\"Select\":\"COUNT\"}"), "{\"Count\":20"));
}

static void long_sort_keys_are_found_by_what_they_begin_with(void **state)
{
	char request[1600], tail[600];

	(void)state;
	make_sorted_table("S");
	memset(tail, 't', sizeof(tail) - 1);
	tail[sizeof(tail) - 1] = '\0';
	for (int i = 0; i < 10; i++) {
		snprintf(
		    request, sizeof(request),
		    "{\"TableName\":\"sorted\",\"Item\":{\"p\":{\"S\":\"x\"},\"s\":{\"S\":\"%c-%s%d\"}}}",
		    'a' + i % 2, tail, i);
		run("PutItem", request);
		assert_int_equal(answer.code, ERROR_NONE);
	}
	assert_non_null(strstr(run("Query", "{\"TableName\":\"sorted\",\"Select\":\"COUNT\"," QUERY(
	                                        " AND begins_with(s, :s)", ",\":s\":{\"S\":\"a-\"}") "}"),
	                       "\"Count\":5"));
	/* those in the middle of what is cut: the condition decides */
	snprintf(
	    request, sizeof(request),
	    "{\"TableName\":\"sorted\",\"Select\":\"COUNT\",\"KeyConditionExpression\":\"p = :p AND s < :s\","
	    "\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"},\":s\":{\"S\":\"a-%s4\"}}}",
	    tail);
	assert_non_null(strstr(run("Query", request), "\"Count\":2"));
}

/* --- batches ----------------------------------------------------------------------------------------- */

static void batches_write_and_read_several_tables(void **state)
{
	(void)state;
	make_table();
	make_sorted_table("N");
	expect("BatchWriteItem",
	       "{\"RequestItems\":{\"leases\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"}}}},{"
	       "\"PutRequest\":{\"Item\":{\"id\":"
	       "{\"S\":\"b\"}}}}],\"sorted\":[{\"PutRequest\":{\"Item\":{\"p\":{\"S\":\"x\"},\"s\":{\"N\":"
	       "\"1\"}}}}]}}",
	       "{\"UnprocessedItems\":{}}");
	expect("BatchWriteItem",
	       "{\"RequestItems\":{\"leases\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"b\"}}}}]}}",
	       "{\"UnprocessedItems\":{}}");
	expect("BatchGetItem",
	       "{\"RequestItems\":{\"leases\":{\"Keys\":[{\"id\":{\"S\":\"a\"}},{\"id\":{\"S\":\"b\"}}]},"
	       "\"sorted\":{\"Keys\":[{\"p\":"
	       "{\"S\":\"x\"},\"s\":{\"N\":\"1\"}}],\"ProjectionExpression\":\"s\"}}}",
	       "{\"Responses\":{\"leases\":[{\"id\":{\"S\":\"a\"}}],\"sorted\":[{\"s\":{\"N\":\"1\"}}]},"
	       "\"UnprocessedKeys\":{}}");
}

static void a_batch_with_a_mistake_writes_nothing(void **state)
{
	(void)state;
	make_table();
	expect_error("BatchWriteItem",
	             "{\"RequestItems\":{\"leases\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"}}}},{"
	             "\"PutRequest\":{\"Item\":{"
	             "\"id\":{\"S\":\"a\"}}}}]}}",
	             ERROR_VALIDATION, "Provided list of item keys contains duplicates");
	expect_error("BatchWriteItem",
	             "{\"RequestItems\":{\"leases\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"}}}}],"
	             "\"nope\":[{\"PutRequest\":{"
	             "\"Item\":{\"id\":{\"S\":\"a\"}}}}]}}",
	             ERROR_NOT_FOUND, NULL);
	expect_error("BatchWriteItem", "{\"RequestItems\":{}}", ERROR_VALIDATION, NULL);
	expect("GetItem", KEY(""), "{}");
}

/* --- the store --------------------------------------------------------------------------------------- */

static void what_is_committed_outlives_a_restart(void **state)
{
	(void)state;
	make_table();
	run("PutItem", ITEM("") "}");
	close_all();
	answer = (struct answer){ 0 };
	open_all(MAP_BYTES);
	expect("GetItem", KEY(""), "{\"Item\":{\"id\":{\"S\":\"a\"}}}");
}

static void what_is_not_committed_does_not(void **state)
{
	static const char target[] = "DynamoDB_20120810.PutItem", request[] = ITEM("") "}";

	(void)state;
	make_table();
	engine_run(engine, target, request, strlen(request), &answer);
	assert_true(store_in_batch(store));
	store_abort(store);
	expect("GetItem", KEY(""), "{}");
}

static int put_numbered(int i)
{
	static char request[6000];
	int head = snprintf(request, sizeof(request),
	                    "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"k%d\"},\"v\":{\"S\":\"", i);

	memset(request + head, 'v', 5000);
	strcpy(request + head + 5000, "\"}}}");
	run("PutItem", request);
	return answer.code == ERROR_NONE ? 0 : answer.store_error;
}

static void a_full_store_keeps_what_it_has(void **state)
{
	char key[128];
	int n = 0, error;

	(void)state;
	close_all();
	answer = (struct answer){ 0 };
	open_all(1 << 20);
	make_table();
	while ((error = put_numbered(n)) == 0)
		n++;
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(answer.code, ERROR_INTERNAL);
	assert_true(n > 50);
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"k%d\"}}}", i);
		assert_non_null(strstr(run("GetItem", key), "\"Item\""));
	}
	/* and takes again what fits */
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"k%d\"}}}", i);
		run("DeleteItem", key);
		assert_int_equal(answer.code, ERROR_NONE);
	}
	assert_int_equal(put_numbered(n), 0);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(tables_come_and_go),
		with_store(tables_need_a_sound_schema),
		with_store(items_come_back_as_they_were),
		with_store(nul_is_a_character_like_others),
		with_store(conditions_guard_writes),
		with_store(updates_return_what_was_asked),
		with_store(requests_with_mistakes_are_refused),
		with_store(an_item_may_have_400_kb),
		with_store(queries_take_a_range_in_order),
		with_store(key_conditions_are_only_about_keys),
		with_store(scans_go_page_by_page),
		with_store(long_sort_keys_are_found_by_what_they_begin_with),
		with_store(batches_write_and_read_several_tables),
		with_store(a_batch_with_a_mistake_writes_nothing),
		with_store(what_is_committed_outlives_a_restart),
		with_store(what_is_not_committed_does_not),
		with_store(a_full_store_keeps_what_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
