/* Query and Scan: a page of items, from where the page before it ended. */
#include "common/cleanup.h"
#include "dynamodb/key_range.h"
#include "dynamodb/operation.h"
#include <string.h>

enum { PAGE_BYTES_MAX = 1 << 20, SEGMENTS_MAX = 1000000 };

enum select { SELECT_ALL, SELECT_COUNT, SELECT_SPECIFIC };

struct page {
	struct call *call;
	const struct table *table;
	struct key_range range;
	bool down;
	json_int_t limit;             /* 0: none */
	json_int_t segment, segments; /* 0 of 0: all items */
	size_t select;
	struct condition *keys, *filter;
	struct projection projection;
	/* what came of it */
	struct text *items;
	size_t bytes;
	json_int_t scanned, count;
	bool more;
	struct store_value last;
	int result;
};

/* --- one item after another -------------------------------------------------------------------------- */

static bool is_in_segment(const struct page *p, const json_t *item)
{
	struct key k;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	key_table(&k, 0);
	key_add(&k, json_object_get(item, p->table->partition.name));
	for (size_t i = 0; i < k.len; i++)
		hash = (hash ^ k.bytes[i]) * UINT64_C(0x100000001b3);
	return (json_int_t)(hash >> 32) % p->segments == p->segment;
}

static void answer_bytes(struct page *p, const void *bytes, size_t len)
{
	if (p->select == SELECT_COUNT) return;
	text_add_string(p->items, p->items->len ? "," : "[");
	text_add(p->items, bytes, len);
}

static void answer_part(struct page *p, const json_t *item)
{
	json_t *part = path_project(p->projection.paths, p->projection.n, item);

	text_add_string(p->items, p->items->len ? "," : "[");
	text_add_json(p->items, part);
	json_decref(part);
}

/* The item belongs to the page if it is in the segment and range; it is answered if it passes the filter. */
static void take_parsed(struct page *p, const struct store_value *v, const json_t *item)
{
	if (p->segments && !is_in_segment(p, item)) return;
	if (p->range.wider && !condition_holds(p->keys, item)) return;
	p->scanned++;
	if (!condition_holds(p->filter, item)) return;
	p->count++;
	if (p->projection.n && p->select != SELECT_COUNT)
		answer_part(p, item);
	else
		answer_bytes(p, v->bytes, v->len);
}

static void take(struct page *p, const struct store_value *v)
{
	json_t *item;

	if (!p->segments && !p->range.wider && !p->filter && !p->projection.n) {
		p->scanned++;
		p->count++;
		answer_bytes(p, v->bytes, v->len);
	} else if ((p->result = call_parse(p->call, v, &item)) == 0) {
		take_parsed(p, v, item);
		json_decref(item);
	}
}

static bool visit(const struct store_value *v, void *arg)
{
	struct page *p = arg;

	take(p, v);
	p->bytes += v->len;
	p->last = *v;
	p->more = (p->limit && p->scanned >= p->limit) || p->bytes >= PAGE_BYTES_MAX;
	return p->result == 0 && !p->more;
}

/* --- the page ---------------------------------------------------------------------------------------- */

static int answer_last_key(struct page *p)
{
	json_t *item;
	int result = p->more ? call_parse(p->call, &p->last, &item) : 0;

	if (result < 0 || !p->more) return result;
	json_t *key = table_key_of(p->table, item);
	call_add(p->call, "LastEvaluatedKey", key);
	json_decref(key);
	json_decref(item);
	return 0;
}

static void answer_count(struct call *c, const char *name, json_int_t n)
{
	json_t *number = json_integer(n);

	call_add(c, name, number);
	json_decref(number);
}

