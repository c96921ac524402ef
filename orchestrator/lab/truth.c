#include "orchestrator/lab/truth.h"
#include "common/cleanup.h"
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum { RECEIVE_BUFFER = 4 << 20, DUMP_BUFFER = 32768 };

struct watched {
	size_t instance;
	struct plan_addr addr;
	uint64_t holds4, holds6; /* a bit for each zone's router */
};

struct router_watch {
	struct truth *truth;
	int zone;
	struct mnl_socket *socket;
	struct event *readable;
};

struct truth {
	struct event_base *base;
	truth_changed *changed;
	void *arg;
	uint64_t zones; /* those that are watched */
	size_t n_watched, n_routers;
	struct watched *watched;
	struct router_watch *routers[TOPOLOGY_ZONES_MAX];
};

static struct watched *find_instance(const struct truth *t, size_t instance)
{
	for (size_t i = 0; i < t->n_watched; i++)
		if (t->watched[i].instance == instance) return &t->watched[i];
	return NULL;
}

static struct watched *find_address(const struct truth *t, int family, const void *address)
{
	for (size_t i = 0; i < t->n_watched; i++) {
		struct watched *w = &t->watched[i];
		const void *own = family == AF_INET ? (void *)&w->addr.v4 : (void *)&w->addr.v6;
		if (memcmp(own, address, family == AF_INET ? 4 : 16) == 0) return w;
	}
	return NULL;
}

static bool held(const struct watched *w, uint64_t zones)
{
	return (w->holds4 & w->holds6 & zones) == zones;
}

/* --- what the kernels say ---------------------------------------------------------------------------- */

static int on_attribute(const struct nlattr *attr, void *arg)
{
	const struct nlattr **dst = arg;
	if (mnl_attr_get_type(attr) == RTA_DST) *dst = attr;
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *arg)
{
	struct router_watch *r = arg;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *dst = NULL;
	uint64_t bit = UINT64_C(1) << r->zone;
	unsigned host_len = route->rtm_family == AF_INET ? 32 : 128;

	if (route->rtm_table != RT_TABLE_MAIN || route->rtm_dst_len != host_len ||
	    route->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_parse(message, sizeof(*route), on_attribute, &dst);
	if (!dst || mnl_attr_get_payload_len(dst) != host_len / 8) return MNL_CB_OK;
	struct watched *w = find_address(r->truth, route->rtm_family, mnl_attr_get_payload(dst));
	if (!w) return MNL_CB_OK;
	bool before = held(w, bit);
	uint64_t *holds = route->rtm_family == AF_INET ? &w->holds4 : &w->holds6;
	if (message->nlmsg_type == RTM_NEWROUTE)
		*holds |= bit;
	else
		*holds &= ~bit;
	if (held(w, bit) != before) r->truth->changed(r->truth->arg, w->instance, r->zone);
	return MNL_CB_OK;
}

static int request_dump(struct router_watch *r, int family)
{
	char buf[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buf);
	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = (unsigned char)family;
	return mnl_socket_sendto(r->socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

static void receive(struct router_watch *r);

/* Reads one family's table whole; a socket carries one dump at a time, so this one waits for its end. */
static int dump(struct router_watch *r, int family)
{
	char *buf = malloc(DUMP_BUFFER);
	int result = buf ? request_dump(r, family) : -ENOMEM, more = 1;

	while (result == 0 && more > 0) {
		ssize_t n = mnl_socket_recvfrom(r->socket, buf, DUMP_BUFFER);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0)
			result = -errno;
		else if ((more = mnl_cb_run(buf, (size_t)n, 0, 0, on_route, r)) < 0 && errno != EINTR)
			result = -errno; /* EINTR: the table changed meanwhile; its notifications follow */
	}
	free(buf);
	return result;
}

static int read_tables(struct router_watch *r)
{
	int fd = mnl_socket_get_fd(r->socket);
	evutil_make_socket_nonblocking(fd);
	receive(r);
	/* blocking for the dump: the kernel answers at once */
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	int result = dump(r, AF_INET);
	if (result == 0) result = dump(r, AF_INET6);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return result;
}

/* Notifications were lost, the orchestrator being starved: the whole table is read again, so nothing stays
 * wrong. */
static void recover(struct router_watch *r)
{
	uint64_t bit = UINT64_C(1) << r->zone;

	for (size_t i = 0; i < r->truth->n_watched; i++) {
		r->truth->watched[i].holds4 &= ~bit;
		r->truth->watched[i].holds6 &= ~bit;
	}
	int result = read_tables(r);
	if (result < 0) log_errno(result, "cannot read the routes of zone %d again", r->zone);
}

static void receive(struct router_watch *r)
{
	char buf[DUMP_BUFFER];

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(r->socket, buf, sizeof(buf));
		if (n > 0) {
			mnl_cb_run(buf, (size_t)n, 0, 0, on_route, r);
		} else if (n < 0 && errno == ENOBUFS) {
			recover(r);
			return;
		} else if (n == 0 || errno != EINTR) {
			return;
		}
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	receive(arg);
}

/* --- life -------------------------------------------------------------------------------------------- */

int truth_open(struct event_base *base, truth_changed *changed, void *arg, struct truth **ret)
{
	struct truth *t = calloc(1, sizeof(*t));
	if (!t) return -ENOMEM;
	t->base = base;
	t->changed = changed;
	t->arg = arg;
	*ret = t;
	return 0;
}

static void router_close(struct router_watch *r)
{
	if (r->readable) event_free(r->readable);
	if (r->socket) mnl_socket_close(r->socket);
	free(r);
}

static int subscribe(struct router_watch *r)
{
	int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE }, size = RECEIVE_BUFFER;

	if (!(r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC))) return -errno;
	if (mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0) return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(r->socket, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) <
		    0)
			return -errno;
	setsockopt(mnl_socket_get_fd(r->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

int truth_watch(struct truth *t, int zone)
{
	struct router_watch *r = calloc(1, sizeof(*r));
	int result;

	if (!r) return -ENOMEM;
	r->truth = t;
	r->zone = zone;
	if ((result = subscribe(r)) == 0) result = read_tables(r);
	if (result == 0 && (!(r->readable = event_new(t->base, mnl_socket_get_fd(r->socket),
	                                              EV_READ | EV_PERSIST, on_readable, r)) ||
	                    event_add(r->readable, NULL) < 0))
		result = -ENOMEM;
	if (result < 0) {
		router_close(r);
		return result;
	}
	t->zones |= UINT64_C(1) << zone;
	t->routers[t->n_routers++] = r;
	return 0;
}

int truth_add(struct truth *t, size_t instance, const struct plan_addr *addr)
{
	struct watched *grown = realloc(t->watched, (t->n_watched + 1) * sizeof(*grown));
	if (!grown) return -ENOMEM;
	t->watched = grown;
	t->watched[t->n_watched++] = (struct watched){ .instance = instance, .addr = *addr };
	return 0;
}

void truth_remove(struct truth *t, size_t instance)
{
	struct watched *w = find_instance(t, instance);
	if (w) *w = t->watched[--t->n_watched];
}

bool truth_routed_from(const struct truth *t, size_t instance, int zone)
{
	const struct watched *w = find_instance(t, instance);
	return w && held(w, UINT64_C(1) << zone);
}

bool truth_routed(const struct truth *t, size_t instance)
{
	const struct watched *w = find_instance(t, instance);
	return w && held(w, t->zones);
}

void truth_close(struct truth *t)
{
	if (!t) return;
	for (size_t i = 0; i < t->n_routers; i++)
		router_close(t->routers[i]);
	free(t->watched);
	free(t);
}
