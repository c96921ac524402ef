/* verdicts.h - which zones of one service are in its answer. Pure: time is passed in, what happened comes
 * out.
 *
 * Each zone has a verdict: out while healthy/of of its registered targets is below min_healthy. The answer
 * holds the zones with verdict in and those whose removal the chain holds back, or all if that would be none
 * (fail open). Every change that takes a zone out of the answer goes through the chain, those that come from
 * leaving fail open too. A held removal stays proposed while its cause lasts and is decided anew at each
 * call; verdicts_retry() says when time alone may change the decision.
 *
 * Units: mono_ns, never going back; zones are indices and bits. Nothing to free. */
#ifndef AZLAB_VERDICTS_H
#define AZLAB_VERDICTS_H
#include "policy/chain.h"
#include <stdint.h>

typedef uint64_t zone_set; /* bit i: zone i */
_Static_assert(STAGE_ZONES_MAX <= 64, "zones fit a zone_set");

struct verdicts_config {
	unsigned zones;
	bool enabled;    /* false: all zones in service, no automatic action */
	bool rate_limit; /* the stages act */
	double min_healthy;
	size_t n_stages;
	struct chain_stage stages[CHAIN_STAGES_MAX];
};

struct zone_verdict {
	unsigned healthy, of;
	bool had_targets; /* an empty zone is out, but not before its first target is known */
	bool out;
	bool held;      /* in an episode of being held: zone.held was told */
	uint64_t cause; /* the event that tipped the verdict */
};
struct verdicts {
	struct verdicts_config config;
	struct chain chain;
	struct zone_verdict zones[STAGE_ZONES_MAX];
	zone_set answer;
	bool fail_open;
	mono_ns retry;
};

enum happening_kind { ZONE_REMOVED, ZONE_RESTORED, ZONE_HELD, FAILOPEN_ON, FAILOPEN_OFF };
struct happening {
	enum happening_kind kind;
	unsigned zone;                      /* not for FAILOPEN_* */
	unsigned healthy, of;               /* targets of the zone */
	uint64_t cause;                     /* id of the event that led to it, 0 if unknown */
	char reason[STAGE_REASON_MAX + 32]; /* ZONE_HELD: "velocity: ..."; empty for FAILOPEN_* */
};
struct happenings {
	size_t n;
	struct happening list[2 * STAGE_ZONES_MAX + 2]; /* a zone at most enters and is held */
};

/* All zones in. -E2BIG for too many zones or stages, -EINVAL for none; *v is then unchanged. */
int verdicts_init(struct verdicts *v, const struct verdicts_config *config);
/* Turns knobs; the number of zones stays. Stages that stay keep their books. Errors as above. */
int verdicts_configure(struct verdicts *v, const struct verdicts_config *config, uint64_t cause, mono_ns now,
                       struct happenings *ret);
/* The targets of one zone as reported now; cause is the event that changed them. */
void verdicts_feed(struct verdicts *v, unsigned zone, unsigned healthy, unsigned of, uint64_t cause,
                   mono_ns now, struct happenings *ret);
/* Time went by: decides what is held anew. */
void verdicts_tick(struct verdicts *v, mono_ns now, struct happenings *ret);
/* When to tick next; MONO_NEVER if nothing waits for time. */
mono_ns verdicts_retry(const struct verdicts *v);
/* Zones in the answer whose verdict is out: held, or failing open. */
zone_set verdicts_proposed_out(const struct verdicts *v);
#endif
