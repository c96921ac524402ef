#include "dns-planner/config.h"
#include "common/node.h"
#include "common/take.h"
#include "proto/classes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int take_name(const json_t *o, const char *key, char *to, size_t size, bool dots, char *why)
{
	const char *text = node_string(o, key, "");

	if (!dns_labels_ok(text, size, dots)) return wrong(why, "'%s' is no proper name: '%s'", key, text);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

static int take_endpoints(const json_t *array, struct planner_config *c, char *why)
{
	size_t n = json_array_size(array);
	int r = 0;

	if (n < 1 || n > DNS_ENDPOINTS_MAX)
		return wrong(why, "1 to %d endpoints expected", DNS_ENDPOINTS_MAX);
	if (!(c->endpoints = calloc(n, sizeof(*c->endpoints)))) return -ENOMEM;
	c->n_endpoints = n;
	for (size_t i = 0; i < n && r == 0; i++) {
		const json_t *entry = json_array_get(array, i);
		struct dns_endpoint *e = &c->endpoints[i];
		r = take_name(entry, "name", e->name, sizeof(e->name), true, why);
		if (r == 0 && dns_variant_find(node_string(entry, "variant", ""), &e->variant) < 0)
			r = wrong(why, "endpoint '%s' has no known variant", e->name);
	}
	return r;
}

static int take_source(const json_t *entry, struct planner_source *s, char *why)
{
	double capacity = 0, count = 0;
	int r = take_name(entry, "name", s->name, sizeof(s->name), true, why);

	if (r == 0 && (inet_pton(AF_INET, node_string(entry, "addr4", ""), &s->addr4) != 1 ||
	               inet_pton(AF_INET6, node_string(entry, "addr6", ""), &s->addr6) != 1))
		r = wrong(why, "load balancer '%s' has no addresses", s->name);
	if (r == 0) r = take_number(entry, "capacity", 0, 1, UINT16_MAX, &capacity, why);
	if (r == 0) r = take_number(entry, "count", 1, 1, DNS_BALANCERS_MAX, &count, why);
	s->capacity = (unsigned)capacity;
	s->count = (size_t)count;
	return r;
}

static int take_sources(const json_t *array, struct planner_config *c, char *why)
{
	size_t n = json_array_size(array), balancers = 0;
	int r = 0;

	if (n < 1 || n > HEALTH_ZONES_MAX)
		return wrong(why, "1 to %d load balancers expected", HEALTH_ZONES_MAX);
	if (!(c->sources = calloc(n, sizeof(*c->sources)))) return -ENOMEM;
	c->n_sources = n;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = take_source(json_array_get(array, i), &c->sources[i], why);
		balancers += c->sources[i].count;
	}
	if (r == 0 && balancers > DNS_BALANCERS_MAX) r = wrong(why, "too many load balancers");
	return r;
}

static int take_times(const json_t *o, struct planner_config *c, char *why)
{
	double interval = 0, slow = 0;
	const char *lanes = node_string(o, "lanes", "one");
	int r = take_number(o, "plan_interval_ms", 0, 1, 1e9, &interval, why);

	if (r == 0) r = take_number(o, "slow_interval_ms", interval, 1, 1e9, &slow, why);
	if (r == 0 && strcmp(lanes, "one") && strcmp(lanes, "fast-slow"))
		r = wrong(why, "unknown lanes '%s'", lanes);
	c->interval = (mono_ns)(interval * NS_PER_MS);
	c->slow_interval = (mono_ns)(slow * NS_PER_MS);
	c->slow_lane = !strcmp(lanes, "fast-slow");
	return r;
}

static int take_plans(const json_t *o, struct planner_config *c, char *why)
{
	double ttl = 0;
	int r = take_name(o, "name", c->service, sizeof(c->service), false, why);

	if (r == 0) r = take_name(o, "zone", c->zone, sizeof(c->zone), true, why);
	if (r == 0) r = take_number(o, "ttl_s", -1, 0, INT32_MAX, &ttl, why);
	if (r == 0) r = take_endpoints(json_object_get(o, "endpoints"), c, why);
	if (r == 0) r = take_sources(json_object_get(o, "load_balancers"), c, why);
	if (r == 0) r = take_times(o, c, why);
	c->ttl_s = (uint32_t)ttl;
	return r;
}

int planner_config_read(const json_t *json, struct config *ret, char why[WHY_MAX])
{
	struct config c = { 0 };
	double service = 0, port = 0, first = 0;
	int r = take_number(json, "service", -1, 0, UINT16_MAX, &service, why);

	if (r == 0) r = take_number(json, "port", PORT_DNS_PLANS, 1, UINT16_MAX, &port, why);
	if (r == 0) r = take_number(json, "first_plan", 1, 0, 1e15, &first, why);
	if (r == 0) r = take_plans(json, &c.plans, why);
	c.service = (unsigned)service;
	c.port = (uint16_t)port;
	c.first_plan = (uint64_t)first;
	if (r == -ENOMEM) wrong(why, "out of memory");
	if (r < 0)
		planner_config_release(&c.plans);
	else
		*ret = c;
	return r;
}
