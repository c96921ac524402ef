#include "common/http_server.h"
#include "common/cleanup.h"
#include "common/http_message.h"
#include "common/listener.h"
#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum {
	REQUEST_MS = 30000,
	IDLE_MS = 60000,
	WRITE_MS = 30000,
	CLOSE_MS = 500,   /* after the last answer: the client, who knows it, has the first word */
	SWEEP_MS = 50,    /* how late a deadline may be noticed */
	IN_FIRST = 4096,  /* holds nearly every request of the lab whole */
	KEEP_MAX = 65536, /* buffers that one large message has made larger are not kept */
	HEAD_MAX = 256    /* an answer's head without the headers of the handler */
};

struct buffer {
	char *bytes;
	size_t len, size;
};

enum connection_state {
	READING,
	WORKING,   /* the handler has the request */
	ANSWERING, /* the answer waits for the socket */
	CLOSING    /* the last answer is out: waits for the client's FIN */
};

struct connection {
	LIST_ENTRY(connection) link;
	struct http_request request;
	struct http_server *server;
	struct event readable, writable;
	int fd; /* -1: closed, but its request has not come back yet */
	enum connection_state state;
	bool feeding;     /* in feed(), which goes on by itself and frees */
	bool client_done; /* FIN seen: what came before it is still answered */
	bool last;        /* no request follows the present one */
	mono_ns born, deadline;
	struct http_message message;
	struct buffer in, out;
	size_t out_at;
};

struct http_server {
	struct event_base *base;
	struct http_config config;
	http_handler *handler;
	void *arg;
	struct listener *listener;
	struct event *sweep;
	unsigned n_connections;
	bool paused;
	LIST_HEAD(, connection) connections;
};

static void feed(struct connection *c);

/* --- buffers ----------------------------------------------------------------------------------------- */

static int reserve(struct buffer *b, size_t room)
{
	size_t size = b->size ? b->size : IN_FIRST;

	if (b->size - b->len >= room) return 0;
	while (size - b->len < room)
		size *= 2;
	char *bytes = realloc(b->bytes, size);
	if (!bytes) return -ENOMEM;
	b->bytes = bytes;
	b->size = size;
	return 0;
}

static void consume(struct buffer *b, size_t len)
{
	b->len -= len;
	if (b->len > 0)
		memmove(b->bytes, b->bytes + len, b->len);
	else if (b->size > KEEP_MAX) {
		free(b->bytes);
		*b = (struct buffer){ 0 };
	}
}

/* --- connections ------------------------------------------------------------------------------------- */

static struct connection *connection_of(const struct http_request *r)
{
	return container_of(r, struct connection, request);
}

static void free_connection(struct connection *c)
{
	free(c->in.bytes);
	free(c->out.bytes);
	free(c);
}

/* Its memory stays while the handler has the request, or feed() is at work. */
static void close_connection(struct connection *c)
{
	struct http_server *s = c->server;

	event_del(&c->readable);
	event_del(&c->writable);
	close(c->fd);
	c->fd = -1;
	LIST_REMOVE(c, link);
	s->n_connections--;
	if (s->paused) {
		s->paused = false;
		listener_resume(s->listener);
	}
	if (c->state != WORKING && !c->feeding) free_connection(c);
}

static bool too_old(const struct connection *c, mono_ns now)
{
	mono_ns most = c->server->config.max_connection_age;
	return most > 0 && now - c->born >= most;
}

static void wait_until(struct connection *c, enum connection_state state, mono_ns deadline)
{
	c->state = state;
	c->deadline = deadline;
}

static void begin_request(struct connection *c, mono_ns now)
{
	http_message_init(&c->message, c->server->config.max_body);
	wait_until(c, READING, now + IDLE_MS * NS_PER_MS);
}

/* --- answers out ------------------------------------------------------------------------------------- */

