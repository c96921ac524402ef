/* nlb_lab.h - a load balancer's surroundings for tests and benchmarks: client - router - {nlb, targets}, each
 * in a namespace of its own with one link, as in a zone. */
#ifndef AZLAB_NLB_LAB_H
#define AZLAB_NLB_LAB_H
#include "common/node.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LAB_TARGETS = 3, LAB_PORT = 80, LAB_PORT_UNUSED = 81 };
static const char *const lab_own[2] = { "10.1.0.2", "fd00:1::2" };
static const char *const lab_zonal[2] = { "10.1.100.1", "fd00:1::100" };
static const char *const lab_client[2] = { "198.18.0.5", "fd00:ffff::5" };
static const char *const lab_router[2] = { "10.1.0.1", "fd00:1::1" };

struct nlb_lab {
	int client, router, nlb, target[LAB_TARGETS];
};

static inline const char *lab_target(int i, bool v6)
{
	static char text[2][LAB_TARGETS][24];
	snprintf(text[v6][i], sizeof(text[v6][i]), v6 ? "fd00:1::1:%d" : "10.1.1.%d", i + 1);
	return text[v6][i];
}

static inline void lab_join(struct nlb_lab *lab, int ns, const char *link, const char *v4, const char *v6)
{
	testnet_link(lab->router, link, ns, "eth0");
	testnet_run(ns,
	            "ip addr add %s/32 dev eth0; ip addr add %s/128 dev eth0 nodad;"
	            " ip route add default dev eth0; ip -6 route add default dev eth0",
	            v4, v6);
	testnet_run(lab->router, "ip route add %s/32 dev %s; ip -6 route add %s/128 dev %s", v4, link, v6,
	            link);
}

static inline void lab_open(struct nlb_lab *lab)
{
	lab->router = testnet_new();
	testnet_run(lab->router, "ip addr add %s/32 dev lo; ip addr add %s/128 dev lo nodad", lab_router[0],
	            lab_router[1]);
	lab_join(lab, lab->client = testnet_new(), "client", lab_client[0], lab_client[1]);
	lab_join(lab, lab->nlb = testnet_new(), "nlb", lab_own[0], lab_own[1]);
	testnet_run(lab->nlb, "ip addr add %s/32 dev lo; ip addr add %s/128 dev lo nodad", lab_zonal[0],
	            lab_zonal[1]);
	testnet_run(lab->router, "ip route add %s/32 dev nlb; ip -6 route add %s/128 dev nlb", lab_zonal[0],
	            lab_zonal[1]);
	for (int i = 0; i < LAB_TARGETS; i++) {
		char link[8];
		snprintf(link, sizeof(link), "t%d", i + 1);
		lab_join(lab, lab->target[i] = testnet_new(), link, lab_target(i, false),
		         lab_target(i, true));
	}
}

/* A child process in a namespace that ends with this one; run() doesn't return. */
static inline pid_t lab_spawn(int ns, void (*run)(int arg), int arg)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0) return child;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
	testnet_enter(ns);
	run(arg);
	_exit(0);
}

/* A socket of that namespace, in a process that stays in its own. */
static inline int lab_socket(int ns, int family, int type)
{
	testnet_enter(ns);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	return fd;
}

static inline socklen_t lab_address(const char *text, int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (strchr(text, ':')) {
		v6->sin6_family = AF_INET6, v6->sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, text, &v6->sin6_addr);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET, v4->sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, text, &v4->sin_addr);
	return sizeof(*v4);
}

static inline int lab_listen(int port)
{
	struct sockaddr_storage any;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	socklen_t len = lab_address("::", port, &any);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, len) < 0 || listen(fd, 4096) < 0) {
		perror("listen");
		_exit(1);
	}
	return fd;
}

/* Connects from a namespace; a socket, or -errno. Waits up to 3 s. */
static inline int lab_connect(int ns, const char *to, int port)
{
	struct sockaddr_storage at;
	socklen_t len = lab_address(to, port, &at);
	int fd = lab_socket(ns, at.ss_family, SOCK_STREAM);
	struct timeval patience = { .tv_sec = 3 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&at, len) == 0) return fd;
	int error = errno;
	close(fd);
	return -error;
}

static inline json_t *lab_config(void)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:[{s:i, s:s, s:i, s:s, s:s}]}", "zone_index", 0, "address4",
	                 lab_own[0], "address6", lab_own[1], "checker", lab_router[0], "services", "service",
	                 0, "name", "shop", "port", LAB_PORT, "zonal4", lab_zonal[0], "zonal6", lab_zonal[1]);
}

/* The load balancer in its namespace, unprivileged as in the lab. Consumes config. */
static inline struct testnode *lab_start_nlb(struct nlb_lab *lab, json_t *config)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	struct testnode_spec spec = { .ns = lab->nlb,
		                      .daemon = "nlb",
		                      .name = "az1.nlb",
		                      .zone = "az1",
		                      .number = 7,
		                      .seed = 1,
		                      .config = config,
		                      .keep_caps = caps,
		                      .n_keep_caps = 3 };
	return testnode_start(&spec);
}

/* Registers the targets whose bits are set and waits until the balancer has taken them in. */
static inline void lab_register(struct testnode *nlb, unsigned mask)
{
	json_t *targets = json_array();
	json_int_t n = 0;

	for (int i = 0; i < LAB_TARGETS; i++) {
		if (!(mask >> i & 1)) continue;
		json_array_append_new(targets, json_pack("{s:i, s:s, s:s, s:s, s:I}", "id", i + 1, "name",
		                                         "az1.shop", "addr4", lab_target(i, false), "addr6",
		                                         lab_target(i, true), "cause", (json_int_t)100 + i));
		n++;
	}
	testnode_forget(nlb);
	testnode_targets(nlb, 0, targets);
	if (!testnode_wait(nlb, json_pack("{s:s, s:[I]}", "kind", "flows", "registered", n), PATIENCE_MS))
		exit(1);
}
#endif
