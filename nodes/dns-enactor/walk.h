/* walk.h - the endpoints of a plan, one after another, in the plan's order or one drawn from the seed, with
 * back-off at a lock that was lost: exponential, full jitter. Pure: time is passed in. */
#ifndef AZLAB_DNE_WALK_H
#define AZLAB_DNE_WALK_H
#include "common/mono.h"
#include "common/random.h"
#include <stdbool.h>
#include <stddef.h>

struct dne_walk {
	size_t n, at;
	uint32_t *order;
	size_t n_aborted;     /* endpoints that couldn't take the plan */
	unsigned attempt;     /* at this endpoint, from 1 */
	mono_ns begun, since; /* of the walk, and of this endpoint */
};

/* Draws the order of n endpoints, n > 0; with NULL for random it is the plan's. 0 or -ENOMEM. */
int dne_walk_begin(struct dne_walk *w, size_t n, struct random *random, mono_ns now);
void dne_walk_release(struct dne_walk *w);
/* Which endpoint it is at, 0..n-1. */
size_t dne_walk_at(const struct dne_walk *w);
/* The attempt at this endpoint failed: how long to wait before the next. */
mono_ns dne_walk_back_off(struct dne_walk *w, mono_ns first, mono_ns longest, struct random *random);
/* Goes on to the next endpoint; false after the last. */
bool dne_walk_next(struct dne_walk *w, mono_ns now);
#endif
