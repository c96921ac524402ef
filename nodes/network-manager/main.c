/* azlab-network-manager: takes network changes from the management channel, works them off and sends each to
 * the network agent of every zone until that one has acknowledged it. */
#include "network-manager/backlog.h"
#include "network-manager/launches.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/rlimit.h"
#include "common/timer.h"
#include "proto/classes.h"
#include "proto/route_socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <string.h>

enum { DATAGRAMS_A_TURN = 256 }; /* then the loop's other events have theirs */

struct agent {
	char zone[ROUTE_NAME_MAX];
	struct sockaddr_in6 address;
	uint64_t epoch; /* 0: not heard of yet */
};

struct manager {
	struct node *node;
	struct backlog *backlog;
	struct launches *launches;
	unsigned n_agents;
	struct agent agents[BACKLOG_AGENTS_MAX];
	int fd;
	struct event *readable, *due, *sample;
};

/* Does what is due in the backlog and sets the timer for the rest. */
static void work(struct manager *m)
{
	mono_ns next = backlog_run(m->backlog, mono_now());

	timer_at(m->due, next, mono_now());
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	work(arg);
}

static void on_changed(void *arg)
{
	work(arg);
}

/* --- to the agents ----------------------------------------------------------------------------------- */

static void send_to(struct manager *m, const struct agent *a, const void *datagram, int len)
{
	if (len < 0) {
		log_errno(len, "cannot encode a message to the agent of '%s', ignoring", a->zone);
		return;
	}
	/* an update that could not leave is like one lost on the way: it will be sent again */
	if (sendto(m->fd, datagram, (size_t)len, 0, (const struct sockaddr *)&a->address,
	           sizeof(a->address)) < 0)
		log_errno(-errno, "cannot send to the agent of '%s', ignoring", a->zone);
}

static void report_sending(struct manager *m, struct backlog_message *message, const struct agent *a)
{
	const struct backlog_change *c = message->change;
	json_t *fields = json_pack("{s:s, s:s, s:i}", "instance", c->update.instance, "to", a->zone,
	                           "attempt", (int)message->attempts);

	if (message->attempts == 1)
		message->event = node_event(m->node, "route.sent", c->cause, fields);
	else
		node_event(m->node, "route.resent", message->event, fields);
}

static void send_update(void *arg, struct backlog_message *message)
{
	struct manager *m = arg;
	const struct agent *a = &m->agents[message->agent];
	uint8_t datagram[ROUTE_DATAGRAM_MAX];

	report_sending(m, message, a);
	struct route_update update = message->change->update;
	update.event = message->event;
	send_to(m, a, datagram, route_update_encode(&update, datagram, sizeof(datagram)));
}

/* --- from the agents --------------------------------------------------------------------------------- */

static struct agent *find_agent(struct manager *m, const char *zone)
{
	for (unsigned i = 0; i < m->n_agents; i++) {
		if (strcmp(m->agents[i].zone, zone) == 0) return &m->agents[i];
	}
	log_line("message from the agent of '%s', which is unknown here, ignoring", zone);
	return NULL;
}

/* False if the message is one that a former incarnation of the agent had sent. */
static bool heed_epoch(struct manager *m, struct agent *a, uint64_t epoch)
{
	if (epoch < a->epoch) return false;
	if (epoch > a->epoch && a->epoch) {
		log_line("the agent of '%s' has restarted: telling it everything again", a->zone);
		backlog_replay(m->backlog, (unsigned)(a - m->agents), mono_now());
	}
	a->epoch = epoch;
	return true;
}

static void on_ack(struct manager *m, const struct route_ack *ack)
{
	struct agent *a = find_agent(m, ack->zone);

	if (!a || !heed_epoch(m, a, ack->epoch)) return;
	const struct backlog_change *c =
	    backlog_acknowledge(m->backlog, (unsigned)(a - m->agents), &ack->address, ack->generation);
	if (!c) return;
	if (c->update.action == ROUTE_ATTACH)
		node_event(m->node, "instance.connected", ack->event,
		           json_pack("{s:s, s:s}", "instance", c->update.instance, "zone", c->update.zone));
	launches_completed(m->launches, c);
}

