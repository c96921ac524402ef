/* plan.h - what a topology becomes: namespaces, links, addresses, routes and processes. A pure function:
 * the same topology gives the same plan, on any machine, without privileges.
 *
 *   internet nodes --+              +-- region nodes        every line is a point-to-point veth,
 *                    +-- backbone --+                       both ends with one MAC and NOARP: no
 *                   /      |       \                        neighbour discovery, no bridge
 *               az1       az2      az3       (zone routers)
 *              / | \
 *      instances of the zone                 (nlb, checker, resolver, targets, clients)
 *
 * Prefixes: region 10.0.0.0/16 and fd00:a21a:b:0::/64, zone i (from 1) 10.i.0.0/16 and fd00:a21a:b:i::/64,
 * internet 198.18.0.0/16 (RFC 2544) and fd00:a21a:b:ffff::/64. In each the first host is the router's
 * own address; in region and internet, which hang on the backbone, .1 is the backbone's. Host numbers are
 * the same in both families: instances have 16 and up, clients 240.1 and up, zonal addresses 254.1 and up
 * by the service's index.
 *
 * Ownership: plan_free() releases all; strings in nodes live as long as the plan. */
#ifndef AZLAB_PLAN_H
#define AZLAB_PLAN_H
#include "orchestrator/topology/topology.h"
#include <netinet/in.h>
#include <stdio.h>

enum { PLAN_NAME_MAX = 64, PLAN_IFNAME_MAX = 16, PLAN_ZONAL_MAX = TOPOLOGY_SERVICES_MAX };

struct plan_prefix {
	struct in_addr v4;
	struct in6_addr v6;
	unsigned len4, len6;
};
struct plan_addr {
	struct in_addr v4;
	struct in6_addr v6;
};

enum plan_kind {
	PLAN_BACKBONE,
	PLAN_ROUTER,   /* a zone's router; runs network-agent */
	PLAN_INFRA,    /* nlb, checker, resolver, clients, region's nodes: routes are there from bring-up */
	PLAN_HELPER,   /* a process in its parent's namespace, without link or address: backbone.delay-line */
	PLAN_INSTANCE, /* a target: connected zone by zone, by the network manager's route updates */
};

/* One namespace with its uplink and its process. */
struct plan_node {
	char name[PLAN_NAME_MAX]; /* "az1.shop-1"; the namespace is LAB.NAME */
	enum plan_kind kind;
	int zone;              /* index in the topology, or PLAN_REGION, PLAN_INTERNET, PLAN_CORE */
	uint32_t number;       /* unique in the run; also the instance's id on the wire */
	const char *daemon;    /* "backend", "nlb", ..., "knot", "unbound"; NULL: no process of its own */
	int service, client;   /* index of what it serves or is, or -1 */
	struct plan_addr addr; /* its own address, on eth0 (routers, backbone: on lo) */
	size_t n_zonal;        /* nlb: the zonal address of each service, by its index */
	struct plan_addr *zonal;
	int parent; /* index of what it hangs on (a helper: lives in); -1 for the backbone */
	char ifname[PLAN_IFNAME_MAX]; /* the parent's end of its link; its own end is "eth0", a router's
	                                 "backbone" */
	uint8_t mac[6];               /* of both ends */
};
enum { PLAN_REGION = -1, PLAN_INTERNET = -2, PLAN_CORE = -3 };

struct plan {
	const struct topology *topology; /* borrowed; must outlive the plan */
	size_t n_nodes;
	struct plan_node *nodes;                /* parents before children */
	uint32_t next_number;                   /* of the next instance that plan_launch() adds */
	unsigned next_host[TOPOLOGY_ZONES_MAX]; /* next unused host number of each zone: no address is used
	                                           twice */
	unsigned next_name[TOPOLOGY_SERVICES_MAX][TOPOLOGY_ZONES_MAX];
};

/* 0, or -ENOSPC with *error saying which limit the topology exceeds. */
int plan_make(const struct topology *t, struct plan **ret, struct topology_error *error);
/* Adds one new instance of a service in a zone; *ret is its index in nodes (the array may move). Nothing is
 * ever taken out again: names, numbers and addresses of ended instances stay used.
 * -ENOSPC when the zone has no address left. */
int plan_launch(struct plan *p, int service, int zone, size_t *ret);
void plan_print(const struct plan *p, const char *lab, FILE *out);
void plan_free(struct plan *p);

struct plan_prefix plan_prefix(int zone);
/* The address with a host number, 1..65535, in a zone's prefix; 1 is the router's or the backbone's. */
struct plan_addr plan_host(int zone, unsigned host);
/* Index of a node by its name, or -ENOENT. */
int plan_find(const struct plan *p, const char *name);
/* "az1", "region", "internet" or "backbone", for a node's zone. */
const char *plan_zone_name(const struct plan *p, int zone);

/* A route of a router or of the backbone as it stands from bring-up on. */
struct plan_route {
	int node;             /* in whose namespace */
	struct plan_addr dst; /* both families have the same shape */
	unsigned len4, len6;
	const char *dev;  /* NULL: unreachable */
	bool via_gateway; /* through the link's far router (default routes), not to a neighbour itself */
};
/* Calls each() for every route of the node: default, unreachable zone prefixes, infrastructure. Instances'
 * host routes are not among them. Stops at the first non-zero result and returns it. */
int plan_routes(const struct plan *p, int node, int (*each)(const struct plan_route *, void *arg), void *arg);
#endif