static void answer_done(struct connection *c)
{
	mono_ns now = mono_now();

	if (!c->client_done && !event_pending(&c->readable, EV_READ, NULL)) event_add(&c->readable, NULL);
	c->out.len = c->out_at = 0;
	consume(&c->out, 0);
	if (c->last) {
		c->in.len = 0;
		if (c->client_done)
			close_connection(c);
		else
			wait_until(c, CLOSING, now + CLOSE_MS * NS_PER_MS);
		return;
	}
	consume(&c->in, c->message.parsed);
	begin_request(c, now);
	/* a request that came meanwhile is handed over from the loop: our caller is in the middle of its own
	 * work
	 */
	if (!c->feeding && (c->in.len > 0 || c->client_done)) event_active(&c->readable, EV_READ, 1);
}

static void write_more(struct connection *c)
{
	while (c->out_at < c->out.len) {
		ssize_t n = send(c->fd, c->out.bytes + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			wait_until(c, ANSWERING, mono_now() + WRITE_MS * NS_PER_MS);
			event_add(&c->writable, NULL);
			return;
		}
		if (n < 0) {
			close_connection(c);
			return;
		}
		c->out_at += (size_t)n;
	}
	answer_done(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	write_more(arg);
}

static const char *connection_header(const struct connection *c)
{
	if (c->last) return "Connection: close\r\n";
	return c->message.parser.http_minor == 0 ? "Connection: keep-alive\r\n" : "";
}

static int compose(struct connection *c, unsigned status, const char *headers, const void *body, size_t len)
{
	struct buffer *out = &c->out;
	size_t body_len = c->message.parser.method == HTTP_HEAD ? 0 : len;

	if (reserve(out, HEAD_MAX + strlen(headers) + body_len) < 0) return -ENOMEM;
	out->len = (size_t)snprintf(
	    out->bytes, out->size, "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\n%s%s\r\n", status,
	    http_status_str((enum http_status)status), len, connection_header(c), headers);
	if (body_len) memcpy(out->bytes + out->len, body, body_len);
	out->len += body_len;
	return 0;
}

void http_answer(struct http_request *r, unsigned status, const char *headers, const void *body, size_t len)
{
	struct connection *c = connection_of(r);

	c->state = ANSWERING; /* the request is ours again: closing frees */
	if (c->fd < 0) {
		if (!c->feeding) free_connection(c);
		return;
	}
	c->last = c->last || too_old(c, mono_now());
	if (compose(c, status, headers ? headers : "", body, len) < 0)
		close_connection(c);
	else
		write_more(c);
}

const char *http_header(const struct http_request *r, const char *name)
{
	const struct connection *c = connection_of(r);
	return http_message_header(&c->message, c->in.bytes, name);
}

bool http_client_gone(const struct http_request *r)
{
	return connection_of(r)->fd < 0 || connection_of(r)->client_done;
}

/* --- requests in ------------------------------------------------------------------------------------- */

static void hand_over(struct connection *c)
{
	struct http_message *m = &c->message;

	http_message_end_texts(m, c->in.bytes);
	c->request = (struct http_request){ .method = http_method_str((enum http_method)m->parser.method),
		                            .path = c->in.bytes + m->path.at,
		                            .body = c->in.bytes + m->body.at,
		                            .body_len = m->body.len };
	c->last = !http_message_keep_alive(m);
	c->state = WORKING;
	c->server->handler(&c->request, c->server->arg);
}

static void refuse(struct connection *c)
{
	c->last = true;
	http_answer(&c->request, c->message.status, NULL, "", 0);
}

/* A client that waits for this and does not get it sends its body all the same, later. */
static void say_continue(struct connection *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	c->message.wants_continue = false;
	send(c->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* What has come goes to the parser, whole requests to the handler. */
static void feed_once(struct connection *c)
{
	if (c->message.parsed == 0) c->deadline = mono_now() + REQUEST_MS * NS_PER_MS;
	if (!http_message_feed(&c->message, c->in.bytes, c->in.len)) {
		refuse(c);
	} else if (c->message.complete) {
		hand_over(c);
	} else if (c->message.wants_continue) {
		say_continue(c);
	}
}

static void feed(struct connection *c)
{
	c->feeding = true;
	while (c->fd >= 0 && c->state == READING && c->message.parsed < c->in.len)
		feed_once(c);
	/* half a request whose rest will never come, or none */
	if (c->fd >= 0 && c->state == READING && c->client_done) close_connection(c);
	c->feeding = false;
	if (c->fd < 0 && c->state != WORKING) free_connection(c);
}

/* While a request is in work its bytes must stay where they are. */
static size_t room_to_read(struct connection *c)
{
	if (c->state == CLOSING) c->in.len = 0;
	if (c->state == READING && reserve(&c->in, IN_FIRST / 2) < 0) return 0;
	return c->in.size - c->in.len;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	size_t room = room_to_read(c);

	(void)what;
	if (room == 0) {
		event_del(&c->readable); /* a flood of pipelined requests stays in the kernel */
		return;
	}
	ssize_t n = c->client_done ? 0 : recv(fd, c->in.bytes + c->in.len, room, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close_connection(c);
		return;
	}
	if (n > 0) c->in.len += (size_t)n;
	if (n == 0) {
		c->client_done = true;
		event_del(&c->readable); /* it would report the end again and again */
	}
	if (c->state == CLOSING && c->client_done)
		close_connection(c);
	else if (c->state == READING)
		feed(c);
}

/* --- the server -------------------------------------------------------------------------------------- */

static bool is_idle(const struct connection *c)
{
	return c->state == READING && c->in.len == 0;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	mono_ns now = mono_now();
	struct connection *next;

	(void)fd, (void)what;
	for (struct connection *c = LIST_FIRST(&s->connections); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->state == WORKING) continue;
		if (now >= c->deadline || (is_idle(c) && too_old(c, now))) close_connection(c);
	}
}

int http_server_adopt(struct http_server *s, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c) return -ENOMEM;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		free(c);
		return -errno;
	}
	c->server = s;
	c->fd = fd;
	c->born = mono_now();
	event_assign(&c->readable, s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, s->base, fd, EV_WRITE, on_writable, c);
	begin_request(c, c->born);
	LIST_INSERT_HEAD(&s->connections, c, link);
	s->n_connections++;
	event_add(&c->readable, NULL);
	return 0;
}

