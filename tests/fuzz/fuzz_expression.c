// with: nodes/dynamodb/[a-ln-z]*.c nodes/common/*.c nodes/proto/*.c
/* Any text as an expression of each kind: refused, or parsed to what can be asked of an item and makes sound
 * ones. */
#include "dynamodb/expression.h"
#include "dynamodb/value.h"
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static json_t *item, *names, *values;

static void prepare(void)
{
	item = json_loads("{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"10\"},\"s\":{\"SS\":[\"x\"]},\"m\":{\"M\":{"
	                  "\"a\":{\"N\":\"1\"}}},"
	                  "\"l\":{\"L\":[{\"N\":\"1\"},{\"L\":[]}]},\"b\":{\"B\":\"AQ==\"}}",
	                  0, NULL);
	names = json_loads("{\"#a\":\"m\",\"#b\":\"a\"}", 0, NULL);
	values = json_loads(
	    "{\":n\":{\"N\":\"9e125\"},\":s\":{\"S\":\"S\"},\":t\":{\"SS\":[\"x\",\"y\"]},\":l\":{\"L\":[]},"
	    "\":m\":{\"M\":{}}}",
	    0, NULL);
	if (!item || !names || !values) abort();
}

static struct expressions begin(struct fault *fault)
{
	arena_reset(&arena);
	return (struct expressions){ .arena = &arena, .names = names, .values = values, .fault = fault };
}

static void try_condition(const char *text)
{
	struct fault fault;
	struct expressions x = begin(&fault);
	struct condition *c;

	if (expression_parse_condition(&x, "C", text, &c) < 0) return;
	condition_holds(c, item);
	condition_holds(c, NULL);
	expression_check_used(&x);
}

static void try_update(const char *text)
{
	struct fault fault;
	struct expressions x = begin(&fault);
	struct action *actions;

	if (expression_parse_update(&x, text, &actions) < 0) return;
	json_t *copy = json_deep_copy(item);
	/* what comes of an update is what a client might have sent */
	if (update_apply(actions, copy, &fault) == 0 && item_check(copy, &fault) < 0) abort();
	json_decref(copy);
}

static void try_projection(const char *text)
{
	struct fault fault;
	struct expressions x = begin(&fault);
	struct projection p;

	if (expression_parse_projection(&x, text, &p) == 0) json_decref(path_project(p.paths, p.n, item));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!item) prepare();
	memcpy(text, data, size);
	text[size] = '\0';
	try_condition(text);
	try_update(text);
	try_projection(text);
	free(text);
	return 0;
}
