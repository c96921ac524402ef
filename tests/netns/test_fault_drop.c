/* Drops on the wire: what a rule promises about flows, requests, seeds and classes, with real sockets. */
#include "tests/netns/faultnet.h"
#include "proto/classes.h"
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { CHECKS = 200, PORT = 8080, SEED = 1 };

/* n TCP checks from a to b, opened in order; outcome[i] becomes '+' or '-'. A dropped one gets time for a
 * retransmission of its SYN, after a second, which must not save it. */
static unsigned check_all(const struct faultnet *f, bool v6, uint16_t first_port, int dscp,
                          char outcome[CHECKS + 1])
{
	int fds[CHECKS], server = faultnet_listen(f->b, v6 ? B6 : B4, PORT);
	unsigned passed = 0;

	for (int i = 0; i < CHECKS; i++) {
		fds[i] = faultnet_socket(f->a, SOCK_STREAM, v6 ? A6 : A4, (uint16_t)(first_port + i), 0);
		faultnet_class(fds[i], dscp);
		assert_int_equal(faultnet_connect(fds[i], v6 ? B6 : B4, PORT), -EINPROGRESS);
	}
	mono_ns end = mono_now() + 1300 * NS_PER_MS;
	while (mono_now() < end)
		poll(NULL, 0, 10);
	for (int i = 0; i < CHECKS; i++) {
		bool up = faultnet_poll(fds[i], POLLOUT, 0) == POLLOUT;
		outcome[i] = up ? '+' : '-';
		passed += up;
		close(fds[i]);
	}
	outcome[CHECKS] = 0;
	close(server);
	return passed;
}

static void drop_per_flow_is_counted_exactly_and_repeats_with_the_seed(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	const struct fault_rule r = { .drop = faultnet_probability(0.6), .class = FAULT_CLASS_HEALTH_CHECK };
	char first[CHECKS + 1], again[CHECKS + 1], other[CHECKS + 1];
	(void)state;

	faultnet_rule(&f, 0, r);
	unsigned passed = check_all(&f, false, 20000, DSCP_CS2, first);
	struct fault_counters c = faultnet_counters(&f, 0);
	assert_int_equal(c.matched, CHECKS);
	assert_int_equal(c.dropped, CHECKS - passed);
	assert_in_range(c.dropped, CHECKS * 45 / 100, CHECKS * 75 / 100);
	assert_true(c.packets >= 2 * c.dropped); /* the SYN and its retransmission */

	faultnet_plane(&f, SEED);
	faultnet_rule(&f, 0, r);
	check_all(&f, false, 40000, DSCP_CS2, again); /* other ports */
	assert_string_equal(first, again);

	faultnet_plane(&f, SEED + 1);
	faultnet_rule(&f, 0, r);
	check_all(&f, false, 30000, DSCP_CS2, other);
	assert_string_not_equal(first, other);
	faultnet_free(&f);
}

static void ipv6_flows_are_chosen_too(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	char outcome[CHECKS + 1];
	(void)state;

	faultnet_rule(
	    &f, 3,
	    (struct fault_rule){ .drop = faultnet_probability(0.6), .class = FAULT_CLASS_HEALTH_CHECK });
	unsigned passed = check_all(&f, true, 20000, DSCP_CS2, outcome);
	assert_int_equal(faultnet_counters(&f, 3).matched, CHECKS);
	assert_int_equal(faultnet_counters(&f, 3).dropped, CHECKS - passed);
	faultnet_free(&f);
}

static void rules_that_are_off_or_of_another_class_do_nothing(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	char outcome[CHECKS + 1];
	(void)state;

	faultnet_rule(&f, 0, (struct fault_rule){ .drop = FAULT_CERTAIN });
	fault_plane_switch(f.plane, 0, false);
	faultnet_rule(&f, 1, (struct fault_rule){ .drop = FAULT_CERTAIN, .class = FAULT_CLASS_HEALTH_CHECK });
	assert_int_equal(check_all(&f, false, 20000, 0, outcome), CHECKS);
	for (unsigned i = 0; i < 2; i++) {
		struct fault_counters c = faultnet_counters(&f, i), none = { 0 };
		assert_memory_equal(&c, &none, sizeof(c));
	}
	faultnet_free(&f);
}

/* Connects a to b and returns both ends. */
static void establish(const struct faultnet *f, int *client, int *server)
{
	int listener = faultnet_listen(f->b, B4, PORT);

	*client = faultnet_socket(f->a, SOCK_STREAM, A4, 20000, 0);
	faultnet_connect(*client, B4, PORT);
	assert_true(faultnet_poll(listener, POLLIN, 1000));
	*server = accept(listener, NULL, NULL);
	assert_true(*server >= 0);
	close(listener);
}

