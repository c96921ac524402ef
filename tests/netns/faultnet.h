/* faultnet.h - what the tests of faults share: a router with two nodes, a and b, the fault program on the
 * router's end of both links, a delay line, and rules by a few words. */
#ifndef AZLAB_FAULTNET_H
#define AZLAB_FAULTNET_H
#include "common/cleanup.h"
#include "orchestrator/faults/fault_addr.h"
#include "orchestrator/faults/fault_plane.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/socket.h>

#define A4 "10.1.0.10"
#define B4 "10.1.0.11"
#define A6 "fd00:a21a:b:1::10"
#define B6 "fd00:a21a:b:1::11"

struct faultnet {
	int router, a, b;
	struct fault_plane *plane;
	struct testnode *line; /* NULL until faultnet_line() */
};

static inline void faultnet_node(int router, int ns, const char *name, const char *v4, const char *v6)
{
	testnet_link(router, name, ns, "eth0");
	testnet_run(ns,
	            "ip addr add %s/32 dev eth0 && ip addr add %s/128 dev eth0 nodad &&"
	            " ip route add default dev eth0 && ip -6 route add default dev eth0",
	            v4, v6);
	testnet_run(router, "ip route add %s/32 dev %s && ip -6 route add %s/128 dev %s", v4, name, v6, name);
}

/* The program on the two links; a plane that was there before goes. */
static inline void faultnet_plane(struct faultnet *f, uint64_t seed)
{
	char why[256];

	if (f->plane) {
		testnet_run(f->router, "tc qdisc del dev to-a clsact; tc qdisc del dev to-b clsact");
		fault_plane_close(f->plane);
	}
	if (fault_plane_open(seed, &f->plane, why, sizeof(why)) < 0 ||
	    fault_plane_attach(f->plane, f->router, 7, "to-a", NULL) < 0 ||
	    fault_plane_attach(f->plane, f->router, 7, "to-b", NULL) < 0) {
		fprintf(stderr, "faultnet: no fault plane\n");
		exit(1);
	}
}

static inline void faultnet_line(struct faultnet *f)
{
	static const int capability[] = { CAP_SYS_NICE };
	size_t n;
	const int *fds = fault_plane_delay_fds(f->plane, &n);
	struct testnode_spec spec = { .ns = testnet_home(),
		                      .daemon = "delay-line",
		                      .name = "backbone.delay-line",
		                      .zone = "backbone",
		                      .config = json_object(),
		                      .fds = fds,
		                      .n_fds = n,
		                      .keep_caps = capability,
		                      .n_keep_caps = 1 };

	f->line = testnode_start(&spec);
}

static inline struct faultnet faultnet_new(uint64_t seed)
{
	struct faultnet f = { .router = testnet_new(), .a = testnet_new(), .b = testnet_new() };

	faultnet_node(f.router, f.a, "to-a", A4, A6);
	faultnet_node(f.router, f.b, "to-b", B4, B6);
	faultnet_plane(&f, seed);
	return f;
}

static inline void faultnet_free(struct faultnet *f)
{
	if (f->line) testnode_stop(f->line);
	fault_plane_close(f->plane);
	close(f->router), close(f->a), close(f->b);
}

/* --- rules ------------------------------------------------------------------------------------------- */

static inline uint64_t faultnet_probability(double p)
{
	return (uint64_t)(p * (double)FAULT_CERTAIN);
}

static inline void faultnet_side(struct fault_side *side, const char *v4, const char *v6)
{
	struct in_addr in4;
	struct in6_addr in6;
	const struct fault_addr all = { { UINT64_MAX, UINT64_MAX } };

	inet_pton(AF_INET, v4, &in4);
	inet_pton(AF_INET6, v6, &in6);
	side->n = 2;
	side->prefix[0] = (struct fault_prefix){ fault_addr_v4(in4), all };
	side->prefix[1] = (struct fault_prefix){ fault_addr_v6(in6), all };
}

/* Defines rule index, towards b, and switches it on. */
static inline void faultnet_rule(struct faultnet *f, unsigned index, struct fault_rule r)
{
	faultnet_side(&r.to, B4, B6);
	if (!r.salt) r.salt = index + 1;
	if (fault_plane_rule(f->plane, index, &r) < 0 || fault_plane_switch(f->plane, index, true) < 0) {
		fprintf(stderr, "faultnet: rule refused\n");
		exit(1);
	}
}

static inline struct fault_counters faultnet_counters(const struct faultnet *f, unsigned index)
{
	struct fault_counters c;

	if (fault_plane_counters(f->plane, index, &c) < 0) exit(1);
	return c;
}

/* --- sockets ----------------------------------------------------------------------------------------- */

static inline struct sockaddr_storage faultnet_address(const char *text, uint16_t port)
{
	struct sockaddr_storage ss = { .ss_family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (ss.ss_family == AF_INET6) {
		((struct sockaddr_in6 *)&ss)->sin6_port = htons(port);
		inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&ss)->sin6_addr);
	} else {
		((struct sockaddr_in *)&ss)->sin_port = htons(port);
		inet_pton(AF_INET, text, &((struct sockaddr_in *)&ss)->sin_addr);
	}
	return ss;
}

/* A non-blocking socket in a namespace, bound to the address (NULL: not) with SO_REUSEADDR. */
static inline int faultnet_socket(int ns, int type, const char *address, uint16_t port, int family)
{
	testnet_enter(ns);
	int fd = socket(address ? (strchr(address, ':') ? AF_INET6 : AF_INET) : family,
	                type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (fd >= 0 && address) {
		struct sockaddr_storage ss = faultnet_address(address, port);
		if (bind(fd, (struct sockaddr *)&ss,
		         ss.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) <
		    0) {
			perror("faultnet: bind");
			exit(1);
		}
	}
	return fd;
}

static inline int faultnet_connect(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage ss = faultnet_address(address, port);
	return connect(fd, (struct sockaddr *)&ss, sizeof(ss)) < 0 ? -errno : 0;
}

/* Waits for an event; 0 when the time is over. */
static inline int faultnet_poll(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	return poll(&p, 1, timeout_ms) > 0 ? p.revents : 0;
}

static inline int faultnet_listen(int ns, const char *address, uint16_t port)
{
	int fd = faultnet_socket(ns, SOCK_STREAM, address, port, 0);
	listen(fd, 4096);
	return fd;
}

/* A connected pair of UDP sockets, from a to b. */
static inline void faultnet_udp(const struct faultnet *f, bool v6, uint16_t sport, uint16_t dport, int *from,
                                int *to)
{
	*to = faultnet_socket(f->b, SOCK_DGRAM, v6 ? B6 : B4, dport, 0);
	*from = faultnet_socket(f->a, SOCK_DGRAM, v6 ? A6 : A4, sport, 0);
	faultnet_connect(*from, v6 ? B6 : B4, dport);
	faultnet_connect(*to, v6 ? A6 : A4, sport);
}

static inline void faultnet_class(int fd, int dscp)
{
	int tos = dscp << 2;
	setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

/* Takes in what arrives until nothing has come for so long; returns how many datagrams that was. */
static inline unsigned faultnet_drain(int fd, int quiet_ms)
{
	char buf[65536];
	unsigned n = 0;

	while (faultnet_poll(fd, POLLIN, quiet_ms))
		if (recv(fd, buf, sizeof(buf), 0) >= 0) n++;
	return n;
}
#endif
