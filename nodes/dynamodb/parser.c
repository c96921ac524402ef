#include "dynamodb/parser.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct used {
	const char *key; /* of the names or the values; its first character tells which */
	size_t len;
	struct used *next;
};

int parser_refuse(struct parser *p, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return invalid(p->x->fault, "Invalid %s: %s", p->what, text);
}

int parser_begin(struct parser *p, struct expressions *x, const char *what, const char *text)
{
	*p = (struct parser){ .x = x, .what = what };
	if (strlen(text) > EXPRESSION_BYTES_MAX)
		return parser_refuse(p,
		                     "Expression size has exceeded the maximum allowed size; expression "
		                     "size: %zu",
		                     strlen(text));
	p->last = p->now = token_next(text);
	if (p->now.kind == TOKEN_END) return parser_refuse(p, "The expression can not be empty;");
	return 0;
}

struct token parser_peek(const struct parser *p)
{
	return token_next(p->now.at + p->now.len);
}

void parser_skip(struct parser *p)
{
	p->last = p->now;
	p->now = parser_peek(p);
}

bool parser_accept(struct parser *p, const char *text)
{
	if (!token_is(p->now, text)) return false;
	parser_skip(p);
	return true;
}

int parser_syntax_error(struct parser *p)
{
	struct token next = parser_peek(p);
	const char *token = p->now.kind == TOKEN_END ? "<EOF>" : p->now.at;
	int len = p->now.kind == TOKEN_END ? (int)strlen(token) : (int)p->now.len;

	return parser_refuse(p, "Syntax error; token: \"%.*s\", near: \"%.*s\"", len, token,
	                     (int)(next.at + next.len - p->last.at), p->last.at);
}

int parser_expect(struct parser *p, const char *text)
{
	return parser_accept(p, text) ? 0 : parser_syntax_error(p);
}

int parser_end(struct parser *p)
{
	return p->now.kind == TOKEN_END ? 0 : parser_syntax_error(p);
}

void *parser_take(struct parser *p, size_t size)
{
	void *memory = arena_take(p->x->arena, size);

	if (memory)
		memset(memory, 0, size);
	else
		parser_refuse(p, "Expression size has exceeded the maximum allowed size");
	return memory;
}

int parser_descend(struct parser *p)
{
	return ++p->depth > EXPRESSION_DEPTH_MAX ? parser_refuse(p, "The expression is nested too deeply")
	                                         : 0;
}

/* --- names and values -------------------------------------------------------------------------------- */

/* What the key stands for, marked as used; NULL if nothing does. */
static json_t *look_up(struct parser *p, json_t *object, struct token key)
{
	json_t *found = json_object_getn(object, key.at, key.len);
	struct used *u = found ? parser_take(p, sizeof(*u)) : NULL;

	if (!u) return NULL;
	*u = (struct used){ key.at, key.len, p->x->used };
	p->x->used = u;
	return found;
}

int parser_value(struct parser *p, json_t **ret)
{
	struct token t = p->now;

	if (t.kind != TOKEN_VALUE) return parser_syntax_error(p);
	*ret = look_up(p, p->x->values, t);
	parser_skip(p);
	if (*ret) return 0;
	return parser_refuse(p,
	                     "An expression attribute value used in expression is not defined; attribute "
	                     "value: %.*s",
	                     (int)t.len, t.at);
}

static int read_name(struct parser *p, struct path *step)
{
	struct token t = p->now;

	if (t.kind == TOKEN_NAME && token_is_reserved(t))
		return parser_refuse(p, "Attribute name is a reserved keyword; reserved keyword: %.*s",
		                     (int)t.len, t.at);
	if (t.kind == TOKEN_NAME) {
		step->name = t.at;
		step->name_len = t.len;
	} else if (t.kind == TOKEN_ALIAS) {
		json_t *name = look_up(p, p->x->names, t);
		if (!name)
			return parser_refuse(p,
			                     "An expression attribute name used in the document path is not "
			                     "defined; attribute name: %.*s",
			                     (int)t.len, t.at);
		step->name = json_string_value(name);
		step->name_len = json_string_length(name);
	} else {
		return parser_syntax_error(p);
	}
	parser_skip(p);
	return 0;
}

static int read_index(struct parser *p, struct path *step)
{
	if (p->now.kind != TOKEN_NUMBER || p->now.len > 9) return parser_syntax_error(p);
	for (size_t i = 0; i < p->now.len; i++)
		step->index = step->index * 10 + (size_t)(p->now.at[i] - '0');
	parser_skip(p);
	return parser_expect(p, "]");
}

int parser_path(struct parser *p, struct path **ret)
{
	struct path *step = parser_take(p, sizeof(*step));
	int result = step ? read_name(p, step) : -EBADMSG;

	*ret = step;
	while (result == 0 && (token_is(p->now, ".") || token_is(p->now, "["))) {
		bool index = token_is(p->now, "[");
		if (!(step->next = parser_take(p, sizeof(*step)))) return -EBADMSG;
		step = step->next;
		parser_skip(p);
		result = index ? read_index(p, step) : read_name(p, step);
	}
	return result;
}

int parser_operand(struct parser *p, struct operand **ret)
{
	struct operand *o = *ret = parser_take(p, sizeof(*o));

	if (!o) return -EBADMSG;
	o->kind = p->now.kind == TOKEN_VALUE ? OPERAND_VALUE : OPERAND_PATH;
	return o->kind == OPERAND_VALUE ? parser_value(p, &o->value) : parser_path(p, &o->path);
}

/* --- what was used ----------------------------------------------------------------------------------- */

static bool is_used(const struct expressions *x, const char *key)
{
	for (const struct used *u = x->used; u; u = u->next)
		if (strncmp(u->key, key, u->len) == 0 && key[u->len] == '\0') return true;
	return false;
}

static int check_used(struct expressions *x, json_t *object, const char *what)
{
	char unused[512] = "";
	size_t used = 0;
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		if (is_used(x, key) || used >= sizeof(unused)) continue;
		used += (size_t)snprintf(unused + used, sizeof(unused) - used, "%s%s", used ? ", " : "", key);
	}
	if (!used) return 0;
	return invalid(x->fault, "Value provided in %s unused in expressions: keys: {%s}", what, unused);
}

int expression_check_used(struct expressions *x)
{
	int result = check_used(x, x->names, "ExpressionAttributeNames");
	return result < 0 ? result : check_used(x, x->values, "ExpressionAttributeValues");
}

/* --- projections ------------------------------------------------------------------------------------- */

static int read_paths(struct parser *p, struct projection *ret)
{
	enum { PATHS_MAX = EXPRESSION_BYTES_MAX / 2 + 1 };
	int result = 0;

	if (!(ret->paths = parser_take(p, PATHS_MAX * sizeof(struct path *)))) return -EBADMSG;
	ret->n = 0;
	do
		result = parser_path(p, &ret->paths[ret->n++]);
	while (result == 0 && ret->n < PATHS_MAX && parser_accept(p, ","));
	return result < 0 ? result : parser_end(p);
}

int expression_parse_projection(struct expressions *x, const char *text, struct projection *ret)
{
	struct parser p;
	int result = parser_begin(&p, x, "ProjectionExpression", text);

	return result < 0 ? result : read_paths(&p, ret);
}
