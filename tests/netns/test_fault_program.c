/* The fault program on single packets, without a network: bpf_prog_test_run() hands it bytes. */
#include "common/cleanup.h"
#include "common/mono.h"
#include "common/wire.h"
#include "fault.skel.h"
#include "fault.h"
#include "proto/classes.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SYN = 2, RST = 4, ACK = 16, V4_DST = 30 };

struct sample {
	bool v6;
	uint8_t proto, dscp, flags;
	uint16_t sport, dport;
	uint32_t seq;
	unsigned host; /* the source's last byte */
};

static void put_ip(struct wire *w, const struct sample *s, uint8_t proto, size_t payload)
{
	uint32_t tos = (uint32_t)s->dscp << 2;

	if (s->v6) {
		wire_put(w, 6u << 28 | tos << 20, 4);
		wire_put(w, payload, 2);
		wire_put(w, proto, 1);
		wire_put(w, 64, 1);
		wire_put(w, 0xfd00a21a000b0001, 8);
		wire_put(w, s->host, 8);
		wire_put(w, 0xfd00a21a000b0001, 8);
		wire_put(w, 0x11, 8);
		return;
	}
	wire_put(w, 0x4500 | tos, 2);
	wire_put(w, 20 + payload, 2);
	wire_put(w, 0, 4);
	wire_put(w, 64, 1);
	wire_put(w, proto, 1);
	wire_put(w, 0, 2);
	wire_put(w, 0x0a010000 | s->host, 4);
	wire_put(w, 0x0a01000b, 4);
}

static void put_ports(struct wire *w, const struct sample *s)
{
	wire_put(w, s->sport, 2);
	wire_put(w, s->dport, 2);
	wire_put(w, s->seq, 4);
	wire_put(w, 0, 4);
	wire_put(w, 0x5000 | s->flags, 2);
	wire_put(w, 0, 6);
}

static size_t put_packet(uint8_t buf[256], const struct sample *s)
{
	struct wire w = wire_over(buf, 256);

	wire_put(&w, 0, 6);
	wire_put(&w, 0, 6);
	wire_put(&w, s->v6 ? ETH_P_IPV6 : ETH_P_IP, 2);
	put_ip(&w, s, s->proto, 20);
	put_ports(&w, s);
	return (size_t)(w.at - buf);
}

/* An ICMP error that carries the sample. Its own class is that of what it is about. */
static size_t put_error(uint8_t buf[256], const struct sample *s)
{
	struct wire w = wire_over(buf, 256);
	struct sample outer = { .v6 = s->v6, .host = 0x33 };

	wire_put(&w, 0, 6);
	wire_put(&w, 0, 6);
	wire_put(&w, s->v6 ? ETH_P_IPV6 : ETH_P_IP, 2);
	put_ip(&w, &outer, s->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + (s->v6 ? 60 : 40));
	wire_put(&w, s->v6 ? 0x0104 : 0x0303, 2);
	wire_put(&w, 0, 6);
	put_ip(&w, s, s->proto, 20);
	put_ports(&w, s);
	return (size_t)(w.at - buf);
}

/* The program's verdict on a packet. */
static int run(struct fault_bpf *f, const uint8_t *packet, size_t len, uint32_t where)
{
	struct __sk_buff ctx = { .cb[0] = where };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = (uint32_t)len, .ctx_in = &ctx,
	            .ctx_size_in = sizeof(ctx));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(f->progs.fault_decide), &opts), 0);
	return (int)opts.retval;
}

static int run_sample(struct fault_bpf *f, struct sample s)
{
	uint8_t buf[256];

	if (!s.host) s.host = 10;
	size_t len = put_packet(buf, &s);
	return run(f, buf, len, 0);
}

static struct fault_bpf *load(uint64_t seed)
{
	struct fault_bpf *f = fault_bpf__open();

	assert_non_null(f);
	f->rodata->seed = seed;
	assert_int_equal(fault_bpf__load(f), 0);
	return f;
}

