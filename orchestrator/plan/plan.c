#include "orchestrator/plan/plan.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Host numbers. Fixed parts for what is there from the start, so that instances never move them. */
enum {
	HOST_ROUTER = 1,
	HOST_INFRA = 2,
	HOST_DWFM = 32, /* in the region */
	HOST_INSTANCES = 16,
	HOST_INSTANCES_END = 0xf000,
	HOST_CLIENTS = 0xf000,
	HOST_ZONAL = 0xfe00,
	BACKBONE = 0, /* its index */
};

struct plan_prefix plan_prefix(int zone)
{
	struct plan_prefix p = { .len4 = 16, .len6 = 64 };
	/* fd00:a21a:b::/48 is the lab's (RFC 4193); the fourth group tells the zones apart */
	static const uint8_t lab[] = { 0xfd, 0x00, 0xa2, 0x1a, 0x00, 0x0b };
	uint16_t group = zone == PLAN_INTERNET ? 0xffff : zone >= 0 ? (uint16_t)(zone + 1) : 0;
	uint32_t v4 =
	    zone == PLAN_INTERNET ? UINT32_C(0xc6120000) : UINT32_C(0x0a000000) | (uint32_t)group << 16;

	p.v4.s_addr = htonl(v4);
	memcpy(p.v6.s6_addr, lab, sizeof(lab));
	p.v6.s6_addr[6] = (uint8_t)(group >> 8);
	p.v6.s6_addr[7] = (uint8_t)group;
	return p;
}

struct plan_addr plan_host(int zone, unsigned host)
{
	struct plan_prefix p = plan_prefix(zone);
	struct plan_addr a = { .v4 = p.v4, .v6 = p.v6 };

	a.v4.s_addr |= htonl(host);
	a.v6.s6_addr[14] = (uint8_t)(host >> 8);
	a.v6.s6_addr[15] = (uint8_t)host;
	return a;
}

const char *plan_zone_name(const struct plan *p, int zone)
{
	switch (zone) {
	case PLAN_REGION:
		return "region";
	case PLAN_INTERNET:
		return "internet";
	case PLAN_CORE:
		return "backbone";
	default:
		return p->topology->zones[zone];
	}
}

int plan_find(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (!strcmp(p->nodes[i].name, name)) return (int)i;
	}
	return -ENOENT;
}

/* --- nodes ------------------------------------------------------------------------------------------- */

/* Names that the kernel or the lab gives to something else in the parent's namespace. */
static bool ifname_taken(const struct plan *p, int parent, const char *ifname)
{
	if (!strcmp(ifname, "lo") || !strcmp(ifname, "all") || !strcmp(ifname, "default")) return true;
	/* below a zone's router names are unique as they are: fixed words, client-N and SERVICE-N */
	for (size_t i = 0; parent == BACKBONE && i < p->n_nodes; i++) {
		if (p->nodes[i].parent == parent && !strcmp(p->nodes[i].ifname, ifname)) return true;
	}
	return false;
}

/* The short name where it fits and is free, else the node's number. */
static void choose_ifname(const struct plan *p, struct plan_node *n)
{
	const char *dot = strchr(n->name, '.'), *own = dot ? dot + 1 : n->name;

	if (strlen(own) < sizeof(n->ifname) && !ifname_taken(p, n->parent, own)) {
		strcpy(n->ifname, own);
	} else {
		snprintf(n->ifname, sizeof(n->ifname), "n%u", n->number);
	}
}

static int grow(struct plan *p)
{
	/* powers of two: room is used up whenever the count is one */
	if (p->n_nodes & (p->n_nodes - 1)) return 0;
	struct plan_node *nodes = reallocarray(p->nodes, p->n_nodes ? p->n_nodes * 2 : 1, sizeof(*nodes));
	if (!nodes) return -ENOMEM;
	p->nodes = nodes;
	return 0;
}

/* Adds a node; its name, kind, zone, daemon, address and parent are the caller's, the rest follows. */
static int add(struct plan *p, struct plan_node n)
{
	int r = grow(p);

	if (r < 0) return r;
	n.number = p->next_number++;
	if (n.parent >= 0 && n.kind != PLAN_HELPER) {
		choose_ifname(p, &n);
		/* 02: locally administered, unicast */
		const uint8_t mac[] = { 0x02,
			                0xa2,
			                (uint8_t)(n.number >> 24),
			                (uint8_t)(n.number >> 16),
			                (uint8_t)(n.number >> 8),
			                (uint8_t)n.number };
		memcpy(n.mac, mac, sizeof(mac));
	}
	p->nodes[p->n_nodes++] = n;
	return 0;
}

