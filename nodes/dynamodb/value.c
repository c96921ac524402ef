#include "dynamodb/value.h"
#include "common/cleanup.h"
#include "dynamodb/base64.h"
#include <string.h>

static const char *const type_names[] = { "S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS" };

const char *value_type_name(enum value_type type)
{
	return type < VALUE_NONE ? type_names[type] : "none";
}

enum value_type value_type_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
		if (strcmp(type_names[i], name) == 0) return (enum value_type)i;
	return VALUE_NONE;
}

enum value_type value_type(const json_t *value)
{
	void *only = json_object_iter((json_t *)value);
	return only ? value_type_of_name(json_object_iter_key(only)) : VALUE_NONE;
}

json_t *value_inner(const json_t *value)
{
	void *only = json_object_iter((json_t *)value);
	return only ? json_object_iter_value(only) : NULL;
}

enum value_type value_member_type(enum value_type type)
{
	switch (type) {
	case VALUE_SS:
		return VALUE_S;
	case VALUE_NS:
		return VALUE_N;
	case VALUE_BS:
		return VALUE_B;
	default:
		return VALUE_NONE;
	}
}

/* --- strings of JSON, which may hold NUL -------------------------------------------------------------- */

static int compare_bytes(const void *a, size_t len_a, const void *b, size_t len_b)
{
	int order = memcmp(a, b, len_a < len_b ? len_a : len_b);
	return order ? order : (len_a > len_b) - (len_a < len_b);
}

static int compare_strings(const json_t *a, const json_t *b)
{
	return compare_bytes(json_string_value(a), json_string_length(a), json_string_value(b),
	                     json_string_length(b));
}

static int compare_members(const void *a, const void *b)
{
	return compare_strings(*(json_t *const *)a, *(json_t *const *)b);
}

/* A new array of a set's members in the order of their bytes. */
static json_t **sorted_members(const json_t *array)
{
	size_t n = json_array_size(array);
	json_t **members = malloc((n + 1) * sizeof(json_t *));

	if (!members) abort(); /* as large as what has just been parsed */
	for (size_t i = 0; i < n; i++)
		members[i] = json_array_get(array, i);
	qsort(members, n, sizeof(json_t *), compare_members);
	return members;
}

bool value_has_duplicates(const json_t *array)
{
	cleanup_free json_t **members = sorted_members(array);

	for (size_t i = 1; i < json_array_size(array); i++)
		if (compare_strings(members[i - 1], members[i]) == 0) return true;
	return false;
}

/* --- equality and order ------------------------------------------------------------------------------ */

static bool sets_equal(const json_t *a, const json_t *b)
{
	cleanup_free json_t **members_a = sorted_members(a), **members_b = sorted_members(b);
	size_t n = json_array_size(a);

	if (json_array_size(b) != n) return false;
	for (size_t i = 0; i < n; i++)
		if (compare_strings(members_a[i], members_b[i])) return false;
	return true;
}

static bool lists_equal(const json_t *a, const json_t *b)
{
	size_t n = json_array_size(a);

	if (json_array_size(b) != n) return false;
	for (size_t i = 0; i < n; i++)
		if (!value_equal(json_array_get(a, i), json_array_get(b, i))) return false;
	return true;
}

static bool maps_equal(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *member;

	if (json_object_size(a) != json_object_size(b)) return false;
	json_object_foreach ((json_t *)a, key, member)
		if (!value_equal(member, json_object_get(b, key))) return false;
	return true;
}

bool value_equal(const json_t *a, const json_t *b)
{
	enum value_type type = value_type(a);

	if (type == VALUE_NONE || value_type(b) != type) return false;
	a = value_inner(a), b = value_inner(b);
	if (type == VALUE_M) return maps_equal(a, b);
	if (type == VALUE_L) return lists_equal(a, b);
	return value_member_type(type) != VALUE_NONE ? sets_equal(a, b) : json_equal(a, b);
}

const char *value_bytes(const json_t *value, size_t *ret_len, char **ret_buffer)
{
	json_t *inner = value_inner(value);
	const char *text = json_string_value(inner);
	size_t len = json_string_length(inner);

	*ret_buffer = NULL;
	*ret_len = len;
	if (value_type(value) != VALUE_B) return text;
	*ret_buffer = malloc(len + 1);
	if (!*ret_buffer) abort();
	ssize_t n = base64_decode(text, len, (unsigned char *)*ret_buffer);
	*ret_len = n > 0 ? (size_t)n : 0;
	return *ret_buffer;
}

