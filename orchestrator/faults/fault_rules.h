/* fault_rules.h - a fault of the topology as a rule of the fault program. Pure. */
#ifndef AZLAB_FAULT_RULES_H
#define AZLAB_FAULT_RULES_H
#include "fault.h"
#include "orchestrator/plan/plan.h"

/* Looks up where the fault's packets come from and go to in the plan (a zone's name means all of the zone)
 * and fills in *ret, about 8 KB. 0, or -EINVAL with *error saying what the fault asks in vain. */
int fault_rule_resolve(const struct fault_config *c, const struct plan *p, struct fault_rule *ret,
                       struct topology_error *error);

/* The class's name as topologies write it, and back (-EINVAL). */
const char *fault_class_name(enum fault_class class);
int fault_class_parse(const char *name);

#endif
