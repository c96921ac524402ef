/* arena.h - memory of one request's expressions: taken piece by piece, given back all at once. */
#ifndef AZLAB_DYNAMODB_ARENA_H
#define AZLAB_DYNAMODB_ARENA_H
#include <stddef.h>

struct arena {
	size_t used;
	/* The longest expressions that the protocol allows, 4 KB each, of the shortest words there are, fit.
	 * Pages that are never used cost nothing. */
	_Alignas(16) char bytes[4 << 20];
};

/* Not cleared; NULL when there is no room. */
static inline void *arena_take(struct arena *a, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15;

	if (rounded > sizeof(a->bytes) - a->used) return NULL;
	a->used += rounded;
	return a->bytes + a->used - rounded;
}
static inline void arena_reset(struct arena *a)
{
	a->used = 0;
}
#endif
