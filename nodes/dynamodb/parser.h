/* parser.h - what the parsers of conditions, updates and projections share. */
#ifndef AZLAB_DYNAMODB_PARSER_H
#define AZLAB_DYNAMODB_PARSER_H
#include "dynamodb/expression.h"
#include "dynamodb/token.h"

struct parser {
	struct expressions *x;
	const char *what;
	struct token last, now; /* `now` is the next one to be taken */
	unsigned depth;
};

/* -EBADMSG for an empty text or one that is too long. */
int parser_begin(struct parser *p, struct expressions *x, const char *what, const char *text);
/* Nothing may follow. */
int parser_end(struct parser *p);
struct token parser_peek(const struct parser *p); /* the one behind `now` */
void parser_skip(struct parser *p);
/* Takes the symbol or keyword, if it is there. */
bool parser_accept(struct parser *p, const char *text);
int parser_expect(struct parser *p, const char *text);
int parser_syntax_error(struct parser *p);
/* Invalid WHAT: message. */
int parser_refuse(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Cleared memory of the arena; NULL, with the fault, if there is no more. */
void *parser_take(struct parser *p, size_t size);
/* Deeper by one level, at most EXPRESSION_DEPTH_MAX. */
int parser_descend(struct parser *p);

int parser_path(struct parser *p, struct path **ret);
int parser_value(struct parser *p, json_t **ret);
/* A path or a value. */
int parser_operand(struct parser *p, struct operand **ret);
#endif