static void on_hello(struct manager *m, const struct route_hello *hello)
{
	struct agent *a = find_agent(m, hello->zone);
	uint8_t datagram[ROUTE_DATAGRAM_MAX];

	if (!a || !heed_epoch(m, a, hello->epoch)) return;
	struct route_welcome welcome = { .epoch = hello->epoch };
	send_to(m, a, datagram, route_welcome_encode(&welcome, datagram, sizeof(datagram)));
}

static void on_datagram(struct manager *m, const uint8_t *datagram, size_t len)
{
	struct route_ack ack;
	struct route_hello hello;

	if (route_ack_decode(&ack, datagram, len) == 0)
		on_ack(m, &ack);
	else if (route_hello_decode(&hello, datagram, len) == 0)
		on_hello(m, &hello);
	else
		log_line("malformed message of %zu bytes, ignoring", len);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct manager *m = arg;
	uint8_t datagram[ROUTE_DATAGRAM_MAX];

	(void)what;
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t len = recv(fd, datagram, sizeof(datagram), 0);
		if (len < 0) break;
		on_datagram(m, datagram, (size_t)len);
	}
	work(m);
}

/* --- from the orchestrator --------------------------------------------------------------------------- */

static int read_name(const json_t *body, const char *key, char *ret, size_t size)
{
	const char *name = node_string(body, key, "");
	size_t len = strlen(name);

	if (len == 0 || len >= size) return -EBADMSG;
	memcpy(ret, name, len + 1);
	return 0;
}

static int read_change(const json_t *body, enum route_action action, struct route_update *ret)
{
	struct route_update u = { .action = action };
	json_int_t id = json_integer_value(json_object_get(body, "id"));
	json_int_t generation = json_integer_value(json_object_get(body, "generation"));

	if (read_name(body, "instance", u.instance, sizeof(u.instance)) < 0 ||
	    read_name(body, "zone", u.zone, sizeof(u.zone)) < 0 ||
	    read_name(body, "ifname", u.ifname, sizeof(u.ifname)) < 0 ||
	    inet_pton(AF_INET, node_string(body, "addr4", ""), &u.address.v4) != 1 ||
	    inet_pton(AF_INET6, node_string(body, "addr6", ""), &u.address.v6) != 1)
		return -EBADMSG;
	if (id < 0 || id > UINT32_MAX || generation < 1 || generation > UINT32_MAX) return -ERANGE;
	u.id = (uint32_t)id;
	u.generation = (uint32_t)generation;
	*ret = u;
	return 0;
}

static int take_change(struct node *n, json_t *body, enum route_action action)
{
	struct manager *m = n->self;
	struct route_update update;
	uint64_t cause = (uint64_t)json_integer_value(json_object_get(body, "cause"));
	int r = read_change(body, action, &update);

	if (r < 0 || (r = backlog_put(m->backlog, &update, cause, mono_now())) < 0) return r;
	if (r == 0)
		log_line("'%s' has generation %u of its address already or a newer one, ignoring",
		         update.instance, update.generation);
	else if (json_object_get(body, "ec2"))
		launches_node(m->launches, node_string(body, "ec2", ""), &update);
	work(m);
	return 0;
}

static int on_attach(struct node *n, json_t *body)
{
	return take_change(n, body, ROUTE_ATTACH);
}

static int on_detach(struct node *n, json_t *body)
{
	return take_change(n, body, ROUTE_DETACH);
}

