/* Benchmark of the load balancer beside plain kernel forwarding through the same namespace (direct), nftables
 * masquerade and HAProxy: TCP over IPv4, 64 closed-loop clients, then one stream. Prints the median of the
 * rounds and its ratio to direct, taken round by round, as the machine's other work comes and goes.
 *   tests/bench/nlb [--quick]     5 rounds of 1 s each; --quick: 2 rounds of 0.3 s, to see that it runs */
#include "tests/bench/nlb_load.h"
#include "common/cleanup.h"
#include <fcntl.h>

enum { ROUNDS_MAX = 5 };

struct result {
	double rate, us_per_connection, gbit, s_per_gb, syn_retransmits, errors, foreign;
};
struct variant {
	const char *name;
	void (*set_up)(struct variant *v);
	bool zonal; /* clients connect to the zonal address, else to the targets */
	struct nlb_lab lab;
	struct load_to to;
	struct result results[ROUNDS_MAX];
};

/* --- variants ---------------------------------------------------------------------------------------- */

static void no_balancer(struct variant *v)
{
	(void)v;
}

static void direct(struct variant *v)
{
	testnet_run(v->lab.nlb,
	            "for f in all eth0; do echo 0 >/proc/sys/net/ipv4/conf/$f/send_redirects; done");
	testnet_run(v->lab.router, "ip route add default dev nlb table 100;"
	                           " for i in client t1 t2 t3; do ip rule add iif $i lookup 100; done");
}

static void nft_masquerade(struct variant *v)
{
	testnet_run(v->lab.nlb,
	            "for f in all eth0; do echo 0 >/proc/sys/net/ipv4/conf/$f/send_redirects; done; nft -f - "
	            "<<'END'\n"
	            "table ip lb {\n"
	            " chain pre { type nat hook prerouting priority dstnat; ip daddr %s tcp dport %d"
	            " dnat to numgen inc mod 3 map { 0 : 10.1.1.1, 1 : 10.1.1.2, 2 : 10.1.1.3 }; }\n"
	            " chain post { type nat hook postrouting priority srcnat; ip daddr 10.1.1.0/24 "
	            "masquerade; }\n}\nEND",
	            lab_zonal[0], LAB_PORT);
}

static char haproxy_config[] = "/tmp/azlab-bench-haproxy-XXXXXX";

static void run_haproxy(int arg)
{
	int quiet = open("/dev/null", O_RDWR);

	(void)arg;
	dup2(quiet, STDOUT_FILENO), dup2(quiet, STDERR_FILENO);
	execlp("haproxy", "haproxy", "-db", "-f", haproxy_config, (char *)NULL);
	_exit(127);
}

static void haproxy(struct variant *v)
{
	int fd = mkstemp(haproxy_config);

	load_check(fd >= 0, "mkstemp");
	dprintf(fd,
	        "global\n maxconn 4096\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n "
	        "timeout server 30s\n"
	        "listen lb\n bind %s:%d\n balance roundrobin\n",
	        lab_zonal[0], LAB_PORT);
	for (int i = 0; i < LAB_TARGETS; i++)
		dprintf(fd, " server t%d %s:%d\n", i, lab_target(i, false), LAB_PORT);
	close(fd);
	lab_spawn(v->lab.nlb, run_haproxy, 0);
	int ready = -1;
	for (int tries = 0; ready < 0 && tries < 1000; tries++) {
		ready = lab_connect(v->lab.client, lab_zonal[0], LAB_PORT);
		if (ready < 0) testnode_idle(10);
	}
	load_check(ready >= 0, "haproxy doesn't start");
	close(ready);
	unlink(haproxy_config);
}

static void nlb_with(struct variant *v, bool via_peer)
{
	json_t *config = lab_config();

	json_object_set_new(config, "via_peer", json_boolean(via_peer));
	lab_register(lab_start_nlb(&v->lab, config), 7);
}
static void nlb_redirect(struct variant *v)
{
	nlb_with(v, false);
}
static void nlb_peer(struct variant *v)
{
	nlb_with(v, true);
}

static struct variant variants[] = {
	{ .name = "direct", .set_up = direct }, /* first: the others' ratios are to it */
	{ .name = "nolb", .set_up = no_balancer },
	{ .name = "nft", .set_up = nft_masquerade, .zonal = true },
	{ .name = "haproxy", .set_up = haproxy, .zonal = true },
	{ .name = "nlb", .set_up = nlb_redirect, .zonal = true },
	{ .name = "nlb-peer", .set_up = nlb_peer, .zonal = true },
};
enum { VARIANTS = ARRAY_SIZE(variants) };

