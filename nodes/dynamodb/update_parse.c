/* Update expressions: SET, REMOVE, ADD, DELETE, each once and in any order. */
#include "common/cleanup.h"
#include "dynamodb/parser.h"
#include "dynamodb/value.h"
#include <errno.h>

static int parse_set_operand(struct parser *p, struct operand **ret);

/* "(a, b)" of a function; the first may have to be a path. */
static int parse_arguments(struct parser *p, struct operand *o)
{
	int result;

	parser_skip(p);
	parser_skip(p);
	if (o->kind == OPERAND_IF_NOT_EXISTS)
		result = parser_path(p, &o->path);
	else
		result = parse_set_operand(p, &o->left);
	if (result < 0 || (result = parser_expect(p, ",")) < 0) return result;
	if ((result = parse_set_operand(p, &o->right)) < 0) return result;
	return parser_expect(p, ")");
}

static int parse_function(struct parser *p, struct operand **ret)
{
	struct operand *o = *ret = parser_take(p, sizeof(*o));
	int result = o ? parser_descend(p) : -EBADMSG;

	if (result < 0) return result;
	if (token_is_exactly(p->now, "if_not_exists"))
		o->kind = OPERAND_IF_NOT_EXISTS;
	else if (token_is_exactly(p->now, "list_append"))
		o->kind = OPERAND_LIST_APPEND;
	else
		return parser_refuse(p, "Invalid function name; function: %.*s", (int)p->now.len, p->now.at);
	result = parse_arguments(p, o);
	p->depth--;
	return result;
}

static int parse_set_operand(struct parser *p, struct operand **ret)
{
	if (p->now.kind == TOKEN_NAME && token_is(parser_peek(p), "(")) return parse_function(p, ret);
	return parser_operand(p, ret);
}

static int parse_set_value(struct parser *p, struct operand **ret)
{
	struct operand *left, *sum;
	int result = parse_set_operand(p, &left);
	bool plus = token_is(p->now, "+");

	*ret = left;
	if (result < 0 || (!plus && !token_is(p->now, "-"))) return result;
	parser_skip(p);
	if (!(sum = *ret = parser_take(p, sizeof(*sum)))) return -EBADMSG;
	*sum = (struct operand){ .kind = plus ? OPERAND_SUM : OPERAND_DIFFERENCE, .left = left };
	return parse_set_operand(p, &sum->right);
}

/* ADD takes numbers and sets, DELETE sets. */
static int parse_members(struct parser *p, struct action *a)
{
	int result = p->now.kind == TOKEN_VALUE ? parser_operand(p, &a->operand) : parser_syntax_error(p);
	enum value_type type = result < 0 ? VALUE_NONE : value_type(a->operand->value);

	if (result < 0 || value_member_type(type) != VALUE_NONE) return result;
	if (a->kind == ACTION_ADD && type == VALUE_N) return 0;
	return parser_refuse(
	    p, "Incorrect operand type for operator or function; operator: %s, operand type: %s",
	    a->kind == ACTION_ADD ? "ADD" : "DELETE", value_type_name(type));
}

static int parse_action(struct parser *p, struct action *a)
{
	int result = parser_path(p, &a->path);

	if (result < 0 || a->kind == ACTION_REMOVE) return result;
	if (a->kind != ACTION_SET) return parse_members(p, a);
	return (result = parser_expect(p, "=")) < 0 ? result : parse_set_value(p, &a->operand);
}

static const char *const sections[] = {
	[ACTION_SET] = "SET", [ACTION_REMOVE] = "REMOVE", [ACTION_ADD] = "ADD", [ACTION_DELETE] = "DELETE"
};

static int parse_section_name(struct parser *p, unsigned *seen, enum action_kind *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		if (!parser_accept(p, sections[i])) continue;
		if (*seen & 1U << i)
			return parser_refuse(p,
			                     "The \"%s\" section can only be used once in an update "
			                     "expression;",
			                     sections[i]);
		*seen |= 1U << i;
		*ret = (enum action_kind)i;
		return 0;
	}
	return parser_syntax_error(p);
}

static int parse_sections(struct parser *p, struct action **ret)
{
	enum action_kind kind = ACTION_SET;
	unsigned seen = 0;
	int result;

	while (p->now.kind != TOKEN_END) {
		if ((result = parse_section_name(p, &seen, &kind)) < 0) return result;
		do {
			if (!(*ret = parser_take(p, sizeof(**ret)))) return -EBADMSG;
			(*ret)->kind = kind;
			if ((result = parse_action(p, *ret)) < 0) return result;
			ret = &(*ret)->next;
		} while (parser_accept(p, ","));
	}
	return 0;
}

static int check_overlaps(struct parser *p, const struct action *actions)
{
	char one[128], two[128];

	for (const struct action *a = actions; a; a = a->next) {
		for (const struct action *b = a->next; b; b = b->next) {
			if (!path_overlaps(a->path, b->path)) continue;
			path_print(a->path, one, sizeof(one));
			path_print(b->path, two, sizeof(two));
			return parser_refuse(p,
			                     "Two document paths overlap with each other; must remove or "
			                     "rewrite one of these paths; path one: %s, path two: %s",
			                     one, two);
		}
	}
	return 0;
}

int expression_parse_update(struct expressions *x, const char *text, struct action **ret)
{
	struct parser p;
	struct action *actions = NULL;
	int result = parser_begin(&p, x, "UpdateExpression", text);

	if (result < 0 || (result = parse_sections(&p, &actions)) < 0) return result;
	if ((result = check_overlaps(&p, actions)) < 0) return result;
	*ret = actions;
	return 0;
}