static void on_accept(int fd, void *arg)
{
	struct http_server *s = arg;

	if (http_server_adopt(s, fd) < 0) close(fd);
	if (s->config.max_connections && s->n_connections >= s->config.max_connections) {
		s->paused = true;
		listener_pause(s->listener);
	}
}

int http_server_listen(struct http_server *s, uint16_t port)
{
	return listener_open(s->base, port, on_accept, s, &s->listener);
}

void http_server_configure(struct http_server *s, const struct http_config *config)
{
	s->config = *config;
	if (s->paused) { /* pauses again at the next connection, where it is still too much */
		s->paused = false;
		listener_resume(s->listener);
	}
}

unsigned http_server_connections(const struct http_server *s)
{
	return s->n_connections;
}

void http_server_free(struct http_server *s)
{
	if (!s) return;
	listener_free(s->listener);
	s->paused = false;
	while (!LIST_EMPTY(&s->connections))
		close_connection(LIST_FIRST(&s->connections));
	if (s->sweep) event_free(s->sweep);
	free(s);
}

int http_server_new(struct event_base *base, const struct http_config *config, http_handler *handler,
                    void *arg, struct http_server **ret)
{
	struct http_server *s = calloc(1, sizeof(*s));
	struct timeval period = mono_timeval(SWEEP_MS * NS_PER_MS);

	if (!s) return -ENOMEM;
	*s = (struct http_server){ .base = base, .config = *config, .handler = handler, .arg = arg };
	LIST_INIT(&s->connections);
	s->sweep = event_new(base, -1, EV_PERSIST, on_sweep, s);
	if (!s->sweep || event_add(s->sweep, &period) < 0) {
		http_server_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}
