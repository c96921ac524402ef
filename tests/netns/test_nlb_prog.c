/* What the load balancer's program makes of packets, and which it leaves alone; how it spreads flows. */
#include "tests/netns/nlb_prog.h"

/* --- translation ------------------------------------------------------------------------------------- */

static void both_directions_both_families(void **state)
{
	struct fixture *f = *state;
	struct {
		const char *client, *target;
	} families[] = { { CLIENT4, target4(0) }, { CLIENT6, target6(0) } };

	for (int i = 0; i < 2; i++) {
		unsigned port = expect_forward(f, families[i].client, 40000 + i, SYN, families[i].target);
		assert_int_equal(port, 40000 + i); /* the client's own, as it is free */
		assert_int_equal(counted(f, NLB_COUNT_NEW), 1);
		expect_reply(f, families[i].target, port, SYN | ACK, 1, families[i].client, 40000 + i);
		expect_forward(f, families[i].client, 40000 + i, ACK, families[i].target);
		assert_true(state_of(f, port) & NLB_OPEN);
	}
}

static void frame_goes_back_to_its_sender(void **state)
{
	struct packet p = packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN), before = p;

	assert_int_equal(run(*state, &p), TC_ACT_REDIRECT);
	assert_memory_equal(p.b, before.b + 6, 6);
	assert_memory_equal(p.b + 6, before.b, 6);
	assert_int_equal(p.b[p.l3 + 8], 64); /* the hop limit stays */
}

static void options_and_extension_headers(void **state)
{
	struct fixture *f = *state;
	size_t most = 5 * 8;

	for (size_t extra = 8; extra <= 40; extra += 8) {
		struct packet p;
		packet_tcp_extra(&p, CLIENT4, (unsigned)(41000 + extra), ZONAL4, SERVICE_PORT, SYN, 1, 0, 0,
		                 extra);
		assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
		assert_tcp(&p, OWN4, (unsigned)(41000 + extra), target4(0), SERVICE_PORT);
	}
	for (size_t extra = 8; extra <= most; extra += 8) {
		struct packet p;
		packet_tcp_extra(&p, CLIENT6, (unsigned)(42000 + extra), ZONAL6, SERVICE_PORT, SYN, 1, 0, 0,
		                 extra);
		assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
		assert_tcp(&p, OWN6, (unsigned)(42000 + extra), target6(0), SERVICE_PORT);
	}
	struct packet p; /* more of them than anybody sends: the kernel's business */
	packet_tcp_extra(&p, CLIENT6, 43000, ZONAL6, SERVICE_PORT, SYN, 1, 0, 0, most + 16);
	assert_left_alone(f, &p);
}

/* --- what isn't ours --------------------------------------------------------------------------------- */

static void not_ours_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct packet cases[] = {
		packet_tcp(CLIENT4, 40000, ZONAL4, 81, SYN),                 /* another port */
		packet_tcp(CLIENT4, 40000, "10.1.100.2", SERVICE_PORT, SYN), /* another address */
		packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, ACK),       /* no flow */
		packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN | ACK),
		packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN | FIN),
		packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, RST),
		packet_tcp(target4(0), SERVICE_PORT, OWN4, 40000, ACK), /* no slot */
		packet_tcp(CLIENT6, 40000, ZONAL6, SERVICE_PORT, ACK),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_left_alone(f, &cases[i]);
	assert_int_equal(counted(f, NLB_COUNT_MALFORMED), 0);
}

static void other_protocols_are_left_alone(void **state)
{
	struct packet tcp = packet_tcp(CLIENT4, 7004, OWN4, 7003, ACK);
	struct packet udp = tcp, arp = tcp;
	struct packet echo = packet_icmp(CLIENT4, ZONAL4, 8, 0, 1, &tcp, 40);
	struct packet tcp6 = packet_tcp(CLIENT6, 1, ZONAL6, 2, ACK);
	struct packet solicit = packet_icmp(CLIENT6, OWN6, 135, 0, 0, &tcp6, 24);

	udp.b[udp.l3 + 9] = IPPROTO_UDP;
	put16(arp.b + 12, 0x0806);
	assert_left_alone(*state, &udp);
	assert_left_alone(*state, &arp);
	assert_left_alone(*state, &echo);
	assert_left_alone(*state, &solicit);
}

static void truncated_at_every_length(void **state)
{
	struct fixture *f = *state;
	const char *clients[] = { CLIENT4, CLIENT6 };

	for (int i = 0; i < 2; i++) {
		struct packet whole = packet_tcp(clients[i], 40000, i ? ZONAL6 : ZONAL4, SERVICE_PORT, SYN);
		for (size_t len = whole.l4; len < whole.l4 + 20;
		     len++) { /* test_run takes no less than an IP header */
			struct packet p = whole;
			p.len = len;
			assert_left_alone(f, &p);
			assert_int_equal(counted(f, NLB_COUNT_MALFORMED), 1);
		}
	}
}

