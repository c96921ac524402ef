/* key_range.h - where in the store the items are that a query's key condition asks for. Pure. */
#ifndef AZLAB_DYNAMODB_KEY_RANGE_H
#define AZLAB_DYNAMODB_KEY_RANGE_H
#include "dynamodb/expression.h"
#include "dynamodb/table.h"

struct key_range {
	struct key from, to; /* from <= keys < to */
	bool wider;          /* others may lie there, too: the condition has to be asked of each item */
};

/* All of a table. */
void key_range_table(const struct table *t, struct key_range *ret);
/* -EBADMSG with the fault for a condition that is none on the table's keys. */
int key_range_query(const struct table *t, const struct condition *c, struct fault *fault,
                    struct key_range *ret);
/* Begins (or ends, downwards) behind the item with this key; false if that is outside. */
bool key_range_start(struct key_range *r, const struct key *start, bool down);
#endif
