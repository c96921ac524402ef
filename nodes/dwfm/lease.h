/* lease.h - one droplet's lease as its DWFM host sees it. Pure: time is passed in.
 *
 *      due             attempt succeeds
 *   none/held -> attempting ---------------> held until its end, due again after renew_every
 *        ^            |
 *        +------------+ given up `timeout` after it was queued: due again, after back-off
 *
 * An attempt that fails early is no news: the droplet waits until its time-out, and then tries again. One
 * that succeeds after it was given up is stale, and its result is dropped. A lease that is held runs out by
 * itself, whatever attempts do. */
#ifndef AZLAB_DWFM_LEASE_H
#define AZLAB_DWFM_LEASE_H
#include "dwfm/retry.h"

struct lease {
	bool held, attempting;
	uint32_t attempt;  /* the number of the last one */
	uint32_t failures; /* in a row */
	mono_ns until;     /* if held */
	mono_ns due;       /* unless attempting: of the next attempt */
	mono_ns gives_up;  /* if attempting */
	uint64_t epoch;
};

enum lease_news {
	LEASE_LOST = 1,    /* it has run out */
	LEASE_ATTEMPT = 2, /* queue attempt l->attempt, which expires at l->gives_up */
};

void lease_init(struct lease *l, mono_ns due);
/* Does what is due; returns what there is of enum lease_news. */
unsigned lease_tick(struct lease *l, const struct dwfm_knobs *k, struct retry *r, mono_ns now);
/* When to call lease_tick() again. */
mono_ns lease_next(const struct lease *l);
/* True if the droplet is still waiting for this attempt. */
bool lease_wants(const struct lease *l, uint32_t attempt, mono_ns now);
/* The attempt is through: the droplet is ours until then, under that epoch. False if that is stale. */
bool lease_succeed(struct lease *l, const struct dwfm_knobs *k, struct retry *r, uint32_t attempt,
                   mono_ns until, uint64_t epoch, mono_ns now);
/* How long the next lease is to last. */
mono_ns lease_length(const struct dwfm_knobs *k, struct retry *r);
/* Somebody else has it, or it may be so: ours, if held, is over. The next attempt is due after renew_every,
 * or at once. True if it was held. */
bool lease_usurped(struct lease *l, const struct dwfm_knobs *k, mono_ns now, bool retry_at_once);
/* May orders be given under it? */
bool lease_holds(const struct lease *l, mono_ns now);
#endif