bool value_compare(const json_t *a, const json_t *b, int *ret)
{
	enum value_type type = value_type(a);
	struct number x, y;

	if (type != value_type(b)) return false;
	if (type == VALUE_N) {
		value_number(a, &x);
		value_number(b, &y);
		*ret = number_compare(&x, &y);
	} else if (type == VALUE_S || type == VALUE_B) {
		cleanup_free char *buffer_a = NULL, *buffer_b = NULL;
		size_t len_a, len_b;
		const char *bytes_a = value_bytes(a, &len_a, &buffer_a);
		const char *bytes_b = value_bytes(b, &len_b, &buffer_b);
		*ret = compare_bytes(bytes_a, len_a, bytes_b, len_b);
	} else {
		return false;
	}
	return true;
}

/* --- what values hold -------------------------------------------------------------------------------- */

static bool holds_bytes(const json_t *value, const json_t *part, bool at_beginning)
{
	cleanup_free char *buffer_v = NULL, *buffer_p = NULL;
	size_t len_v, len_p;
	const char *bytes = value_bytes(value, &len_v, &buffer_v);
	const char *wanted = value_bytes(part, &len_p, &buffer_p);

	if (len_p > len_v) return false;
	if (at_beginning) return memcmp(bytes, wanted, len_p) == 0;
	return memmem(bytes, len_v, wanted, len_p) != NULL;
}

static bool is_text(enum value_type type)
{
	return type == VALUE_S || type == VALUE_B;
}

bool value_begins_with(const json_t *value, const json_t *beginning)
{
	enum value_type type = value_type(value);
	return is_text(type) && value_type(beginning) == type && holds_bytes(value, beginning, true);
}

static bool set_holds(const json_t *array, const json_t *string)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (compare_strings(json_array_get(array, i), string) == 0) return true;
	return false;
}

bool value_contains(const json_t *value, const json_t *member)
{
	enum value_type type = value_type(value), wanted = value_type(member);
	json_t *inner = value_inner(value);

	if (wanted == VALUE_NONE) return false;
	if (type == VALUE_L) {
		for (size_t i = 0; i < json_array_size(inner); i++)
			if (value_equal(json_array_get(inner, i), member)) return true;
		return false;
	}
	if (is_text(type)) return wanted == type && holds_bytes(value, member, false);
	return value_member_type(type) == wanted && set_holds(inner, value_inner(member));
}

static long characters(const char *text, size_t len)
{
	long n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xC0) != 0x80;
	return n;
}

long value_length(const json_t *value)
{
	json_t *inner = value_inner(value);

	switch (value_type(value)) {
	case VALUE_S:
		return characters(json_string_value(inner), json_string_length(inner));
	case VALUE_B:
		return (long)base64_decode(json_string_value(inner), json_string_length(inner), NULL);
	case VALUE_M:
		return (long)json_object_size(inner);
	case VALUE_L:
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		return (long)json_array_size(inner);
	default:
		return -1;
	}
}

/* --- making values ----------------------------------------------------------------------------------- */

bool value_number(const json_t *value, struct number *ret)
{
	json_t *inner = value_inner(value);

	return value_type(value) == VALUE_N &&
	       number_parse(ret, json_string_value(inner), json_string_length(inner)) == NUMBER_OK;
}

json_t *value_of_number(const struct number *n)
{
	char text[NUMBER_TEXT_MAX];

	number_format(n, text);
	return json_pack("{s:s}", "N", text);
}

static json_t *new_set(const json_t *like, json_t *members)
{
	return json_pack("{s:o}", value_type_name(value_type(like)), members);
}

json_t *value_union(const json_t *a, const json_t *b)
{
	json_t *members = json_copy(value_inner(a)), *more = value_inner(b);

	for (size_t i = 0; i < json_array_size(more); i++)
		if (!set_holds(value_inner(a), json_array_get(more, i)))
			json_array_append(members, json_array_get(more, i));
	return new_set(a, members);
}

json_t *value_difference(const json_t *a, const json_t *b)
{
	json_t *members = json_array(), *inner = value_inner(a);

	for (size_t i = 0; i < json_array_size(inner); i++)
		if (!set_holds(value_inner(b), json_array_get(inner, i)))
			json_array_append(members, json_array_get(inner, i));
	if (json_array_size(members) > 0) return new_set(a, members);
	json_decref(members);
	return NULL;
}