static void set_rule(struct fault_bpf *f, uint32_t index, const struct fault_rule *r)
{
	assert_int_equal(bpf_map__update_elem(f->maps.rules, &index, sizeof(index), r, sizeof(*r), BPF_ANY),
	                 0);
	f->bss->n_rules = index + 1;
	f->bss->active |= UINT64_C(1) << index;
}

static struct fault_counters counters_of(struct fault_bpf *f, uint32_t index)
{
	size_t bytes = (size_t)libbpf_num_possible_cpus() * sizeof(struct fault_counters);
	cleanup_free struct fault_counters *all = calloc(1, bytes);
	struct fault_counters sum = { 0 };

	assert_int_equal(bpf_map__lookup_elem(f->maps.counters, &index, sizeof(index), all, bytes, 0), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.matched += all[i].matched;
		sum.dropped += all[i].dropped;
		sum.packets += all[i].packets;
		sum.bypassed += all[i].bypassed;
	}
	return sum;
}

static const struct {
	struct sample s;
	uint8_t class;
} classified[] = {
	{ { .proto = IPPROTO_UDP, .sport = 7001, .dport = 7002, .dscp = DSCP_CS6 },
	  FAULT_CLASS_ROUTE_UPDATE },
	{ { .proto = IPPROTO_UDP, .sport = 7002, .dport = 7001 }, FAULT_CLASS_ROUTE_UPDATE },
	{ { .proto = IPPROTO_UDP, .sport = 7004, .dport = 7003, .dscp = DSCP_CS6 }, FAULT_CLASS_CONTROL },
	{ { .proto = IPPROTO_TCP, .sport = 30000, .dport = 9000, .dscp = DSCP_CS6 }, FAULT_CLASS_CONTROL },
	{ { .proto = IPPROTO_TCP, .sport = 30000, .dport = 80, .dscp = DSCP_CS2 }, FAULT_CLASS_HEALTH_CHECK },
	{ { .proto = IPPROTO_TCP, .sport = 80, .dport = 30000, .dscp = DSCP_CS2 }, FAULT_CLASS_HEALTH_CHECK },
	{ { .proto = IPPROTO_UDP, .sport = 30000, .dport = 53 }, FAULT_CLASS_DNS },
	{ { .proto = IPPROTO_TCP, .sport = 53, .dport = 7001 }, FAULT_CLASS_DNS },
	{ { .proto = IPPROTO_UDP, .sport = 30000, .dport = PORT_LEASE }, FAULT_CLASS_LEASE },
	{ { .proto = IPPROTO_TCP, .sport = 30000, .dport = 80 }, FAULT_CLASS_USER },
	{ { .proto = IPPROTO_TCP, .sport = 7002, .dport = 80 }, FAULT_CLASS_USER }, /* an ephemeral port */
	{ { .proto = IPPROTO_ICMP }, FAULT_CLASS_NONE },
};

static void classes_and_families(void **state)
{
	struct fault_bpf *f = load(1);
	(void)state;

	for (uint8_t class = FAULT_CLASS_ANY; class <= FAULT_CLASS_USER; class ++) {
		set_rule(
		    f, 0,
		    &(struct fault_rule){ .class = class, .drop = FAULT_CERTAIN, .per = FAULT_PER_PACKET });
		for (size_t i = 0; i < 2 * ARRAY_SIZE(classified); i++) {
			struct sample s = classified[i / 2].s;
			uint8_t is = classified[i / 2].class;
			s.v6 = i % 2;
			bool drop = class == FAULT_CLASS_ANY || class == is;
			assert_int_equal(run_sample(f, s), drop ? TC_ACT_SHOT : TC_ACT_UNSPEC);
		}
	}
	fault_bpf__destroy(f);
}

static void icmp_errors_are_of_the_class_they_are_about(void **state)
{
	struct fault_bpf *f = load(1);
	uint8_t buf[256];
	(void)state;

	for (uint8_t class = FAULT_CLASS_ROUTE_UPDATE; class <= FAULT_CLASS_USER; class ++) {
		set_rule(
		    f, 0,
		    &(struct fault_rule){ .class = class, .drop = FAULT_CERTAIN, .per = FAULT_PER_PACKET });
		for (size_t i = 0; i < 2 * (ARRAY_SIZE(classified) - 1); i++) {
			struct sample s = classified[i / 2].s;
			s.v6 = i % 2;
			size_t len = put_error(buf, &s);
			assert_int_equal(run(f, buf, len, 0),
			                 classified[i / 2].class == class ? TC_ACT_SHOT : TC_ACT_UNSPEC);
		}
	}
	fault_bpf__destroy(f);
}

