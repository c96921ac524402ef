/* dnslab.h - for tests: a small plan with three zones and two services, Knot and Unbound running for it as in
 * the lab (unprivileged, without capabilities), and requests that wait for their answers.
 *
 *   region (Knot, what updates it)  ----  az1 (Unbound)        two namespaces, one veth
 *
 * Everything ends with the test program; failing to set up ends it. */
#ifndef AZLAB_DNSLAB_H
#define AZLAB_DNSLAB_H
#include "common/caps.h"
#include "common/cleanup.h"
#include "common/dns_client.h"
#include "orchestrator/lab/dns_servers.h"
#include "orchestrator/lab/spawn.h"
#include "tests/netns/testnet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define KNOT_ADDRESS "10.0.0.53"
#define UNBOUND_ADDRESS "10.1.0.53"
#define UNBOUND_ADDRESS6 "fd00:a21a:b:1::53"

struct dnslab {
	struct topology topology;
	struct service_config services[2];
	struct plan plan;
	struct plan_node nodes[5];
	struct plan_addr zonal[3][2];
	struct dns_key key;
	int region, zone;
	pid_t knot, unbound;
	char dir[64];
	struct dns_server_command commands[5];
	struct event_base *base;
};

static struct dnslab dnslab;

static inline void dnslab_die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- the plan ---------------------------------------------------------------------------------------- */

static inline struct plan_addr dnslab_addr(const char *v4, const char *v6)
{
	struct plan_addr a;
	inet_pton(AF_INET, v4, &a.v4);
	inet_pton(AF_INET6, v6, &a.v6);
	return a;
}

static inline void dnslab_plan(void)
{
	struct dnslab *l = &dnslab;
	char v4[32], v6[64];

	l->services[0] = (struct service_config){
		.name = "shop", .dns_name = "shop.lab", .dns_ttl = NS_PER_S, .dns_negative_ttl = 5 * NS_PER_S
	};
	l->services[1] = l->services[0];
	l->services[1].name = "cart";
	l->services[1].dns_name =
	    "Cart.shop.lab."; /* below the other's name, and not as a machine would write it */
	l->topology = (struct topology){
		.n_zones = 3, .zones = { "az1", "az2", "az3" }, .n_services = 2, .services = l->services
	};
	l->plan = (struct plan){ .topology = &l->topology, .n_nodes = 5, .nodes = l->nodes };
	l->nodes[0] = (struct plan_node){ .name = "region.route53",
		                          .zone = PLAN_REGION,
		                          .daemon = "knot",
		                          .addr = dnslab_addr(KNOT_ADDRESS, "fd00:a21a:b:0::53") };
	l->nodes[1] = (struct plan_node){ .name = "az1.resolver",
		                          .daemon = "unbound",
		                          .addr = dnslab_addr(UNBOUND_ADDRESS, UNBOUND_ADDRESS6) };
	for (int z = 0; z < 3; z++) {
		for (int s = 0; s < 2; s++) {
			snprintf(v4, sizeof(v4), "10.%d.1.%d", z + 1, s + 1);
			snprintf(v6, sizeof(v6), "fd00:a21a:b:%d::1:%d", z + 1, s + 1);
			l->zonal[z][s] = dnslab_addr(v4, v6);
		}
		l->nodes[2 + z] =
		    (struct plan_node){ .daemon = "nlb", .zone = z, .n_zonal = 2, .zonal = l->zonal[z] };
	}
}

/* --- namespaces and processes ------------------------------------------------------------------------ */

static inline void dnslab_network(void)
{
	struct dnslab *l = &dnslab;

	l->region = testnet_new();
	l->zone = testnet_new();
	testnet_link(l->region, "az1", l->zone, "region");
	testnet_run(l->region,
	            "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start; ip addr add " KNOT_ADDRESS
	            "/32 dev lo; ip addr add fd00:a21a:b::53/128 dev lo nodad;"
	            "ip route add 10.1.0.0/16 dev az1 src " KNOT_ADDRESS
	            "; ip route add fd00:a21a:b:1::/64 dev az1 src fd00:a21a:b::53");
	testnet_run(l->zone,
	            "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start; ip addr add " UNBOUND_ADDRESS
	            "/32 dev lo; ip addr add " UNBOUND_ADDRESS6 "/128 dev lo nodad;"
	            "ip route add 10.0.0.0/16 dev region src " UNBOUND_ADDRESS
	            "; ip route add fd00:a21a:b::/64 dev region src " UNBOUND_ADDRESS6);
}

static inline pid_t dnslab_run(int ns, size_t node)
{
	const struct dns_server_command *c = &dnslab.commands[node];
	char log[128];

	snprintf(log, sizeof(log), "%s/%zu.log", dnslab.dir, node);
	pid_t pid = fork();
	if (pid < 0) dnslab_die("fork");
	if (pid > 0) return pid;
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) dnslab_die(log);
	testnet_enter(ns);
	if (caps_become(SPAWN_UID, SPAWN_UID, NULL, 0) < 0) dnslab_die("caps_become");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (c->clock && (putenv((char *)c->clock->variable) || fcntl(c->clock->fd, F_SETFD, 0) < 0))
		dnslab_die("knot_clock");
	execvp(c->argv[0], (char *const *)c->argv);
	dnslab_die(c->argv[0]);
	return -1;
}

