/* trail.h - a trail of the model (docs/dns-model.md) as spin tells it: its settings, its steps, and the state
 * of the zone that it ends in. Pure but for the stream. */
#ifndef AZLAB_TRAIL_H
#define AZLAB_TRAIL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
	TRAIL_ENACTORS = 3,
	TRAIL_ENDPOINTS = 2,
	TRAIL_PLANS_MAX = 8,
	TRAIL_STEPS_MAX = 2000,
	TRAIL_NONE = 255
};

struct trail_step {
	char name[16];
	unsigned enactor, plan, endpoint; /* enactors from 1; TRAIL_NONE: no endpoint */
};
struct trail {
	unsigned freshness, cleanup, alias_check, refuse_empty, auto_rollback, keep, tree_messages, plans;
	size_t n;
	struct trail_step steps[TRAIL_STEPS_MAX];
	unsigned root[TRAIL_ENDPOINTS], generation[TRAIL_ENDPOINTS]; /* plans */
	unsigned rollback[TRAIL_ENDPOINTS], holder[TRAIL_ENDPOINTS]; /* TRAIL_NONE, 0: never written */
	unsigned mark[TRAIL_PLANS_MAX + 1], top[TRAIL_PLANS_MAX + 1];
	unsigned handled[TRAIL_ENACTORS + 1], idle[TRAIL_ENACTORS + 1];
};

/* 0, or -EBADMSG for what is no trail. */
int trail_read(FILE *in, struct trail *ret);
/* All has been handled by all: nothing acts any more. */
bool trail_quiet(const struct trail *t);
#endif
