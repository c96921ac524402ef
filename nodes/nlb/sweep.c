#include "nlb/sweep.h"
#include <arpa/inet.h>
#include <stdbool.h>

uint32_t sweep_timeout(const struct sweep_timeouts *t, uint32_t state)
{
	if (nlb_closed(state)) return state & (NLB_RESET | NLB_PASSIVE) ? t->closing : t->time_wait;
	return state & NLB_OPEN ? t->idle : t->half_open;
}

/* One displaced flow less of this home. The candidates' bits go only with the last one, in one step with
 * the check: a flow that is just being placed has raised the number before it sets its bit. */
static void forget_displaced(struct nlb_set *home)
{
	__u64 left = __atomic_sub_fetch(&home->displaced, NLB_DISPLACED_ONE, __ATOMIC_SEQ_CST);

	if (left < NLB_DISPLACED_ONE)
		__atomic_compare_exchange_n(&home->displaced, &left, 0, false, __ATOMIC_SEQ_CST,
		                            __ATOMIC_SEQ_CST);
}

static void free_slot(struct sweep *s, uint32_t port, int way, uint32_t state)
{
	struct nlb_set *set = &s->sets[port];
	uint32_t home = ntohs(set->flow[way].client_port); /* once vacant, the slot may be another's */

	/* fails if a packet changed the state just now: then the flow isn't over */
	if (!__atomic_compare_exchange_n(&set->state[way], &state, state & ~(uint32_t)(NLB_GENERATION - 1),
	                                 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	s->freed++;
	if (!nlb_closed(state)) s->timed_out++;
	if (home != port) forget_displaced(&s->sets[home]);
}

static void sweep_set(struct sweep *s, const struct sweep_timeouts *t, uint32_t port, uint32_t now)
{
	struct nlb_set *set = &s->sets[port];

	for (int way = 0; way < NLB_WAYS; way++) {
		uint32_t state = __atomic_load_n(&set->state[way], __ATOMIC_ACQUIRE);
		if (!(state & NLB_USED)) continue;
		int32_t silent = (int32_t)(now - __atomic_load_n(&set->seen[way], __ATOMIC_RELAXED));
		if (silent > 0 && (uint32_t)silent > sweep_timeout(t, state))
			free_slot(s, port, way, state);
		else
			s->counting++;
	}
}

void sweep_step(struct sweep *s, const struct sweep_timeouts *t, uint32_t n, uint32_t now)
{
	for (; n > 0; n--) {
		sweep_set(s, t, s->next, now);
		s->next = (s->next + 1) % NLB_PORTS;
		if (s->next != 0) continue;
		s->held = s->counting;
		s->counting = 0;
	}
}
