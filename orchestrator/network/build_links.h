/* build_links.h - the netlink messages of a plan: links, addresses, routes. They go into the caller's batch,
 * whose socket must stand in the right namespace; failures name the node by the batch's tag. */
#ifndef AZLAB_BUILD_LINKS_H
#define AZLAB_BUILD_LINKS_H
#include "orchestrator/network/build_error.h"
#include "orchestrator/network/netlink.h"
#include "orchestrator/plan/plan.h"

/* In the parent's namespace: the veth to the node, whose namespace is ns. The near end is born up. */
int build_link(struct netlink_batch *b, const struct plan *p, size_t node, int ns);
/* In the node's namespace: lo and the uplink go up, addresses. */
int build_addresses(struct netlink_batch *b, const struct plan *p, size_t node);
/* In the node's namespace, when all links that its routes name are there: plan_routes(). */
int build_routes(struct netlink_batch *b, const struct plan *p, size_t node);
/* Explains a failed batch: *e, and the error again. */
int build_explain(const struct netlink_batch *b, const struct plan *p, int error, struct build_error *e);
/* Waits until all links of a router carry packets: the kernel opens the queue of an end that was up before
 * its peer a little later. socket is in the router's namespace. */
int build_settle(int socket);
#endif
