#include "dwfm/lease.h"

/* With spread, lengths and intervals are a random part of what is set, from here to all of it. */
#define SPREAD_FROM 0.5

void lease_init(struct lease *l, mono_ns due)
{
	*l = (struct lease){ .due = due };
}

static mono_ns renewal_interval(const struct dwfm_knobs *k, struct retry *r)
{
	if (!k->spread) return k->renew_every;
	return (mono_ns)((double)k->renew_every *
	                 (SPREAD_FROM + (1 - SPREAD_FROM) * random_unit(&r->random)));
}

mono_ns lease_length(const struct dwfm_knobs *k, struct retry *r)
{
	mono_ns least = (mono_ns)((double)k->lease * SPREAD_FROM), enough = k->renew_every + k->timeout;

	if (!k->spread) return k->lease;
	if (least < enough) least = enough < k->lease ? enough : k->lease;
	return least + (mono_ns)((double)(k->lease - least) * random_unit(&r->random));
}

/* A retry that the budget has no room for waits until the next renewal would be due, and is a first attempt
 * then. */
static void give_up(struct lease *l, const struct dwfm_knobs *k, struct retry *r, mono_ns now)
{
	l->attempting = false;
	l->failures++;
	if (retry_spend(r, k)) {
		l->due = now + retry_wait(r, k, l->failures);
		return;
	}
	l->failures = 0;
	l->due = now + renewal_interval(k, r);
}

unsigned lease_tick(struct lease *l, const struct dwfm_knobs *k, struct retry *r, mono_ns now)
{
	unsigned news = 0;

	if (l->held && now >= l->until) {
		l->held = false;
		news |= LEASE_LOST;
		/* at once without a lease, but no retry before its time */
		if (!l->attempting && !l->failures && l->due > now) l->due = now;
	}
	if (l->attempting && now >= l->gives_up) give_up(l, k, r, now);
	if (!l->attempting && now >= l->due) {
		if (!l->failures) retry_earn(r, k);
		l->attempting = true;
		l->attempt++;
		l->gives_up = now + k->timeout;
		news |= LEASE_ATTEMPT;
	}
	return news;
}

mono_ns lease_next(const struct lease *l)
{
	mono_ns next = l->attempting ? l->gives_up : l->due;

	return l->held && l->until < next ? l->until : next;
}

bool lease_wants(const struct lease *l, uint32_t attempt, mono_ns now)
{
	return l->attempting && l->attempt == attempt && now < l->gives_up;
}

bool lease_succeed(struct lease *l, const struct dwfm_knobs *k, struct retry *r, uint32_t attempt,
                   mono_ns until, uint64_t epoch, mono_ns now)
{
	if (!lease_wants(l, attempt, now) || now >= until) return false;
	l->held = true;
	l->attempting = false;
	l->failures = 0;
	l->until = until;
	l->epoch = epoch;
	l->due = now + renewal_interval(k, r);
	return true;
}

bool lease_usurped(struct lease *l, const struct dwfm_knobs *k, mono_ns now, bool retry_at_once)
{
	bool was_held = l->held;

	l->held = l->attempting = false;
	l->failures = 0;
	l->due = retry_at_once ? now : now + k->renew_every;
	return was_held;
}

bool lease_holds(const struct lease *l, mono_ns now)
{
	return l->held && now < l->until;
}