static int add_infra(struct plan *p, int zone, int parent, const char *name, const char *daemon,
                     unsigned host)
{
	struct plan_node n = { .kind = PLAN_INFRA,
		               .zone = zone,
		               .daemon = daemon,
		               .service = -1,
		               .client = -1,
		               .parent = parent,
		               .addr = plan_host(zone, host) };

	snprintf(n.name, sizeof(n.name), "%s.%s", plan_zone_name(p, zone), name);
	return add(p, n);
}

static int add_backbone(struct plan *p)
{
	struct plan_node n = { .name = "backbone",
		               .kind = PLAN_BACKBONE,
		               .zone = PLAN_CORE,
		               .service = -1,
		               .client = -1,
		               .parent = -1,
		               .addr = plan_host(PLAN_REGION, HOST_ROUTER) };
	struct plan_node helper = { .name = "backbone.delay-line",
		                    .kind = PLAN_HELPER,
		                    .zone = PLAN_CORE,
		                    .service = -1,
		                    .client = -1,
		                    .parent = BACKBONE,
		                    .daemon = "delay-line" };
	int r = add(p, n);

	return r < 0 ? r : add(p, helper);
}

static int add_nlb(struct plan *p, int zone, int router)
{
	int r = add_infra(p, zone, router, "nlb", "nlb", HOST_INFRA);

	if (r < 0) return r;
	struct plan_node *n = &p->nodes[p->n_nodes - 1];
	n->zonal = calloc(p->topology->n_services, sizeof(*n->zonal));
	if (!n->zonal) return -ENOMEM;
	n->n_zonal = p->topology->n_services;
	for (unsigned i = 0; i < n->n_zonal; i++)
		n->zonal[i] = plan_host(zone, HOST_ZONAL + i + 1);
	return 0;
}

static int add_clients(struct plan *p, int zone, int parent)
{
	for (unsigned i = 0; i < p->topology->n_clients; i++) {
		char name[32];
		if (strcmp(p->topology->clients[i].from, plan_zone_name(p, zone))) continue;
		snprintf(name, sizeof(name), "client-%u", i + 1);
		int r = add_infra(p, zone, parent, name, "client", HOST_CLIENTS + i + 1);
		if (r < 0) return r;
		p->nodes[p->n_nodes - 1].client = (int)i;
	}
	return 0;
}

static int add_targets(struct plan *p, int zone)
{
	for (unsigned s = 0; s < p->topology->n_services; s++) {
		for (unsigned i = 0; i < p->topology->services[s].targets.per_zone; i++) {
			size_t index;
			int r = plan_launch(p, (int)s, zone, &index);
			if (r < 0) return r;
		}
	}
	return 0;
}

static int add_dns_automation(struct plan *p)
{
	int r = 0;

	if (!p->topology->has_dns_automation) return 0;
	r = add_infra(p, PLAN_REGION, BACKBONE, "dns-planner", "dns-planner", HOST_INFRA + 3);
	return r < 0 ? r
	             : add_infra(p, PLAN_REGION, BACKBONE, "dns-operator", "dns-operator", HOST_INFRA + 4);
}

/* EC2's own nodes of the region. */
static int add_ec2(struct plan *p)
{
	int r = 0;

	if (!p->topology->has_ec2) return 0;
	for (unsigned i = 0; r == 0 && i < p->topology->ec2.dwfm.hosts; i++) {
		char name[32];
		snprintf(name, sizeof(name), "dwfm-%u", i + 1);
		r = add_infra(p, PLAN_REGION, BACKBONE, name, "dwfm", HOST_DWFM + i);
	}
	if (r == 0) r = add_infra(p, PLAN_REGION, BACKBONE, "ec2-api", "ec2-api", HOST_INFRA + 5);
	return r == 0 ? add_infra(p, PLAN_REGION, BACKBONE, "autoscaler", "autoscaler", HOST_INFRA + 6) : r;
}