static void a_dropped_flow_is_dropped_both_ways_until_the_rule_goes_off(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	int client, server;
	char byte;
	(void)state;

	establish(&f, &client, &server);
	/* the rule says "to b"; b answers a within the same flow */
	faultnet_rule(&f, 0, (struct fault_rule){ .drop = FAULT_CERTAIN });
	assert_int_equal(send(server, "x", 1, 0), 1);
	assert_int_equal(faultnet_poll(client, POLLIN, 300), 0);
	assert_int_equal(faultnet_counters(&f, 0).dropped, 1);
	assert_true(faultnet_counters(&f, 0).packets >= 1);

	struct fault_flow flow = {
		.family = AF_INET, .protocol = IPPROTO_TCP, .sport = 20000, .dport = PORT
	};
	inet_pton(AF_INET, A4, &flow.src.v4);
	inet_pton(AF_INET, B4, &flow.dst.v4);
	assert_int_equal(fault_plane_blame(f.plane, &flow), 0);
	flow.since = mono_now() + NS_PER_S;
	assert_int_equal(fault_plane_blame(f.plane, &flow), -ENOENT);
	flow =
	    (struct fault_flow){ .family = AF_INET, .protocol = IPPROTO_TCP, .sport = 20001, .dport = PORT };
	assert_int_equal(fault_plane_blame(f.plane, &flow), -ENOENT);

	fault_plane_switch(f.plane, 0, false);
	assert_true(faultnet_poll(client, POLLIN, 3000)); /* TCP's own retransmission arrives */
	assert_int_equal(recv(client, &byte, 1, 0), 1);
	close(client), close(server);
	faultnet_free(&f);
}

static void each_udp_request_is_a_choice_and_its_answer_is_spared(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	int from, to;
	unsigned requests = 0, answers = 0;
	char buf[8];
	(void)state;

	faultnet_udp(&f, false, 20000, 53, &from, &to);
	faultnet_rule(&f, 0,
	              (struct fault_rule){ .drop = faultnet_probability(0.5), .class = FAULT_CLASS_DNS });
	for (int i = 0; i < CHECKS; i++) {
		send(from, "ask", 3, 0);
		if (recv(to, buf, sizeof(buf), 0) < 0)
			continue; /* veth delivers before send() returns, or soon */
		requests++;
		send(to, "tell", 4, 0);
	}
	requests += faultnet_drain(to, 50);
	answers = faultnet_drain(from, 50);
	struct fault_counters c = faultnet_counters(&f, 0);
	assert_int_equal(c.matched, CHECKS);
	assert_int_equal(c.dropped, CHECKS - requests);
	assert_in_range(requests, CHECKS * 35 / 100, CHECKS * 65 / 100);
	assert_true(answers > 0);
	close(from), close(to);
	faultnet_free(&f);
}

/* Sends n datagrams and says which arrived, in order. */
static void send_numbered(int from, int to, char *outcome, int n)
{
	uint8_t i;

	memset(outcome, '-', (size_t)n);
	outcome[n] = 0;
	for (i = 0; i < n; i++)
		send(from, &i, 1, 0);
	while (faultnet_poll(to, POLLIN, 50))
		if (recv(to, &i, 1, 0) == 1) outcome[i] = '+';
}

static void every_nth_packet(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	char outcome[13];
	int from, to;
	(void)state;

	faultnet_udp(&f, true, 20000, 9000, &from, &to);
	faultnet_rule(&f, 0, (struct fault_rule){ .drop_every = 4, .per = FAULT_PER_PACKET });
	send_numbered(from, to, outcome, 12);
	assert_string_equal(outcome, "+++-+++-+++-");
	close(from), close(to);
	faultnet_free(&f);
}

static void duty_cycle(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	char outcome[3];
	int from, to;
	(void)state;

	faultnet_udp(&f, false, 20000, 9000, &from, &to);
	faultnet_rule(&f, 0,
	              (struct fault_rule){ .drop = FAULT_CERTAIN,
	                                   .per = FAULT_PER_PACKET,
	                                   .on_ns = 400 * NS_PER_MS,
	                                   .off_ns = 60 * NS_PER_S });
	send_numbered(from, to, outcome, 2);
	assert_string_equal(outcome, "--");
	poll(NULL, 0, 400);
	send_numbered(from, to, outcome, 2);
	assert_string_equal(outcome, "++");
	close(from), close(to);
	faultnet_free(&f);
}

static void icmp_errors_pass_with_their_flow_and_drop_with_any(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	(void)state;

	for (int v6 = 0; v6 < 2; v6++) {
		int from = faultnet_socket(f.a, SOCK_DGRAM, v6 ? A6 : A4, 20000, 0);
		faultnet_connect(from, v6 ? B6 : B4, 9); /* nobody listens */
		struct fault_rule dns = { .drop = FAULT_CERTAIN, .class = FAULT_CLASS_DNS };
		faultnet_rule(&f, 0, dns);
		send(from, "x", 1, 0);
		assert_true(faultnet_poll(from, POLLIN, 1000));
		assert_int_equal(recv(from, &(char){ 0 }, 1, 0), -1);
		assert_int_equal(errno, ECONNREFUSED);

		struct fault_rule back = { .drop = FAULT_CERTAIN, .per = FAULT_PER_PACKET, .salt = 9 };
		faultnet_side(&back.from, B4, B6);
		assert_int_equal(fault_plane_rule(f.plane, 1, &back), 0);
		assert_int_equal(fault_plane_switch(f.plane, 1, true), 0);
		send(from, "x", 1, 0);
		assert_int_equal(faultnet_poll(from, POLLIN, 200), 0);
		fault_plane_switch(f.plane, 1, false);
		close(from);
	}
	assert_int_equal(faultnet_counters(&f, 0).matched, 0);
	assert_int_equal(faultnet_counters(&f, 1).dropped, 2);
	faultnet_free(&f);
}

