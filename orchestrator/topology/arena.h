/* arena.h - memory that goes all at once: what hangs on a topology lives as long as the topology.
 * Allocations are zeroed and never NULL: topologies are small (1 MiB of text), so a machine without memory
 * for one ends the program. */
#ifndef AZLAB_ARENA_H
#define AZLAB_ARENA_H
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	max_align_t bytes[];
};
struct arena {
	struct arena_block *blocks;
};

static inline void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes;
	struct arena_block *b = NULL;

	if (!__builtin_mul_overflow(n, size, &bytes)) b = calloc(1, sizeof(*b) + bytes);
	if (!b) {
		fputs("azlab: out of memory\n", stderr);
		abort();
	}
	b->next = a->blocks;
	a->blocks = b;
	return b->bytes;
}
static inline char *arena_text(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_alloc(a, len + 1, 1);
	memcpy(copy, text, len);
	return copy;
}
static inline void arena_release(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
}
#endif