static void a_flow_is_diced_for_once(void **state)
{
	struct fault_bpf *f = load(1);
	const struct sample syn = {
		.proto = IPPROTO_TCP, .sport = 30000, .dport = 80, .flags = SYN, .seq = 1
	};
	struct sample again = syn;
	(void)state;

	set_rule(f, 0, &(struct fault_rule){ .drop_every = 2 });
	assert_int_equal(run_sample(f, syn), TC_ACT_UNSPEC);
	for (int i = 0; i < 5; i++)
		assert_int_equal(run_sample(f, syn), TC_ACT_UNSPEC);
	again.seq = 2; /* a new connection between the same ports: its initial sequence number says so */
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_sample(f, again), TC_ACT_SHOT);
	again.flags = ACK;
	assert_int_equal(run_sample(f, again), TC_ACT_SHOT);
	struct fault_counters c = counters_of(f, 0);
	assert_int_equal(c.matched, 2);
	assert_int_equal(c.dropped, 1);
	assert_int_equal(c.packets, 4);
	fault_bpf__destroy(f);
}

/* The fates of n connections of a host, whatever the ports. */
static void fates_of(struct fault_bpf *f, unsigned host, uint16_t first_port, char *fates, int n)
{
	for (int i = 0; i < n; i++) {
		int verdict = run_sample(f, (struct sample){ .proto = IPPROTO_TCP,
		                                             .sport = (uint16_t)(first_port + 7 * i),
		                                             .dport = 80,
		                                             .flags = SYN,
		                                             .host = host });
		fates[i] = verdict == TC_ACT_SHOT ? '-' : '+';
	}
	fates[n] = 0;
}

static void choices_depend_on_seed_rule_and_pair_alone(void **state)
{
	char base[65], other[65];
	struct fault_rule r = { .drop = FAULT_CERTAIN / 2, .salt = 5 };
	(void)state;

	struct fault_bpf *f = load(1);
	set_rule(f, 0, &r);
	fates_of(f, 10, 2000, base, 64);
	fates_of(f, 12, 2000, other, 64); /* another source */
	assert_string_not_equal(base, other);
	fault_bpf__destroy(f);

	f = load(1);
	set_rule(f, 9, &r); /* another place in the table, another host's flows before, other ports */
	fates_of(f, 12, 5000, other, 64);
	fates_of(f, 10, 40000, other, 64);
	assert_string_equal(base, other);
	fault_bpf__destroy(f);

	f = load(1);
	r.salt = 6;
	set_rule(f, 0, &r);
	fates_of(f, 10, 2000, other, 64);
	assert_string_not_equal(base, other);
	fault_bpf__destroy(f);
}

static void probabilities_hold(void **state)
{
	static const double probabilities[] = { 0, 0.01, 0.3, 0.6, 0.99, 1 };
	struct fault_bpf *f = load(3);
	enum { N = 4000 };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(probabilities); i++) {
		double p = probabilities[i];
		struct fault_rule r = { .drop = (uint64_t)(p * (double)FAULT_CERTAIN),
			                .per = FAULT_PER_PACKET,
			                .salt = i };
		int dropped = 0;
		set_rule(f, 0, &r);
		for (int n = 0; n < N; n++)
			dropped += run_sample(f, classified[0].s) == TC_ACT_SHOT;
		/* five standard deviations of a binomial count */
		assert_true((dropped - N * p) * (dropped - N * p) <= 25 * N * p * (1 - p));
	}
	fault_bpf__destroy(f);
}

