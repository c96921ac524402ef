#include "common/http_connection.h"
#include "common/cleanup.h"
#include "proto/classes.h"
#include <errno.h>
#include <sys/socket.h>

enum { READ_MAX = 65536 };

static enum call_outcome outcome_of(int error)
{
	switch (probe_outcome_of(error)) {
	case PROBE_REFUSED:
		return CALL_REFUSED;
	case PROBE_UNREACHABLE:
		return CALL_UNREACHABLE;
	case PROBE_TIMED_OUT:
		return CALL_TIMED_OUT;
	case PROBE_LAB_ERROR:
		return CALL_LAB_ERROR;
	default:
		return CALL_RESET;
	}
}

void http_connection_close(struct http_connection *n)
{
	struct http_client *c = n->client;

	if (n->call) n->call->connection = NULL;
	resolve_leave(&c->resolve, &n->address);
	TAILQ_REMOVE(n->call ? &c->busy : &c->idle, n, link);
	if (n->fd >= 0) {
		event_del(&n->readable);
		event_del(&n->writable);
		close(n->fd);
	}
	c->n_connections--;
	free(n);
}

static void lose(struct http_connection *n, enum call_outcome failure)
{
	struct http_call *call = n->call;

	http_connection_close(n);
	if (call) http_call_fail(call, failure);
}

bool http_connection_too_old(const struct http_connection *n)
{
	mono_ns max = n->client->config.max_connection_age;

	return max > 0 && mono_now() - n->opened >= max;
}

void http_connection_send(struct http_connection *n)
{
	struct http_call *call = n->call;

	while (call->sent < call->len) {
		ssize_t sent = send(n->fd, call->request + call->sent, call->len - call->sent, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			event_add(&n->writable, NULL);
			return;
		}
		if (sent < 0) {
			lose(n, outcome_of(errno));
			return;
		}
		call->sent += (size_t)sent;
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_connection *n = arg;
	struct http_client *c = n->client;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (n->connecting && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)) {
		lose(n, outcome_of(error));
		http_client_serve(c);
		return;
	}
	if (n->connecting) {
		n->connecting = false;
		event_add(&n->readable, NULL);
	}
	if (n->call) http_connection_send(n);
	http_client_serve(c);
}

/* The answer is whole: the connection is free, or goes; then its caller hears of it. */
static void answered(struct http_connection *n, bool surplus)
{
	struct http_client *c = n->client;
	struct http_call *call = n->call;

	TAILQ_REMOVE(&c->busy, n, link);
	TAILQ_INSERT_HEAD(&c->idle, n, link); /* the last used is the next: surplus ones can age */
	n->call = NULL;
	call->connection = NULL;
	if (!call->reply.keep_alive || surplus || call->sent < call->len || http_connection_too_old(n))
		http_connection_close(n);
	http_call_finish(call, CALL_ANSWERED);
	http_client_serve(c);
}

/* Bytes, or the end (len 0). */
static void take_bytes(struct http_connection *n, const char *bytes, size_t len)
{
	ssize_t used = n->call ? http_reply_feed(&n->call->reply, bytes, len) : -EBADMSG;

	if (n->call && n->call->reply.complete && used >= 0)
		answered(n, (size_t)used < len || len == 0);
	else if (len == 0)
		lose(n, CALL_RESET);
	else if (used < 0) /* without a call: nobody had asked for anything */
		lose(n, CALL_MALFORMED);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char bytes[READ_MAX];
	struct http_connection *n = arg;
	struct http_client *c = n->client;
	ssize_t len = recv(fd, bytes, sizeof(bytes), 0);

	(void)what;
	if (len < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (len < 0)
		lose(n, outcome_of(errno));
	else
		take_bytes(n, bytes, (size_t)len);
	http_client_serve(c);
}

static int open_socket(struct http_connection *n, const union probe_address *to)
{
	bool v4 = to->any.sa_family == AF_INET;
	int tos = TOS_OF_DSCP(n->client->config.dscp);
	cleanup_close int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) return -errno;
	if (tos && (v4 ? setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos))
	               : setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos))) < 0)
		return -errno;
	if (connect(fd, &to->any, v4 ? sizeof(to->v4) : sizeof(to->v6)) < 0 && errno != EINPROGRESS)
		return -errno;
	n->fd = take_fd(&fd);
	n->connecting = true;
	event_assign(&n->readable, n->client->base, n->fd, EV_READ | EV_PERSIST, on_readable, n);
	event_assign(&n->writable, n->client->base, n->fd, EV_WRITE, on_writable, n);
	event_add(&n->writable, NULL);
	return 0;
}

static void on_address(void *arg, const union probe_address *address)
{
	struct http_connection *n = arg;
	int r;

	if (!address)
		lose(n, CALL_NO_ADDRESS);
	else if ((r = open_socket(n, address)) < 0)
		lose(n, outcome_of(-r));
}

void http_connection_open(struct http_client *c, struct http_call *call)
{
	struct http_connection *n = calloc(1, sizeof(*n));

	if (!n) {
		http_call_fail(call, CALL_LAB_ERROR);
		return;
	}
	*n = (struct http_connection){ .client = c, .fd = -1, .call = call, .opened = mono_now() };
	call->connection = n;
	TAILQ_INSERT_TAIL(&c->busy, n, link);
	c->n_connections++;
	if (c->literal.any.sa_family != AF_UNSPEC)
		on_address(n, &c->literal);
	else
		resolve_get(&c->resolve, &n->address, on_address, n, mono_now());
}
