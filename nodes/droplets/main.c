/* azlab-droplets: all the physical hosts of a zone, as their manager sees them: they answer state checks,
 * hold leases, carry out orders. One process and one socket for tens of thousands. */
#include "droplets/fleet.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/timer.h"
#include "proto/classes.h"
#include "proto/route_socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <string.h>

enum {
	DATAGRAMS_A_TURN = 256, /* then the loop's other events have theirs */
	RECEIVE_BYTES = 4 << 20,
	DROPLETS_MAX = 100000,
	SLOTS_MAX = 1000,
	NAME_MAX_LEN = 64,
};

struct droplets {
	struct node *node;
	struct fleet *fleet;
	mono_ns launch_time;
	int fd;
	struct event *readable, *sample;
	uint64_t checks, orders, refused;
};

/* A launch that goes on, and who waits for its end. */
struct launch {
	struct droplets *droplets;
	struct fleet_instance *instance;
	struct lease_message order;
	struct sockaddr_in6 asked_by;
	struct event end; /* of a virtual one */
	uint64_t event;
};

static void answer(struct droplets *d, const struct sockaddr_in6 *to, const struct lease_message *m)
{
	uint8_t datagram[LEASE_DATAGRAM_MAX];
	int len = lease_encode(m, datagram, sizeof(datagram));

	/* an answer that could not leave is like one lost on the way: the question comes again */
	if (len > 0) (void)!sendto(d->fd, datagram, (size_t)len, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void droplet_name(const struct droplets *d, uint32_t droplet, char name[static NAME_MAX_LEN])
{
	snprintf(name, NAME_MAX_LEN, "%s-%05" PRIu32, d->node->zone, droplet);
}

/* --- orders ------------------------------------------------------------------------------------------ */

static void answer_done(struct droplets *d, const struct sockaddr_in6 *to, const struct lease_message *order,
                        uint64_t event)
{
	struct lease_message m = {
		.kind = LEASE_DONE, .droplet = order->droplet, .request = order->request, .cause = event
	};

	answer(d, to, &m);
}

static void answer_refused(struct droplets *d, const struct sockaddr_in6 *to,
                           const struct lease_message *order, enum lease_refusal why)
{
	const struct fleet_droplet *droplet = fleet_droplet(d->fleet, order->droplet);
	uint64_t highest = droplet ? droplet->epoch : 0;
	struct lease_message m = { .kind = LEASE_REFUSED,
		                   .droplet = order->droplet,
		                   .request = order->request,
		                   .epoch = highest,
		                   .why = why };
	char name[NAME_MAX_LEN];

	d->refused++;
	droplet_name(d, order->droplet, name);
	node_event(d->node, "order.refused", order->cause,
	           json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "droplet", name, "why",
	                     lease_refusal_text(why), "epoch", (json_int_t)order->epoch, "highest",
	                     (json_int_t)highest, "holder", droplet ? droplet->holder : "", "order",
	                     lease_order_text(order->order), "instance", order->instance));
	answer(d, to, &m);
}

static void end_launch(struct launch *l, bool ok)
{
	struct droplets *d = l->droplets;

	fleet_launched(d->fleet, l->instance, ok);
	if (ok)
		answer_done(d, &l->asked_by, &l->order, l->event);
	else
		answer_refused(d, &l->asked_by, &l->order, LEASE_FAILED);
	evtimer_del(&l->end);
	free(l);
}

static void on_launch_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	end_launch(arg, true);
}

static uint64_t tell_orchestrator(struct droplets *d, const char *event, const struct lease_message *order)
{
	char name[NAME_MAX_LEN];

	droplet_name(d, order->droplet, name);
	return node_event(d->node, event, order->cause,
	                  json_pack("{s:s, s:s, s:s}", "droplet", name, "instance", order->instance,
	                            "service", order->service));
}

