#include "orchestrator/network/build_links.h"
#include "common/mono.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* Interface numbers are chosen, not asked for: a node's uplink has always the same one, the far end one by
 * the node's number. Small ones are left to what a kernel puts into new namespaces by itself (tunl0, sit0).
 */
enum { LO_INDEX = 1, UPLINK_INDEX = 100, DOWNLINK_INDEX = 101 };

enum what { WHAT_LINK, WHAT_UP, WHAT_ADDRESS, WHAT_ROUTE };
static const char *const what_text[] = { "make the link of", "set up the links of", "give addresses to",
	                                 "give routes to" };

static uint64_t tag_of(enum what what, size_t node)
{
	return (uint64_t)what << 32 | node;
}

static uint32_t downlink_index(const struct plan_node *n)
{
	return DOWNLINK_INDEX + n->number;
}

static const char *uplink_name(const struct plan_node *n)
{
	return n->kind == PLAN_ROUTER ? "backbone" : "eth0";
}

/* What both ends have in common. One queue: veth else makes one for each possible CPU. */
static void put_end(struct nlmsghdr *m, const struct plan_node *n, const char *name)
{
	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	mnl_attr_put(m, IFLA_ADDRESS, sizeof(n->mac), n->mac);
	mnl_attr_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
}

static void put_peer(struct nlmsghdr *m, const struct plan_node *n, int ns)
{
	struct nlattr *peer = mnl_attr_nest_start(m, VETH_INFO_PEER);
	/* a peer can't be born up: its other end isn't tied to it yet */
	const struct ifinfomsg end = { .ifi_index = UPLINK_INDEX,
		                       .ifi_flags = IFF_NOARP,
		                       .ifi_change = IFF_NOARP };

	memcpy(mnl_nlmsg_get_payload_tail(m), &end, sizeof(end));
	m->nlmsg_len += NLMSG_ALIGN(sizeof(end));
	put_end(m, n, uplink_name(n));
	mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)ns);
	mnl_attr_nest_end(m, peer);
}

int build_link(struct netlink_batch *b, const struct plan *p, size_t node, int ns)
{
	const struct plan_node *n = &p->nodes[node];
	struct ifinfomsg *near;
	struct nlmsghdr *m;
	int result = netlink_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, tag_of(WHAT_LINK, node),
	                             sizeof(*near), &m, (void **)&near);

	if (result < 0) return result;
	near->ifi_index = (int)downlink_index(n);
	near->ifi_flags = near->ifi_change = IFF_UP | IFF_NOARP;
	put_end(m, n, n->ifname);
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
	put_peer(m, n, ns);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
	return 0;
}

static int put_up(struct netlink_batch *b, size_t node, int index)
{
	struct ifinfomsg *link;
	struct nlmsghdr *m;
	int result =
	    netlink_message(b, RTM_NEWLINK, 0, tag_of(WHAT_UP, node), sizeof(*link), &m, (void **)&link);

	if (result < 0) return result;
	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = IFF_UP;
	return 0;
}

static int put_address(struct netlink_batch *b, size_t node, int family, const void *address, uint32_t index)
{
	const size_t len = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	struct ifaddrmsg *a;
	struct nlmsghdr *m;
	int result = netlink_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, tag_of(WHAT_ADDRESS, node),
	                             sizeof(*a), &m, (void **)&a);

	if (result < 0) return result;
	*a = (struct ifaddrmsg){ .ifa_family = (uint8_t)family,
		                 .ifa_prefixlen = (uint8_t)(len * 8),
		                 .ifa_index = index,
		                 .ifa_scope = RT_SCOPE_UNIVERSE };
	mnl_attr_put(m, IFA_LOCAL, len, address);
	mnl_attr_put(m, IFA_ADDRESS, len, address);
	mnl_attr_put_u32(m, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	return 0;
}

static int put_both_addresses(struct netlink_batch *b, size_t node, const struct plan_addr *a, uint32_t index)
{
	int result = put_address(b, node, AF_INET, &a->v4, index);
	return result < 0 ? result : put_address(b, node, AF_INET6, &a->v6, index);
}

int build_addresses(struct netlink_batch *b, const struct plan *p, size_t node)
{
	const struct plan_node *n = &p->nodes[node];
	bool forwards = n->kind == PLAN_ROUTER || n->kind == PLAN_BACKBONE;
	uint32_t index = forwards ? LO_INDEX : UPLINK_INDEX;
	int result = put_up(b, node, LO_INDEX);

	if (result == 0 && n->parent >= 0) result = put_up(b, node, UPLINK_INDEX);
	/* its own address first: IPv4 takes the first one as the source of what it sends */
	if (result == 0) result = put_both_addresses(b, node, &n->addr, index);
	for (size_t i = 0; result == 0 && i < n->n_zonal; i++)
		result = put_both_addresses(b, node, &n->zonal[i], index);
	return result;
}

