/* routes_lab.h - what the tests of route updates share: three zone routers around a backbone, a region with
 * the network manager, and the kernel's routes as `ip route` prints them.
 *
 *     region (10.0.0.2) --- core --- az1, az2, az3 (10.1.0.1, 10.2.0.1, 10.3.0.1) --- "shop" --- hosts
 */
#ifndef AZLAB_TESTS_ROUTES_LAB_H
#define AZLAB_TESTS_ROUTES_LAB_H
#include "common/cleanup.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZONES = 3, DUMP_MAX = 1 << 20 };

struct routes_lab {
	int core, region, router[ZONES], hosts[ZONES];
	struct testnode *manager, *agent[ZONES];
};

static const char *const zone_names[ZONES] = { "az1", "az2", "az3" };
static const char *const agent_addresses[ZONES] = { "10.1.0.1", "10.2.0.1", "10.3.0.1" };

static inline void add_default_routes(int ns, const char *dev)
{
	testnet_run(ns,
	            "ip route add default via 169.254.0.1 dev %s onlink &&"
	            " ip -6 route add default via fe80::1 dev %s onlink",
	            dev, dev);
}

static inline void add_zone(struct routes_lab *lab, int i)
{
	char link[16];

	lab->router[i] = testnet_new();
	lab->hosts[i] = testnet_new();
	snprintf(link, sizeof(link), "az%d", i + 1);
	testnet_link(lab->core, link, lab->router[i], "backbone");
	testnet_link(lab->router[i], "shop", lab->hosts[i], "eth0");
	testnet_run(lab->core, "ip route add 10.%d.0.0/16 dev %s; ip -6 route add fd00:a21a:b:%d::/64 dev %s",
	            i + 1, link, i + 1, link);
	testnet_run(lab->router[i],
	            "ip address add %s/32 dev lo && ip address add fd00:a21a:b:%d::1/128 dev lo nodad",
	            agent_addresses[i], i + 1);
	add_default_routes(lab->router[i], "backbone");
	add_default_routes(lab->hosts[i], "eth0");
	for (int z = 1; z <= ZONES; z++) /* as in the lab: only host routes lead to instances */
		testnet_run(lab->router[i],
		            "ip route add unreachable 10.%d.0.0/16 && ip -6 route add unreachable "
		            "fd00:a21a:b:%d::/64",
		            z, z);
	for (int z = 1; z <= ZONES; z++) /* ... and to the other routers, which are there from bring-up */
		if (z != i + 1)
			testnet_run(lab->router[i],
			            "ip route add 10.%d.0.1 via 169.254.0.1 dev backbone onlink", z);
}

static inline void make_network(struct routes_lab *lab)
{
	lab->core = testnet_new();
	lab->region = testnet_new();
	testnet_link(lab->core, "region", lab->region, "eth0");
	testnet_run(lab->core, "ip route add 10.0.0.2 dev region; ip -6 route add fd00:a21a:b::2 dev region");
	testnet_run(lab->region,
	            "ip address add 10.0.0.2/32 dev eth0; ip address add fd00:a21a:b::2/128 dev eth0 nodad");
	add_default_routes(lab->region, "eth0");
	for (int i = 0; i < ZONES; i++)
		add_zone(lab, i);
}

/* manager NULL: the agent says no hello. */
static inline struct testnode *start_agent(const struct routes_lab *lab, int i, const char *manager)
{
	static const int net_admin[] = { CAP_NET_ADMIN };
	json_t *config = json_pack("{s:s, s:s, s:s, s:s, s:s*}", "zone", zone_names[i], "uplink", "backbone",
	                           "gateway4", "169.254.0.1", "gateway6", "fe80::1", "manager", manager);

	return testnode_start(&(struct testnode_spec){ .ns = lab->router[i],
	                                               .daemon = "network-agent",
	                                               .name = zone_names[i],
	                                               .zone = zone_names[i],
	                                               .config = config,
	                                               .keep_caps = net_admin,
	                                               .n_keep_caps = 1 });
}

