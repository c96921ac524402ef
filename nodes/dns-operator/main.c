/* dns-operator: the operator's console; console.h tells what it does. */
#include "common/cleanup.h"
#include "common/log.h"
#include "dns-operator/console.h"
#include "proto/classes.h"
#include <errno.h>
#include <string.h>

static int read_endpoints(const json_t *list, struct console *c)
{
	size_t n = json_array_size(list);

	if (n == 0 || n > DNS_ENDPOINTS_MAX) return -EINVAL;
	c->endpoints = calloc(n, sizeof(*c->endpoints));
	if (!c->endpoints) return -ENOMEM;
	c->n_endpoints = n;
	for (size_t i = 0; i < n; i++) {
		struct dno_endpoint *e = &c->endpoints[i];
		const json_t *entry = json_array_get(list, i);
		const char *name = node_string(entry, "name", "");
		if (!dns_labels_ok(name, sizeof(e->is.name), true) ||
		    dns_variant_find(node_string(entry, "variant", ""), &e->is.variant) < 0)
			return -EINVAL;
		strcpy(e->is.name, name);
		e->addresses = json_array();
	}
	return 0;
}

static int read_interval(const json_t *config, mono_ns *ret, char why[WHY_MAX])
{
	double ms;
	int r = take_number(config, "watch_ms", 100, 1, 3600000, &ms, why);

	if (r == 0) *ret = (mono_ns)(ms * NS_PER_MS);
	return r;
}

static int read_config(const json_t *config, struct console *c)
{
	const char *zone = node_string(config, "zone", "");
	char why[WHY_MAX];
	double ttl_s;
	int r = dns_peers_read(config, &c->peers, why);

	if (r == 0) r = read_interval(config, &c->watch_interval, why);
	if (r == 0) r = take_number(config, "ttl_s", 60, 0, INT32_MAX, &ttl_s, why);
	if (r < 0) return log_errno(r, "bad configuration: %s", why);
	c->ttl_s = (uint32_t)ttl_s;
	if (!dns_labels_ok(zone, sizeof(c->zone), true)) return log_errno(-EINVAL, "bad zone '%s'", zone);
	strcpy(c->zone, zone);
	if ((r = read_endpoints(json_object_get(config, "endpoints"), c)) < 0)
		return log_errno(r, "bad configuration: endpoints");
	return 0;
}

static void on_waiting(const char *what, void *arg)
{
	struct console *c = arg;

	if (what) node_event(c->node, "dns.waiting", 0, json_pack("{s:s+}", "for", "the DNS server: ", what));
}

static int start(struct node *n, json_t *config)
{
	struct console *c = calloc(1, sizeof(*c));
	int r = c ? read_config(config, c) : -ENOMEM;

	if (r < 0) return r;
	n->self = c;
	c->node = n;
	r = dns_talk_new(n->base, c->peers.server, PORT_DNS, &c->peers.key, on_waiting, c, &c->talk);
	if (r == 0)
		r = http_get_new(n->base, c->peers.store, c->peers.store_port, DNS_PLAN_TEXT_MAX, &c->store);
	if (r < 0) return log_errno(r, "cannot reach the DNS server at '%s'", c->peers.server);
	return dno_watch_new(c);
}

static int on_repair(struct node *n, json_t *body)
{
	return dno_repair(n->self, (uint64_t)json_integer_value(json_object_get(body, "cause")));
}

static int on_break(struct node *n, json_t *body)
{
	return dno_break(n->self, (uint64_t)json_integer_value(json_object_get(body, "cause")));
}

/* The changes of roots that the console has seen, oldest first. */
static int on_history(struct node *n, json_t *body)
{
	const struct console *c = n->self;
	size_t from = c->n_changes > DNO_HISTORY_MAX ? c->n_changes - DNO_HISTORY_MAX : 0;
	json_t *changes = json_array();

	for (size_t i = from; i < c->n_changes; i++) {
		const struct dno_change *change = &c->history[i % DNO_HISTORY_MAX];
		json_array_append_new(changes, json_pack("{s:I, s:s, s:s}", "at_ns", (json_int_t)change->at,
		                                         "endpoint", c->endpoints[change->endpoint].is.name,
		                                         "root", change->root));
	}
	node_sample(n, "history",
	            json_pack("{s:o, s:I}", "changes", changes, "cause",
	                      json_integer_value(json_object_get(body, "cause"))));
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct console *c = n->self;
	char why[WHY_MAX];
	int r = read_interval(json_object_get(body, "config"), &c->watch_interval, why);

	return r < 0 ? log_errno(r, "bad configuration: %s", why) : 0;
}

int main(void)
{
	static const struct node_message messages[] = { { "repair", on_repair },
		                                        { "break", on_break },
		                                        { "history", on_history },
		                                        { "set", on_set },
		                                        { 0 } };
	static const struct node_ops ops = { .daemon = "dns-operator", .start = start, .messages = messages };

	return node_run(&ops);
}