static void headers_that_lie(void **state)
{
	struct fixture *f = *state;
	struct {
		size_t at;
		uint8_t value;
	} lies[] = {
		{ ETH_LEN, 0x44 },           /* an IPv4 header of 16 bytes */
		{ ETH_LEN, 0x65 },           /* version 6 in an IPv4 frame */
		{ ETH_LEN, 0x4f },           /* options up to where no TCP header fits */
		{ ETH_LEN + 20 + 12, 0x40 }, /* a TCP header of 16 bytes */
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct packet p;
		packet_tcp_extra(&p, CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN, 1, 0, 0, 0);
		p.b[lies[i].at] = lies[i].value;
		assert_left_alone(f, &p);
		assert_int_equal(counted(f, NLB_COUNT_MALFORMED), 1);
	}
	struct packet no_port = packet_tcp(CLIENT4, 0, ZONAL4, SERVICE_PORT, SYN);
	assert_left_alone(f, &no_port);
	assert_int_equal(counted(f, NLB_COUNT_MALFORMED), 1);
}

static void fragments_are_counted(void **state)
{
	struct fixture *f = *state;
	unsigned fields[] = { 0x2000, 0x0010, 0x2010 }; /* first, last, middle */

	for (int i = 0; i < 3; i++) {
		struct packet p = packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN);
		put16(p.b + p.l3 + 6, fields[i]);
		assert_left_alone(f, &p);
		assert_int_equal(counted(f, NLB_COUNT_FRAGMENT), 1);
	}
	struct packet p;
	packet_tcp_extra(&p, CLIENT6, 40000, ZONAL6, SERVICE_PORT, SYN, 1, 0, 0, 8);
	p.b[p.l3 + 6] = IPPROTO_FRAGMENT;
	assert_left_alone(f, &p);
	assert_int_equal(counted(f, NLB_COUNT_FRAGMENT), 1);
	struct packet whole = packet_tcp(CLIENT4, 40001, ZONAL4, SERVICE_PORT, SYN);
	put16(whole.b + whole.l3 + 6, 0x4000); /* don't fragment is no fragment */
	assert_int_equal(run(f, &whole), TC_ACT_REDIRECT);
}

/* --- consistent hashing ------------------------------------------------------------------------------ */

enum { SPREAD_FLOWS = 10000, SPREAD_TARGETS = 6 };

/* The target of each of many new flows; their slots are given back. */
static void targets_of_flows(struct fixture *f, uint8_t *target)
{
	struct sweep sweep = { .sets = plane_slots(f->plane) };
	struct sweep_timeouts at_once = { 1, 1, 1, 1 };

	for (unsigned i = 0; i < SPREAD_FLOWS; i++) {
		struct packet p = packet_tcp(CLIENT4, 20000 + i, ZONAL4, SERVICE_PORT, SYN);
		assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
		target[i] = p.b[p.l3 + 19];
	}
	sweep_step(&sweep, &at_once, NLB_PORTS, sweep_ticks(mono_now()) + 1000);
	assert_int_equal(sweep.freed, SPREAD_FLOWS);
}

static void removing_one_target_moves_few_flows(void **state)
{
	struct fixture *f = *state;
	static uint8_t before[SPREAD_FLOWS], after[SPREAD_FLOWS];
	unsigned moved = 0, per_target[SPREAD_TARGETS + 1] = { 0 };

	set_targets(f, (1 << SPREAD_TARGETS) - 1);
	targets_of_flows(f, before);
	set_targets(f, ((1 << SPREAD_TARGETS) - 1) & ~4u);
	targets_of_flows(f, after);
	for (unsigned i = 0; i < SPREAD_FLOWS; i++) {
		per_target[before[i]]++;
		moved += before[i] != after[i];
		assert_int_not_equal(after[i], 3);
	}
	print_message("moved %u of %u flows\n", moved, SPREAD_FLOWS);
	assert_in_range(moved, SPREAD_FLOWS / SPREAD_TARGETS * 9 / 10,
	                SPREAD_FLOWS / SPREAD_TARGETS + SPREAD_FLOWS / 20);
	for (int i = 1; i <= SPREAD_TARGETS; i++)
		assert_in_range(per_target[i], SPREAD_FLOWS / SPREAD_TARGETS * 9 / 10,
		                SPREAD_FLOWS / SPREAD_TARGETS * 11 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NLB_PROG_TEST(both_directions_both_families),
		NLB_PROG_TEST(frame_goes_back_to_its_sender),
		NLB_PROG_TEST(options_and_extension_headers),
		NLB_PROG_TEST(not_ours_is_left_alone),
		NLB_PROG_TEST(other_protocols_are_left_alone),
		NLB_PROG_TEST(truncated_at_every_length),
		NLB_PROG_TEST(headers_that_lie),
		NLB_PROG_TEST(fragments_are_counted),
		NLB_PROG_TEST(removing_one_target_moves_few_flows),
	};
	NLB_PROG_RUN(tests);
}
