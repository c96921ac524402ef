/* token.h - words of an expression. Pure. */
#ifndef AZLAB_DYNAMODB_TOKEN_H
#define AZLAB_DYNAMODB_TOKEN_H
#include <stdbool.h>
#include <stddef.h>

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,   /* attribute, keyword, function */
	TOKEN_ALIAS,  /* #name */
	TOKEN_VALUE,  /* :value */
	TOKEN_NUMBER, /* of a list's member */
	TOKEN_SYMBOL, /* ( ) [ ] , . = <> < <= > >= + - */
	TOKEN_WRONG
};

struct token {
	enum token_kind kind;
	const char *at; /* in the expression's text */
	size_t len;
};

/* The token at or behind this place. */
struct token token_next(const char *at);
/* The symbol, or the keyword in any case. */
bool token_is(struct token t, const char *text);
/* The same in this case: functions. */
bool token_is_exactly(struct token t, const char *text);
/* Is it one of the words that the service wants an alias for? */
bool token_is_reserved(struct token t);
#endif
