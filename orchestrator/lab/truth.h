/* truth.h - which routers really hold which instances' routes, told by each router's kernel (rtnetlink
 * notifications), never by what an agent reports.
 *
 * Ownership: truth_close() releases all. Errors are -errno. */
#ifndef AZLAB_TRUTH_H
#define AZLAB_TRUTH_H
#include "common/mono.h"
#include "orchestrator/plan/plan.h"
#include <event2/event.h>

struct truth;
/* Called when a router's set of routes to an instance has changed; instance is what truth_add() was given. */
typedef void truth_changed(void *arg, size_t instance, int zone);

int truth_open(struct event_base *base, truth_changed *changed, void *arg, struct truth **ret);
/* Watches the router of a zone, whose namespace the calling thread must be in. */
int truth_watch(struct truth *t, int zone);
/* Makes an instance known, before its first route exists: from now on its routes are followed. */
int truth_add(struct truth *t, size_t instance, const struct plan_addr *addr);
/* Forgets an instance that has ended: nobody asks for its routes again. */
void truth_remove(struct truth *t, size_t instance);
/* True if the zone's router holds both its routes, or every watched router does. */
bool truth_routed_from(const struct truth *t, size_t instance, int zone);
bool truth_routed(const struct truth *t, size_t instance);
void truth_close(struct truth *t);
#endif