static inline void dnslab_end(pid_t *pid, int signal_number)
{
	if (*pid <= 0) return;
	kill(*pid, signal_number);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* Stopped when it returns, every thread of it. */
static inline void dnslab_pause(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) dnslab_die("SIGSTOP");
}

static inline int dnslab_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void dnslab_stop(void)
{
	dnslab_end(&dnslab.knot, SIGKILL);
	dnslab_end(&dnslab.unbound, SIGKILL);
	if (dnslab.dir[0]) nftw(dnslab.dir, dnslab_unlink, 16, FTW_DEPTH | FTW_PHYS);
	dnslab.dir[0] = '\0';
}

static inline void dnslab_prepare(size_t node)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/%zu", dnslab.dir, node);
	if (mkdir(dir, 0700) < 0) dnslab_die(dir);
	int r = dns_server_prepare(&dnslab.plan, node, dir, &dnslab.key, SPAWN_UID, SPAWN_UID,
	                           &dnslab.commands[node]);
	if (r < 0) {
		errno = -r;
		dnslab_die("dns_server_prepare");
	}
}

/* --- requests ---------------------------------------------------------------------------------------- */

/* What came of a request: the answer's status, and its values joined by spaces. */
struct dnslab_outcome {
	bool done;
	enum dns_status status;
	unsigned attempts;
	mono_ns took;
	size_t n; /* values in all; the text may be cut off */
	char values[1024];
};

static inline void dnslab_done(const struct dns_answer *a, void *arg)
{
	struct dnslab_outcome *o = arg;
	size_t used = 0;

	*o = (struct dnslab_outcome){
		.done = true, .status = a->status, .attempts = a->attempts, .took = a->took, .n = a->n
	};
	for (size_t i = 0; i < a->n && used < sizeof(o->values); i++)
		used += (size_t)snprintf(o->values + used, sizeof(o->values) - used, "%s%s", i ? " " : "",
		                         a->rdata[i]);
}

static inline const struct dnslab_outcome *dnslab_wait(const struct dnslab_outcome *o)
{
	while (!o->done)
		if (event_base_loop(dnslab.base, EVLOOP_ONCE) < 0) dnslab_die("event_base_loop");
	return o;
}

/* A client whose socket lives in that namespace. */
static inline struct dns_client *dnslab_client(int ns, const char *server, const struct dns_key *key)
{
	struct dns_client *c;

	testnet_enter(ns);
	if (dns_client_new(dnslab.base, server, 53, key, &c) < 0) dnslab_die("dns_client_new");
	testnet_enter(testnet_home());
	return c;
}

static inline struct dnslab_outcome dnslab_ask(struct dns_client *c, const char *name, const char *type)
{
	struct dnslab_outcome o = { 0 };

	if (dns_client_query(c, name, type, 10 * NS_PER_S, dnslab_done, &o) < 0)
		dnslab_die("dns_client_query");
	return *dnslab_wait(&o);
}

static inline void dnslab_await_server(int ns, const char *server, const char *name)
{
	struct dns_client *c = dnslab_client(ns, server, NULL);
	mono_ns until = mono_now() + 30 * NS_PER_S;
	struct dnslab_outcome o;

	do
		o = dnslab_ask(c, name, "A");
	while ((o.status != DNS_OK || !o.values[0]) && mono_now() < until);
	dns_client_free(c);
	if (o.status == DNS_OK && o.values[0]) return;
	fprintf(stderr, "%s does not answer for %s: %s\n", server, name, dns_status_text(o.status));
	exit(1);
}

static inline void dnslab_start_knot(void)
{
	dnslab.knot = dnslab_run(dnslab.region, 0);
	dnslab_await_server(dnslab.region, KNOT_ADDRESS, "shop.lab");
}

/* Namespaces and Knot; Unbound too if wanted. */
static inline void dnslab_start(bool with_unbound)
{
	strcpy(dnslab.dir, "/tmp/azlab-dns-XXXXXX");
	if (!mkdtemp(dnslab.dir)) dnslab_die("mkdtemp");
	atexit(dnslab_stop);
	if (chmod(dnslab.dir, 0711) < 0) dnslab_die("chmod"); /* the servers' own folders lie in it */
	dnslab.base = event_base_new();
	if (!dnslab.base || dns_key_make(&dnslab.key) < 0) dnslab_die("dnslab");
	dnslab_plan();
	dnslab_network();
	dnslab_prepare(0);
	dnslab_start_knot();
	if (!with_unbound) return;
	dnslab_prepare(1);
	dnslab.unbound = dnslab_run(dnslab.zone, 1);
	dnslab_await_server(dnslab.zone, UNBOUND_ADDRESS, "shop.lab");
}
#endif
