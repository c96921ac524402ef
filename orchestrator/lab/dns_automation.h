/* dns_automation.h - what the topology makes of docs/dns-automation.md: the configurations of planner,
 * enactors and operator, and the zone as it stands at first. Pure. JSON that is handed out is the caller's,
 * JSON handed in is consumed. */
#ifndef AZLAB_DNS_AUTOMATION_H
#define AZLAB_DNS_AUTOMATION_H
#include "orchestrator/plan/plan.h"
#include "proto/dns_plan.h"
#include <jansson.h>

/* The index of the service whose names are kept. */
size_t dns_automation_service(const struct topology *t);
/* The zone that the automation writes: the service's DNS name less its first label. */
const char *dns_automation_zone(const struct topology *t);
/* Of roots and tops: the negative TTL. An alias of a cloud's own has none; a CNAME with a shorter one would
 * cut a resolver's empty answers short, one with a longer one would outlast them. */
uint32_t dns_automation_ttl_s(const struct topology *t);
/* Plan 0, which the topology's own load balancers make. 0 or -ENOMEM; dns_plan_release() it. */
int dns_automation_first_plan(const struct plan *p, struct dns_plan *ret);
/* The zone file. 0, -ENOENT without a route53 in the plan, -ENOMEM or -EIO. */
int dns_automation_write_zone(const struct plan *p, FILE *out);

json_t *dns_automation_planner(const struct plan *p);
json_t *dns_automation_enactor(const struct plan *p, const char *zone, json_t *dns);
json_t *dns_automation_operator(const struct plan *p, json_t *dns);
#endif
