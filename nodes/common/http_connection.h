/* http_connection.h - the insides of http_client.h: its calls, its connections, and what these tell each
 * other. */
#ifndef AZLAB_HTTP_CONNECTION_H
#define AZLAB_HTTP_CONNECTION_H
#include "common/http_client.h"
#include "common/http_reply.h"
#include "common/resolve.h"
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

struct http_connection {
	TAILQ_ENTRY(http_connection) link; /* among the idle or the busy ones */
	struct http_client *client;
	int fd; /* -1 before it has an address */
	bool connecting;
	struct event readable, writable;
	struct resolve_waiter address;
	struct http_call *call; /* NULL: idle */
	mono_ns opened;
};
TAILQ_HEAD(http_connections, http_connection);

struct http_call {
	TAILQ_ENTRY(http_call) link; /* among the waiting or the running ones */
	struct http_client *client;
	struct http_connection *connection; /* NULL: waits for one, or is over */
	struct event end;                   /* the deadline; also what ends a call that has failed */
	enum call_outcome failure;          /* what it then ends with */
	bool waiting;
	mono_ns began;
	char *request;
	size_t len, sent;
	struct http_reply_parser reply;
	http_done *done;
	void *arg;
};
TAILQ_HEAD(http_calls, http_call);

struct http_client {
	struct event_base *base;
	struct http_client_config config;
	char *host;
	union probe_address literal; /* AF_UNSPEC if host is a name */
	struct stub *stub;
	struct resolve resolve;
	struct http_connections idle, busy;
	struct http_calls waiting, running;
	unsigned n_connections, n_waiting;
};

/* --- http_connection.c ------------------------------------------------------------------------------- */

/* Opens one for a call, which it then carries. */
void http_connection_open(struct http_client *c, struct http_call *call);
/* Its call, if it carries one, is left without. */
void http_connection_close(struct http_connection *n);
bool http_connection_too_old(const struct http_connection *n);
/* Goes on sending its call's request. */
void http_connection_send(struct http_connection *n);

/* --- http_client.c ----------------------------------------------------------------------------------- */

/* Ends a call and tells its caller: from the loop only. */
void http_call_finish(struct http_call *call, enum call_outcome outcome);
/* Ends it later, from the loop, since done() never comes out of http_client_call(). */
void http_call_fail(struct http_call *call, enum call_outcome failure);
/* Gives idle and new connections to the calls that wait. */
void http_client_serve(struct http_client *c);
#endif
