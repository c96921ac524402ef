#include "orchestrator/network/build_etc.h"
#include <arpa/inet.h>
#include <string.h>

/* Without it glibc may ask the host's resolver over a Unix socket (nss-resolve), which no namespace stops. */
#define NSSWITCH "passwd: files\ngroup: files\nhosts: files dns\n"

static bool is_resolver(const struct plan_node *n)
{
	const char *dot = strrchr(n->name, '.');
	return dot && !strcmp(dot, ".resolver");
}

static void write_resolv(char *ret, size_t size, const struct plan_addr *a)
{
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET, &a->v4, v4, sizeof(v4));
	inet_ntop(AF_INET6, &a->v6, v6, sizeof(v6));
	snprintf(ret, size, "nameserver %s\nnameserver %s\noptions timeout:1\n", v4, v6);
}

void build_etc_init(struct build_etc *etc, const struct plan *p)
{
	memset(etc, 0, sizeof(*etc));
	for (size_t i = 0; i < p->n_nodes; i++) {
		const struct plan_node *n = &p->nodes[i];
		if (!is_resolver(n)) continue;
		if (n->zone >= 0)
			write_resolv(etc->resolv[n->zone], sizeof(etc->resolv[0]), &n->addr);
		else if (n->zone == PLAN_INTERNET)
			write_resolv(etc->outside, sizeof(etc->outside), &n->addr);
	}
}

/* The region has no resolver of its own: its services look names up as anybody outside does, so that a zone's
 * illness isn't theirs. An empty text sends glibc to 127.0.0.1, where nobody answers: never to the host's. */
const char *build_etc_resolv(const struct build_etc *etc, int zone)
{
	return zone >= 0 ? etc->resolv[zone] : etc->outside;
}

int build_etc_add(const struct build_etc *etc, const struct own *o, const struct plan *p, size_t node,
                  const char *name, struct own_etc *ret, struct build_error *e)
{
	return own_etc_add(o, name, build_etc_resolv(etc, p->nodes[node].zone), NSSWITCH, ret, e);
}
