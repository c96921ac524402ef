/* disabled.c - no automatic action: what engineers did on 20 October 2025 at 09:36. All zones are in service,
 * those that were removed before included. */
#include "policy/stages.h"
#include <stdio.h>

static bool disabled_allows(const void *state, const double *params, const struct change *c, mono_ns now,
                            char *reason, mono_ns *ret_retry)
{
	(void)state, (void)params, (void)now;
	if (c->kind == CHANGE_RESTORE_ZONE) return true;
	snprintf(reason, STAGE_REASON_MAX, "automatic failover is disabled");
	*ret_retry = 0; /* no time ends it, only an operator */
	return false;
}

static void disabled_happened(void *state, const double *params, const struct change *c, mono_ns now)
{
	(void)state, (void)params, (void)c, (void)now;
}

const struct stage_type stage_disabled = {
	.name = "disabled",
	.help = "all zones in service, no automatic action",
	.recalls = true,
	.allows = disabled_allows,
	.happened = disabled_happened,
};
