#include "common/http_get.h"
#include "common/cleanup.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdbool.h>
#include <string.h>

struct http_get {
	struct evhttp_connection *connection;
	char host[64];
	http_get_done *done; /* NULL: nothing is under way */
	void *arg;
	bool starting;         /* within http_get(), from where nothing calls back ... */
	struct event *failure; /* ... but what failed there is told from the loop */
};

static void finish(struct http_get *h, int status, const char *body, size_t len)
{
	http_get_done *done = h->done;

	h->done = NULL;
	if (done) done(status, body, len, h->arg);
}

static void on_failure(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	finish(arg, 0, "", 0);
}

static void on_answer(struct evhttp_request *request, void *arg)
{
	struct http_get *h = arg;
	struct evbuffer *in = request ? evhttp_request_get_input_buffer(request) : NULL;
	int status = request ? evhttp_request_get_response_code(request) : 0;
	size_t len = in ? evbuffer_get_length(in) : 0;
	const char *body = len ? (const char *)evbuffer_pullup(in, -1) : "";

	if (h->starting) return;
	if (!body) status = 0, len = 0;
	finish(h, status, body, len);
}

int http_get_new(struct event_base *base, const char *address, uint16_t port, size_t longest,
                 struct http_get **ret)
{
	cleanup_free struct http_get *h = calloc(1, sizeof(*h));

	if (!h || strlen(address) >= sizeof(h->host)) return h ? -EINVAL : -ENOMEM;
	strcpy(h->host, address);
	h->failure = evtimer_new(base, on_failure, h);
	if (!h->failure) return -ENOMEM;
	h->connection = evhttp_connection_base_new(base, NULL, address, port);
	if (!h->connection) {
		event_free(h->failure);
		return -ENOMEM;
	}
	evhttp_connection_set_timeout(h->connection, HTTP_GET_TIMEOUT_S);
	evhttp_connection_set_max_body_size(h->connection, (ev_ssize_t)longest);
	*ret = take_ptr(h);
	return 0;
}

void http_get_free(struct http_get *h)
{
	if (!h) return;
	h->done = NULL; /* evhttp calls back for what it gives up */
	evhttp_connection_free(h->connection);
	event_free(h->failure);
	free(h);
}

int http_get(struct http_get *h, const char *path, const char *unless, http_get_done *done, void *arg)
{
	if (h->done) return -EBUSY;
	struct evhttp_request *request = evhttp_request_new(on_answer, h);
	if (!request) return -ENOMEM;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	evhttp_add_header(headers, "Host", h->host);
	/* a connection kept open would hide that the server can't be reached any more */
	evhttp_add_header(headers, "Connection", "close");
	if (unless) evhttp_add_header(headers, "If-None-Match", unless);
	h->done = done;
	h->arg = arg;
	h->starting = true;
	/* frees the request when it fails */
	if (evhttp_make_request(h->connection, request, EVHTTP_REQ_GET, path) < 0)
		event_active(h->failure, EV_TIMEOUT, 0);
	h->starting = false;
	return 0;
}