static void two_rules_keep_their_own_effects(void **state)
{
	struct faultnet f = faultnet_new(SEED);
	char alone[101], both[101];
	int from, to;
	(void)state;

	const struct fault_rule mine = { .drop = faultnet_probability(0.3),
		                         .per = FAULT_PER_PACKET,
		                         .salt = 77 };
	const struct fault_rule other = { .drop = faultnet_probability(0.5), .class = FAULT_CLASS_LEASE };
	faultnet_udp(&f, false, 20000, 9000, &from, &to);
	faultnet_rule(&f, 0, mine);
	send_numbered(from, to, alone, 100);
	faultnet_plane(&f, SEED);
	faultnet_rule(&f, 0, other); /* first in the table, and other traffic between */
	faultnet_rule(&f, 5, mine);
	int lease_from, lease_to;
	faultnet_udp(&f, false, 20001, PORT_LEASE, &lease_from, &lease_to);
	for (int i = 0; i < 50; i++)
		send(lease_from, "x", 1, 0);
	fault_plane_switch(f.plane, 0, false);
	assert_int_equal(faultnet_counters(&f, 0).matched, 50);
	assert_int_equal(faultnet_counters(&f, 5).matched, 50 - faultnet_counters(&f, 0).dropped);
	close(lease_from), close(lease_to);

	faultnet_plane(&f, SEED);
	faultnet_rule(&f, 0, other);
	faultnet_rule(&f, 5, mine);
	send_numbered(from, to, both, 100);
	assert_string_equal(alone, both);
	assert_int_equal(faultnet_counters(&f, 0).matched, 0);
	close(from), close(to);
	faultnet_free(&f);
}

static void towards_routers_only_their_own_addresses_count(void **state)
{
	int backbone = testnet_new(), router = testnet_new(), node = testnet_new(), peer = testnet_new();
	struct plan_addr own;
	struct fault_plane *plane;
	char why[256];
	(void)state;

	faultnet_node(router, node, "to-a", A4, A6);
	testnet_link(backbone, "az1", router, "backbone");
	testnet_run(router, "ip addr add 10.1.0.1/32 dev lo && ip route add default dev backbone");
	testnet_run(backbone, "ip route add 10.1.0.0/16 dev az1");
	faultnet_node(backbone, peer, "to-peer", "10.0.0.5", "fd00:a21a:b::5");
	inet_pton(AF_INET, "10.1.0.1", &own.v4);
	inet_pton(AF_INET6, "fd00:a21a:b:1::1", &own.v6);
	assert_int_equal(fault_plane_open(SEED, &plane, why, sizeof(why)), 0);
	assert_int_equal(fault_plane_attach(plane, backbone, 0, "az1", &own), 0);
	assert_int_equal(fault_plane_attach(plane, backbone, 0, "nothing", &own), -ENODEV);
	assert_int_equal(fault_plane_attach(plane, backbone, 0, "az1", &own), -EEXIST);
	struct fault_rule r = { .drop = FAULT_CERTAIN, .per = FAULT_PER_PACKET };
	assert_int_equal(fault_plane_rule(plane, 0, &r), 0);
	assert_int_equal(fault_plane_switch(plane, 0, true), 0);
	testnet_run(peer, "ping -c1 -W1 -q " A4 " >/dev/null");
	testnet_run(peer, "! ping -c1 -W1 -q 10.1.0.1 >/dev/null");
	struct fault_counters c;
	assert_int_equal(fault_plane_counters(plane, 0, &c), 0);
	assert_int_equal(c.dropped, 1);
	fault_plane_close(plane);
	testnet_run(peer, "ping -c1 -W1 -q 10.1.0.1 >/dev/null"); /* what is left is inert */
	close(backbone), close(router), close(node), close(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop_per_flow_is_counted_exactly_and_repeats_with_the_seed),
		cmocka_unit_test(ipv6_flows_are_chosen_too),
		cmocka_unit_test(rules_that_are_off_or_of_another_class_do_nothing),
		cmocka_unit_test(a_dropped_flow_is_dropped_both_ways_until_the_rule_goes_off),
		cmocka_unit_test(each_udp_request_is_a_choice_and_its_answer_is_spared),
		cmocka_unit_test(every_nth_packet),
		cmocka_unit_test(duty_cycle),
		cmocka_unit_test(icmp_errors_pass_with_their_flow_and_drop_with_any),
		cmocka_unit_test(two_rules_keep_their_own_effects),
		cmocka_unit_test(towards_routers_only_their_own_addresses_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
