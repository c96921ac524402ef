#include "dynamodb/key_range.h"
#include <string.h>

void key_range_table(const struct table *t, struct key_range *ret)
{
	key_table(&ret->from, t->number);
	key_table(&ret->to, t->number + 1);
	ret->wider = false;
}

static int compare_keys(const struct key *a, const struct key *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

bool key_range_start(struct key_range *r, const struct key *start, bool down)
{
	if (compare_keys(start, &r->from) < 0 || compare_keys(start, &r->to) >= 0) return false;
	if (down)
		r->to = *start;
	else {
		r->from = *start;
		key_after(&r->from);
	}
	return true;
}

/* --- conditions on keys ------------------------------------------------------------------------------ */

struct key_condition {
	enum condition_kind kind;
	const json_t *value, *high; /* high: of BETWEEN */
};
struct key_conditions {
	const struct table *table;
	struct key_condition partition, sort; /* value NULL: none */
	struct fault *fault;
};

static enum condition_kind mirrored(enum condition_kind kind)
{
	switch (kind) {
	case CONDITION_LESS:
		return CONDITION_GREATER;
	case CONDITION_LESS_EQUAL:
		return CONDITION_GREATER_EQUAL;
	case CONDITION_GREATER:
		return CONDITION_LESS;
	case CONDITION_GREATER_EQUAL:
		return CONDITION_LESS_EQUAL;
	default:
		return kind;
	}
}

static int refuse_operator(const struct key_conditions *k, enum condition_kind kind)
{
	return invalid(k->fault, "Invalid operator used in KeyConditionExpression: %s", condition_name(kind));
}

static bool is_allowed(enum condition_kind kind)
{
	return kind == CONDITION_EQUAL || (kind >= CONDITION_LESS && kind <= CONDITION_BETWEEN) ||
	       kind == CONDITION_BEGINS_WITH;
}

static bool is_key(struct table_key key, const struct path *p)
{
	return key.name && strlen(key.name) == p->name_len && memcmp(key.name, p->name, p->name_len) == 0;
}

/* Files the condition under the key that it is about. */
static int file(struct key_conditions *k, const struct path *p, struct key_condition condition)
{
	bool partition = is_key(k->table->partition, p);
	struct key_condition *place = partition ? &k->partition : &k->sort;
	enum value_type type = partition ? k->table->partition.type : k->table->sort.type;

	if (p->next)
		return invalid(k->fault,
		               "KeyConditionExpressions cannot have conditions on nested attributes");
	if (!partition && !is_key(k->table->sort, p))
		return invalid(k->fault, "Query condition missed key schema element: %s",
		               k->table->sort.name ? k->table->sort.name : k->table->partition.name);
	if (place->value)
		return invalid(k->fault, "KeyConditionExpressions must only contain one condition per key");
	if (partition && condition.kind != CONDITION_EQUAL)
		return invalid(k->fault, "Query key condition not supported");
	if (value_type(condition.value) != type || (condition.high && value_type(condition.high) != type))
		return invalid(k->fault,
		               "One or more parameter values were invalid: Condition parameter type "
		               "does not match schema type");
	*place = condition;
	return 0;
}

static int read_leaf(struct key_conditions *k, const struct condition *c)
{
	const struct operand *first = c->operands, *second = first->next, *third;
	struct key_condition condition = { .kind = c->kind };

	if (!is_allowed(c->kind)) return refuse_operator(k, c->kind);
	if (first->kind == OPERAND_VALUE && second->kind == OPERAND_PATH && !second->next) {
		condition.kind = mirrored(c->kind);
		first = c->operands->next;
		second = c->operands;
		third = NULL;
	} else {
		third = second->next;
	}
	if (first->kind != OPERAND_PATH || second->kind != OPERAND_VALUE ||
	    (third && third->kind != OPERAND_VALUE))
		return invalid(k->fault,
		               "Invalid condition in KeyConditionExpression: %s operator must have the "
		               "key attribute as its first operand, and values as the others",
		               condition_name(c->kind));
	condition.value = second->value;
	condition.high = c->kind == CONDITION_BETWEEN ? third->value : NULL;
	return file(k, first->path, condition);
}

static int read_conditions(struct key_conditions *k, const struct condition *c)
{
	if (c->kind == CONDITION_OR || c->kind == CONDITION_NOT) return refuse_operator(k, c->kind);
	if (c->kind != CONDITION_AND) return read_leaf(k, c);
	int result = read_conditions(k, c->left);
	return result < 0 ? result : read_conditions(k, c->right);
}

/* --- conditions to ranges ---------------------------------------------------------------------------- */

/* Before or behind all sort keys that might be this one. */
static struct key bound(const struct key *partition, const json_t *value, bool behind)
{
	struct key k = *partition;

	if (key_is_cut(value))
		key_add_beginning(&k, value);
	else
		key_add(&k, value);
	if (behind) key_after(&k);
	return k;
}

static void narrow(struct key_range *r, const struct key *partition, const struct key_condition *c)
{
	bool cut = key_is_cut(c->value) || (c->high && key_is_cut(c->high));

	r->wider = cut;
	switch (c->kind) {
	case CONDITION_LESS:
	case CONDITION_LESS_EQUAL:
		r->to = bound(partition, c->value, cut || c->kind == CONDITION_LESS_EQUAL);
		break;
	case CONDITION_GREATER:
	case CONDITION_GREATER_EQUAL:
		r->from = bound(partition, c->value, !cut && c->kind == CONDITION_GREATER);
		break;
	case CONDITION_BEGINS_WITH:
		r->from = *partition;
		key_add_beginning(&r->from, c->value);
		r->to = r->from;
		key_after(&r->to);
		break;
	default: /* =, BETWEEN */
		r->from = bound(partition, c->value, false);
		r->to = bound(partition, c->high ? c->high : c->value, true);
		break;
	}
}

int key_range_query(const struct table *t, const struct condition *c, struct fault *fault,
                    struct key_range *ret)
{
	struct key_conditions k = { .table = t, .fault = fault };
	int result = read_conditions(&k, c);

	if (result < 0) return result;
	if (!k.partition.value)
		return invalid(fault, "Query condition missed key schema element: %s", t->partition.name);
	struct key partition;
	key_table(&partition, t->number);
	key_add(&partition, k.partition.value);
	*ret = (struct key_range){ .from = partition, .to = partition };
	key_after(&ret->to);
	if (k.sort.value) narrow(ret, &partition, &k.sort);
	return 0;
}