static int add_zone(struct plan *p, int zone)
{
	int router = (int)p->n_nodes;
	struct plan_node n = { .kind = PLAN_ROUTER,
		               .zone = zone,
		               .daemon = "network-agent",
		               .service = -1,
		               .client = -1,
		               .parent = BACKBONE,
		               .addr = plan_host(zone, HOST_ROUTER) };

	snprintf(n.name, sizeof(n.name), "%s", plan_zone_name(p, zone));
	int r = add(p, n);
	if (r == 0) r = add_nlb(p, zone, router);
	if (r == 0) r = add_infra(p, zone, router, "checker", "health-checker", HOST_INFRA + 1);
	if (r == 0) r = add_infra(p, zone, router, "resolver", "unbound", HOST_INFRA + 2);
	if (r == 0 && p->topology->has_dns_automation)
		r = add_infra(p, zone, router, "dns-enactor", "dns-enactor", HOST_INFRA + 3);
	if (r == 0 && p->topology->has_ec2)
		r = add_infra(p, zone, router, "droplets", "droplets", HOST_INFRA + 4);
	if (r == 0) r = add_clients(p, zone, router);
	return r == 0 ? add_targets(p, zone) : r;
}

static int add_all(struct plan *p)
{
	int r = add_backbone(p);

	if (r == 0) r = add_infra(p, PLAN_REGION, BACKBONE, "route53", "knot", HOST_INFRA);
	if (r == 0)
		r = add_infra(p, PLAN_REGION, BACKBONE, "network-manager", "network-manager", HOST_INFRA + 1);
	if (r == 0) r = add_infra(p, PLAN_REGION, BACKBONE, "az-failover", "az-failover", HOST_INFRA + 2);
	if (r == 0) r = add_dns_automation(p);
	if (r == 0) r = add_ec2(p);
	if (r == 0) r = add_infra(p, PLAN_INTERNET, BACKBONE, "resolver", "unbound", HOST_INFRA);
	if (r == 0) r = add_clients(p, PLAN_INTERNET, BACKBONE);
	for (int i = 0; r == 0 && i < (int)p->topology->n_zones; i++)
		r = add_zone(p, i);
	return r;
}

/* --- plans ------------------------------------------------------------------------------------------- */

static const char *program_of(const struct service_config *s)
{
	return s->targets.program == PROGRAM_DYNAMODB ? "dynamodb" : "backend";
}

int plan_launch(struct plan *p, int service, int zone, size_t *ret)
{
	struct plan_node n = { .kind = PLAN_INSTANCE,
		               .zone = zone,
		               .daemon = program_of(&p->topology->services[service]),
		               .service = service,
		               .client = -1,
		               .addr = plan_host(zone, p->next_host[zone]),
		               .parent = plan_find(p, plan_zone_name(p, zone)) };

	if (p->next_host[zone] >= HOST_INSTANCES_END) return -ENOSPC;
	snprintf(n.name, sizeof(n.name), "%s.%s-%u", plan_zone_name(p, zone),
	         p->topology->services[service].name, p->next_name[service][zone]);
	int r = add(p, n);
	if (r < 0) return r;
	p->next_host[zone]++;
	p->next_name[service][zone]++;
	*ret = p->n_nodes - 1;
	return 0;
}

static int check_room(const struct topology *t, struct topology_error *error)
{
	size_t instances = 0;

	for (size_t i = 0; i < t->n_services; i++)
		instances += t->services[i].targets.per_zone;
	if (instances <= HOST_INSTANCES_END - HOST_INSTANCES) return 0;
	snprintf(error->text, sizeof(error->text),
	         "%s: %zu instances in each zone, but a zone has addresses for %d", t->file, instances,
	         HOST_INSTANCES_END - HOST_INSTANCES);
	return -ENOSPC;
}

int plan_make(const struct topology *t, struct plan **ret, struct topology_error *error)
{
	int r = check_room(t, error);

	if (r < 0) return r;
	struct plan *p = calloc(1, sizeof(*p));
	if (p) {
		p->topology = t;
		p->next_number = 1;
		for (size_t z = 0; z < TOPOLOGY_ZONES_MAX; z++) {
			p->next_host[z] = HOST_INSTANCES;
			for (size_t s = 0; s < TOPOLOGY_SERVICES_MAX; s++)
				p->next_name[s][z] = 1;
		}
	}
	r = p ? add_all(p) : -ENOMEM;
	if (r < 0) {
		snprintf(error->text, sizeof(error->text), "%s: %s", t->file, strerror(-r));
		plan_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p) return;
	for (size_t i = 0; i < p->n_nodes; i++)
		free(p->nodes[i].zonal);
	free(p->nodes);
	free(p);
}
