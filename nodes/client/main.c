/* client - open-loop load on a service by its name; counts what became of every request. */
#include "client/load.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/rlimit.h"
#include "proto/classes.h"
#include <errno.h>

enum { NAME_MAX_LEN = 256, TICK_MS = 50 };
#define DURATION_MS_MAX 1e9

struct client {
	struct load load;
	struct episode episode;
	struct event *tick;
	char host[NAME_MAX_LEN];
};

/* --- what goes to the orchestrator ------------------------------------------------------------------- */

static json_t *number_or_null(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *describe(struct tally_bucket *b)
{
	const unsigned *by = b->by_class;
	json_t *classes = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "no_address", (int)by[TALLY_NO_ADDRESS],
	                            "unreachable", (int)by[TALLY_UNREACHABLE], "refused",
	                            (int)by[TALLY_REFUSED], "reset", (int)by[TALLY_RESET], "timed_out",
	                            (int)by[TALLY_TIMED_OUT], "http", (int)by[TALLY_HTTP]);

	return json_pack("{s:f, s:i, s:i, s:i, s:i, s:o, s:{s:o, s:o}}", "from_ms", mono_ms(b->from),
	                 "requests", (int)b->requests, "errors", (int)tally_errors(b), "attempts",
	                 (int)b->attempts, "lab_errors", (int)by[TALLY_LAB], "by_class", classes,
	                 "latency_ms", "p50", number_or_null(tally_percentile(b, 0.5)), "p99",
	                 number_or_null(tally_percentile(b, 0.99)));
}

static void report(struct node *n, struct client *c, struct tally_bucket *b)
{
	double rate;

	node_sample(n, "requests", describe(b));
	if (episode_feed(&c->episode, b->requests, tally_errors(b), &rate))
		node_event(n, "client.errors", 0,
		           json_pack("{s:s, s:f}", "state", c->episode.on ? "begin" : "end", "rate", rate));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	struct client *c = n->self;
	struct tally_bucket *b;
	mono_ns now = mono_now();

	(void)fd, (void)what;
	if (!n->t0) return;
	load_run(&c->load, now); /* or a bucket might pass for whole that lacks its last arrivals */
	while ((b = tally_pop(&c->load.tally, now - n->t0))) {
		report(n, c, b);
		tally_bucket_free(b);
	}
}

/* --- configuration ----------------------------------------------------------------------------------- */

static bool in_range(double value, double min, double max)
{
	return value >= min && value <= max; /* false for NaN */
}

static int read_knobs(const json_t *config, struct load_knobs *ret)
{
	double timeout = node_number(config, "timeout_ms", 1000), retries = node_number(config, "retries", 0);

	ret->rate = node_number(config, "rate_per_s", 0);
	ret->poisson = node_bool(config, "poisson", true);
	if (!in_range(ret->rate, 0, 1e6) || !in_range(timeout, 1, DURATION_MS_MAX) ||
	    !in_range(retries, 0, 100)) {
		log_line("rate_per_s, timeout_ms or retries out of range");
		return -EINVAL;
	}
	ret->timeout = (mono_ns)(timeout * NS_PER_MS);
	ret->retries = (unsigned)retries;
	return 0;
}

static int read_request(struct client *c, const json_t *config)
{
	int len;

	snprintf(c->host, sizeof(c->host), "%s", node_string(config, "host", ""));
	len = probe_request(c->load.request, sizeof(c->load.request), c->host,
	                    node_string(config, "path", "/"));
	if (len < 0) return log_errno(len, "the path is too long");
	c->load.request_len = (size_t)len;
	return 0;
}

static int open_resolver(struct node *n, struct client *c, const json_t *config)
{
	const char *resolver = node_string(config, "resolver", "");
	double port = node_number(config, "port", 80), family = node_number(config, "family", 0);
	uint8_t question[512];
	struct stub *stub;

	if (!c->host[0] || !in_range(port, 1, UINT16_MAX) || (family != 0 && family != 4 && family != 6) ||
	    stub_question(question, sizeof(question), 0, c->host, AF_INET) < 0) {
		log_line("host '%s', port or family is not valid", c->host);
		return -EINVAL;
	}
	int result = stub_new(n->base, resolver, PORT_DNS, &stub);
	if (result < 0) return log_errno(result, "cannot use resolver '%s'", resolver);
	resolve_init(&c->load.resolve, stub, c->host, (int)family, (uint16_t)port,
	             random_of(n->seed + 1, n->name)); /* not the stream of the arrivals */
	return 0;
}

/* --- life -------------------------------------------------------------------------------------------- */

static int start(struct node *n, json_t *config)
{
	static struct client c;
	struct timeval tick = mono_timeval(TICK_MS * NS_PER_MS);
	struct load_knobs knobs;
	int result;

	n->self = &c;
	if ((result = rlimit_raise_files()) < 0)
		return log_errno(result, "cannot raise the limit of open files");
	if ((result = read_knobs(config, &knobs)) < 0 || (result = read_request(&c, config)) < 0 ||
	    (result = open_resolver(n, &c, config)) < 0 ||
	    (result = load_init(&c.load, n->base, &knobs, n->seed, n->name)) < 0)
		return result;
	c.tick = event_new(n->base, -1, EV_PERSIST, on_tick, n);
	return c.tick && event_add(c.tick, &tick) == 0 ? 0 : -ENOMEM;
}

static int on_start(struct node *n, json_t *body)
{
	struct client *c = n->self;

	(void)body;
	load_begin(&c->load, n->t0);
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct client *c = n->self;
	struct load_knobs knobs;
	int result = read_knobs(json_object_get(body, "config"), &knobs);

	if (result == 0) load_turn(&c->load, &knobs);
	return result;
}

int main(void)
{
	static const struct node_message messages[] = { { "start", on_start }, { "set", on_set }, { 0 } };
	static const struct node_ops ops = { .daemon = "client", .start = start, .messages = messages };

	return node_run(&ops);
}
