/* What clients send as values: refused in the real service's words, or made canonical. */
#include "dynamodb/base64.h"
#include "dynamodb/value.h"
#include <stdio.h>
#include <string.h>

#define INVALID_VALUES "One or more parameter values were invalid: "

static int check(json_t *value, unsigned depth, struct fault *fault);

static int check_number(json_t *string, struct fault *fault)
{
	const char *text = json_string_value(string);
	char canonical[NUMBER_TEXT_MAX];
	struct number n;
	enum number_error e = number_parse(&n, text, json_string_length(string));

	if (e == NUMBER_NOT_ONE && *text) return invalid(fault, "%s: %s", number_why(e), text);
	if (e != NUMBER_OK) return invalid(fault, "%s", number_why(e));
	number_format(&n, canonical);
	if (strcmp(canonical, text)) json_string_set(string, canonical);
	return 0;
}

static int check_string(json_t *string, enum value_type type, struct fault *fault)
{
	if (!json_is_string(string))
		return refuse(fault, ERROR_SERIALIZATION, "Unexpected value type in payload");
	if (type == VALUE_N) return check_number(string, fault);
	if (type == VALUE_B && base64_decode(json_string_value(string), json_string_length(string), NULL) < 0)
		return refuse(fault, ERROR_SERIALIZATION, "Invalid base64 in a binary value");
	return 0;
}

static int refuse_duplicates(const json_t *array, enum value_type type, struct fault *fault)
{
	char list[256];
	size_t used = 0;

	if (type == VALUE_NS) return invalid(fault, "Input collection contains duplicates");
	for (size_t i = 0; i < json_array_size(array) && used < sizeof(list) - 1; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
		                         json_string_value(json_array_get(array, i)));
	return invalid(fault, INVALID_VALUES "Input collection [%s]%s contains duplicates.", list,
	               type == VALUE_BS ? " of type BS" : "");
}

static int check_set(json_t *array, enum value_type type, struct fault *fault)
{
	static const char *const empty[] = {
		[VALUE_SS] = "An string set  may not be empty",
		[VALUE_NS] = "An number set  may not be empty",
		[VALUE_BS] = "Binary sets should not be empty",
	};

	if (!json_is_array(array)) return refuse(fault, ERROR_SERIALIZATION, "Unexpected field type");
	if (json_array_size(array) == 0) return invalid(fault, INVALID_VALUES "%s", empty[type]);
	for (size_t i = 0; i < json_array_size(array); i++) {
		int result = check_string(json_array_get(array, i), value_member_type(type), fault);
		if (result < 0) return result;
	}
	return value_has_duplicates(array) ? refuse_duplicates(array, type, fault) : 0;
}

static int check_members(json_t *collection, enum value_type type, unsigned depth, struct fault *fault)
{
	const char *key;
	json_t *member;
	int result = 0;

	if (type == VALUE_M ? !json_is_object(collection) : !json_is_array(collection))
		return refuse(fault, ERROR_SERIALIZATION, "Unexpected field type");
	if (depth == VALUE_DEPTH_MAX)
		return invalid(fault, "Nesting Levels have exceeded supported limits: Attributes in the item "
		                      "have nested levels beyond supported limit");
	for (size_t i = 0; result == 0 && i < json_array_size(collection); i++)
		result = check(json_array_get(collection, i), depth + 1, fault);
	json_object_foreach (collection, key, member)
		if (result == 0) result = check(member, depth + 1, fault);
	return result;
}

static int check_inner(json_t *inner, enum value_type type, unsigned depth, struct fault *fault)
{
	switch (type) {
	case VALUE_S:
	case VALUE_N:
	case VALUE_B:
		return check_string(inner, type, fault);
	case VALUE_BOOL:
		if (json_is_boolean(inner)) return 0;
		break;
	case VALUE_NULL:
		if (json_is_true(inner)) return 0;
		if (json_is_false(inner))
			return invalid(fault, INVALID_VALUES "Null attribute value types must have the value "
			                                     "of true");
		break;
	case VALUE_M:
	case VALUE_L:
		return check_members(inner, type, depth, fault);
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		return check_set(inner, type, fault);
	case VALUE_NONE:
		return invalid(fault, "Supplied AttributeValue is empty, must contain exactly one of the "
		                      "supported datatypes");
	}
	return refuse(fault, ERROR_SERIALIZATION, "Unexpected value type in payload");
}

static int check(json_t *value, unsigned depth, struct fault *fault)
{
	if (!json_is_object(value))
		return refuse(fault, ERROR_SERIALIZATION, "Unexpected value type in payload");
	if (json_object_size(value) > 1)
		return invalid(fault, "Supplied AttributeValue has more than one datatypes set, must contain "
		                      "exactly one of the supported datatypes");
	return check_inner(value_inner(value), value_type(value), depth, fault);
}

int value_check(json_t *value, struct fault *fault)
{
	return check(value, 0, fault);
}

int item_check(json_t *item, struct fault *fault)
{
	const char *name;
	json_t *value;
	int result = 0;

	if (!json_is_object(item)) return refuse(fault, ERROR_SERIALIZATION, "Unexpected field type");
	json_object_foreach (item, name, value)
		if (result == 0) result = check(value, 0, fault);
	return result;
}

/* --- sizes ------------------------------------------------------------------------------------------- */

static size_t string_size(const json_t *string, enum value_type type)
{
	size_t len = json_string_length(string);

	if (type == VALUE_B) return len / 4 * 3;
	return type == VALUE_N ? len / 2 + 2
	                       : len; /* a byte holds two digits; one for sign, one for exponent */
}

static size_t value_size(const json_t *value)
{
	enum value_type type = value_type(value);
	json_t *inner = value_inner(value);
	size_t size = 0;

	if (type == VALUE_M) return 3 + json_object_size(inner) + item_size(inner);
	if (type == VALUE_L) size = 3 + json_array_size(inner);
	for (size_t i = 0; i < json_array_size(inner); i++) {
		json_t *member = json_array_get(inner, i);
		size += type == VALUE_L ? value_size(member) : string_size(member, value_member_type(type));
	}
	if (json_is_string(inner)) return string_size(inner, type);
	return size ? size : 1; /* BOOL, NULL */
}

size_t item_size(const json_t *item)
{
	const char *name;
	json_t *value;
	size_t size = 0;

	json_object_foreach ((json_t *)item, name, value)
		size += strlen(name) + value_size(value);
	return size;
}