static void prepare(struct variant *v)
{
	lab_open(&v->lab);
	testnet_run(v->lab.client,
	            "cd /proc/sys/net/ipv4; echo 1024 65535 >ip_local_port_range; echo 1 >tcp_tw_reuse");
	testnet_run(v->lab.nlb,
	            "cd /proc/sys/net/ipv4; echo 1024 65535 >ip_local_port_range; echo 1 >tcp_tw_reuse");
	for (int i = 0; i < LAB_TARGETS; i++) {
		lab_spawn(v->lab.target[i], load_serve, 0);
		int fd = -1;
		for (int tries = 0; fd < 0 && tries < 1000; tries++)
			fd = lab_connect(v->lab.client, lab_target(i, false), LAB_PORT);
		load_check(fd >= 0, "a target doesn't answer");
		close(fd);
	}
	v->to.n = v->zonal ? 1 : LAB_TARGETS;
	for (size_t i = 0; i < v->to.n; i++)
		lab_address(v->zonal ? lab_zonal[0] : lab_target((int)i, false), LAB_PORT, &v->to.at[i]);
	v->set_up(v);
}

/* --- measuring --------------------------------------------------------------------------------------- */

static void measure(struct variant *v, struct result *r, mono_ns span)
{
	uint64_t errors = 0;
	double foreign[2];

	testnet_enter(v->lab.client);
	uint64_t retransmits = load_tcpext("TCPSynRetrans");
	load_cpu_us(&foreign[0]);
	uint64_t connections = load_connections(&v->to, span, &errors);
	double cpu = load_cpu_us(&foreign[0]);
	uint64_t bytes = load_stream(&v->to, span);
	double stream_cpu = load_cpu_us(&foreign[1]);
	*r = (struct result){
		.rate = (double)connections * NS_PER_S / (double)span,
		.us_per_connection = cpu / (double)(connections + LOAD_CLIENTS),
		.gbit = (double)bytes * 8 / (double)span, /* bits a nanosecond */
		.s_per_gb = stream_cpu * 1000 / (double)bytes,
		.syn_retransmits =
		    100.0 * (double)(load_tcpext("TCPSynRetrans") - retransmits) / (double)connections,
		.errors = (double)errors,
		.foreign = (foreign[0] + foreign[1]) / 2,
	};
	testnet_enter(testnet_home());
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The median over the rounds of a figure at that offset in struct result, or of its ratio to direct's. */
static double median(const struct variant *v, int rounds, size_t offset, bool ratio)
{
	double values[ROUNDS_MAX];

	for (int i = 0; i < rounds; i++) {
		double value = *(const double *)((const char *)&v->results[i] + offset);
		double base = *(const double *)((const char *)&variants[0].results[i] + offset);
		values[i] = ratio ? value / base : value;
	}
	qsort(values, (size_t)rounds, sizeof(values[0]), by_value);
	return values[rounds / 2];
}

static void print(int rounds)
{
#define MEDIAN(v, member, ratio) median(v, rounds, offsetof(struct result, member), ratio)
	printf("%-9s %8s %6s %8s %6s %7s %6s %7s %6s %8s %6s %7s\n", "", "conn/s", "ratio", "us/conn",
	       "ratio", "Gbit/s", "ratio", "s/GB", "ratio", "SYN rtx%", "errors", "foreign");
	for (size_t i = 0; i < VARIANTS; i++) {
		const struct variant *v = &variants[i];
		printf("%-9s %8.0f %6.2f %8.1f %6.2f %7.1f %6.2f %7.3f %6.2f %8.3f %6.0f %6.0f%%\n", v->name,
		       MEDIAN(v, rate, false), MEDIAN(v, rate, true), MEDIAN(v, us_per_connection, false),
		       MEDIAN(v, us_per_connection, true), MEDIAN(v, gbit, false), MEDIAN(v, gbit, true),
		       MEDIAN(v, s_per_gb, false), MEDIAN(v, s_per_gb, true),
		       MEDIAN(v, syn_retransmits, false), MEDIAN(v, errors, false),
		       100 * MEDIAN(v, foreign, false));
	}
}

int main(int argc, char **argv)
{
	bool quick = argc == 2 && !strcmp(argv[1], "--quick");
	int rounds = quick ? 2 : ROUNDS_MAX;
	mono_ns span = quick ? 300 * NS_PER_MS : NS_PER_S;

	if (argc > 1 && !quick) {
		fprintf(stderr, "usage: %s [--quick]\n", argv[0]);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "needs root\n");
		return 77;
	}
	setsid(); /* fails for a session's leader, which is one already */
	for (size_t i = 0; i < VARIANTS; i++)
		prepare(&variants[i]);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < VARIANTS; i++)
			measure(&variants[i], &variants[i].results[round], span);
		testnode_idle(0); /* takes in what the daemons report */
	}
	print(rounds);
	return 0;
}