static void begin_launch(struct droplets *d, const struct sockaddr_in6 *from,
                         const struct lease_message *order, struct fleet_instance *instance)
{
	struct launch *l = calloc(1, sizeof(*l));

	if (!l) {
		fleet_launched(d->fleet, instance, false);
		answer_refused(d, from, order, LEASE_FAILED);
		return;
	}
	*l = (struct launch){
		.droplets = d, .instance = instance, .order = *order, .asked_by = *from, .event = order->cause
	};
	instance->launch = l;
	evtimer_assign(&l->end, d->node->base, on_launch_end, l);
	if (order->real) /* ends with "launched" */
		l->event = tell_orchestrator(d, "droplet.launch", order);
	else
		timer_after(&l->end, d->launch_time);
}

/* The same order once more, perhaps from a host that has been started anew: it gets the answer. */
static void wait_too(struct launch *l, const struct sockaddr_in6 *from, const struct lease_message *order)
{
	l->asked_by = *from;
	l->order.request = order->request;
}

static void on_order(struct droplets *d, const struct sockaddr_in6 *from, const struct lease_message *order)
{
	const struct fleet_instance *known = fleet_find(d->fleet, order->instance);
	bool was_real = known && known->real;
	struct fleet_instance *instance;
	enum lease_refusal why;

	d->orders++;
	switch (fleet_order(d->fleet, order, mono_now(), &why, &instance)) {
	case FLEET_BEGUN:
		begin_launch(d, from, order, instance);
		break;
	case FLEET_IN_HAND:
		wait_too(instance->launch, from, order);
		break;
	case FLEET_DONE:
		if (was_real)
			tell_orchestrator(
			    d, order->order == LEASE_REBOOT ? "droplet.reboot" : "droplet.terminate", order);
		answer_done(d, from, order, order->cause);
		break;
	case FLEET_DONE_BEFORE:
		answer_done(d, from, order, order->cause);
		break;
	case FLEET_REFUSED:
		answer_refused(d, from, order, why);
		break;
	}
}

/* --- datagrams --------------------------------------------------------------------------------------- */

/* Watches what must never be: a holder granted a droplet while another one's time was still running. */
static void on_grant(struct droplets *d, const struct lease_message *grant, mono_ns arrived)
{
	const struct fleet_droplet *p = fleet_droplet(d->fleet, grant->droplet);
	char name[NAME_MAX_LEN];

	if (p && grant->epoch > p->epoch && arrived < p->until && strcmp(grant->holder, p->holder) != 0) {
		droplet_name(d, grant->droplet, name);
		node_event(d->node, "lease.overlap", 0,
		           json_pack("{s:s, s:s, s:I, s:s, s:I, s:f}", "droplet", name, "holder",
		                     grant->holder, "epoch", (json_int_t)grant->epoch, "was", p->holder,
		                     "was_epoch", (json_int_t)p->epoch, "left_ms",
		                     mono_ms(p->until - arrived)));
	}
	fleet_grant(d->fleet, grant, arrived);
}

static void on_question(struct droplets *d, const struct sockaddr_in6 *from, const struct lease_message *m,
                        mono_ns arrived)
{
	struct lease_message state;

	if (m->kind == LEASE_ORDER) {
		on_order(d, from, m);
		return;
	}
	if (m->kind != LEASE_CHECK && m->kind != LEASE_GRANT) return; /* an answer: nobody has asked here */
	if (m->kind == LEASE_GRANT) on_grant(d, m, arrived);
	d->checks += m->kind == LEASE_CHECK;
	state = fleet_state(d->fleet, m);
	answer(d, from, &state);
}

/* When a datagram came: what waited in the socket while this process stood still counts from then. */
static mono_ns arrival(struct msghdr *msg)
{
	struct timespec at, now;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
		memcpy(&at, CMSG_DATA(c), sizeof(at));
		clock_gettime(CLOCK_REALTIME, &now);
		mono_ns age = (now.tv_sec - at.tv_sec) * NS_PER_S + now.tv_nsec - at.tv_nsec;
		return mono_now() - (age > 0 ? age : 0);
	}
	return mono_now();
}

