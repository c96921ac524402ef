/* ICMP and ICMPv6 errors through the load balancer's program. */
#include "tests/netns/nlb_prog.h"

struct family {
	const char *client, *zonal, *own, *target, *router;
	unsigned protocol, type, code; /* "too big" of that family */
};
static struct family family(int i)
{
	return i ? (struct family){ CLIENT6, ZONAL6, OWN6, target6(0), "fd00:1::1", IPPROTO_ICMPV6, 2, 0 }
	         : (struct family){ CLIENT4, ZONAL4, OWN4, target4(0), "10.1.0.1", IPPROTO_ICMP, 3, 4 };
}

static void assert_icmp(const struct packet *p, const struct family *m, const char *src, const char *dst,
                        const char *inner_src, unsigned sport, const char *inner_dst, unsigned dport)
{
	size_t inner = p->l4 + 8, ports = inner + (p->v6 ? 40 : 20);

	assert_true(address_is(p, p->l3, true, src) && address_is(p, p->l3, false, dst));
	assert_true(address_is(p, inner, true, inner_src) && address_is(p, inner, false, inner_dst));
	assert_int_equal(get16(p->b + ports), sport);
	assert_int_equal(get16(p->b + ports + 2), dport);
	assert_true(ip_sum_right(p));
	assert_true(l4_sum_right(p, m->protocol));
	if (!p->v6) assert_int_equal(sum16(p->b + inner, 20, 0), 0xffff);
}

/* An error about a packet on its way to the target; quoted: bytes of it. */
static struct packet error_about_request(struct fixture *f, const struct family *m, size_t quoted)
{
	struct packet sent = packet_tcp(m->client, 40000, m->zonal, SERVICE_PORT, SYN);
	run(f, &sent);
	struct packet icmp = packet_icmp(m->router, m->own, m->type, m->code, 1300, &sent,
	                                 quoted ? quoted : sent.len - sent.l3);
	assert_int_equal(run(f, &icmp), TC_ACT_REDIRECT);
	assert_int_equal(counted(f, NLB_COUNT_ICMP), 1);
	return icmp;
}

static void errors_go_to_the_client(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct family m = family(i);
		size_t ip = i ? 40 : 20, lengths[] = { 0, ip + 8, ip + 17, ip + 18, ip + 20 };
		for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
			struct packet p = error_about_request(*state, &m, lengths[k]);
			assert_icmp(&p, &m, m.zonal, m.client, m.client, 40000, m.zonal, SERVICE_PORT);
			assert_int_equal(get32(p.b + p.l4 + 4), 1300);
		}
		/* whole, so that the quoted TCP checksum must be right as well */
		struct packet p = error_about_request(*state, &m, 0);
		struct packet inner = { .len = p.len - p.l4 - 8, .l4 = ip, .v6 = p.v6 };
		memcpy(inner.b, p.b + p.l4 + 8, inner.len);
		assert_true(l4_sum_right(&inner, IPPROTO_TCP));
	}
}

static void errors_go_to_the_target(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct family m = family(i);
		const char *senders[] = { m.router, m.client };
		expect_forward(f, m.client, 40000, SYN, m.target);
		for (int k = 0; k < 2; k++) {
			struct packet sent = packet_tcp(m.target, SERVICE_PORT, m.own, 40000, ACK);
			assert_int_equal(run(f, &sent), TC_ACT_REDIRECT);
			struct packet p =
			    packet_icmp(senders[k], m.zonal, m.type, m.code, 1300, &sent, sent.len - sent.l3);
			assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
			assert_icmp(&p, &m, m.own, m.target, m.target, SERVICE_PORT, m.own, 40000);
		}
	}
}

static void errors_about_others_are_left_alone(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct family m = family(i);
		struct packet unknown = packet_tcp(m.own, 40000, m.target, SERVICE_PORT, SYN);
		struct packet p =
		    packet_icmp(m.router, m.own, m.type, m.code, 0, &unknown, unknown.len - unknown.l3);
		assert_left_alone(f, &p); /* no such flow */
		expect_forward(f, m.client, 40000, SYN, m.target);
		p = packet_icmp(m.router, m.zonal, m.type, m.code, 0, &unknown, unknown.len - unknown.l3);
		assert_left_alone(f, &p); /* not to whom sent what it quotes */
		for (size_t quoted = 0; quoted < (i ? 48 : 28); quoted++) {
			p = packet_icmp(m.router, m.own, m.type, m.code, 0, &unknown, quoted);
			assert_left_alone(f, &p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NLB_PROG_TEST(errors_go_to_the_client),
		NLB_PROG_TEST(errors_go_to_the_target),
		NLB_PROG_TEST(errors_about_others_are_left_alone),
	};
	NLB_PROG_RUN(tests);
}
