/* kernel.h - a zone router's host routes in the kernel, over rtnetlink. Needs CAP_NET_ADMIN to change any.
 * Every call waits for the kernel's answer. Errors are -errno where libnl keeps them apart, else -EIO. */
#ifndef AZLAB_NETWORK_AGENT_KERNEL_H
#define AZLAB_NETWORK_AGENT_KERNEL_H
#include "proto/route.h"

struct nl_sock;

/* rtm_protocol of the routes made here, so that "ip route show proto 97" lists them and no others. */
enum { AGENT_ROUTE_PROTOCOL = 97 };

struct agent_kernel {
	struct nl_sock *netlink;
	const char *zone;   /* the router's own; strings are borrowed */
	const char *uplink; /* towards the other zones */
	struct in_addr gateway4;
	struct in6_addr gateway6;
};

int agent_kernel_open(struct agent_kernel *k);
void agent_kernel_close(struct agent_kernel *k);
/* Makes both routes of the address, or replaces them: to its link for an instance of the own zone, else
 * through the uplink. -ENODEV if there is no such link yet. An error may leave one of the two. */
int agent_kernel_attach(struct agent_kernel *k, const struct route_update *u);
/* Removes both; that there was none is success. */
int agent_kernel_detach(struct agent_kernel *k, const struct route_update *u);
#endif
