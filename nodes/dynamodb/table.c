#include "dynamodb/table.h"
#include "common/cleanup.h"
#include <errno.h>
#include <string.h>
#include <time.h>

#define INVALID_VALUES "One or more parameter values were invalid: "

enum { CACHE_MAX = 64, PARTITION_BYTES_MAX = 2048, SORT_BYTES_MAX = 1024 };

struct cached {
	char *text; /* of the description, as the store has it */
	size_t len;
	struct table table;
};
struct tables {
	struct store *store;
	struct cached cache[CACHE_MAX];
	size_t n, oldest;
};

/* --- descriptions ------------------------------------------------------------------------------------ */

static json_t *find_by(const json_t *array, const char *member, const char *value)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		json_t *entry = json_array_get(array, i);
		const char *text = json_string_value(json_object_get(entry, member));
		if (text && strcmp(text, value) == 0) return entry;
	}
	return NULL;
}

static struct table_key key_of_kind(const json_t *description, const char *kind)
{
	const json_t *element = find_by(json_object_get(description, "KeySchema"), "KeyType", kind);
	const char *name = json_string_value(json_object_get(element, "AttributeName"));
	const json_t *definition =
	    name ? find_by(json_object_get(description, "AttributeDefinitions"), "AttributeName", name)
	         : NULL;
	const char *type = json_string_value(json_object_get(definition, "AttributeType"));

	return (struct table_key){ .name = name, .type = type ? value_type_of_name(type) : VALUE_NONE };
}

static void read_table(json_t *description, struct table *ret)
{
	*ret = (struct table){ .description = description };
	ret->number = (uint32_t)json_integer_value(json_object_get(description, "TableNumber"));
	ret->name = json_string_value(json_object_get(description, "TableName"));
	ret->partition = key_of_kind(description, "HASH");
	ret->sort = key_of_kind(description, "RANGE");
}

static bool has_key_type(struct table_key k)
{
	return k.type == VALUE_S || k.type == VALUE_N || k.type == VALUE_B;
}

static int check_schema(const json_t *request, struct fault *fault)
{
	const json_t *schema = json_object_get(request, "KeySchema");
	const json_t *definitions = json_object_get(request, "AttributeDefinitions");
	struct table_key partition = key_of_kind(request, "HASH"), sort = key_of_kind(request, "RANGE");
	size_t keys = sort.name ? 2 : 1;

	if (json_object_get(request, "GlobalSecondaryIndexes") ||
	    json_object_get(request, "LocalSecondaryIndexes"))
		return invalid(fault, INVALID_VALUES "Secondary indexes are not supported");
	if (!partition.name || json_array_size(schema) != keys ||
	    (sort.name && strcmp(sort.name, partition.name) == 0))
		return invalid(fault, "Invalid KeySchema: one HASH key, and at most one RANGE key of another "
		                      "attribute, are needed");
	if (!has_key_type(partition) || (sort.name && !has_key_type(sort)))
		return invalid(fault,
		               INVALID_VALUES "Some index key attributes are not defined in "
		                              "AttributeDefinitions. Keys: [%s%s%s], "
		                              "AttributeDefinitions: %zu",
		               partition.name, sort.name ? ", " : "", sort.name ? sort.name : "",
		               json_array_size(definitions));
	if (json_array_size(definitions) != keys)
		return invalid(fault,
		               INVALID_VALUES "Number of attributes in KeySchema does not exactly match "
		                              "number of attributes defined in AttributeDefinitions");
	return 0;
}

int table_check_name(const json_t *name, struct fault *fault)
{
	const char *text = json_string_value(name);
	size_t len = json_string_length(name);

	if (!text)
		return invalid(fault,
		               "The parameter 'TableName' is required but was not present in the request");
	if (len < TABLE_NAME_MIN || len > TABLE_NAME_MAX)
		return invalid(fault,
		               "TableName must be at least 3 characters long and at most 255 characters "
		               "long");
	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != len)
		return invalid(fault,
		               "1 validation error detected: Value '%s' at 'tableName' failed to satisfy "
		               "constraint: Member must satisfy regular expression pattern: "
		               "[a-zA-Z0-9_.-]+",
		               text);
	return 0;
}

static json_t *throughput_of(const json_t *request)
{
	const json_t *asked = json_object_get(request, "ProvisionedThroughput");
	json_int_t reads = json_integer_value(json_object_get(asked, "ReadCapacityUnits"));
	json_int_t writes = json_integer_value(json_object_get(asked, "WriteCapacityUnits"));

	return json_pack("{s:I, s:I, s:i}", "ReadCapacityUnits", reads, "WriteCapacityUnits", writes,
	                 "NumberOfDecreasesToday", 0);
}

int table_describe(const json_t *request, uint32_t number, struct fault *fault, json_t **ret)
{
	int result = check_schema(request, fault);
	const char *name = json_string_value(json_object_get(request, "TableName"));
	char arn[TABLE_NAME_MAX + 64], id[40];

	if (result < 0) return result;
	snprintf(arn, sizeof(arn), "arn:aws:dynamodb:us-east-1:000000000000:table/%s", name);
	snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012x", number);
	*ret = json_pack("{s:O, s:O, s:s, s:s, s:I, s:o, s:s, s:s, s:I}", "AttributeDefinitions",
	                 json_object_get(request, "AttributeDefinitions"), "KeySchema",
	                 json_object_get(request, "KeySchema"), "TableName", name, "TableStatus", "ACTIVE",
	                 "CreationDateTime", (json_int_t)time(NULL), "ProvisionedThroughput",
	                 throughput_of(request), "TableArn", arn, "TableId", id, "TableNumber",
	                 (json_int_t)number);
	const char *billing = json_string_value(json_object_get(request, "BillingMode"));
	if (billing && strcmp(billing, "PAY_PER_REQUEST") == 0)
		json_object_set_new(*ret, "BillingModeSummary", json_pack("{s:s}", "BillingMode", billing));
	return 0;
}

