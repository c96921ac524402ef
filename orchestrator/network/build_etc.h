/* build_etc.h - the files of /etc/netns/LAB.NODE: programs in a namespace ask the lab's own resolvers. */
#ifndef AZLAB_BUILD_ETC_H
#define AZLAB_BUILD_ETC_H
#include "orchestrator/network/ownership.h"
#include "orchestrator/plan/plan.h"

/* The texts of resolv.conf by zone. */
struct build_etc {
	char resolv[TOPOLOGY_ZONES_MAX][160];
	char outside[160]; /* of internet, region and the backbone */
};

/* Finds the plan's resolvers. Pure. */
void build_etc_init(struct build_etc *etc, const struct plan *p);
/* What resolv.conf says for nodes of a zone (or PLAN_REGION, ...). */
const char *build_etc_resolv(const struct build_etc *etc, int zone);
int build_etc_add(const struct build_etc *etc, const struct own *o, const struct plan *p, size_t node,
                  const char *name, struct own_etc *ret, struct build_error *e);
#endif