static int answer_page(struct page *p)
{
	static struct text items; /* one page at a time */
	struct call *c = p->call;

	p->items = &items;
	items.len = 0;
	int result = store_walk(c->store, &p->range.from, &p->range.to, p->down, visit, p);
	if (result < 0) return call_store_failed(c, result);
	if (p->result < 0) return p->result;
	if (p->select != SELECT_COUNT) {
		text_add_string(&items, items.len ? "]" : "[]");
		call_add_bytes(c, "Items", items.bytes, items.len);
	}
	answer_count(c, "Count", p->count);
	answer_count(c, "ScannedCount", p->scanned);
	if ((result = answer_last_key(p)) < 0) return result;
	size_t blocks = p->bytes / 4096 + 1;
	call_add_capacity(c, (double)blocks / 2);
	call_end(c);
	return 0;
}

/* --- parameters -------------------------------------------------------------------------------------- */

static int read_start(struct page *p)
{
	struct call *c = p->call;
	json_t *start;
	struct key k;
	int result;

	if (!json_is_object(json_object_get(c->request, "ExclusiveStartKey"))) return 0;
	if ((result = call_item(c, "ExclusiveStartKey", &start)) < 0) return result;
	if (table_request_key(p->table, start, &c->fault, &k) < 0)
		return invalid(&c->fault,
		               "The provided starting key is invalid: The provided key element does "
		               "not match the schema");
	if (!key_range_start(&p->range, &k, p->down))
		return invalid(&c->fault, "The provided starting key is outside query boundaries based on "
		                          "provided conditions");
	return 0;
}

static int read_page(struct page *p)
{
	static const char *const selects[] = { "ALL_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES" };
	struct call *c = p->call;
	const char *index = NULL;
	int result = call_string(c, "IndexName", &index);

	if (result == 0 && index)
		result = invalid(&c->fault, "The table does not have the specified index: %s", index);
	if (result == 0) result = call_choice(c, "Select", selects, ARRAY_SIZE(selects), &p->select);
	if (result == 0) result = call_number(c, "Limit", 1, INT32_MAX, &p->limit);
	if (result == 0) result = call_begin_expressions(c);
	if (result == 0) result = call_condition(c, "KeyConditionExpression", &p->keys);
	if (result == 0) result = call_condition(c, "FilterExpression", &p->filter);
	if (result == 0) result = call_projection(c, &p->projection);
	if (result == 0) result = call_end_expressions(c);
	return result < 0 ? result : call_table(c, false, &p->table);
}

int operation_query(struct call *c)
{
	struct page p = { .call = c };
	bool forward = true;
	int result = read_page(&p);

	if (result == 0 && !p.keys)
		result =
		    invalid(&c->fault, "Either the KeyConditions or KeyConditionExpression parameter must be "
		                       "specified in the request.");
	if (result == 0) result = call_bool(c, "ScanIndexForward", &forward);
	p.down = !forward;
	if (result == 0) result = key_range_query(p.table, p.keys, &c->fault, &p.range);
	if (result == 0) result = read_start(&p);
	return result < 0 ? result : answer_page(&p);
}

static int read_segments(struct page *p)
{
	struct call *c = p->call;
	json_int_t segment = -1;
	int result = call_number(c, "TotalSegments", 1, SEGMENTS_MAX, &p->segments);

	if (result == 0) result = call_number(c, "Segment", 0, SEGMENTS_MAX - 1, &segment);
	if (result < 0) return result;
	if ((segment >= 0) != (p->segments > 0))
		return invalid(&c->fault,
		               "The %s parameter is required but was not present in the request when "
		               "parameter %s is present",
		               segment < 0 ? "Segment" : "TotalSegments",
		               segment < 0 ? "TotalSegments" : "Segment");
	if (p->segments && segment >= p->segments)
		return invalid(&c->fault,
		               "The Segment parameter is zero-based and must be less than parameter "
		               "TotalSegments: Segment: %lld is not less than TotalSegments: %lld",
		               (long long)segment, (long long)p->segments);
	p->segment = p->segments ? segment : 0;
	return 0;
}

int operation_scan(struct call *c)
{
	struct page p = { .call = c };
	int result = read_page(&p);

	if (result == 0) result = read_segments(&p);
	if (result < 0) return result;
	key_range_table(p.table, &p.range);
	result = read_start(&p);
	return result < 0 ? result : answer_page(&p);
}
