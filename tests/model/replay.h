/* replay.h - plays the steps of a trail with real enactors: each of their packets waits in a relay until its
 * turn.
 *
 * Ways out: a real system that does something else than the trail says ends the program with REPLAY_DIFFERS
 * and what it did; a machine too slow for the enactors' own patience (they give a transaction up after 3 s
 * without an answer) with REPLAY_TOO_SLOW: try again. */
#ifndef AZLAB_REPLAY_H
#define AZLAB_REPLAY_H
#include "proto/dns_plan.h"
#include "tests/model/relay.h"
#include "tests/model/trail.h"
#include "tests/netns/testnode.h"
#include <stdint.h>

enum { REPLAY_SAME = 0, REPLAY_DIFFERS = 1, REPLAY_TOO_SLOW = 75 };

struct replay_enactor {
	struct testnode *node;
	struct relay *relay;
	size_t events;  /* taken note of */
	uint64_t serve; /* the plan that its next question to the store gets; 0: none that is new */
};
struct replay {
	struct event_base *base;
	struct trail trail;
	struct dns_plan plans[TRAIL_PLANS_MAX + 2]; /* the last: one more than the trail's */
	struct replay_enactor enactors[TRAIL_ENACTORS + 1];
	int64_t locks_end_ms; /* wall clock: all locks taken so far have expired */
	size_t at;            /* the step */
};

/* Plays it all. */
void replay_steps(struct replay *r);

/* For what comes after the steps. */
void replay_differs(const struct replay *r, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* Lets time pass for all, a little. */
void replay_pump(struct replay *r);
/* The next event of an enactor that nobody has taken note of, or NULL; and taking note of it. What comes of
 * itself beside another one ("plan.picked", a "plan.stale" for what was written) is passed over. */
const json_t *replay_event(struct replay *r, struct replay_enactor *e);
void replay_noted(struct replay_enactor *e);
#endif