/* --- the cache --------------------------------------------------------------------------------------- */

struct tables *tables_new(struct store *s)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (t) t->store = s;
	return t;
}

static void forget(struct cached *c)
{
	free(c->text);
	json_decref(c->table.description);
	*c = (struct cached){ 0 };
}

void tables_free(struct tables *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		forget(&t->cache[i]);
	free(t);
}

/* The table's place in the cache, or that of another one which has to go. */
static struct cached *place_of(struct tables *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->cache[i].table.name && strcmp(t->cache[i].table.name, name) == 0) return &t->cache[i];
	if (t->n < CACHE_MAX) return &t->cache[t->n++];
	return &t->cache[t->oldest++ % CACHE_MAX];
}

static int read_again(struct cached *c, const struct store_value *v)
{
	json_t *description = json_loadb(v->bytes, v->len, 0, NULL);

	if (!description) return -1;
	forget(c);
	c->text = malloc(v->len);
	if (!c->text) abort();
	memcpy(c->text, v->bytes, v->len);
	c->len = v->len;
	read_table(description, &c->table);
	return 0;
}

int tables_get(struct tables *t, const char *name, struct fault *fault, const struct table **ret)
{
	struct store_value v;
	int result = store_get_table(t->store, name, &v);

	if (result == -ENOENT)
		return refuse(fault, ERROR_NOT_FOUND, "Requested resource not found: Table: %s not found",
		              name);
	if (result < 0) return refuse(fault, ERROR_INTERNAL, "Cannot read the store: %s", strerror(-result));
	struct cached *c = place_of(t, name);
	if ((c->len != v.len || memcmp(c->text, v.bytes, v.len)) && read_again(c, &v) < 0)
		return refuse(fault, ERROR_INTERNAL, "The table's description is damaged");
	*ret = &c->table;
	return 0;
}

/* --- keys -------------------------------------------------------------------------------------------- */

static size_t byte_length(const json_t *value)
{
	return value_type(value) == VALUE_B ? (size_t)value_length(value)
	                                    : json_string_length(value_inner(value));
}

static int check_length(const json_t *value, struct table_key k, bool partition, struct fault *fault)
{
	size_t len = k.type == VALUE_N ? 1 : byte_length(value);

	if (len == 0)
		return invalid(fault,
		               "One or more parameter values are not valid. The AttributeValue for a key "
		               "attribute cannot contain an empty %s value. Key: %s",
		               k.type == VALUE_S ? "string" : "binary", k.name);
	if (partition && len > PARTITION_BYTES_MAX)
		return invalid(fault, INVALID_VALUES "Size of hashkey has exceeded the maximum size limit "
		                                     "of2048 bytes");
	if (!partition && len > SORT_BYTES_MAX)
		return invalid(fault,
		               INVALID_VALUES "Aggregated size of all range keys has exceeded the size "
		                              "limit of 1024 bytes");
	return 0;
}

static int add_part(const json_t *item, struct table_key k, bool partition, struct fault *fault,
                    struct key *ret)
{
	const json_t *value = json_object_get(item, k.name);

	if (!value) return invalid(fault, INVALID_VALUES "Missing the key %s in the item", k.name);
	if (value_type(value) != k.type)
		return invalid(fault, INVALID_VALUES "Type mismatch for key %s expected: %s actual: %s",
		               k.name, value_type_name(k.type), value_type_name(value_type(value)));
	int result = check_length(value, k, partition, fault);
	if (result == 0) key_add(ret, value);
	return result;
}

int table_item_key(const struct table *t, const json_t *item, struct fault *fault, struct key *ret)
{
	key_table(ret, t->number);
	int result = add_part(item, t->partition, true, fault, ret);
	if (result == 0 && t->sort.name) result = add_part(item, t->sort, false, fault, ret);
	return result;
}

static bool fits(const json_t *key, struct table_key k)
{
	return !k.name || value_type(json_object_get(key, k.name)) == k.type;
}

int table_request_key(const struct table *t, const json_t *key, struct fault *fault, struct key *ret)
{
	if (json_object_size(key) != (t->sort.name ? 2 : 1) || !fits(key, t->partition) ||
	    !fits(key, t->sort))
		return invalid(fault, "The provided key element does not match the schema");
	return table_item_key(t, key, fault, ret);
}

json_t *table_key_of(const struct table *t, const json_t *item)
{
	json_t *key = json_object();

	json_object_set(key, t->partition.name, json_object_get(item, t->partition.name));
	if (t->sort.name) json_object_set(key, t->sort.name, json_object_get(item, t->sort.name));
	return key;
}

bool table_is_key(const struct table *t, const char *name, size_t len)
{
	const struct table_key keys[] = { t->partition, t->sort };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].name && strlen(keys[i].name) == len && memcmp(keys[i].name, name, len) == 0)
			return true;
	return false;
}
