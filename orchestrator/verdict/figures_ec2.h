/* figures_ec2.h - what a run with EC2 comes down to beside the figures of figures.h; docs/figures.md defines
 * each. Pure functions of the record. */
#ifndef AZLAB_FIGURES_EC2_H
#define AZLAB_FIGURES_EC2_H
#include "orchestrator/verdict/ec2_seconds.h"

/* {"droplets": 6000, "leases_held": ..., ...} of a span, or NULL without memory. calm is the span whose good
 * work counts as the system's own: the first phase. Figures that an empty span can't have are null. */
json_t *figures_ec2_json(const struct record *r, struct span span, struct span calm,
                         const struct ec2_store *store);
#endif
