#include "orchestrator/lab/node_config_parts.h"
#include "orchestrator/lab/dns_automation.h"
#include "common/cleanup.h"
#include <arpa/inet.h>
#include <string.h>

json_t *config_text4(const struct in_addr *a)
{
	char text[INET_ADDRSTRLEN];
	return json_string(inet_ntop(AF_INET, a, text, sizeof(text)));
}

static json_t *text6(const struct in6_addr *a)
{
	char text[INET6_ADDRSTRLEN];
	return json_string(inet_ntop(AF_INET6, a, text, sizeof(text)));
}

static const struct plan_node *node_named(const struct plan *p, const char *zone, const char *role)
{
	char name[PLAN_NAME_MAX];
	snprintf(name, sizeof(name), "%s.%s", zone, role);
	int found = plan_find(p, name);
	return found < 0 ? NULL : &p->nodes[found];
}

json_t *config_address(const struct plan *p, const char *zone, const char *role)
{
	const struct plan_node *n = node_named(p, zone, role);
	return n ? config_text4(&n->addr.v4) : json_null();
}

static json_t *dns_config(const struct plan *p, const struct dns_key *key)
{
	return json_pack("{s:o, s:{s:s, s:s, s:s}}", "server", config_address(p, "region", "route53"), "key",
	                 "name", key->name, "algorithm", key->algorithm, "secret", key->secret);
}

static const char *zone_of(const struct plan *p, const struct plan_node *n)
{
	return plan_zone_name(p, n->zone);
}

/* --- one function a daemon --------------------------------------------------------------------------- */

static json_t *checker_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct topology *t = p->topology;
	const char *zone = zone_of(p, n);
	json_t *services = json_array(), *report_to = json_array();
	unsigned concurrency = 0;
	static const char *const init_states[] = { "up", "down", "pending" };

	(void)key;
	json_array_append_new(report_to, config_address(p, zone, "nlb"));
	json_array_append_new(report_to, config_address(p, "region", "az-failover"));
	if (t->has_dns_automation)
		json_array_append_new(report_to, config_address(p, "region", "dns-planner"));
	for (size_t i = 0; i < t->n_services; i++) {
		const struct service_config *s = &t->services[i];
		const struct health_check_config *h = &s->health_check;
		/* one checker serves all services of its zone: the tightest bound holds for it */
		if (h->concurrency && (!concurrency || h->concurrency < concurrency))
			concurrency = h->concurrency;
		json_array_append_new(
		    services, json_pack("{s:i, s:s, s:i, s:s, s:s, s:f, s:f, s:i, s:i, s:s, s:i}", "service",
		                        (int)i, "name", s->name, "port", s->port, "protocol",
		                        h->protocol == CHECK_HTTP ? "http" : "tcp", "path",
		                        h->path ? h->path : "/", "interval_ms", mono_ms(h->interval),
		                        "timeout_ms", mono_ms(h->timeout), "rise", h->rise, "fall", h->fall,
		                        "init_state", init_states[h->init_state], "family", h->family));
	}
	return json_pack("{s:i, s:i, s:o, s:o}", "zone_index", n->zone, "concurrency", concurrency,
	                 "report_to", report_to, "services", services);
}

static json_t *nlb_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct topology *t = p->topology;
	json_t *services = json_array();

	(void)key;
	for (size_t i = 0; i < t->n_services; i++)
		json_array_append_new(
		    services, json_pack("{s:i, s:s, s:i, s:o, s:o}", "service", (int)i, "name",
		                        t->services[i].name, "port", t->services[i].port, "zonal4",
		                        config_text4(&n->zonal[i].v4), "zonal6", text6(&n->zonal[i].v6)));
	return json_pack("{s:i, s:o, s:o, s:o, s:o}", "zone_index", n->zone, "address4",
	                 config_text4(&n->addr.v4), "address6", text6(&n->addr.v6), "checker",
	                 config_address(p, zone_of(p, n), "checker"), "services", services);
}

static json_t *stages_config(const struct failover_config *f)
{
	json_t *stages = json_array();

	for (size_t i = 0; i < f->n_stages; i++) {
		json_t *params = json_array();
		for (size_t k = 0; k < STAGE_PARAMS_MAX && f->stages[i].type->params[k].key; k++)
			json_array_append_new(params, json_real(f->stages[i].params[k]));
		json_array_append_new(
		    stages, json_pack("{s:s, s:o}", "stage", f->stages[i].type->name, "params", params));
	}
	return stages;
}

static json_t *zonal_config(const struct plan *p, size_t service)
{
	json_t *zonal = json_array();

	for (size_t z = 0; z < p->topology->n_zones; z++) {
		const struct plan_node *nlb = node_named(p, p->topology->zones[z], "nlb");
		json_array_append_new(zonal,
		                      json_pack("{s:o, s:o}", "v4", config_text4(&nlb->zonal[service].v4),
		                                "v6", text6(&nlb->zonal[service].v6)));
	}
	return zonal;
}

