#include "common/http_client.h"
#include "common/cleanup.h"
#include "common/http_connection.h"
#include "proto/classes.h"
#include <errno.h>
#include <string.h>

enum { CONNECTIONS = 16, BODY_MAX = 1 << 20, PORT_HTTP = 80 };

const char *call_outcome_text(enum call_outcome outcome)
{
	static const char *const texts[CALL_OUTCOMES] = {
		[CALL_ANSWERED] = "answered",
		[CALL_NO_ADDRESS] = "no address",
		[CALL_UNREACHABLE] = "unreachable",
		[CALL_REFUSED] = "refused",
		[CALL_RESET] = "reset",
		[CALL_TIMED_OUT] = "timed out",
		[CALL_MALFORMED] = "malformed",
		[CALL_OVERLOADED] = "too many calls",
		[CALL_LAB_ERROR] = "lab error",
	};
	return outcome < CALL_OUTCOMES ? texts[outcome] : "unknown";
}

const char *http_reply_header(const struct http_reply *reply, const char *name, char *buf, size_t size)
{
	return http_headers_find(reply->headers, name, buf, size);
}

/* --- the end of calls -------------------------------------------------------------------------------- */

static void free_call(struct http_call *call)
{
	struct http_client *c = call->client;

	if (call->waiting) c->n_waiting--;
	TAILQ_REMOVE(call->waiting ? &c->waiting : &c->running, call, link);
	event_del(&call->end);
	http_reply_release(&call->reply);
	free(call->request);
	free(call);
}

static void start_running(struct http_call *call)
{
	struct http_client *c = call->client;

	if (!call->waiting) return;
	TAILQ_REMOVE(&c->waiting, call, link);
	TAILQ_INSERT_TAIL(&c->running, call, link);
	call->waiting = false;
	c->n_waiting--;
}

void http_call_finish(struct http_call *call, enum call_outcome outcome)
{
	bool answered = outcome == CALL_ANSWERED;
	const struct http_text *headers = &call->reply.headers, *body = &call->reply.body;
	struct http_reply reply = { .outcome = outcome,
		                    .status = answered ? call->reply.status : 0,
		                    .headers = answered && headers->len ? headers->bytes : "",
		                    .body = answered && body->len ? body->bytes : "",
		                    .body_len = answered ? body->len : 0,
		                    .took = mono_now() - call->began };

	call->done(&reply, call->arg);
	free_call(call);
}

void http_call_fail(struct http_call *call, enum call_outcome failure)
{
	start_running(call);
	call->connection = NULL;
	call->failure = failure;
	event_active(&call->end, EV_TIMEOUT, 1);
}

/* --- who is served ----------------------------------------------------------------------------------- */

static struct http_connection *take_idle(struct http_client *c)
{
	struct http_connection *n;

	while ((n = TAILQ_FIRST(&c->idle))) {
		if (!http_connection_too_old(n)) return n;
		http_connection_close(n);
	}
	return NULL;
}

static void run_on(struct http_connection *n, struct http_call *call)
{
	struct http_client *c = n->client;

	TAILQ_REMOVE(&c->idle, n, link);
	TAILQ_INSERT_TAIL(&c->busy, n, link);
	n->call = call;
	call->connection = n;
	http_connection_send(n);
}

void http_client_serve(struct http_client *c)
{
	struct http_call *call;

	while ((call = TAILQ_FIRST(&c->waiting))) {
		struct http_connection *n = take_idle(c);
		if (!n && c->n_connections >= c->config.max_connections) return;
		start_running(call);
		if (n)
			run_on(n, call);
		else
			http_connection_open(c, call);
	}
}

/* --- calls ------------------------------------------------------------------------------------------- */

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct http_call *call = arg;
	struct http_client *c = call->client;

	(void)fd, (void)what;
	if (call->connection) http_connection_close(call->connection);
	http_call_finish(call, call->failure);
	http_client_serve(c);
}

