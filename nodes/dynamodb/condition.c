/* Conditions: a recursive descent from OR down to comparisons and functions, and what they say of an item. */
#include "common/cleanup.h"
#include "dynamodb/parser.h"
#include "dynamodb/value.h"
#include <errno.h>
#include <string.h>

static int parse_or(struct parser *p, struct condition **ret);

const char *condition_name(enum condition_kind kind)
{
	static const char *const names[] = {
		[CONDITION_AND] = "AND",
		[CONDITION_OR] = "OR",
		[CONDITION_NOT] = "NOT",
		[CONDITION_EQUAL] = "=",
		[CONDITION_NOT_EQUAL] = "<>",
		[CONDITION_LESS] = "<",
		[CONDITION_LESS_EQUAL] = "<=",
		[CONDITION_GREATER] = ">",
		[CONDITION_GREATER_EQUAL] = ">=",
		[CONDITION_BETWEEN] = "BETWEEN",
		[CONDITION_IN] = "IN",
		[CONDITION_EXISTS] = "attribute_exists",
		[CONDITION_NOT_EXISTS] = "attribute_not_exists",
		[CONDITION_TYPE] = "attribute_type",
		[CONDITION_BEGINS_WITH] = "begins_with",
		[CONDITION_CONTAINS] = "contains",
	};
	return names[kind];
}

/* --- checks ------------------------------------------------------------------------------------------ */

static int refuse_type(struct parser *p, enum condition_kind kind, const json_t *value)
{
	return parser_refuse(p,
	                     "Incorrect operand type for operator or function; operator or function: %s, "
	                     "operand type: %s",
	                     condition_name(kind), value_type_name(value_type(value)));
}

/* A value of a type that the operator has no sense for is the caller's mistake, whatever the item holds. */
static int check_types(struct parser *p, const struct condition *c)
{
	for (const struct operand *o = c->operands; o; o = o->next) {
		enum value_type type = o->kind == OPERAND_VALUE ? value_type(o->value) : VALUE_NONE;
		bool ordered = type == VALUE_S || type == VALUE_N || type == VALUE_B;
		if (type == VALUE_NONE) continue;
		if (c->kind >= CONDITION_LESS && c->kind <= CONDITION_BETWEEN && !ordered)
			return refuse_type(p, c->kind, o->value);
		if (c->kind == CONDITION_BEGINS_WITH && type != VALUE_S && type != VALUE_B)
			return refuse_type(p, c->kind, o->value);
		if (c->kind == CONDITION_TYPE && type != VALUE_S) return refuse_type(p, c->kind, o->value);
	}
	return 0;
}

static int check_between(struct parser *p, const struct condition *c)
{
	const struct operand *low = c->operands->next, *high = low->next;
	int order;

	if (low->kind != OPERAND_VALUE || high->kind != OPERAND_VALUE) return 0;
	if (!value_compare(low->value, high->value, &order))
		return parser_refuse(p, "The BETWEEN operator requires same data type for lower and upper "
		                        "bounds");
	if (order > 0)
		return parser_refuse(p,
		                     "The BETWEEN operator requires upper bound to be greater than or equal "
		                     "to lower bound");
	return 0;
}

static int check_condition(struct parser *p, const struct condition *c)
{
	const struct operand *type = c->kind == CONDITION_TYPE ? c->operands->next : NULL;
	int result = check_types(p, c);

	if (result < 0) return result;
	if (c->kind == CONDITION_BETWEEN) return check_between(p, c);
	if (type && type->kind != OPERAND_VALUE) return parser_syntax_error(p);
	if (type && value_type_of_name(json_string_value(value_inner(type->value))) == VALUE_NONE)
		return parser_refuse(p, "Invalid attribute type name found; type: %s",
		                     json_string_value(value_inner(type->value)));
	return 0;
}

/* --- operands ---------------------------------------------------------------------------------------- */

static int parse_size(struct parser *p, struct operand **ret)
{
	struct operand *o = *ret = parser_take(p, sizeof(*o));
	int result;

	if (!o) return -EBADMSG;
	o->kind = OPERAND_SIZE;
	parser_skip(p);
	parser_skip(p);
	if ((result = parser_path(p, &o->path)) < 0) return result;
	return parser_expect(p, ")");
}

static int parse_operand(struct parser *p, struct operand **ret)
{
	if (token_is_exactly(p->now, "size") && token_is(parser_peek(p), "(")) return parse_size(p, ret);
	return parser_operand(p, ret);
}

/* "a, b, c)" */
static int parse_operands(struct parser *p, struct operand **ret, unsigned *ret_n)
{
	int result;

	*ret_n = 0;
	do {
		if ((result = parse_operand(p, ret)) < 0) return result;
		ret = &(*ret)->next;
		++*ret_n;
	} while (parser_accept(p, ","));
	return parser_expect(p, ")");
}

/* --- conditions -------------------------------------------------------------------------------------- */

static const struct function {
	enum condition_kind kind;
	unsigned n_operands;
} functions[] = {
	{ CONDITION_EXISTS, 1 },      { CONDITION_NOT_EXISTS, 1 }, { CONDITION_TYPE, 2 },
	{ CONDITION_BEGINS_WITH, 2 }, { CONDITION_CONTAINS, 2 },
};

