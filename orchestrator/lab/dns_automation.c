#include "orchestrator/lab/dns_automation.h"
#include "orchestrator/lab/node_config_parts.h"
#include "common/random.h"
#include "proto/classes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_ENDPOINTS = 3, META_TTL_S = 3600 };

static const struct service_config *service_of(const struct topology *t)
{
	return &t->services[dns_automation_service(t)];
}

size_t dns_automation_service(const struct topology *t)
{
	return (size_t)topology_service(t, t->dns_automation.service);
}

const char *dns_automation_zone(const struct topology *t)
{
	return strchr(service_of(t)->dns_name, '.') + 1;
}

uint32_t dns_automation_ttl_s(const struct topology *t)
{
	return (uint32_t)(service_of(t)->dns_negative_ttl / NS_PER_S);
}

/* --- plan 0 ------------------------------------------------------------------------------------------ */

static void set_endpoint(struct dns_endpoint *e, enum dns_variant variant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void set_endpoint(struct dns_endpoint *e, enum dns_variant variant, const char *format, ...)
{
	va_list args;

	e->variant = variant;
	va_start(args, format);
	vsnprintf(e->name, sizeof(e->name), format, args);
	va_end(args);
}

static void name_endpoints(const struct topology *t, struct dns_endpoint *e)
{
	const char *name = service_of(t)->dns_name;
	int label = (int)strcspn(name, ".");

	set_endpoint(&e[0], DNS_ANY, "%.*s", label, name);
	set_endpoint(&e[1], DNS_IPV4, "%.*s-ipv4", label, name);
	set_endpoint(&e[2], DNS_FIPS, "%.*s-fips", label, name);
	for (unsigned i = 0; i < t->dns_automation.accounts; i++)
		set_endpoint(&e[FIXED_ENDPOINTS + i], DNS_ACCOUNT, "%012u.ddb", i + 1);
}

static const struct plan_node *balancer_of(const struct plan *p, const char *zone)
{
	char name[PLAN_NAME_MAX];

	snprintf(name, sizeof(name), "%s.nlb", zone);
	int found = plan_find(p, name);
	return found < 0 ? NULL : &p->nodes[found];
}

static void set_balancer(const struct plan *p, const char *zone, struct dns_balancer *b)
{
	const struct service_config *s = service_of(p->topology);
	const struct plan_addr *a = &balancer_of(p, zone)->zonal[dns_automation_service(p->topology)];
	unsigned capacity = s->targets.per_zone * s->targets.concurrency;

	snprintf(b->name, sizeof(b->name), "%s", zone);
	b->weight = (uint16_t)(capacity < 1 ? 1 : capacity > UINT16_MAX ? UINT16_MAX : capacity);
	b->addr4 = a->v4;
	b->addr6 = a->v6;
}

/* The same seed names the same tree. */
static void draw_tree(uint64_t seed, char tree[DNS_TREE_LEN + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	struct random r = random_of(seed, "dns-tree-0");

	for (size_t i = 0; i < DNS_TREE_LEN; i++)
		tree[i] = letters[random_next(&r) % (sizeof(letters) - 1)];
	tree[DNS_TREE_LEN] = '\0';
}

int dns_automation_first_plan(const struct plan *p, struct dns_plan *ret)
{
	const struct topology *t = p->topology;
	struct dns_plan plan = { .kind = DNS_PLAN_CAPACITY,
		                 .ttl_s = dns_automation_ttl_s(t),
		                 .n_endpoints = FIXED_ENDPOINTS + t->dns_automation.accounts,
		                 .n_balancers = t->n_zones };

	plan.endpoints = calloc(plan.n_endpoints, sizeof(*plan.endpoints));
	plan.balancers = calloc(plan.n_balancers, sizeof(*plan.balancers));
	if (!plan.endpoints || !plan.balancers) {
		dns_plan_release(&plan);
		return -ENOMEM;
	}
	snprintf(plan.service, sizeof(plan.service), "%s", t->dns_automation.service);
	snprintf(plan.zone, sizeof(plan.zone), "%s", dns_automation_zone(t));
	draw_tree(t->seed, plan.tree);
	name_endpoints(t, plan.endpoints);
	for (size_t z = 0; z < t->n_zones; z++)
		set_balancer(p, t->zones[z], &plan.balancers[z]);
	*ret = plan;
	return 0;
}

/* --- the zone ---------------------------------------------------------------------------------------- */

static int write_head(const struct plan *p, FILE *out)
{
	unsigned negative = (unsigned)(service_of(p->topology)->dns_negative_ttl / NS_PER_S);
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];
	int server = plan_find(p, "region.route53");

	if (server < 0) return -ENOENT;
	inet_ntop(AF_INET, &p->nodes[server].addr.v4, v4, sizeof(v4));
	inet_ntop(AF_INET6, &p->nodes[server].addr.v6, v6, sizeof(v6));
	fprintf(out, "$ORIGIN %s.\n@ %u IN SOA ns hostmaster 1 3600 600 86400 %u\n",
	        dns_automation_zone(p->topology), negative, negative);
	fprintf(out, "@ %d IN NS ns\nns %d IN A %s\nns %d IN AAAA %s\n", META_TTL_S, META_TTL_S, v4,
	        META_TTL_S, v6);
	/* what lies below it exists, without an address: so does the name of a tree that is gone */
	fprintf(out, "%s %d IN TXT \"no tree of this name\"\n",
	        dns_name_wildcard(dns_automation_zone(p->topology)).text, META_TTL_S);
	return 0;
}

static void write_endpoint(const struct dns_plan *plan, const struct dns_endpoint *e, FILE *out)
{
	fprintf(out, "%s %u IN CNAME %s\n", dns_name_endpoint(e->name, plan->zone).text, plan->ttl_s,
	        dns_name_top(e->variant, plan->tree, plan->zone).text);
	fprintf(out, "%s %d IN TXT %s\n", dns_name_generation(e->name, plan->zone).text, DNS_META_TTL_S,
	        dns_generation_write(plan->number).text);
}

int dns_automation_write_zone(const struct plan *p, FILE *out)
{
	struct dns_plan plan;
	struct dns_plan_walk walk;
	struct dns_record record;
	int r = write_head(p, out);

	if (r == 0) r = dns_automation_first_plan(p, &plan);
	if (r < 0) return r;
	dns_plan_walk(&walk, &plan);
	while (dns_plan_next(&walk, &record))
		fprintf(out, "%s %u IN %s %s\n", record.owner.text, record.ttl_s, record.type, record.rdata);
	for (size_t i = 0; i < plan.n_endpoints; i++)
		write_endpoint(&plan, &plan.endpoints[i], out);
	dns_plan_release(&plan);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}

/* --- configurations ---------------------------------------------------------------------------------- */

static json_t *endpoints_json(const struct dns_plan *plan)
{
	json_t *endpoints = json_array();

	for (size_t i = 0; i < plan->n_endpoints; i++)
		json_array_append_new(endpoints,
		                      json_pack("{s:s, s:s}", "name", plan->endpoints[i].name, "variant",
		                                dns_variant_text(plan->endpoints[i].variant)));
	return endpoints;
}

/* Their names, addresses, and what one healthy target adds to their weight. */
static json_t *balancers_json(const struct dns_plan *plan, unsigned capacity)
{
	json_t *balancers = json_array();
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < plan->n_balancers; i++) {
		const struct dns_balancer *b = &plan->balancers[i];
		inet_ntop(AF_INET, &b->addr4, v4, sizeof(v4));
		inet_ntop(AF_INET6, &b->addr6, v6, sizeof(v6));
		json_array_append_new(balancers, json_pack("{s:s, s:s, s:s, s:i}", "name", b->name, "addr4",
		                                           v4, "addr6", v6, "capacity", (int)capacity));
	}
	return balancers;
}

