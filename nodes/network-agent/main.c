/* azlab-network-agent: runs in a zone's router, makes and removes the host routes that lead to instances as
 * the network manager tells it, and acknowledges what is in the kernel.
 *
 * An update that can't be applied, because its link isn't there yet for instance, is not acknowledged: the
 * manager sends it again, and that is the retry. */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/timer.h"
#include "network-agent/kernel.h"
#include "network-agent/table.h"
#include "proto/classes.h"
#include "proto/route_socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/capability.h>

enum { DATAGRAMS_A_TURN = 256 }; /* then the loop's other events have theirs */
#define HELLO_FIRST (200 * NS_PER_MS)
#define HELLO_MAX (5 * NS_PER_S)

struct agent {
	struct node *node;
	struct agent_table table;
	struct agent_kernel kernel;
	uint64_t epoch; /* when it began: later is higher, on the one clock that all nodes share */
	int fd;
	struct event *readable;
	struct sockaddr_in6 manager; /* where hellos go */
	struct event *hello;         /* pending until the manager has welcomed us */
	mono_ns hello_interval;
};

static void send_to(struct agent *a, const struct sockaddr_in6 *to, const void *datagram, int len)
{
	/* whatever is lost here the other side will ask for again */
	if (len < 0 || sendto(a->fd, datagram, (size_t)len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		log_errno(len < 0 ? len : -errno, "cannot send to the network manager, ignoring");
}

/* --- updates ----------------------------------------------------------------------------------------- */

static void acknowledge(struct agent *a, const struct route_update *u, uint64_t event,
                        const struct sockaddr_in6 *to)
{
	struct route_ack ack = {
		.epoch = a->epoch, .generation = u->generation, .event = event, .address = u->address
	};
	uint8_t datagram[ROUTE_DATAGRAM_MAX];

	snprintf(ack.zone, sizeof(ack.zone), "%s", a->kernel.zone);
	send_to(a, to, datagram, route_ack_encode(&ack, datagram, sizeof(datagram)));
}

static int apply(struct agent *a, const struct route_update *u, uint64_t *ret_event)
{
	bool attach = u->action == ROUTE_ATTACH;
	int r = attach ? agent_kernel_attach(&a->kernel, u) : agent_kernel_detach(&a->kernel, u);

	if (r < 0)
		return log_errno(r, "cannot %s routes of '%s', waiting for the update to come again",
		                 attach ? "make the" : "remove the", u->instance);
	*ret_event = node_event(a->node, attach ? "route.installed" : "route.removed", u->event,
	                        json_pack("{s:s, s:s}", "instance", u->instance, "zone", a->kernel.zone));
	return agent_table_applied(&a->table, u, *ret_event);
}

static void on_update(struct agent *a, const struct route_update *u, const struct sockaddr_in6 *from)
{
	uint64_t event = u->event;

	if (u->virtual) { /* no address that could be doubled or overtaken: there is nothing to remember */
		acknowledge(a, u, event, from);
		return;
	}
	if (agent_table_wants(&a->table, u, &event) && apply(a, u, &event) < 0) return;
	acknowledge(a, u, event, from);
}

static void on_datagram(struct agent *a, const uint8_t *datagram, size_t len, const struct sockaddr_in6 *from)
{
	struct route_update update;
	struct route_welcome welcome;

	if (route_update_decode(&update, datagram, len) == 0)
		on_update(a, &update, from);
	else if (route_welcome_decode(&welcome, datagram, len) < 0)
		log_line("malformed message of %zu bytes, ignoring", len);
	else if (welcome.epoch == a->epoch && a->hello)
		evtimer_del(a->hello);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;
	uint8_t datagram[ROUTE_DATAGRAM_MAX];

	(void)what;
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		struct sockaddr_in6 from;
		socklen_t size = sizeof(from);
		ssize_t len = recvfrom(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, &size);
		if (len < 0) return;
		on_datagram(a, datagram, (size_t)len, &from);
	}
}

/* --- hello ------------------------------------------------------------------------------------------- */

static void on_hello_due(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;
	struct route_hello hello = { .epoch = a->epoch };
	uint8_t datagram[ROUTE_DATAGRAM_MAX];

	(void)fd, (void)what;
	snprintf(hello.zone, sizeof(hello.zone), "%s", a->kernel.zone);
	send_to(a, &a->manager, datagram, route_hello_encode(&hello, datagram, sizeof(datagram)));
	timer_after(a->hello, a->hello_interval);
	a->hello_interval = a->hello_interval * 2 < HELLO_MAX ? a->hello_interval * 2 : HELLO_MAX;
}

static int begin_hello(struct agent *a, const char *manager)
{
	if (route_socket_address(manager, PORT_ROUTE_MANAGER, &a->manager) < 0)
		return log_errno(-EINVAL, "the network manager has the address '%s'", manager);
	if (!(a->hello = evtimer_new(a->node->base, on_hello_due, a))) return -ENOMEM;
	a->hello_interval = HELLO_FIRST;
	return timer_after(a->hello, 0) < 0 ? -ENOMEM : 0;
}

/* --- start ------------------------------------------------------------------------------------------- */

static int read_config(struct agent *a, const json_t *config)
{
	const char *gateway4 = node_string(config, "gateway4", "169.254.0.1");
	const char *gateway6 = node_string(config, "gateway6", "fe80::1");

	a->kernel.zone = node_string(config, "zone", a->node->zone);
	a->kernel.uplink = node_string(config, "uplink", "backbone");
	if (a->kernel.zone[0] == '\0' || strlen(a->kernel.zone) >= ROUTE_NAME_MAX)
		return log_errno(-EINVAL, "zone '%s'", a->kernel.zone);
	if (inet_pton(AF_INET, gateway4, &a->kernel.gateway4) != 1)
		return log_errno(-EINVAL, "gateway4 '%s'", gateway4);
	if (inet_pton(AF_INET6, gateway6, &a->kernel.gateway6) != 1)
		return log_errno(-EINVAL, "gateway6 '%s'", gateway6);
	return 0;
}

/* However it was started: from here on it can change this namespace's network and nothing else. */
static int keep_net_admin_only(void)
{
	static const cap_value_t keep[] = { CAP_NET_ADMIN };
	cap_t caps = cap_init();

	if (!caps) return -ENOMEM;
	int r = cap_set_flag(caps, CAP_PERMITTED, 1, keep, CAP_SET) < 0 ||
	                cap_set_flag(caps, CAP_EFFECTIVE, 1, keep, CAP_SET) < 0 || cap_set_proc(caps) < 0
	            ? -errno
	            : 0;
	cap_free(caps);
	return r;
}

static int start(struct node *n, json_t *config)
{
	static struct agent agent;
	struct agent *a = n->self = &agent;
	const char *manager = node_string(config, "manager", NULL);
	int r;

	a->node = n;
	a->epoch = (uint64_t)mono_now();
	if ((r = read_config(a, config)) < 0) return r;
	if ((r = keep_net_admin_only()) < 0) return log_errno(r, "cannot keep CAP_NET_ADMIN alone");
	if ((r = agent_kernel_open(&a->kernel)) < 0) return log_errno(r, "cannot open rtnetlink");
	if ((r = route_socket_open(PORT_ROUTE_AGENT, &a->fd)) < 0)
		return log_errno(r, "cannot open UDP port %d", PORT_ROUTE_AGENT);
	a->readable = event_new(n->base, a->fd, EV_READ | EV_PERSIST, on_readable, a);
	if (!a->readable || event_add(a->readable, NULL) < 0) return -ENOMEM;
	return manager ? begin_hello(a, manager) : 0;
}

int main(void)
{
	static const struct node_message messages[] = { { 0 } };
	static const struct node_ops ops = {
		.daemon = "network-agent", .start = start, .messages = messages, .keep_capabilities = true
	};

	return node_run(&ops);
}
