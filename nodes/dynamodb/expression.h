/* expression.h - the protocol's expressions: conditions, updates, projections. Parsing needs no item;
 * evaluating can't fail but for updates. Pure.
 *
 * Ownership: what parsing returns lies in the arena, and points into the expressions' texts and their names
 * and values, which all have to stay. Errors are -EBADMSG, with the fault in the real service's words. */
#ifndef AZLAB_DYNAMODB_EXPRESSION_H
#define AZLAB_DYNAMODB_EXPRESSION_H
#include "dynamodb/arena.h"
#include "dynamodb/errors.h"
#include "dynamodb/path.h"

enum { EXPRESSION_BYTES_MAX = 4096, EXPRESSION_DEPTH_MAX = 200 };

/* What the expressions of one request have in common. */
struct expressions {
	struct arena *arena;
	json_t *names, *values; /* ExpressionAttributeNames, ...Values; checked; NULL: none */
	struct used *used;      /* which of them were used */
	struct fault *fault;
};

enum operand_kind {
	OPERAND_PATH,
	OPERAND_VALUE,
	OPERAND_SIZE,          /* of a path */
	OPERAND_SUM,           /* left + right */
	OPERAND_DIFFERENCE,    /* left - right */
	OPERAND_IF_NOT_EXISTS, /* the path, else right */
	OPERAND_LIST_APPEND    /* left, right */
};
struct operand {
	enum operand_kind kind;
	struct path *path;
	json_t *value;
	struct operand *left, *right;
	struct operand *next; /* of a condition's operands */
};

enum condition_kind {
	CONDITION_AND, /* left, right */
	CONDITION_OR,
	CONDITION_NOT,   /* left */
	CONDITION_EQUAL, /* operands from here on */
	CONDITION_NOT_EQUAL,
	CONDITION_LESS,
	CONDITION_LESS_EQUAL,
	CONDITION_GREATER,
	CONDITION_GREATER_EQUAL,
	CONDITION_BETWEEN,
	CONDITION_IN,
	CONDITION_EXISTS,
	CONDITION_NOT_EXISTS,
	CONDITION_TYPE,
	CONDITION_BEGINS_WITH,
	CONDITION_CONTAINS
};
struct condition {
	enum condition_kind kind;
	struct condition *left, *right;
	struct operand *operands;
};
/* "BETWEEN", "contains" */
const char *condition_name(enum condition_kind kind);

enum action_kind { ACTION_SET, ACTION_REMOVE, ACTION_ADD, ACTION_DELETE };
struct action {
	enum action_kind kind;
	struct path *path;
	struct operand *operand; /* none for REMOVE */
	struct action *next;
};

struct projection {
	struct path **paths;
	size_t n;
};

/* `what` is the parameter's name, for messages: "ConditionExpression". */
int expression_parse_condition(struct expressions *x, const char *what, const char *text,
                               struct condition **ret);
int expression_parse_update(struct expressions *x, const char *text, struct action **ret);
int expression_parse_projection(struct expressions *x, const char *text, struct projection *ret);
/* After all parsing: names and values that no expression used are a mistake. */
int expression_check_used(struct expressions *x);

/* item NULL: there is none; condition NULL: none, which always holds. */
bool condition_holds(const struct condition *c, const json_t *item);
/* Changes the item. On failure it may have been changed in part. */
int update_apply(const struct action *actions, json_t *item, struct fault *fault);
/* The paths that an update changes, in the arena. */
int update_paths(const struct action *actions, struct arena *arena, struct projection *ret);
/* The operand's value on the item, a new reference; NULL if it has none. */
json_t *operand_value(const struct operand *o, const json_t *item);
#endif