static int read_backlog_config(const json_t *config, struct backlog_config *ret)
{
	double workers = node_number(config, "workers", 2);
	double update_time = node_number(config, "update_time_ms", 1),
	       retransmit = node_number(config, "retransmit_ms", 200);

	if (!(workers >= 1 && workers <= BACKLOG_WORKERS_MAX) || !(update_time >= 0 && update_time < 1e9) ||
	    !(retransmit >= 1 && retransmit < 1e9))
		return -ERANGE;
	*ret = (struct backlog_config){ .workers = (unsigned)workers,
		                        .update_time = llround(update_time * (double)NS_PER_MS),
		                        .retransmit = llround(retransmit * (double)NS_PER_MS) };
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct manager *m = n->self;
	struct backlog_config config;
	int r = read_backlog_config(json_object_get(body, "config"), &config);

	if (r < 0 || (r = backlog_configure(m->backlog, &config)) < 0) return r;
	work(m);
	return 0;
}

/* --- start ------------------------------------------------------------------------------------------- */

static int read_agents(struct manager *m, const json_t *agents)
{
	size_t i;
	json_t *agent;

	if (json_array_size(agents) < 1 || json_array_size(agents) > BACKLOG_AGENTS_MAX)
		return log_errno(-ERANGE, "agents: from 1 to %d", BACKLOG_AGENTS_MAX);
	json_array_foreach (agents, i, agent) {
		struct agent *a = &m->agents[i];
		const char *address = node_string(agent, "address", "");

		if (read_name(agent, "zone", a->zone, sizeof(a->zone)) < 0)
			return log_errno(-EBADMSG, "agent %zu has no zone or one with a long name", i);
		if (route_socket_address(address, PORT_ROUTE_AGENT, &a->address) < 0)
			return log_errno(-EINVAL, "the agent of '%s' has the address '%s'", a->zone, address);
	}
	m->n_agents = (unsigned)json_array_size(agents);
	return 0;
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct manager *m = arg;
	struct backlog_counts c = backlog_counts(m->backlog);

	(void)fd, (void)what;
	node_sample(m->node, "routes",
	            json_pack("{s:I, s:I, s:I, s:I}", "queued", (json_int_t)c.queued, "unacknowledged",
	                      (json_int_t)c.unacknowledged, "sent", (json_int_t)c.sent, "resent",
	                      (json_int_t)c.resent));
}

static int open_events(struct manager *m)
{
	m->readable = event_new(m->node->base, m->fd, EV_READ | EV_PERSIST, on_readable, m);
	m->due = evtimer_new(m->node->base, on_due, m);
	m->sample = event_new(m->node->base, -1, EV_PERSIST, on_sample, m);
	if (!m->readable || !m->due || !m->sample) return -ENOMEM;
	event_add(m->readable, NULL);
	event_add(m->sample, &(struct timeval){ .tv_sec = 1 });
	return 0;
}

static int start(struct node *n, json_t *config)
{
	static struct manager manager;
	struct manager *m = n->self = &manager;
	struct backlog_config backlog;
	int r;

	m->node = n;
	if ((r = read_agents(m, json_object_get(config, "agents"))) < 0) return r;
	if ((r = read_backlog_config(config, &backlog)) < 0)
		return log_errno(r, "workers are 1..%d, update_time_ms >= 0, retransmit_ms >= 1",
		                 BACKLOG_WORKERS_MAX);
	if (!(m->backlog = backlog_new(m->n_agents, &backlog, send_update, m))) return -ENOMEM;
	if ((r = route_socket_open(PORT_ROUTE_MANAGER, &m->fd)) < 0)
		return log_errno(r, "cannot open UDP port %d", PORT_ROUTE_MANAGER);
	if ((r = open_events(m)) < 0) return r;
	if ((r = rlimit_raise_files()) < 0) return log_errno(r, "cannot raise the limit of open files");
	/* a launch that waits for its network holds a connection */
	r = launches_open(n->base, PORT_NETWORK_MANAGER, m->backlog, on_changed, m, &m->launches);
	return r < 0 ? log_errno(r, "cannot open TCP port %d", PORT_NETWORK_MANAGER) : 0;
}

int main(void)
{
	static const struct node_message messages[] = {
		{ "attach", on_attach }, { "detach", on_detach }, { "set", on_set }, { 0 }
	};
	static const struct node_ops ops = { .daemon = "network-manager",
		                             .start = start,
		                             .messages = messages };

	return node_run(&ops);
}