static int write_request(const struct http_client *c, const struct http_call_spec *spec, char **ret,
                         size_t *ret_len)
{
	bool v6 = c->literal.any.sa_family == AF_INET6;
	char port[8] = "";
	char *head = NULL;

	if (c->config.port != PORT_HTTP) snprintf(port, sizeof(port), ":%u", c->config.port);
	int len = asprintf(&head, "%s %s HTTP/1.1\r\nHost: %s%s%s%s\r\n%sContent-Length: %zu\r\n\r\n",
	                   spec->method, spec->path, v6 ? "[" : "", c->host, v6 ? "]" : "", port,
	                   spec->headers ? spec->headers : "", spec->body_len);
	if (len < 0) return -ENOMEM;
	char *whole = realloc(head, (size_t)len + spec->body_len);
	if (!whole) {
		free(head);
		return -ENOMEM;
	}
	if (spec->body_len) memcpy(whole + len, spec->body, spec->body_len);
	*ret = whole;
	*ret_len = (size_t)len + spec->body_len;
	return 0;
}

int http_client_call(struct http_client *c, const struct http_call_spec *spec, http_done *done, void *arg,
                     struct http_call **ret_call)
{
	struct timeval timeout = mono_timeval(spec->timeout);
	cleanup_free struct http_call *call = calloc(1, sizeof(*call));
	int r;

	if (spec->timeout <= 0) return -EINVAL;
	if (!call) return -ENOMEM;
	if ((r = write_request(c, spec, &call->request, &call->len)) < 0) return r;
	call->client = c;
	call->done = done;
	call->arg = arg;
	call->failure = CALL_TIMED_OUT;
	call->waiting = true;
	call->began = mono_now();
	http_reply_init(&call->reply, c->config.max_body);
	event_assign(&call->end, c->base, -1, 0, on_end, call);
	event_add(&call->end, &timeout);
	TAILQ_INSERT_TAIL(&c->waiting, call, link);
	c->n_waiting++;
	if (ret_call) *ret_call = call;
	http_client_serve(c);
	if (call->waiting && c->config.max_waiting && c->n_waiting > c->config.max_waiting)
		http_call_fail(call, CALL_OVERLOADED);
	(void)take_ptr(call);
	return 0;
}

void http_call_cancel(struct http_call *call)
{
	struct http_client *c = call->client;

	if (call->connection) http_connection_close(call->connection);
	free_call(call);
	http_client_serve(c);
}

/* --- life -------------------------------------------------------------------------------------------- */

static int open_resolver(struct http_client *c)
{
	int r;

	if (probe_address(c->host, c->config.port, &c->literal) == 0) return 0;
	c->literal.any.sa_family = AF_UNSPEC;
	if (!c->config.resolver) return -EINVAL;
	if ((r = stub_new(c->base, c->config.resolver, PORT_DNS, &c->stub)) < 0) return r;
	resolve_init(&c->resolve, c->stub, c->host, c->config.family, c->config.port,
	             random_of(c->config.seed, c->host));
	return 0;
}

int http_client_new(struct event_base *base, const struct http_client_config *config,
                    struct http_client **ret)
{
	struct http_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c) return -ENOMEM;
	c->base = base;
	c->config = *config;
	if (!c->config.max_connections) c->config.max_connections = CONNECTIONS;
	if (!c->config.max_body) c->config.max_body = BODY_MAX;
	TAILQ_INIT(&c->idle);
	TAILQ_INIT(&c->busy);
	TAILQ_INIT(&c->waiting);
	TAILQ_INIT(&c->running);
	TAILQ_INIT(&c->resolve.waiters);
	r = (c->host = strdup(config->host)) ? open_resolver(c) : -ENOMEM;
	c->config.host = c->host;
	c->config.resolver = NULL; /* used above, and not ours */
	if (r < 0) {
		http_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void http_client_free(struct http_client *c)
{
	struct http_connection *n;
	struct http_call *call;

	if (!c) return;
	while ((n = TAILQ_FIRST(&c->busy)) || (n = TAILQ_FIRST(&c->idle)))
		http_connection_close(n);
	while ((call = TAILQ_FIRST(&c->running)) || (call = TAILQ_FIRST(&c->waiting)))
		free_call(call);
	stub_free(c->stub);
	free(c->host);
	free(c);
}

unsigned http_client_connections(const struct http_client *c)
{
	return c->n_connections;
}

void http_client_set_max_age(struct http_client *c, mono_ns max_connection_age)
{
	c->config.max_connection_age = max_connection_age;
}
