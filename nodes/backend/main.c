/* backend - a service's instance: an HTTP server with finite capacity, which overload makes look ill. */
#include "backend/server.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/rlimit.h"
#include <errno.h>
#include <string.h>

enum { SAMPLE_PERIOD_S = 1 };

struct backend {
	struct server *server;
	struct event *sample_timer;
	char body[512];
	uint64_t served, refused, abandoned; /* as of the last sample */
};

static int read_distribution(const char *name, enum service_distribution *ret)
{
	static const char *const names[] = { "uniform", "fixed", "exponential" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name)) continue;
		*ret = (enum service_distribution)i;
		return 0;
	}
	log_line("unknown distribution '%s'", name);
	return -EINVAL;
}

static int read_capacity(const json_t *config, struct capacity_config *ret)
{
	double concurrency = node_number(config, "concurrency", 8), queue = node_number(config, "queue", 64);
	double service_ms = node_number(config, "service_time_ms", 100);
	double overload_ms = node_number(config, "overload_after_ms", 250);

	if (!(concurrency >= 1 && concurrency <= 1e6) || !(queue >= 0 && queue <= 1e6) ||
	    !(service_ms >= 0 && service_ms <= 1e9) || !(overload_ms > 0 && overload_ms <= 1e9)) {
		log_line("concurrency, queue, service_time_ms or overload_after_ms out of range");
		return -EINVAL;
	}
	ret->concurrency = (unsigned)concurrency;
	ret->queue = (unsigned)queue;
	ret->service_time = (mono_ns)(service_ms * NS_PER_MS);
	ret->overload_after = (mono_ns)(overload_ms * NS_PER_MS);
	ret->serve_abandoned = node_bool(config, "serve_abandoned", false);
	return read_distribution(node_string(config, "distribution", "uniform"), &ret->distribution);
}

static void on_overload(const struct capacity *c, mono_ns waited, void *arg)
{
	node_event(arg, c->overloaded ? "target.overloaded" : "target.recovered", 0,
	           json_pack("{s:f, s:i}", "waited_ms", mono_ms(waited), "queued", (int)c->queued));
}

static json_t *count_since(uint64_t now, uint64_t *last)
{
	json_t *count = json_integer((json_int_t)(now - *last));
	*last = now;
	return count;
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	struct backend *b = n->self;
	const struct capacity *c = server_capacity(b->server);

	(void)fd, (void)what;
	node_sample(n, "load",
	            json_pack("{s:i, s:i, s:o, s:o, s:o}", "busy", (int)c->busy, "queued", (int)c->queued,
	                      "served", count_since(c->served, &b->served), "refused",
	                      count_since(c->refused, &b->refused), "abandoned",
	                      count_since(c->abandoned, &b->abandoned)));
}

static int start_samples(struct node *n, struct backend *b)
{
	struct timeval period = { .tv_sec = SAMPLE_PERIOD_S };

	b->sample_timer = event_new(n->base, -1, EV_PERSIST, on_sample, n);
	return b->sample_timer && event_add(b->sample_timer, &period) == 0 ? 0 : -ENOMEM;
}

static int start(struct node *n, json_t *config)
{
	static struct backend b;
	struct server_spec spec = { .body = b.body, .overload_changed = on_overload, .arg = n };
	double port = node_number(config, "port", 0);
	int result = read_capacity(config, &spec.capacity);

	if (result < 0) return result;
	if (!(port >= 1 && port <= 65535)) {
		log_line("port out of range");
		return -EINVAL;
	}
	spec.port = (uint16_t)port;
	spec.random = random_of(n->seed, n->name);
	n->self = &b;
	snprintf(b.body, sizeof(b.body), "{\"zone\":\"%s\",\"node\":\"%s\"}\n", n->zone, n->name);
	if ((result = rlimit_raise_files()) < 0)
		return log_errno(result, "cannot raise the limit of open files");
	if ((result = server_start(n->base, &spec, &b.server)) < 0)
		return log_errno(result, "cannot listen on port %u", spec.port);
	return start_samples(n, &b);
}

static int on_set(struct node *n, json_t *body)
{
	struct backend *b = n->self;
	struct capacity_config capacity;
	int result = read_capacity(json_object_get(body, "config"), &capacity);

	if (result == 0) server_configure(b->server, &capacity);
	return result;
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set }, { 0 } };
	static const struct node_ops ops = { .daemon = "backend", .start = start, .messages = messages };

	return node_run(&ops);
}
