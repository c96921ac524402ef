#include "common/dns_tcp.h"
#include "common/cleanup.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>

enum { LENGTH_BYTES = 2 };

struct dns_tcp {
	struct bufferevent *stream;
	dns_tcp_done *done;
	void *arg;
};

static void on_readable(struct bufferevent *stream, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(stream);
	const uint8_t *length = evbuffer_pullup(in, LENGTH_BYTES);
	struct dns_tcp *t = arg;

	if (!length) return;
	size_t len = (size_t)length[0] << 8 | length[1];
	if (evbuffer_get_length(in) < LENGTH_BYTES + len) return;
	bufferevent_disable(stream, EV_READ);
	t->done(evbuffer_pullup(in, (ssize_t)(LENGTH_BYTES + len)) + LENGTH_BYTES, len, t->arg);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct dns_tcp *t = arg;

	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) t->done(NULL, 0, t->arg);
}

int dns_tcp_ask(struct event_base *base, const struct sockaddr *server, socklen_t server_len,
                const uint8_t *wire, size_t len, dns_tcp_done *done, void *arg, struct dns_tcp **ret)
{
	const uint8_t length[LENGTH_BYTES] = { (uint8_t)(len >> 8), (uint8_t)len };
	cleanup_free struct dns_tcp *t = calloc(1, sizeof(*t));

	if (!t) return -ENOMEM;
	/* deferred: a connection refused at once must not call back before *ret is set */
	t->stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!t->stream) return -ENOMEM;
	t->done = done;
	t->arg = arg;
	bufferevent_setcb(t->stream, on_readable, NULL, on_event, t);
	if (bufferevent_enable(t->stream, EV_READ | EV_WRITE) < 0 ||
	    bufferevent_write(t->stream, length, sizeof(length)) < 0 ||
	    bufferevent_write(t->stream, wire, len) < 0 ||
	    bufferevent_socket_connect(t->stream, server, (int)server_len) < 0) {
		bufferevent_free(t->stream);
		return -ENOMEM;
	}
	*ret = take_ptr(t);
	return 0;
}

void dns_tcp_free(struct dns_tcp *t)
{
	if (!t) return;
	bufferevent_free(t->stream);
	free(t);
}
