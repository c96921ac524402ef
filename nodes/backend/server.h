/* server.h - the backend's HTTP server: sockets on one side, capacity.h on the other.
 *
 * It accepts at once and queues in its own memory: a full listen backlog would drop SYNs silently, which no
 * caller could tell from a lost packet. The caller closes first: TIME_WAIT belongs where tcp_tw_reuse lets
 * ports go on.  Errors are -errno; the server lives as long as the process. */
#ifndef AZLAB_BACKEND_SERVER_H
#define AZLAB_BACKEND_SERVER_H
#include "common/capacity.h"
#include <event2/event.h>

struct server;
struct server_spec {
	uint16_t port;    /* both families */
	const char *body; /* of every plain answer, JSON; must outlive the server */
	struct capacity_config capacity;
	struct random random;
	/* The oldest work in the queue has waited too long, or no longer does. */
	void (*overload_changed)(const struct capacity *c, mono_ns waited, void *arg);
	void *arg;
};

int server_start(struct event_base *base, const struct server_spec *spec, struct server **ret);
void server_configure(struct server *s, const struct capacity_config *config);
const struct capacity *server_capacity(const struct server *s);
#endif
