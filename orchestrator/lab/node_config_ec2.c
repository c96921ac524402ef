/* node_config_ec2.c - configurations of the nodes that docs/ec2.md names. */
#include "orchestrator/lab/node_config_parts.h"
#include "common/cleanup.h"
#include "proto/classes.h"
#include <stdlib.h>
#include <string.h>

enum { MAP_SIZE_MB = 1024 };

/* DynamoDB as the region's own services call it: by its name only. */
static json_t *dynamo_client(const struct topology *t)
{
	const struct dynamo_client_config *c = &t->ec2.client;
	const struct service_config *s = &t->services[topology_service(t, t->ec2.dynamodb)];

	return json_pack("{s:s, s:i, s:i, s:f, s:f, s:b, s:f}", "name", s->dns_name, "port", s->port,
	                 "attempts", c->attempts, "timeout_ms", mono_ms(c->timeout), "pause_ms",
	                 mono_ms(c->pause), "jitter", c->jitter, "max_connection_age_ms",
	                 mono_ms(c->max_connection_age));
}

static json_t *network_manager(const struct plan *p)
{
	return json_pack("{s:o, s:i}", "address", config_address(p, "region", "network-manager"), "port",
	                 PORT_NETWORK_MANAGER);
}

/* Services of the region's own stand nearest to the first zone's resolver. */
static json_t *resolver(const struct plan *p)
{
	return config_address(p, p->topology->zones[0], "resolver");
}

json_t *config_dynamodb(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct service_config *s = &p->topology->services[n->service];
	static const struct {
		const char *name, *hash;
	} tables[] = {
		{ "leases", "droplet" },
		{ "instances", "instance" },
		{ "workflows", "workflow" },
		{ "tokens", "token" },
	};
	json_t *list = json_array();

	(void)key;
	for (size_t i = 0; p->topology->has_ec2 && i < ARRAY_SIZE(tables); i++)
		json_array_append_new(list, json_pack("{s:s, s:{s:s, s:s}}", "name", tables[i].name, "hash",
		                                      "name", tables[i].hash, "type", "S"));
	return json_pack("{s:i, s:i, s:i, s:f, s:i, s:f, s:o}", "port", s->port, "map_size_mb", MAP_SIZE_MB,
	                 "concurrency", s->targets.concurrency, "service_time_ms",
	                 mono_ms(s->targets.service_time), "queue", s->targets.queue, "max_connection_age_ms",
	                 mono_ms(s->targets.max_connection_age), "tables", list);
}

json_t *config_droplets(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct droplets_config *d = &p->topology->ec2.droplets;

	(void)key;
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:f}", "zone", plan_zone_name(p, n->zone), "first", 0,
	                 "count", d->per_zone, "slots", d->slots, "port", PORT_LEASE, "launch_time_ms",
	                 mono_ms(d->launch_time));
}

/* Each host's share of each zone: equal runs of neighbouring numbers. */
static json_t *share_of(const struct plan *p, unsigned host, unsigned hosts)
{
	json_t *shares = json_array();
	unsigned count = p->topology->ec2.droplets.per_zone;

	for (size_t z = 0; z < p->topology->n_zones; z++) {
		const char *zone = p->topology->zones[z];
		unsigned first = count * host / hosts, end = count * (host + 1) / hosts;
		if (first == end) continue;
		json_array_append_new(shares, json_pack("{s:s, s:o, s:i, s:i, s:i}", "zone", zone, "address",
		                                        config_address(p, zone, "droplets"), "port",
		                                        PORT_LEASE, "first", first, "count", end - first));
	}
	return shares;
}

static void add_dwfm_knobs(json_t *config, const struct dwfm_config *d)
{
	static const char *const disciplines[] = { "fifo", "lifo", "codel" };
	json_t *knobs = json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:s, s:b, s:f, s:f, s:s, s:f, s:b, s:s}",
	                          "workers", d->workers, "admission", d->admission, "work_time_ms",
	                          mono_ms(d->work_time), "timeout_ms", mono_ms(d->timeout), "lease_ms",
	                          mono_ms(d->lease), "renew_every_ms", mono_ms(d->renew_every), "discipline",
	                          disciplines[d->discipline], "deadlines", d->deadlines, "backoff_ms",
	                          mono_ms(d->backoff), "backoff_max_ms", mono_ms(d->backoff_max), "jitter",
	                          d->jitter ? "full" : "off", "retry_budget", d->retry_budget, "spread",
	                          d->spread, "priority", d->renewals_first ? "renewals" : "none");

	json_object_update(config, knobs);
	json_decref(knobs);
	/* without it DWFM takes renew_every */
	if (d->start_at_once) json_object_set_new(config, "start_over_ms", json_integer(0));
}

json_t *config_dwfm(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct topology *t = p->topology;
	const char *holder = strchr(n->name, '.') + 1; /* "dwfm-2" */
	unsigned host = (unsigned)strtoul(strchr(holder, '-') + 1, NULL, 10) - 1;
	json_t *config = json_pack("{s:s, s:i, s:o, s:o, s:o}", "holder", holder, "port", PORT_DWFM,
	                           "resolver", resolver(p), "dynamodb", dynamo_client(t), "droplets",
	                           share_of(p, host, t->ec2.dwfm.hosts));

	(void)key;
	add_dwfm_knobs(config, &t->ec2.dwfm);
	return config;
}

json_t *config_ec2_api(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct topology *t = p->topology;
	json_t *hosts = json_array(), *zones = json_array();

	(void)n, (void)key;
	for (unsigned i = 0; i < t->ec2.dwfm.hosts; i++) {
		char name[32];
		snprintf(name, sizeof(name), "dwfm-%u", i + 1);
		json_array_append_new(hosts, json_pack("{s:o, s:i}", "address",
		                                       config_address(p, "region", name), "port", PORT_DWFM));
	}
	for (size_t z = 0; z < t->n_zones; z++)
		json_array_append_new(zones, json_string(t->zones[z]));
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:f, s:i, s:f}", "port", PORT_EC2_API, "zones",
	                 zones, "dynamodb", dynamo_client(t), "resolver", resolver(p), "dwfm", hosts,
	                 "network_manager", network_manager(p), "rate_per_s", t->ec2.api.rate, "burst",
	                 t->ec2.api.burst, "timeout_ms", mono_ms(t->ec2.api.timeout));
}

json_t *config_autoscaler(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct autoscaler_config *a = &p->topology->ec2.autoscaler;
	json_t *groups = json_array();

	(void)n, (void)key;
	for (size_t i = 0; i < a->n_groups; i++)
		json_array_append_new(groups, json_pack("{s:s, s:s, s:i, s:b}", "name", a->groups[i].name,
		                                        "zone", a->groups[i].zone, "size", a->groups[i].size,
		                                        "real", a->groups[i].real));
	return json_pack("{s:{s:o, s:i}, s:o, s:o, s:i, s:f, s:s, s:f}", "api", "name",
	                 config_address(p, "region", "ec2-api"), "port", PORT_EC2_API, "resolver",
	                 resolver(p), "groups", groups, "attempts", a->attempts, "pause_ms",
	                 mono_ms(a->pause), "jitter", a->jitter ? "full" : "off", "interval_ms",
	                 mono_ms(a->interval));
}
