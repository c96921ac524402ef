// with: nodes/dynamodb/[a-ln-z]*.c nodes/common/*.c nodes/proto/*.c
// seeds: tests/fuzz/seeds/dynamodb_request
/* Any body as a request of each operation, on a store with a table of each kind: an answer in JSON, a fault
 * with a type, never a store that is damaged. Nothing is committed, so one input does not depend on the one
 * before. */
#include "dynamodb/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operations[] = { "PutItem",       "GetItem",    "UpdateItem",     "DeleteItem",
	                                  "Query",         "Scan",       "BatchWriteItem", "BatchGetItem",
	                                  "DescribeTable", "ListTables", "CreateTable",    "DeleteTable" };
static struct store *store;
static struct engine *engine;
static struct answer answer;

static void run(const char *operation, const char *body, size_t len)
{
	char target[64];

	snprintf(target, sizeof(target), "DynamoDB_20120810.%s", operation);
	engine_run(engine, target, body, len, &answer);
	json_t *json = json_loadb(answer.body.bytes, answer.body.len, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(json) || answer.store_error) abort();
	if ((answer.code == ERROR_NONE) != !json_object_get(json, "__type")) abort();
	json_decref(json);
}

static void prepare(void)
{
	static const char *const tables[] = {
		"{\"TableName\":\"one\",\"AttributeDefinitions\":[{\"AttributeName\":\"p\",\"AttributeType\":"
		"\"S\"}],"
		"\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"}]}",
		"{\"TableName\":\"two\",\"AttributeDefinitions\":[{\"AttributeName\":\"p\",\"AttributeType\":"
		"\"B\"},"
		"{\"AttributeName\":\"s\",\"AttributeType\":\"N\"}],\"KeySchema\":[{\"AttributeName\":\"p\","
		"\"KeyType\":"
		"\"HASH\"},{\"AttributeName\":\"s\",\"KeyType\":\"RANGE\"}]}",
	};
	static const char item[] =
	    "{\"TableName\":\"one\",\"Item\":{\"p\":{\"S\":\"a\"},\"n\":{\"N\":\"1\"}}}";
	char folder[] = "/tmp/azlab-fuzz-XXXXXX";

	if (!mkdtemp(folder) || store_open(folder, 16 << 20, &store) < 0 || engine_new(store, &engine) < 0)
		abort();
	run("CreateTable", tables[0], strlen(tables[0]));
	run("CreateTable", tables[1], strlen(tables[1]));
	run("PutItem", item, strlen(item));
	if (store_commit(store) < 0) abort();
	/* the files stay open for as long as we run, and nobody else has any use for them */
	char path[64];
	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	remove(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", folder);
	remove(path);
	remove(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!store) prepare();
	if (size < 1) return 0;
	run(operations[data[0] % (sizeof(operations) / sizeof(operations[0]))], (const char *)data + 1,
	    size - 1);
	store_abort(store);
	return 0;
}
