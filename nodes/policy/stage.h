/* stage.h - a failover policy is a chain of stages; a stage may hold back a proposed change. Pure: time is
 * passed in, nothing logs. To add a stage: one file here, one line in stage_types[] (stages.c).
 *
 * Stages see every change from the start of the run, also while the chain is off; then they only keep
 * their books. Only the withdrawal of capacity is rate-limited: doubt keeps capacity in service. */
#ifndef AZLAB_STAGE_H
#define AZLAB_STAGE_H
#include "common/mono.h"
#include <stdbool.h>
#include <stddef.h>

enum { STAGE_PARAMS_MAX = 8, STAGE_ZONES_MAX = 64, STAGE_REASON_MAX = 160, STAGE_STATE_MAX = 2048 };

enum stage_param_kind { STAGE_FRACTION, STAGE_DURATION, STAGE_COUNT };

/* A parameter as the topology writes it; values travel as double: a fraction of 1, nanoseconds, a count. */
struct stage_param {
	const char *key;
	enum stage_param_kind kind;
	double fallback;
	double min, max; /* inclusive */
	const char *help;
};

enum change_kind { CHANGE_REMOVE_ZONE, CHANGE_RESTORE_ZONE };

/* A change that failover proposes, with what it knows at that moment. */
struct change {
	enum change_kind kind;
	unsigned zone;        /* index of the zone in the topology */
	unsigned zones;       /* zones that the service has */
	unsigned zones_in;    /* zones in the answer now */
	unsigned healthy, of; /* targets of that zone */
	double capacity;      /* share of the service's registered targets that this zone holds, 0..1 */
};

struct stage_type {
	const char *name; /* as in the topology: "velocity" */
	const char *help;
	struct stage_param params[STAGE_PARAMS_MAX]; /* ends with an empty key */
	size_t state_size; /* bytes of zeroed state for each chain, at most STAGE_STATE_MAX */
	bool recalls;      /* while it acts, zones that were removed before come back into service too */
	/* True if the change may go ahead; else writes the reason (STAGE_REASON_MAX) and, where it can say,
	 * when to ask again (*ret_retry, absolute; 0 if unknown). Does not change the books. */
	bool (*allows)(const void *state, const double *params, const struct change *c, mono_ns now,
	               char *reason, mono_ns *ret_retry);
	/* The change happened, whether the chain is on or off: keep the books. */
	void (*happened)(void *state, const double *params, const struct change *c, mono_ns now);
};

/* All stages that exist, ending with NULL. */
extern const struct stage_type *const stage_types[];
/* The stage of that name, or NULL. */
const struct stage_type *stage_find(const char *name);
#endif
