/* sweep.h - makes the slots of ended flows vacant again. The slot table is shared with the running tc
 * program, so every step is an atomic one; a sweep reads one cache line a set. Pure: memory and time are
 * passed in. */
#ifndef AZLAB_NLB_SWEEP_H
#define AZLAB_NLB_SWEEP_H
#include "common/mono.h"
#include "nlb.h"

/* How long a flow holds its slot after its last packet; all in ticks. */
struct sweep_timeouts {
	uint32_t idle;      /* an open flow */
	uint32_t half_open; /* one whose handshake isn't complete */
	uint32_t closing;   /* after a reset, or after a close that leaves no TIME_WAIT at the target */
	uint32_t time_wait; /* after any other close */
};
struct sweep {
	struct nlb_set *sets; /* NLB_PORTS of them; borrowed */
	uint32_t next;
	uint64_t timed_out; /* flows that ended by silence, so far */
	uint64_t freed;     /* slots made vacant, so far */
	uint32_t held;      /* slots in use, open or closed, as the last whole round found them */
	uint32_t counting;  /* of the round under way */
};

static inline uint32_t sweep_ticks(mono_ns t)
{
	return (uint32_t)((uint64_t)t >> NLB_TICK_SHIFT);
}
/* How long a flow in that state lasts. */
uint32_t sweep_timeout(const struct sweep_timeouts *t, uint32_t state);
/* Goes over the next n sets. */
void sweep_step(struct sweep *s, const struct sweep_timeouts *t, uint32_t n, uint32_t now);
#endif
