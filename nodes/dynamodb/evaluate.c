/* What expressions make of an item. */
#include "dynamodb/expression.h"
#include "dynamodb/value.h"
#include <errno.h>

/* --- operands ---------------------------------------------------------------------------------------- */

static json_t *size_of(const struct operand *o, const json_t *item)
{
	long length = value_length(path_get(o->path, item));
	char text[24];

	if (length < 0) return NULL;
	snprintf(text, sizeof(text), "%ld", length);
	return json_pack("{s:s}", "N", text);
}

json_t *operand_value(const struct operand *o, const json_t *item)
{
	switch (o->kind) {
	case OPERAND_VALUE:
		return json_incref(o->value);
	case OPERAND_PATH:
		return json_incref(path_get(o->path, item));
	case OPERAND_SIZE:
		return size_of(o, item);
	default:
		return NULL; /* only updates have these */
	}
}

/* --- conditions -------------------------------------------------------------------------------------- */

static bool compares(enum condition_kind kind, const json_t *a, const json_t *b)
{
	int order;

	/* what is not there differs from everything that is */
	if (kind == CONDITION_EQUAL) return value_equal(a, b);
	if (kind == CONDITION_NOT_EQUAL) return (a || b) && !value_equal(a, b);
	if (!value_compare(a, b, &order)) return false;
	switch (kind) {
	case CONDITION_LESS:
		return order < 0;
	case CONDITION_LESS_EQUAL:
		return order <= 0;
	case CONDITION_GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

static bool test(enum condition_kind kind, const json_t *a, const json_t *b)
{
	switch (kind) {
	case CONDITION_TYPE:
		return value_type(a) == value_type_of_name(json_string_value(value_inner(b)));
	case CONDITION_BEGINS_WITH:
		return value_begins_with(a, b);
	case CONDITION_CONTAINS:
		return value_contains(a, b);
	default:
		return compares(kind, a, b);
	}
}

/* The first operand against another one. */
static bool test_operand(enum condition_kind kind, const json_t *first, const struct operand *o,
                         const json_t *item)
{
	json_t *value = operand_value(o, item);
	bool result = test(kind, first, value);

	json_decref(value);
	return result;
}

static bool is_in(const json_t *first, const struct operand *list, const json_t *item)
{
	for (; list; list = list->next)
		if (test_operand(CONDITION_EQUAL, first, list, item)) return true;
	return false;
}

static bool holds(const struct condition *c, const json_t *first, const json_t *item)
{
	const struct operand *second = c->operands->next;

	switch (c->kind) {
	case CONDITION_EXISTS:
		return first != NULL;
	case CONDITION_NOT_EXISTS:
		return first == NULL;
	case CONDITION_IN:
		return is_in(first, second, item);
	case CONDITION_BETWEEN:
		return test_operand(CONDITION_GREATER_EQUAL, first, second, item) &&
		       test_operand(CONDITION_LESS_EQUAL, first, second->next, item);
	default:
		return test_operand(c->kind, first, second, item);
	}
}

bool condition_holds(const struct condition *c, const json_t *item)
{
	if (!c) return true;
	if (c->kind == CONDITION_AND)
		return condition_holds(c->left, item) && condition_holds(c->right, item);
	if (c->kind == CONDITION_OR) return condition_holds(c->left, item) || condition_holds(c->right, item);
	if (c->kind == CONDITION_NOT) return !condition_holds(c->left, item);
	json_t *first = operand_value(c->operands, item);
	bool result = holds(c, first, item);
	json_decref(first);
	return result;
}
