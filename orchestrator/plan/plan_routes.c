/* The routes that stand from bring-up on. */
#include "orchestrator/plan/plan.h"

typedef int each_route(const struct plan_route *, void *arg);

/* Where routes of one node go. */
struct sink {
	int node;
	each_route *each;
	void *arg;
};

static int host_route(const struct sink *s, struct plan_addr dst, const char *dev, bool via_gateway)
{
	const struct plan_route r = {
		.node = s->node, .dst = dst, .len4 = 32, .len6 = 128, .dev = dev, .via_gateway = via_gateway
	};
	return s->each(&r, s->arg);
}

/* NULL as dev: unreachable. */
static int zone_route(const struct sink *s, int zone, const char *dev)
{
	const struct plan_prefix p = plan_prefix(zone);
	const struct plan_route r = { .node = s->node,
		                      .dst = { p.v4, p.v6 },
		                      .len4 = p.len4,
		                      .len6 = p.len6,
		                      .dev = dev,
		                      .via_gateway = dev };
	return s->each(&r, s->arg);
}

static int default_route(const struct sink *s, const char *dev)
{
	const struct plan_route r = { .node = s->node, .dev = dev, .via_gateway = true };
	return s->each(&r, s->arg);
}

/* To a node's own address and the zonal ones that it holds. */
static int node_routes(const struct sink *s, const struct plan_node *n, const char *dev, bool via_gateway)
{
	int r = host_route(s, n->addr, dev, via_gateway);

	for (size_t i = 0; r == 0 && i < n->n_zonal; i++)
		r = host_route(s, n->zonal[i], dev, via_gateway);
	return r;
}

/* Own infrastructure by its link, that of other zones, routers too, through the backbone. Instances are
 * reached only once the network manager says so: until then their zone's prefix is unreachable. */
static int router_routes(const struct plan *p, const struct sink *s)
{
	int own = p->nodes[s->node].zone, r = default_route(s, "backbone");

	for (int z = 0; r == 0 && z < (int)p->topology->n_zones; z++)
		r = zone_route(s, z, NULL);
	for (size_t i = 0; r == 0 && i < p->n_nodes; i++) {
		const struct plan_node *n = &p->nodes[i];
		if (n->zone < 0 || (n->kind != PLAN_INFRA && n->kind != PLAN_ROUTER)) continue;
		if (n->zone != own) {
			r = node_routes(s, n, "backbone", true);
		} else if (n->kind == PLAN_INFRA) {
			r = node_routes(s, n, n->ifname, false);
		}
	}
	return r;
}

/* Zones through their routers, region and internet by their links; nothing leads anywhere else. */
static int backbone_routes(const struct plan *p, const struct sink *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n_nodes; i++) {
		const struct plan_node *n = &p->nodes[i];
		if (n->parent != s->node) continue;
		if (n->kind == PLAN_ROUTER) {
			r = zone_route(s, n->zone, n->ifname);
		} else if (n->kind == PLAN_INFRA) {
			r = node_routes(s, n, n->ifname, false);
		}
	}
	return r;
}

int plan_routes(const struct plan *p, int node, int (*each)(const struct plan_route *, void *arg), void *arg)
{
	const struct sink s = { node, each, arg };

	switch (p->nodes[node].kind) {
	case PLAN_BACKBONE:
		return backbone_routes(p, &s);
	case PLAN_ROUTER:
		return router_routes(p, &s);
	case PLAN_INFRA:
	case PLAN_INSTANCE:
		return default_route(&s, "eth0");
	case PLAN_HELPER:
		break;
	}
	return 0;
}