static bool receive(struct droplets *d)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	uint8_t datagram[LEASE_DATAGRAM_MAX];
	struct sockaddr_in6 from;
	struct iovec iov = { .iov_base = datagram, .iov_len = sizeof(datagram) };
	struct msghdr msg = { .msg_name = &from,
		              .msg_namelen = sizeof(from),
		              .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	struct lease_message m;
	ssize_t len = recvmsg(d->fd, &msg, 0);

	if (len < 0) return false;
	if (!(msg.msg_flags & MSG_TRUNC) && lease_decode(&m, datagram, (size_t)len) == 0)
		on_question(d, &from, &m, arrival(&msg));
	else
		log_line("malformed message of %zd bytes, ignoring", len);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	for (int i = 0; i < DATAGRAMS_A_TURN && receive(arg); i++)
		continue;
}

/* --- from the orchestrator --------------------------------------------------------------------------- */

static int on_launched(struct node *n, json_t *body)
{
	struct droplets *d = n->self;
	struct fleet_instance *i = fleet_find(d->fleet, node_string(body, "instance", ""));

	if (!i || !i->launch) return -ENOENT;
	end_launch(i->launch, node_bool(body, "ok", false));
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct droplets *d = n->self;
	double ms = node_number(json_object_get(body, "config"), "launch_time_ms", 0);

	if (!(ms >= 0 && ms < 1e9)) return -ERANGE;
	d->launch_time = (mono_ns)(ms * (double)NS_PER_MS);
	return 0;
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct droplets *d = arg;
	struct fleet_counts c = fleet_counts(d->fleet, mono_now());

	(void)fd, (void)what;
	node_sample(d->node, "droplets",
	            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "leased", (json_int_t)c.leased, "used",
	                      (json_int_t)c.used, "slots", (json_int_t)c.slots, "checks",
	                      (json_int_t)d->checks, "orders", (json_int_t)d->orders, "refused",
	                      (json_int_t)d->refused));
}

/* --- start ------------------------------------------------------------------------------------------- */

static int open_socket(struct droplets *d, double port)
{
	int on = 1, bytes = RECEIVE_BYTES, r;

	if (!(port >= 1 && port <= UINT16_MAX)) return -ERANGE;
	if ((r = route_socket_open((uint16_t)port, &d->fd)) < 0) return r;
	/* a burst of checks must not be lost here: loss belongs to the network. Cut to rmem_max by the kernel
	 */
	setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return setsockopt(d->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int start(struct node *n, json_t *config)
{
	static struct droplets droplets;
	struct droplets *d = n->self = &droplets;
	double first = node_number(config, "first", 1), count = node_number(config, "count", 0),
	       slots = node_number(config, "slots", 4), ms = node_number(config, "launch_time_ms", 500);
	int r;

	d->node = n;
	if (!(first >= 0 && first < 1e9) || !(count >= 1 && count <= DROPLETS_MAX) ||
	    !(slots >= 1 && slots <= SLOTS_MAX) || !(ms >= 0 && ms < 1e9))
		return log_errno(-ERANGE, "count is 1..%d, slots 1..%d", DROPLETS_MAX, SLOTS_MAX);
	d->launch_time = (mono_ns)(ms * (double)NS_PER_MS);
	if (!(d->fleet = fleet_new((uint32_t)first, (uint32_t)count, (uint32_t)slots))) return -ENOMEM;
	if ((r = open_socket(d, node_number(config, "port", PORT_LEASE))) < 0)
		return log_errno(r, "cannot open the UDP port");
	d->readable = event_new(n->base, d->fd, EV_READ | EV_PERSIST, on_readable, d);
	d->sample = event_new(n->base, -1, EV_PERSIST, on_sample, d);
	if (!d->readable || !d->sample) return -ENOMEM;
	event_add(d->readable, NULL);
	event_add(d->sample, &(struct timeval){ .tv_sec = 1 });
	return 0;
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set },
		                                        { "launched", on_launched },
		                                        { 0 } };
	static const struct node_ops ops = { .daemon = "droplets", .start = start, .messages = messages };

	return node_run(&ops);
}