static const struct function *function_at(const struct parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (token_is_exactly(p->now, condition_name(functions[i].kind))) return &functions[i];
	return NULL;
}

static int parse_function(struct parser *p, struct condition *c)
{
	const struct function *f = function_at(p);
	struct token name = p->now;
	unsigned n;
	int result;

	if (!f) return parser_refuse(p, "Invalid function name; function: %.*s", (int)name.len, name.at);
	c->kind = f->kind;
	parser_skip(p);
	parser_skip(p);
	if ((result = parse_operands(p, &c->operands, &n)) < 0) return result;
	if (n != f->n_operands)
		return parser_refuse(p,
		                     "Incorrect number of operands for operator or function; operator or "
		                     "function: %s, number of operands: %u",
		                     condition_name(f->kind), n);
	if (n == 1 && c->operands->kind != OPERAND_PATH)
		return parser_refuse(
		    p, "Operator or function requires a document path; operator or function: %s",
		    condition_name(f->kind));
	return check_condition(p, c);
}

static bool comparison_at(const struct parser *p, enum condition_kind *ret)
{
	for (enum condition_kind kind = CONDITION_EQUAL; kind <= CONDITION_GREATER_EQUAL; kind++) {
		if (!token_is(p->now, condition_name(kind))) continue;
		*ret = kind;
		return true;
	}
	return false;
}

static int parse_between(struct parser *p, struct condition *c)
{
	struct operand *o = c->operands;
	int result = parse_operand(p, &o->next);

	c->kind = CONDITION_BETWEEN;
	if (result < 0 || (result = parser_expect(p, "AND")) < 0) return result;
	return parse_operand(p, &o->next->next);
}

static int parse_in(struct parser *p, struct condition *c)
{
	enum { IN_MAX = 100 };
	unsigned n = 0;
	int result = parser_expect(p, "(");

	c->kind = CONDITION_IN;
	if (result < 0 || (result = parse_operands(p, &c->operands->next, &n)) < 0) return result;
	return n <= IN_MAX ? 0 : parser_refuse(p, "Too many operands for IN: %u", n);
}

static int parse_comparison(struct parser *p, struct condition *c)
{
	int result = parse_operand(p, &c->operands);

	if (result < 0) return result;
	if (comparison_at(p, &c->kind)) {
		parser_skip(p);
		result = parse_operand(p, &c->operands->next);
	} else if (parser_accept(p, "BETWEEN")) {
		result = parse_between(p, c);
	} else if (parser_accept(p, "IN")) {
		result = parse_in(p, c);
	} else {
		result = parser_syntax_error(p);
	}
	return result < 0 ? result : check_condition(p, c);
}

static int parse_parentheses(struct parser *p, struct condition **ret)
{
	int result = parser_descend(p);

	parser_skip(p);
	if (result < 0 || (result = parse_or(p, ret)) < 0) return result;
	p->depth--;
	return parser_expect(p, ")");
}

static int parse_primary(struct parser *p, struct condition **ret)
{
	struct condition *c;

	if (token_is(p->now, "(")) return parse_parentheses(p, ret);
	if (!(c = *ret = parser_take(p, sizeof(*c)))) return -EBADMSG;
	if (p->now.kind == TOKEN_NAME && token_is(parser_peek(p), "(") && !token_is_exactly(p->now, "size"))
		return parse_function(p, c);
	return parse_comparison(p, c);
}

static int parse_not(struct parser *p, struct condition **ret)
{
	struct condition *c;
	int result;

	if (!token_is(p->now, "NOT")) return parse_primary(p, ret);
	parser_skip(p);
	if (!(c = *ret = parser_take(p, sizeof(*c)))) return -EBADMSG;
	c->kind = CONDITION_NOT;
	if ((result = parser_descend(p)) < 0 || (result = parse_not(p, &c->left)) < 0) return result;
	p->depth--;
	return 0;
}

/* A chain of conditions of the next higher rank. */
static int parse_chain(struct parser *p, enum condition_kind kind,
                       int (*parse_member)(struct parser *, struct condition **), struct condition **ret)
{
	int result = parse_member(p, ret);

	while (result == 0 && parser_accept(p, condition_name(kind))) {
		struct condition *c = parser_take(p, sizeof(*c));
		if (!c) return -EBADMSG;
		*c = (struct condition){ .kind = kind, .left = *ret };
		*ret = c;
		result = parse_member(p, &c->right);
	}
	return result;
}

static int parse_and(struct parser *p, struct condition **ret)
{
	return parse_chain(p, CONDITION_AND, parse_not, ret);
}

static int parse_or(struct parser *p, struct condition **ret)
{
	return parse_chain(p, CONDITION_OR, parse_and, ret);
}

int expression_parse_condition(struct expressions *x, const char *what, const char *text,
                               struct condition **ret)
{
	struct parser p;
	struct condition *c = NULL;
	int result = parser_begin(&p, x, what, text);

	if (result < 0 || (result = parse_or(&p, &c)) < 0 || (result = parser_end(&p)) < 0) return result;
	*ret = c;
	return 0;
}