static void only_own_addresses_where_the_port_says_so(void **state)
{
	struct fault_bpf *f = load(1);
	struct sample s = classified[0].s;
	struct fault_addr a = { 0 };
	uint8_t buf[256], present = 1;
	(void)state;

	set_rule(f, 0, &(struct fault_rule){ .drop = FAULT_CERTAIN, .per = FAULT_PER_PACKET });
	size_t len = put_packet(buf, &s);
	assert_int_equal(run(f, buf, len, 3), TC_ACT_SHOT);
	assert_int_equal(run(f, buf, len, 3 | FAULT_PORT_OWN), TC_ACT_UNSPEC);
	memset((uint8_t *)&a + 10, 0xff, 2);
	memcpy((uint8_t *)&a + 12, buf + V4_DST, 4);
	assert_int_equal(bpf_map__update_elem(f->maps.own, &a, sizeof(a), &present, 1, BPF_ANY), 0);
	assert_int_equal(run(f, buf, len, 3 | FAULT_PORT_OWN), TC_ACT_SHOT);
	fault_bpf__destroy(f);
}

static void a_delay_without_a_delay_line_passes(void **state)
{
	struct fault_bpf *f = load(1);
	(void)state;

	set_rule(f, 0, &(struct fault_rule){ .delay_ns = NS_PER_S });
	assert_int_equal(run_sample(f, classified[0].s), TC_ACT_UNSPEC);
	assert_int_equal(counters_of(f, 0).bypassed, 1);
	fault_bpf__destroy(f);
}

/* Nobody empties the ring here: it fills up, and every packet beyond is counted. */
static void a_full_ring_is_counted(void **state)
{
	struct fault_bpf *f = load(1);
	struct fault_line line = { .beat_ns = (uint64_t)mono_now() + 100 * NS_PER_S };
	size_t bytes = (size_t)libbpf_num_possible_cpus() * sizeof(struct fault_counters);
	cleanup_free struct fault_counters *all = calloc(1, bytes);
	uint32_t zero = 0;
	uint64_t held = 0, lost = 0, counted = 0;
	(void)state;

	set_rule(f, 0, &(struct fault_rule){ .delay_ns = NS_PER_S });
	assert_int_equal(
	    bpf_map__update_elem(f->maps.line, &zero, sizeof(zero), &line, sizeof(line), BPF_ANY), 0);
	while (lost < 10 && held < FAULT_RING_BYTES / 256) {
		int verdict = run_sample(f, classified[0].s);
		held += verdict == TC_ACT_STOLEN;
		lost += verdict == TC_ACT_SHOT;
	}
	assert_int_equal(lost, 10);
	assert_true(held > FAULT_RING_BYTES / 512);
	assert_int_equal(bpf_map__lookup_elem(f->maps.counters, &zero, sizeof(zero), all, bytes, 0), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		counted += all[i].lost;
	assert_int_equal(counted, 10);
	fault_bpf__destroy(f);
}

static void nonsense_passes(void **state)
{
	struct fault_bpf *f = load(1);
	uint8_t buf[256] = { 0 };
	(void)state;

	set_rule(f, 0, &(struct fault_rule){ .drop = FAULT_CERTAIN, .class = FAULT_CLASS_USER });
	buf[12] = 0x08; /* IPv4 of version 0, then with a header longer than the packet */
	assert_int_equal(run(f, buf, 60, 0), TC_ACT_UNSPEC);
	buf[14] = 0x4f;
	buf[23] = IPPROTO_TCP;
	assert_int_equal(run(f, buf, 40, 0), TC_ACT_UNSPEC);
	buf[12] = 0x86, buf[13] = 0xdd, buf[14] = 0x60; /* IPv6 with extension headers to the end */
	memset(buf + 20, IPPROTO_HOPOPTS, 100);
	assert_int_equal(run(f, buf, 60, 0), TC_ACT_UNSPEC);
	fault_bpf__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_and_families),
		cmocka_unit_test(icmp_errors_are_of_the_class_they_are_about),
		cmocka_unit_test(a_flow_is_diced_for_once),
		cmocka_unit_test(choices_depend_on_seed_rule_and_pair_alone),
		cmocka_unit_test(probabilities_hold),
		cmocka_unit_test(only_own_addresses_where_the_port_says_so),
		cmocka_unit_test(a_delay_without_a_delay_line_passes),
		cmocka_unit_test(a_full_ring_is_counted),
		cmocka_unit_test(nonsense_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
