#include "network-agent/kernel.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

static int errno_of_netlink(int error)
{
	switch (-error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_PERM:
		return -EPERM;
	case NLE_OBJ_NOTFOUND:
		return -ESRCH;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_INVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int agent_kernel_open(struct agent_kernel *k)
{
	if (!(k->netlink = nl_socket_alloc())) return -ENOMEM;
	int r = errno_of_netlink(nl_connect(k->netlink, NETLINK_ROUTE));
	if (r < 0) agent_kernel_close(k);
	return r;
}

void agent_kernel_close(struct agent_kernel *k)
{
	nl_socket_free(k->netlink);
	k->netlink = NULL;
}

/* A host route of the address without a next hop, which is enough to delete one. */
static struct rtnl_route *host_route(int family, const struct route_address *address)
{
	const void *bytes = family == AF_INET ? (const void *)&address->v4 : &address->v6;
	size_t len = family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
	struct rtnl_route *route = rtnl_route_alloc();
	struct nl_addr *dst = nl_addr_build(family, bytes, len);

	if (!route || !dst || rtnl_route_set_dst(route, dst) < 0) {
		rtnl_route_put(route);
		route = NULL;
	}
	nl_addr_put(dst);
	if (!route) return NULL;
	rtnl_route_set_table(route, RT_TABLE_MAIN);
	rtnl_route_set_protocol(route, AGENT_ROUTE_PROTOCOL);
	return route;
}

/* gateway NULL: the destination is the link's other end. */
static int add_nexthop(struct rtnl_route *route, unsigned ifindex, struct nl_addr *gateway)
{
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

	if (!hop) return -ENOMEM;
	rtnl_route_nh_set_ifindex(hop, (int)ifindex);
	if (gateway) {
		rtnl_route_nh_set_gateway(hop, gateway);
		/* no address on the link covers the gateway's: the kernel is not to ask for one */
		rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
	}
	rtnl_route_add_nexthop(route, hop);
	rtnl_route_set_scope(route, gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
	return 0;
}

static int set_nexthop(struct rtnl_route *route, const struct agent_kernel *k, int family,
                       const char *own_link)
{
	unsigned ifindex = if_nametoindex(own_link ? own_link : k->uplink);
	struct nl_addr *gateway = NULL;

	if (ifindex == 0) return -ENODEV;
	if (!own_link) {
		gateway = family == AF_INET ? nl_addr_build(AF_INET, &k->gateway4, sizeof(k->gateway4))
		                            : nl_addr_build(AF_INET6, &k->gateway6, sizeof(k->gateway6));
		if (!gateway) return -ENOMEM;
	}
	int r = add_nexthop(route, ifindex, gateway);
	nl_addr_put(gateway);
	return r;
}

static int attach(struct agent_kernel *k, int family, const struct route_update *u)
{
	struct rtnl_route *route = host_route(family, &u->address);
	const char *own_link = strcmp(u->zone, k->zone) == 0 ? u->ifname : NULL;

	if (!route) return -ENOMEM;
	int r = set_nexthop(route, k, family, own_link);
	if (r == 0) r = errno_of_netlink(rtnl_route_add(k->netlink, route, NLM_F_CREATE | NLM_F_REPLACE));
	rtnl_route_put(route);
	return r;
}

static int detach(struct agent_kernel *k, int family, const struct route_update *u)
{
	struct rtnl_route *route = host_route(family, &u->address);

	if (!route) return -ENOMEM;
	rtnl_route_set_scope(route, RT_SCOPE_NOWHERE); /* of any scope */
	int r = errno_of_netlink(rtnl_route_delete(k->netlink, route, 0));
	rtnl_route_put(route);
	return r == -ESRCH || r == -ENODEV ? 0 : r; /* gone before, perhaps together with its link */
}

int agent_kernel_attach(struct agent_kernel *k, const struct route_update *u)
{
	int r = attach(k, AF_INET, u);
	return r < 0 ? r : attach(k, AF_INET6, u);
}

int agent_kernel_detach(struct agent_kernel *k, const struct route_update *u)
{
	int r4 = detach(k, AF_INET, u), r6 = detach(k, AF_INET6, u);
	return r4 < 0 ? r4 : r6;
}