/* The other end of any link, to which no address belongs: both ends have one MAC, so any gateway is right. */
static const uint8_t gateway4[4] = { 169, 254, 0, 1 };
static const uint8_t gateway6[16] = { 0xfe, 0x80, [15] = 1 };

struct routing {
	struct netlink_batch *batch;
	const struct plan *plan;
	size_t node;
};

/* The number of the link that the node knows by this name, or 0. */
static uint32_t link_index(const struct plan *p, size_t node, const char *dev)
{
	if (p->nodes[node].parent >= 0 && !strcmp(dev, uplink_name(&p->nodes[node]))) return UPLINK_INDEX;
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].parent == (int)node && !strcmp(dev, p->nodes[i].ifname))
			return downlink_index(&p->nodes[i]);
	return 0;
}

static void put_way(struct nlmsghdr *m, struct rtmsg *header, const struct plan_route *r, bool v4,
                    uint32_t index, const struct plan_addr *source)
{
	const size_t len = v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	mnl_attr_put_u32(m, RTA_OIF, index);
	/* among several addresses IPv6 would choose by likeness to the destination (RFC 6724) */
	mnl_attr_put(m, RTA_PREFSRC, len, v4 ? (const void *)&source->v4 : &source->v6);
	if (!r->via_gateway) return;
	mnl_attr_put(m, RTA_GATEWAY, len, v4 ? gateway4 : gateway6);
	header->rtm_flags = RTNH_F_ONLINK;
	header->rtm_scope = RT_SCOPE_UNIVERSE;
}

static int put_route(const struct routing *to, const struct plan_route *r, bool v4, uint32_t index)
{
	const unsigned prefix = v4 ? r->len4 : r->len6;
	struct rtmsg *header;
	struct nlmsghdr *m;
	int result = netlink_message(to->batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
	                             tag_of(WHAT_ROUTE, to->node), sizeof(*header), &m, (void **)&header);

	if (result < 0) return result;
	header->rtm_family = v4 ? AF_INET : AF_INET6;
	header->rtm_dst_len = (uint8_t)prefix;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = RTPROT_STATIC;
	header->rtm_type = r->dev ? RTN_UNICAST : RTN_UNREACHABLE;
	header->rtm_scope = r->dev ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	if (prefix && v4) mnl_attr_put(m, RTA_DST, sizeof(r->dst.v4), &r->dst.v4);
	if (prefix && !v4) mnl_attr_put(m, RTA_DST, sizeof(r->dst.v6), &r->dst.v6);
	if (r->dev) put_way(m, header, r, v4, index, &to->plan->nodes[to->node].addr);
	return 0;
}

static int add_route(const struct plan_route *r, void *arg)
{
	const struct routing *to = arg;
	uint32_t index = r->dev ? link_index(to->plan, to->node, r->dev) : 0;

	if (r->dev && !index) return -ENODEV;
	int result = put_route(to, r, true, index);
	return result < 0 ? result : put_route(to, r, false, index);
}

int build_routes(struct netlink_batch *b, const struct plan *p, size_t node)
{
	struct routing to = { .batch = b, .plan = p, .node = node };
	return plan_routes(p, (int)node, add_route, &to);
}

int build_explain(const struct netlink_batch *b, const struct plan *p, int error, struct build_error *e)
{
	size_t node = (uint32_t)b->failed_tag;
	enum what what = b->failed_tag >> 32;
	const char *remedy = error == -EPERM        ? "azlab needs CAP_NET_ADMIN: run as root"
	                     : error == -EOPNOTSUPP ? "the kernel must have the veth driver (CONFIG_VETH)"
	                                            : NULL;

	if (node >= p->n_nodes || what > WHAT_ROUTE) return build_fail(e, -error, remedy, "netlink failed");
	return build_fail(e, -error, remedy, "cannot %s '%s'%s%s%s", what_text[what], p->nodes[node].name,
	                  *b->reason ? " (" : "", b->reason, *b->reason ? ")" : "");
}

static int count_waiting(const struct nlmsghdr *m, void *arg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(m);
	size_t *waiting = arg;

	*waiting += link->ifi_index >= DOWNLINK_INDEX && !(link->ifi_flags & IFF_RUNNING);
	return MNL_CB_OK;
}

int build_settle(int socket)
{
	const mono_ns deadline = mono_now() + 5 * NS_PER_S;
	size_t waiting;
	int result;

	for (;;) {
		waiting = 0;
		if ((result = netlink_dump_links(socket, count_waiting, &waiting)) < 0) return result;
		if (waiting == 0) return 0;
		if (mono_now() > deadline) return -ETIMEDOUT;
		poll(NULL, 0, 1);
	}
}
