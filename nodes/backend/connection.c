#include "backend/connection.h"
#include "backend/inbound.h"
#include "common/cleanup.h"
#include <errno.h>
#include <event2/event_struct.h>
#include <string.h>
#include <sys/socket.h>

enum {
	IN_MAX = 2048,  /* a request's bytes are parsed as they come; this bounds what waits behind one */
	OUT_MAX = 1024, /* head and body of a plain answer */
	/* nginx and Apache wait 60 and 20 s for a request's header; one idle connection costs 4 KB here */
	IDLE_MS = 10000,
	WRITE_MS = 30000, /* a caller that takes nothing of its answer */
	CLOSE_MS = 200,   /* after the last answer: the caller, who knows it, has the first word */
	PATTERN_PERIOD = 251,
	PATTERN_BYTES = PATTERN_PERIOD * 261, /* about 64 KB, plus a period to begin anywhere in it */
};

enum connection_state {
	READING,
	WORKING, /* the request is in the queue or in a slot */
	ANSWERING,
	CLOSING, /* the last answer is out: waits for the caller's FIN */
};

struct connection {
	struct work work;
	struct event readable, writable;
	int fd; /* -1: the caller reset it while its work was still here */
	enum connection_state state;
	bool caller_closed; /* FIN seen */
	struct inbound request;
	connection_request *on_request;
	void *arg;
	const char *body;
	size_t in_len, out_len, out_at;
	uint64_t stream_at, stream_end; /* of /bytes/N */
	char in[IN_MAX], out[OUT_MAX];
};

static void start_answer(struct connection *c, unsigned status);

static void close_connection(struct connection *c)
{
	event_del(&c->readable);
	event_del(&c->writable);
	if (c->fd >= 0) close(c->fd);
	c->fd = -1;
	/* capacity still points to our work; it comes back through connection_work_done() */
	if (c->state == WORKING)
		capacity_abandon(&c->work);
	else
		free(c);
}

static void read_again(struct connection *c, enum connection_state state, int timeout_ms)
{
	struct timeval tv = mono_timeval(timeout_ms * NS_PER_MS);

	c->state = state;
	event_add(&c->readable, &tv);
}

/* --- requests in ------------------------------------------------------------------------------------- */

static void start_work(struct connection *c)
{
	c->state = WORKING;
	event_remove_timer(&c->readable); /* goes on reading: a FIN or RST makes the work worthless */
	if (c->on_request(&c->work, c->arg)) return;
	start_answer(c, 503);
}

static void parse_buffer(struct connection *c)
{
	ssize_t used = inbound_feed(&c->request, c->in, c->in_len);

	if (used < 0) {
		c->in_len = 0;
		c->request.keep_alive = false;
		start_answer(c, 400);
		return;
	}
	c->in_len -= (size_t)used;
	memmove(c->in, c->in + used, c->in_len);
	if (c->request.complete) start_work(c);
}

static void on_caller_closed(struct connection *c)
{
	if (c->state == READING || c->state == CLOSING) {
		close_connection(c);
		return;
	}
	c->caller_closed = true;
	event_del(&c->readable); /* it would report the end again and again */
	if (c->state == WORKING) capacity_abandon(&c->work);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	if (what & EV_TIMEOUT) {
		close_connection(c);
		return;
	}
	if (c->state == CLOSING) c->in_len = 0;
	if (c->in_len == IN_MAX) {
		event_del(&c->readable); /* a flood of pipelined requests stays in the kernel */
		return;
	}
	ssize_t n = recv(fd, c->in + c->in_len, IN_MAX - c->in_len, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR) close_connection(c);
	} else if (n == 0) {
		on_caller_closed(c);
	} else {
		c->in_len += (size_t)n;
		if (c->state == READING) parse_buffer(c);
	}
}

/* --- answers out ------------------------------------------------------------------------------------- */

static const char *pattern(void)
{
	static char bytes[PATTERN_BYTES + PATTERN_PERIOD];

	if (bytes[1] == 0) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)inbound_byte_at(i);
	}
	return bytes;
}

/* What is to be written next; 0 when the answer is out. */
static size_t next_chunk(const struct connection *c, const char **ret)
{
	uint64_t left = c->stream_end - c->stream_at;

	if (c->out_at < c->out_len) {
		*ret = c->out + c->out_at;
		return c->out_len - c->out_at;
	}
	*ret = pattern() + c->stream_at % PATTERN_PERIOD;
	return left < PATTERN_BYTES ? left : PATTERN_BYTES;
}

static void answer_done(struct connection *c)
{
	if (c->caller_closed) {
		c->state = READING;
		close_connection(c);
		return;
	}
	if (!c->request.keep_alive) {
		read_again(c, CLOSING, CLOSE_MS);
		return;
	}
	inbound_init(&c->request);
	read_again(c, READING, IDLE_MS);
	/* a request that came meanwhile; from the loop, since our caller is in the middle of its own work */
	if (c->in_len > 0) event_active(&c->writable, EV_WRITE, 0);
}

static void write_more(struct connection *c)
{
	const char *chunk;
	size_t len;

	while ((len = next_chunk(c, &chunk)) > 0) {
		ssize_t n = send(c->fd, chunk, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			struct timeval tv = mono_timeval(WRITE_MS * NS_PER_MS);
			event_add(&c->writable, &tv);
			return;
		}
		if (n < 0) {
			close_connection(c);
			return;
		}
		if (c->out_at < c->out_len)
			c->out_at += (size_t)n;
		else
			c->stream_at += (size_t)n;
	}
	answer_done(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		close_connection(c);
	else if (c->state == ANSWERING)
		write_more(c);
	else if (c->state == READING && c->in_len > 0)
		parse_buffer(c);
}

static void start_answer(struct connection *c, unsigned status)
{
	bool stream = status == 200 && c->request.wants_bytes;
	const char *body = status == 200 ? c->body : "{}\n";
	uint64_t length = stream ? c->request.bytes : strlen(body);

	c->state = ANSWERING;
	c->out_at = c->stream_at = c->stream_end = 0;
	c->out_len = inbound_answer_head(c->out, status,
	                                 stream ? "application/octet-stream" : "application/json", length);
	if (!c->request.head && stream)
		c->stream_end = length;
	else if (!c->request.head) {
		memcpy(c->out + c->out_len, body, length);
		c->out_len += length;
	}
	write_more(c);
}

void connection_work_done(struct work *w)
{
	struct connection *c = container_of(w, struct connection, work);

	c->state = READING; /* the work is ours again: closing frees */
	if (w->state == WORK_SERVED && c->fd >= 0)
		start_answer(c, 200);
	else
		close_connection(c);
}

int connection_open(struct event_base *base, int fd, const char *body, connection_request *request, void *arg)
{
	struct connection *c = malloc(sizeof(*c));

	if (!c || strlen(body) > OUT_MAX - INBOUND_HEAD_MAX) {
		free(c);
		return -ENOMEM;
	}
	memset(c, 0, offsetof(struct connection, in)); /* the buffers have lengths of their own */
	c->fd = fd;
	c->body = body;
	c->on_request = request;
	c->arg = arg;
	inbound_init(&c->request);
	event_assign(&c->readable, base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, base, fd, EV_WRITE, on_writable, c);
	read_again(c, READING, IDLE_MS);
	return 0;
}
