/* What updates make of an item. All operands are taken from the item as it was; then the changes are made,
 * removals last, so that every index means the list as it was. */
#include "common/cleanup.h"
#include "dynamodb/expression.h"
#include "dynamodb/value.h"
#include <errno.h>

static int refuse_operand(struct fault *fault)
{
	return invalid(fault, "An operand in the update expression has an incorrect data type");
}

/* --- operands ---------------------------------------------------------------------------------------- */

static int evaluate(const struct operand *o, const json_t *item, struct fault *fault, json_t **ret);

static int sum(const json_t *a, const json_t *b, bool minus, struct fault *fault, json_t **ret)
{
	struct number x, y, result;

	if (!value_number(a, &x) || !value_number(b, &y)) return refuse_operand(fault);
	enum number_error e = minus ? number_subtract(&result, &x, &y) : number_add(&result, &x, &y);
	if (e != NUMBER_OK) return invalid(fault, "%s", number_why(e));
	*ret = value_of_number(&result);
	return 0;
}

static int append_lists(const json_t *a, const json_t *b, struct fault *fault, json_t **ret)
{
	if (value_type(a) != VALUE_L || value_type(b) != VALUE_L) return refuse_operand(fault);
	json_t *list = json_copy(value_inner(a));
	json_array_extend(list, value_inner(b));
	*ret = json_pack("{s:o}", "L", list);
	return 0;
}

static int combine(const struct operand *o, const json_t *item, struct fault *fault, json_t **ret)
{
	json_t *left = NULL, *right = NULL;
	int result = evaluate(o->left, item, fault, &left);

	if (result == 0) result = evaluate(o->right, item, fault, &right);
	if (result == 0) {
		result = o->kind == OPERAND_LIST_APPEND
		             ? append_lists(left, right, fault, ret)
		             : sum(left, right, o->kind == OPERAND_DIFFERENCE, fault, ret);
	}
	json_decref(left);
	json_decref(right);
	return result;
}

static int evaluate(const struct operand *o, const json_t *item, struct fault *fault, json_t **ret)
{
	json_t *there = o->path ? path_get(o->path, item) : NULL;

	switch (o->kind) {
	case OPERAND_VALUE:
		*ret = json_incref(o->value);
		return 0;
	case OPERAND_IF_NOT_EXISTS:
		if (!there) return evaluate(o->right, item, fault, ret);
		break;
	case OPERAND_PATH:
	case OPERAND_SIZE:
		break;
	default:
		return combine(o, item, fault, ret);
	}
	if (!there)
		return invalid(fault,
		               "The provided expression refers to an attribute that does not exist in the "
		               "item");
	*ret = json_deep_copy(there); /* a change below the one must not show in the other */
	return 0;
}

static int add_to(const json_t *there, const json_t *more, struct fault *fault, json_t **ret)
{
	if (!there) {
		*ret = json_incref((json_t *)more);
		return 0;
	}
	if (value_type(there) != value_type(more)) return refuse_operand(fault);
	if (value_type(more) == VALUE_N) return sum(there, more, false, fault, ret);
	*ret = value_union(there, more);
	return 0;
}

static int delete_from(const json_t *there, const json_t *less, struct fault *fault, json_t **ret)
{
	*ret = NULL;
	if (!there) return 0;
	if (value_type(there) != value_type(less)) return refuse_operand(fault);
	*ret = value_difference(there, less);
	return 0;
}

/* The value that the action puts at its path; NULL: none shall be there. */
static int new_value(const struct action *a, const json_t *item, struct fault *fault, json_t **ret)
{
	json_t *there = path_get(a->path, item);

	*ret = NULL;
	switch (a->kind) {
	case ACTION_SET:
		return evaluate(a->operand, item, fault, ret);
	case ACTION_ADD:
		return add_to(there, a->operand->value, fault, ret);
	case ACTION_DELETE:
		return delete_from(there, a->operand->value, fault, ret);
	case ACTION_REMOVE:
		break;
	}
	return 0;
}

/* --- changes ----------------------------------------------------------------------------------------- */

struct change {
	const struct path *path;
	unsigned depth;
	size_t last_index;
	json_t *value; /* NULL: remove */
};

/* Removals last; of these the deeper ones first, then those behind in a list. */
static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (!x->value != !y->value) return x->value ? -1 : 1;
	if (x->value) return x->last_index < y->last_index ? -1 : x->last_index > y->last_index;
	if (x->depth != y->depth) return x->depth > y->depth ? -1 : 1;
	return x->last_index > y->last_index ? -1 : x->last_index < y->last_index;
}

static void describe(struct change *c, const struct path *p)
{
	c->path = p;
	for (; p; p = p->next) {
		c->depth++;
		c->last_index = p->index;
	}
}

static int prepare(const struct action *actions, const json_t *item, struct change *changes,
                   struct fault *fault)
{
	int result = 0;

	for (const struct action *a = actions; a && result == 0; a = a->next, changes++) {
		describe(changes, a->path);
		result = new_value(a, item, fault, &changes->value);
	}
	return result;
}

static int make_changes(const struct change *changes, size_t n, json_t *item, struct fault *fault)
{
	for (size_t i = 0; i < n; i++) {
		int result = changes[i].value ? path_set(changes[i].path, item, changes[i].value)
		                              : path_remove(changes[i].path, item);
		if (result < 0)
			return invalid(fault,
			               "The document path provided in the update expression is invalid "
			               "for update");
	}
	return 0;
}

int update_apply(const struct action *actions, json_t *item, struct fault *fault)
{
	size_t n = 0;

	for (const struct action *a = actions; a; a = a->next)
		n++;
	cleanup_free struct change *changes = calloc(n + 1, sizeof(*changes));
	if (!changes) return refuse(fault, ERROR_INTERNAL, "Out of memory");
	int result = prepare(actions, item, changes, fault);
	if (result == 0) {
		qsort(changes, n, sizeof(*changes), compare_changes);
		result = make_changes(changes, n, item, fault);
	}
	for (size_t i = 0; i < n; i++)
		json_decref(changes[i].value);
	return result;
}

int update_paths(const struct action *actions, struct arena *arena, struct projection *ret)
{
	size_t n = 0;

	for (const struct action *a = actions; a; a = a->next)
		n++;
	struct path **paths = arena_take(arena, (n + 1) * sizeof(struct path *));
	if (!paths) return -ENOMEM;
	*ret = (struct projection){ .paths = paths, .n = n };
	for (; actions; actions = actions->next)
		*paths++ = actions->path;
	return 0;
}