json_t *dns_automation_planner(const struct plan *p)
{
	const struct topology *t = p->topology;
	const struct dns_automation_config *a = &t->dns_automation;
	struct dns_plan plan;

	if (dns_automation_first_plan(p, &plan) < 0) return NULL;
	json_t *config = json_pack(
	    "{s:i, s:s, s:s, s:i, s:o, s:o, s:i, s:f, s:f, s:s, s:i}", "service",
	    (int)dns_automation_service(t), "name", plan.service, "zone", plan.zone, "ttl_s", (int)plan.ttl_s,
	    "endpoints", endpoints_json(&plan), "load_balancers",
	    balancers_json(&plan, service_of(t)->targets.concurrency), "first_plan", 1, "plan_interval_ms",
	    mono_ms(a->plan_interval), "slow_interval_ms", mono_ms(a->slow_interval), "lanes",
	    a->fast_slow ? "fast-slow" : "one", "port", PORT_DNS_PLANS);
	dns_plan_release(&plan);
	return config;
}

static json_t *store_json(const struct plan *p)
{
	char v4[INET_ADDRSTRLEN];
	int planner = plan_find(p, "region.dns-planner");

	if (planner < 0) return json_null();
	inet_ntop(AF_INET, &p->nodes[planner].addr.v4, v4, sizeof(v4));
	return json_pack("{s:s, s:i}", "address", v4, "port", PORT_DNS_PLANS);
}

static json_t *times_json(const struct dns_automation_config *a)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "poll_ms", mono_ms(a->poll), "lock_ms",
	                 mono_ms(a->lock), "backoff_ms", mono_ms(a->backoff), "backoff_max_ms",
	                 mono_ms(a->backoff_max), "leader_ms", mono_ms(a->leader_time));
}

static json_t *guards_json(const struct dns_automation_config *a)
{
	static const char *const freshness[] = { "once", "per-write", "compare-and-set" };
	static const char *const cleanup[] = { "by-age", "never-active" };

	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:s}", "freshness", freshness[a->freshness], "cleanup",
	                 cleanup[a->cleanup], "alias_check", a->alias_check, "refuse_empty", a->refuse_empty,
	                 "auto_rollback", a->auto_rollback, "leader", a->leader ? "lease" : "off");
}

json_t *dns_automation_enactor(const struct plan *p, const char *zone, json_t *dns)
{
	const struct dns_automation_config *a = &p->topology->dns_automation;
	const char *name = service_of(p->topology)->dns_name;
	json_t *config =
	    json_pack("{s:s, s:o, s:o, s:s, s:s%, s:i, s:s, s:s}", "holder", zone, "store", store_json(p),
	              "dns", dns, "zone", dns_automation_zone(p->topology), "service_endpoint", name,
	              strcspn(name, "."), "keep", (int)a->keep, "walk", a->in_plan_order ? "plan" : "random",
	              "aborts", a->skip_endpoint ? "endpoint" : "plan");

	json_object_update_new(config, times_json(a));
	json_object_update_new(config, guards_json(a));
	return config;
}

json_t *dns_automation_operator(const struct plan *p, json_t *dns)
{
	struct dns_plan plan;

	if (dns_automation_first_plan(p, &plan) < 0) {
		json_decref(dns);
		return NULL;
	}
	json_t *config = json_pack("{s:o, s:s, s:o, s:o, s:f, s:i}", "dns", dns, "zone", plan.zone,
	                           "endpoints", endpoints_json(&plan), "store", store_json(p), "watch_ms",
	                           mono_ms(p->topology->dns_automation.watch), "ttl_s", (int)plan.ttl_s);
	dns_plan_release(&plan);
	return config;
}