static json_t *failover_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct topology *t = p->topology;
	json_t *zones = json_array(), *services = json_array();

	(void)n;
	for (size_t z = 0; z < t->n_zones; z++)
		json_array_append_new(zones, json_string(t->zones[z]));
	for (size_t i = 0; i < t->n_services; i++) {
		const struct service_config *s = &t->services[i];
		json_array_append_new(
		    services,
		    json_pack("{s:i, s:b, s:s, s:s, s:f, s:b, s:b, s:f, s:o, s:o}", "service", (int)i,
		              "automated", topology_automated(t, i), "name", s->name, "dns_name", s->dns_name,
		              "ttl_s", (double)s->dns_ttl / NS_PER_S, "enabled", s->failover.enabled,
		              "rate_limit", s->failover.rate_limit, "min_healthy", s->failover.min_healthy,
		              "stages", stages_config(&s->failover), "zonal", zonal_config(p, i)));
	}
	return json_pack("{s:o, s:o, s:o}", "zones", zones, "dns", dns_config(p, key), "services", services);
}

static json_t *manager_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct topology *t = p->topology;
	json_t *agents = json_array();

	(void)n, (void)key;
	for (size_t z = 0; z < t->n_zones; z++) {
		int router = plan_find(p, t->zones[z]);
		json_array_append_new(agents, json_pack("{s:s, s:o}", "zone", t->zones[z], "address",
		                                        config_text4(&p->nodes[router].addr.v4)));
	}
	return json_pack("{s:i, s:f, s:f, s:o}", "workers", t->network.workers, "update_time_ms",
	                 mono_ms(t->network.update_time), "retransmit_ms", mono_ms(t->network.retransmit),
	                 "agents", agents);
}

static json_t *agent_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	(void)key;
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "zone", zone_of(p, n), "uplink", "backbone", "gateway4",
	                 "169.254.0.1", "gateway6", "fe80::1", "manager",
	                 config_address(p, "region", "network-manager"));
}

/* Who has waited this long won't be answered within the check's time-out: the service is still to come. */
static mono_ns overload_after(const struct service_config *s)
{
	mono_ns after = s->health_check.timeout - s->targets.service_time;
	return after > NS_PER_MS ? after : NS_PER_MS;
}

static json_t *backend_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct service_config *s = &p->topology->services[n->service];
	static const char *const distributions[] = { "uniform", "fixed", "exponential" };

	(void)key;
	return json_pack("{s:s, s:i, s:i, s:f, s:s, s:i, s:b, s:f}", "service", s->name, "port", s->port,
	                 "concurrency", s->targets.concurrency, "service_time_ms",
	                 mono_ms(s->targets.service_time), "distribution",
	                 distributions[s->targets.distribution], "queue", s->targets.queue, "serve_abandoned",
	                 s->targets.serve_abandoned, "overload_after_ms", mono_ms(overload_after(s)));
}

static json_t *client_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	const struct client_config *c = &p->topology->clients[n->client];
	const struct service_config *s = &p->topology->services[topology_service(p->topology, c->to)];

	(void)key;
	return json_pack("{s:o, s:s, s:i, s:s, s:f, s:b, s:f, s:i, s:i}", "resolver",
	                 config_address(p, zone_of(p, n), "resolver"), "host", s->dns_name, "port", s->port,
	                 "path", c->path ? c->path : "/", "rate_per_s", c->rate, "poisson", c->poisson,
	                 "timeout_ms", mono_ms(c->timeout), "retries", c->retries, "family", c->family);
}

static json_t *delay_line_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	(void)p, (void)n, (void)key;
	return json_object();
}

static json_t *planner_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	(void)n, (void)key;
	return dns_automation_planner(p);
}

static json_t *enactor_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	return dns_automation_enactor(p, zone_of(p, n), dns_config(p, key));
}

static json_t *operator_config(const struct plan *p, const struct plan_node *n, const struct dns_key *key)
{
	(void)n;
	return dns_automation_operator(p, dns_config(p, key));
}

static const struct {
	const char *daemon;
	json_t *(*make)(const struct plan *, const struct plan_node *, const struct dns_key *);
} makers[] = {
	{ "health-checker", checker_config }, { "nlb", nlb_config },
	{ "az-failover", failover_config },   { "network-manager", manager_config },
	{ "network-agent", agent_config },    { "backend", backend_config },
	{ "client", client_config },          { "delay-line", delay_line_config },
	{ "dns-planner", planner_config },    { "dns-enactor", enactor_config },
	{ "dns-operator", operator_config },  { "dynamodb", config_dynamodb },
	{ "droplets", config_droplets },      { "dwfm", config_dwfm },
	{ "ec2-api", config_ec2_api },        { "autoscaler", config_autoscaler },
};

json_t *node_config(const struct plan *p, size_t node, const struct dns_key *key)
{
	const struct plan_node *n = &p->nodes[node];

	for (size_t i = 0; n->daemon && i < ARRAY_SIZE(makers); i++)
		if (strcmp(n->daemon, makers[i].daemon) == 0) return makers[i].make(p, n, key);
	return NULL;
}

json_t *node_config_target(const struct plan *p, size_t instance, uint64_t cause)
{
	const struct plan_node *n = &p->nodes[instance];
	return json_pack("{s:I, s:s, s:o, s:o, s:I}", "id", (json_int_t)n->number, "name", n->name, "addr4",
	                 config_text4(&n->addr.v4), "addr6", text6(&n->addr.v6), "cause", (json_int_t)cause);
}

json_t *node_config_attachment(const struct plan *p, size_t instance)
{
	const struct plan_node *n = &p->nodes[instance];
	return json_pack("{s:s, s:I, s:s, s:s, s:o, s:o}", "instance", n->name, "id", (json_int_t)n->number,
	                 "zone", zone_of(p, n), "ifname", n->ifname, "addr4", config_text4(&n->addr.v4),
	                 "addr6", text6(&n->addr.v6));
}