static inline struct testnode *start_manager(const struct routes_lab *lab, const char *const *addresses,
                                             double update_time_ms, double retransmit_ms)
{
	json_t *agents = json_array();

	for (int i = 0; i < ZONES; i++)
		json_array_append_new(
		    agents, json_pack("{s:s, s:s}", "zone", zone_names[i], "address", addresses[i]));
	json_t *config = json_pack("{s:i, s:f, s:f, s:o}", "workers", 2, "update_time_ms", update_time_ms,
	                           "retransmit_ms", retransmit_ms, "agents", agents);
	return testnode_start(&(struct testnode_spec){ .ns = lab->region,
	                                               .daemon = "network-manager",
	                                               .name = "region.network-manager",
	                                               .zone = "region",
	                                               .config = config,
	                                               .keep_caps = (const int[]){ 0 } });
}

static inline void stop_nodes(struct routes_lab *lab)
{
	for (int i = 0; i < ZONES; i++)
		testnode_stop(lab->agent[i]);
	testnode_stop(lab->manager);
}

/* Sends "attach" or "detach" of host number host of a zone. */
static inline void send_change(struct routes_lab *lab, const char *type, int zone, int host, int generation,
                               const char *ifname, json_int_t cause)
{
	char name[32], v4[32], v6[64];

	snprintf(name, sizeof(name), "az%d.shop-%d", zone + 1, host);
	snprintf(v4, sizeof(v4), "10.%d.%d.%d", zone + 1, host >> 8, host & 255);
	snprintf(v6, sizeof(v6), "fd00:a21a:b:%d::%x", zone + 1, (unsigned)host);
	testnode_send(lab->manager,
	              json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:I}", "type", type, "instance",
	                        name, "id", host, "generation", generation, "zone", zone_names[zone],
	                        "ifname", ifname, "addr4", v4, "addr6", v6, "cause", cause));
}

static inline int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts lines and cuts their trailing blanks, in place. */
static inline void sort_lines(char *text)
{
	size_t n = 0, used = 0;
	cleanup_free char *copy = strdup(text);
	cleanup_free char **lines = calloc(strlen(text) + 1, sizeof(*lines));

	for (char *save, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t len = strlen(line);
		while (len > 0 && line[len - 1] == ' ')
			line[--len] = '\0';
		lines[n++] = line;
	}
	qsort(lines, n, sizeof(*lines), compare_lines);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)sprintf(text + used, "%s\n", lines[i]);
}

/* The agent's routes of both families in a namespace's kernel, sorted; the caller's to free. */
static inline char *dump_routes(int ns)
{
	char *text = malloc(DUMP_MAX);

	testnet_enter(ns);
	FILE *f = popen("ip route show proto 97 && ip -6 route show proto 97", "r");
	testnet_enter(testnet_home());
	if (!text || !f) abort();
	text[fread(text, 1, DUMP_MAX - 1, f)] = '\0';
	if (pclose(f)) abort();
	sort_lines(text);
	return text;
}

/* Appends the two lines that `ip route` is to print in a zone's router for a host. */
static inline size_t expect_host(char *text, size_t used, int router, int zone, int host, const char *ifname)
{
	char v4[32], v6[64];

	snprintf(v4, sizeof(v4), "10.%d.%d.%d", zone + 1, host >> 8, host & 255);
	snprintf(v6, sizeof(v6), "fd00:a21a:b:%d::%x", zone + 1, (unsigned)host);
	if (router == zone)
		return used + (size_t)sprintf(text + used,
		                              "%s dev %s scope link\n%s dev %s metric 1024 pref medium\n", v4,
		                              ifname, v6, ifname);
	return used + (size_t)sprintf(text + used,
	                              "%s via 169.254.0.1 dev backbone onlink\n"
	                              "%s via fe80::1 dev backbone metric 1024 onlink pref medium\n",
	                              v4, v6);
}
#endif
