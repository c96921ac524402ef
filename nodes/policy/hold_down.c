/* hold_down.c - route flap damping (RFC 2439, with the cautions of RFC 7196) turned round. Each removal of a
 * zone adds a penalty that decays exponentially; above `suppress` the zone is held until it is below `reuse`.
 * Damping for routes then keeps the route *out*, as an unstable route is worse than none; here the zone is
 * kept *in*: what flaps is the judgement, and doubt must not cost capacity. A restore always passes. */
#include "policy/stages.h"
#include <math.h>
#include <stdio.h>

enum { HALF_LIFE, SUPPRESS, REUSE, PENALTY, MAX_HOLD };

struct hold_down {
	struct zone_penalty {
		double penalty; /* at that instant */
		mono_ns at;
		bool suppressed;
	} zones[STAGE_ZONES_MAX];
};
_Static_assert(sizeof(struct hold_down) <= STAGE_STATE_MAX, "state fits the chain");

static double penalty_at(const struct zone_penalty *z, const double *params, mono_ns now)
{
	return z->penalty * exp2(-(double)(now - z->at) / params[HALF_LIFE]);
}

/* When the penalty of the last removal is down to reuse; but no hold outlasts `max` (RFC 2439's max-suppress
 * time, which it turns into a ceiling of the penalty: one below `suppress` would hold nothing). */
static mono_ns held_until(const struct zone_penalty *z, const double *params)
{
	double decay = z->penalty > params[REUSE] ? params[HALF_LIFE] * log2(z->penalty / params[REUSE]) : 0;
	return z->at + (mono_ns)fmin(decay, params[MAX_HOLD]);
}

static bool held_at(const struct zone_penalty *z, const double *params, mono_ns now)
{
	return z->suppressed && now < held_until(z, params);
}

static bool hold_down_allows(const void *state, const double *params, const struct change *c, mono_ns now,
                             char *reason, mono_ns *ret_retry)
{
	const struct zone_penalty *z = &((const struct hold_down *)state)->zones[c->zone];

	if (c->kind == CHANGE_RESTORE_ZONE || !held_at(z, params, now)) return true;
	double penalty = penalty_at(z, params, now), wait = params[HALF_LIFE] * log2(penalty / params[REUSE]);
	snprintf(reason, STAGE_REASON_MAX, "flapping: penalty %.0f, held until it is below %.0f in %.1f s",
	         penalty, params[REUSE], wait / (double)NS_PER_S);
	/* a microsecond more: the rounding of log2 must not make the question come too early again and again
	 */
	*ret_retry = now + (mono_ns)wait + NS_PER_US;
	return false;
}

static void hold_down_happened(void *state, const double *params, const struct change *c, mono_ns now)
{
	struct zone_penalty *z = &((struct hold_down *)state)->zones[c->zone];

	if (c->kind != CHANGE_REMOVE_ZONE) return;
	z->suppressed = held_at(z, params, now);
	z->penalty = penalty_at(z, params, now) + params[PENALTY];
	z->at = now;
	if (z->penalty > params[SUPPRESS]) z->suppressed = true;
}

const struct stage_type stage_hold_down = {
	.name = "hold-down",
	.help = "holds further removals of a zone that was removed again and again (RFC 2439, inverted)",
	.params = {
		[HALF_LIFE] = { "half_life", STAGE_DURATION, 900e9, 1e6, 86400e9, "time in which a penalty halves" },
		[SUPPRESS] = { "suppress", STAGE_COUNT, 2000, 0, 1e6, "penalty above which further removals are held" },
		[REUSE] = { "reuse", STAGE_COUNT, 750, 1, 1e6, "penalty below which removals pass again" },
		[PENALTY] = { "penalty", STAGE_COUNT, 1000, 0, 1e6, "added by each removal" },
		[MAX_HOLD] = { "max", STAGE_DURATION, 3600e9, 0, 86400e9, "longest hold after a removal" },
	},
	.state_size = sizeof(struct hold_down),
	.allows = hold_down_allows,
	.happened = hold_down_happened,
};
