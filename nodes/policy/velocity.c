/* velocity.c - limits how fast capacity may be removed: a token bucket over shares of the service's capacity.
 * It holds max_removed and refills at max_removed/per, so what leaves within any span T is at most
 * max_removed * (1 + T/per). */
#include "policy/stages.h"
#include <stdio.h>

enum { MAX_REMOVED, PER };

/* Shares are sums of fractions such as 1/3: what is missing by less than this counts as there. */
static const double ROUNDING = 1e-9;

struct velocity {
	double taken; /* tokens out of the bucket at that instant: zeroed state is a full bucket */
	mono_ns at;
};

static double tokens_at(const struct velocity *v, const double *params, mono_ns now)
{
	double returned = params[MAX_REMOVED] * (double)(now - v->at) / params[PER];
	double taken = v->taken > returned ? v->taken - returned : 0;

	/* the knob may have been turned down below what is out */
	return taken < params[MAX_REMOVED] ? params[MAX_REMOVED] - taken : 0;
}

static bool velocity_allows(const void *state, const double *params, const struct change *c, mono_ns now,
                            char *reason, mono_ns *ret_retry)
{
	double tokens = tokens_at(state, params, now), missing = c->capacity - tokens;

	if (c->kind == CHANGE_RESTORE_ZONE || missing <= ROUNDING) return true;
	snprintf(reason, STAGE_REASON_MAX,
	         "%.0f %% may be removed per %.6g s: %.0f %% left, the zone holds %.0f %%",
	         100 * params[MAX_REMOVED], params[PER] / (double)NS_PER_S, 100 * tokens, 100 * c->capacity);
	*ret_retry = 0; /* a zone larger than the whole bucket never goes */
	if (c->capacity <= params[MAX_REMOVED] + ROUNDING)
		*ret_retry = now + (mono_ns)(missing / params[MAX_REMOVED] * params[PER]) + 1;
	return false;
}

static void velocity_happened(void *state, const double *params, const struct change *c, mono_ns now)
{
	struct velocity *v = state;
	double tokens = tokens_at(v, params, now);

	if (c->kind != CHANGE_REMOVE_ZONE) return;
	/* a removal that passed while the stage was off may cost more than there is: down to 0, never below
	 */
	tokens = tokens > c->capacity ? tokens - c->capacity : 0;
	*v = (struct velocity){ .taken = params[MAX_REMOVED] - tokens, .at = now };
}

const struct stage_type stage_velocity = {
	.name = "velocity",
	.help = "limits the capacity removed per window (token bucket)",
	.params = {
		[MAX_REMOVED] = { "max_removed", STAGE_FRACTION, 0.34, 0, 1, "share of the service's targets that may leave per window" },
		[PER] = { "per", STAGE_DURATION, 60e9, 1e6, 86400e9, "the window in which the whole share returns" },
	},
	.state_size = sizeof(struct velocity),
	.allows = velocity_allows,
	.happened = velocity_happened,
};
