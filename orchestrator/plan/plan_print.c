/* A plan as a table for people; stable, so that tests can compare it whole. */
#include "orchestrator/plan/plan.h"
#include <arpa/inet.h>
#include <string.h>

static void print_prefix(const struct plan *p, int zone, FILE *out)
{
	const struct plan_prefix prefix = plan_prefix(zone);
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN], text[INET_ADDRSTRLEN + 4];

	inet_ntop(AF_INET, &prefix.v4, v4, sizeof(v4));
	inet_ntop(AF_INET6, &prefix.v6, v6, sizeof(v6));
	snprintf(text, sizeof(text), "%s/%u", v4, prefix.len4);
	fprintf(out, "%-16s %-16s %s/%u\n", plan_zone_name(p, zone), text, v6, prefix.len6);
}

static void print_addr(const struct plan_addr *a, FILE *out)
{
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET, &a->v4, v4, sizeof(v4));
	inet_ntop(AF_INET6, &a->v6, v6, sizeof(v6));
	fprintf(out, " %-15s %s\n", v4, v6);
}

/* "LAB.az1/shop-1": the far end of its link; "in LAB.backbone": where a helper lives. */
static void uplink_of(const struct plan *p, const struct plan_node *n, char *buf, size_t size)
{
	if (n->parent < 0) {
		snprintf(buf, size, "-");
	} else if (n->kind == PLAN_HELPER) {
		snprintf(buf, size, "in %s", p->nodes[n->parent].name);
	} else {
		snprintf(buf, size, "%s/%s", p->nodes[n->parent].name, n->ifname);
	}
}

static void print_node(const struct plan *p, const struct plan_node *n, const char *lab, int width, FILE *out)
{
	char uplink[PLAN_NAME_MAX + PLAN_IFNAME_MAX + 4];
	int own =
	    n->kind == PLAN_HELPER ? 0 : (int)strlen(lab) + 1; /* helpers have no namespace of their own */

	uplink_of(p, n, uplink, sizeof(uplink));
	fprintf(out, "%.*s%s%-*s %-16s %-*s", own ? own - 1 : 0, lab, own ? "." : "", width - own, n->name,
	        n->daemon ? n->daemon : "-", own ? 26 : 0, uplink);
	if (n->kind == PLAN_HELPER) {
		putc('\n', out);
		return;
	}
	print_addr(&n->addr, out);
	for (size_t i = 0; i < n->n_zonal; i++) {
		char what[PLAN_NAME_MAX + 8];
		snprintf(what, sizeof(what), "zonal, %s", p->topology->services[i].name);
		fprintf(out, "%*s %-16s %-26s", width, "", "", what);
		print_addr(&n->zonal[i], out);
	}
}

void plan_print(const struct plan *p, const char *lab, FILE *out)
{
	int width = 16;
	size_t namespaces = 0;

	for (size_t i = 0; i < p->n_nodes; i++) {
		int len = (int)(strlen(lab) + 1 + strlen(p->nodes[i].name));
		if (len > width) width = len;
		namespaces += p->nodes[i].kind != PLAN_HELPER;
	}
	fprintf(out, "%-16s %-16s %s\n", "zone", "IPv4", "IPv6");
	print_prefix(p, PLAN_REGION, out);
	for (int z = 0; z < (int)p->topology->n_zones; z++)
		print_prefix(p, z, out);
	print_prefix(p, PLAN_INTERNET, out);
	fprintf(out, "\n%-*s %-16s %-26s %-15s %s\n", width, "namespace", "process", "uplink", "IPv4",
	        "IPv6");
	for (size_t i = 0; i < p->n_nodes; i++)
		print_node(p, &p->nodes[i], lab, width, out);
	fprintf(out, "\n%zu namespaces\n", namespaces);
}
