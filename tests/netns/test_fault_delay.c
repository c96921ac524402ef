/* Delays on the wire, through the real delay line: when packets arrive, that they are what was sent, and what
 * happens when a fault goes off or the delay line dies. */
#include "tests/netns/faultnet.h"
#include <signal.h>
#include <sys/random.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SEED = 1, BURST = 20 };

struct fixture {
	struct faultnet net;
	int from, to; /* UDP, a to b */
};

static int open_fixture(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	x->net = faultnet_new(SEED);
	faultnet_line(&x->net);
	faultnet_udp(&x->net, false, 20000, 9000, &x->from, &x->to);
	*state = x;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *x = *state;

	close(x->from), close(x->to);
	faultnet_free(&x->net);
	free(x);
	return 0;
}

/* Sends one datagram and returns how long it took, -1 if it didn't come within a second. */
static mono_ns one_way(const struct fixture *x)
{
	mono_ns sent = mono_now();
	char byte;

	assert_int_equal(send(x->from, "x", 1, 0), 1);
	if (!faultnet_poll(x->to, POLLIN, 1000)) return -1;
	mono_ns took = mono_now() - sent;
	assert_int_equal(recv(x->to, &byte, 1, 0), 1);
	return took;
}

/* None comes before its time, and some try soon after it: a busy machine makes single packets late, a wrong
 * delay all of them. Returns how many were sent. */
static uint64_t assert_takes(const struct fixture *x, mono_ns least, mono_ns slack)
{
	for (uint64_t sent = 1; sent <= 50; sent++) {
		mono_ns took = one_way(x);
		assert_true(took >= least);
		if (took < least + slack) return sent;
	}
	fail_msg("no packet within %.0f ms of its time", mono_ms(slack));
	return 0;
}

static void fixed_delays(void **state)
{
	struct fixture *x = *state;
	const mono_ns delays[] = { 5 * NS_PER_MS, 50 * NS_PER_MS, 250 * NS_PER_MS };
	uint64_t sent = 0;

	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		faultnet_rule(&x->net, 0, (struct fault_rule){ .delay_ns = (uint64_t)delays[i] });
		for (int k = 0; k < 3; k++)
			sent += assert_takes(x, delays[i], 5 * NS_PER_MS);
	}
	assert_int_equal(faultnet_counters(&x->net, 0).delayed, sent);
	fault_plane_switch(x->net.plane, 0, false);
	assert_takes(x, 0, 5 * NS_PER_MS);
	assert_int_equal(fault_plane_lost(x->net.plane), 0);
}

static void twelve_seconds_and_off_keeps_the_due_time(void **state)
{
	struct fixture *x = *state;
	const mono_ns delay = 12 * NS_PER_S;
	uint8_t got;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .delay_ns = (uint64_t)delay });
	mono_ns sent = mono_now();
	for (uint8_t i = 0; i < BURST; i++)
		assert_int_equal(send(x->from, &i, 1, 0), 1);
	mono_ns last = mono_now();
	fault_plane_switch(x->net.plane, 0, false);
	assert_true(one_way(x) >= 0); /* overtakes them */
	for (uint8_t i = 0; i < BURST; i++) {
		assert_true(faultnet_poll(x->to, POLLIN, 15000));
		assert_true(mono_now() - sent >= delay);
		assert_int_equal(recv(x->to, &got, 1, 0), 1);
		assert_int_equal(got, i); /* in the order they came */
	}
	assert_true(mono_now() - last < delay + NS_PER_S);
}

static void the_rule_that_did_it_is_blamed(void **state)
{
	struct fixture *x = *state;
	struct fault_flow flow = {
		.family = AF_INET, .protocol = IPPROTO_UDP, .sport = 20000, .dport = 9000
	};

	inet_pton(AF_INET, A4, &flow.src.v4);
	inet_pton(AF_INET, B4, &flow.dst.v4);
	assert_true(one_way(x) >= 0);
	assert_int_equal(fault_plane_blame(x->net.plane, &flow), -ENOENT);
	faultnet_rule(&x->net, 2, (struct fault_rule){ .delay_ns = 5 * NS_PER_MS });
	assert_true(one_way(x) >= 5 * NS_PER_MS);
	assert_int_equal(fault_plane_blame(x->net.plane, &flow), 2);
	/* one that dropped a packet goes before */
	faultnet_rule(&x->net, 3, (struct fault_rule){ .drop_every = 1, .per = FAULT_PER_PACKET });
	assert_int_equal(one_way(x), -1);
	assert_int_equal(fault_plane_blame(x->net.plane, &flow), 3);
}

static void jitter_is_within_its_bound_and_spread(void **state)
{
	struct fixture *x = *state;
	mono_ns least = INT64_MAX, most = 0;
	int in_time = 0;

	faultnet_rule(&x->net, 0,
	              (struct fault_rule){ .delay_ns = 5 * NS_PER_MS, .jitter_ns = 40 * NS_PER_MS });
	for (int i = 0; i < BURST; i++) {
		mono_ns took = one_way(x);
		assert_true(took >= 5 * NS_PER_MS);
		in_time += took <= 50 * NS_PER_MS;
		least = took < least ? took : least;
		most = took > most ? took : most;
	}
	assert_true(most - least > 15 * NS_PER_MS);
	assert_true(in_time > BURST / 2); /* the others are a busy machine's */
}

/* A burst through a queue of 50 packets/s; how long after it the last one comes. */
static mono_ns drain_slow_queue(struct fixture *x)
{
	char byte;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .gap_ns = 20 * NS_PER_MS });
	mono_ns sent = mono_now();
	for (int i = 0; i < BURST; i++)
		send(x->from, "x", 1, 0);
	mono_ns after = mono_now();
	fault_plane_switch(x->net.plane, 0, false); /* the backlog drains all the same */
	for (int i = 1; i <= BURST; i++) {
		assert_true(faultnet_poll(x->to, POLLIN, 1000));
		assert_true(mono_now() - sent >= i * 20 * NS_PER_MS);
		assert_int_equal(recv(x->to, &byte, 1, 0), 1);
	}
	return mono_now() - after;
}

static void a_slow_queue_lets_packets_through_at_its_rate(void **state)
{
	mono_ns least = INT64_MAX;

	/* a busy machine makes some rounds late, a wrong rate all of them */
	for (int round = 0; round < 10 && least >= (BURST + 3) * 20 * NS_PER_MS; round++) {
		mono_ns took = drain_slow_queue(*state);
		least = took < least ? took : least;
	}
	assert_true(least < (BURST + 3) * 20 * NS_PER_MS);
}

static void a_dead_delay_line_lets_packets_pass(void **state)
{
	struct fixture *x = *state;
	mono_ns took;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .delay_ns = 100 * NS_PER_MS });
	assert_true(one_way(x) >= 100 * NS_PER_MS);
	testnode_kill(x->net.line);
	x->net.line = NULL;
	mono_ns killed = mono_now();
	while ((took = one_way(x)) < 0)
		assert_true(mono_now() - killed < 3 * NS_PER_S);
	/* those sent within the silence are lost; one_way() waits a second for the first */
	assert_takes(x, 0, 40 * NS_PER_MS);
	assert_true(faultnet_counters(&x->net, 0).bypassed > 0);
	faultnet_line(&x->net); /* a new one takes over, and finds what its predecessor left in the ring */
	faultnet_drain(x->to, 150);
	took = one_way(x);
	assert_true(took >= 100 * NS_PER_MS);
}

static void a_stopped_delay_line_counts_as_dead(void **state)
{
	struct fixture *x = *state;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .delay_ns = 100 * NS_PER_MS });
	kill(testnode_pid(x->net.line), SIGSTOP);
	poll(NULL, 0, 800);
	assert_takes(x, 0, 40 * NS_PER_MS);
	kill(testnode_pid(x->net.line), SIGCONT);
}

static void duplicates(void **state)
{
	struct fixture *x = *state;
	struct fault_rule r = { .duplicate = faultnet_probability(0.5) };

	for (int delayed = 0; delayed < 2; delayed++) {
		r.delay_ns = delayed ? 5 * NS_PER_MS : 0;
		faultnet_rule(&x->net, 0, r);
		uint64_t before = faultnet_counters(&x->net, 0).duplicated;
		for (int i = 0; i < 100; i++)
			send(x->from, "x", 1, 0);
		unsigned got = faultnet_drain(x->to, 100);
		uint64_t doubled = faultnet_counters(&x->net, 0).duplicated - before;
		assert_in_range(doubled, 30, 70);
		assert_int_equal(got, 100 + doubled);
	}
}

static void corrupted_packets_fail_their_checksum(void **state)
{
	struct fixture *x = *state;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .corrupt = faultnet_probability(0.5) });
	for (int i = 0; i < 100; i++)
		send(x->from, "some bytes", 10, 0);
	unsigned got = faultnet_drain(x->to, 100);
	struct fault_counters c = faultnet_counters(&x->net, 0);
	assert_in_range(c.corrupted, 30, 70);
	assert_int_equal(got, 100 - c.corrupted);
}

static void reordered_packets_come_behind_later_ones(void **state)
{
	struct fixture *x = *state;
	uint8_t last = 0, got;
	unsigned back = 0, n = 0;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .reorder = faultnet_probability(0.2) });
	for (uint8_t i = 0; i < 100; i++)
		send(x->from, &i, 1, 0);
	for (; faultnet_poll(x->to, POLLIN, 100); n++) {
		assert_int_equal(recv(x->to, &got, 1, 0), 1);
		back += n && got < last;
		last = got;
	}
	assert_int_equal(n, 100);
	assert_in_range(faultnet_counters(&x->net, 0).reordered, 5, 40);
	assert_true(back > 0);
}

static void rejected(void **state)
{
	struct fixture *x = *state;
	char byte;

	for (int v6 = 0; v6 < 2; v6++) {
		int server = faultnet_listen(x->net.b, v6 ? B6 : B4, 8080);
		faultnet_rule(&x->net, 0, (struct fault_rule){ .reject = 1, .drop = FAULT_CERTAIN });
		int tcp = faultnet_socket(x->net.a, SOCK_STREAM, v6 ? A6 : A4, 0, 0);
		faultnet_connect(tcp, v6 ? B6 : B4, 8080);
		assert_true(faultnet_poll(tcp, POLLOUT, 1000) & POLLERR);
		assert_int_equal(recv(tcp, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNREFUSED);

		int udp = faultnet_socket(x->net.a, SOCK_DGRAM, v6 ? A6 : A4, 0, 0);
		faultnet_connect(udp, v6 ? B6 : B4, 9000);
		send(udp, "x", 1, 0);
		assert_true(faultnet_poll(udp, POLLIN, 1000));
		assert_int_equal(recv(udp, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNREFUSED);
		close(tcp), close(udp), close(server);
	}
	assert_int_equal(faultnet_counters(&x->net, 0).rejected, 4);
	assert_int_equal(faultnet_counters(&x->net, 0).dropped, 0);
}

/* --- a transfer -------------------------------------------------------------------------------------- */

enum { TRANSFER = 10 << 20 };

struct transfer {
	uint8_t *out, *in;
	size_t sent, got;
};

/* Moves bytes both sockets are ready for; false when the receiver has them all or nothing moved for 5 s. */
static bool move_some(struct transfer *t, int client, int server)
{
	struct pollfd p[] = { { client, t->sent < TRANSFER ? POLLOUT : 0, 0 }, { server, POLLIN, 0 } };
	ssize_t n;

	if (t->got == TRANSFER || poll(p, 2, 5000) <= 0) return false;
	if (p[0].revents & POLLOUT && (n = send(client, t->out + t->sent, TRANSFER - t->sent, 0)) > 0)
		t->sent += (size_t)n;
	if (p[1].revents & POLLIN && (n = recv(server, t->in + t->got, TRANSFER - t->got, 0)) > 0)
		t->got += (size_t)n;
	return true;
}

/* 10 MB from a to b arrive as they were sent. */
static void transfer(const struct faultnet *f, bool v6)
{
	struct transfer t = { .out = malloc(TRANSFER), .in = calloc(1, TRANSFER) };
	int listener = faultnet_listen(f->b, v6 ? B6 : B4, 8080);
	int client = faultnet_socket(f->a, SOCK_STREAM, v6 ? A6 : A4, 0, 0);

	for (size_t i = 0; i < TRANSFER; i += 256)
		assert_int_equal(getrandom(t.out + i, 256, 0), 256);
	faultnet_connect(client, v6 ? B6 : B4, 8080);
	assert_true(faultnet_poll(listener, POLLIN, 3000));
	int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(server >= 0);
	while (move_some(&t, client, server)) {
	}
	assert_int_equal(t.got, TRANSFER);
	assert_memory_equal(t.out, t.in, TRANSFER);
	free(t.out), free(t.in);
	close(client), close(server), close(listener);
}

static void ten_megabytes_arrive_bit_for_bit_through_a_delay(void **state)
{
	struct fixture *x = *state;

	for (int v6 = 0; v6 < 2; v6++) {
		faultnet_rule(&x->net, (unsigned)v6, (struct fault_rule){ .delay_ns = 5 * NS_PER_MS });
		transfer(&x->net, v6);
		fault_plane_switch(x->net.plane, (unsigned)v6, false);
		/* far fewer packets than segments: they travelled as TSO packets */
		assert_in_range(faultnet_counters(&x->net, (unsigned)v6).delayed, 100, TRANSFER / 1448 / 2);
	}
	assert_int_equal(fault_plane_lost(x->net.plane), 0);
	testnet_run(x->net.b, "nstat -asz TcpInCsumErrors | grep -q 'TcpInCsumErrors *0 '");
}

static void a_transfer_survives_corruption_and_loss(void **state)
{
	struct fixture *x = *state;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .corrupt = faultnet_probability(0.02) });
	faultnet_rule(&x->net, 1,
	              (struct fault_rule){ .drop = faultnet_probability(0.01), .per = FAULT_PER_PACKET });
	transfer(&x->net, false);
	assert_true(faultnet_counters(&x->net, 0).corrupted > 0);
	assert_true(faultnet_counters(&x->net, 1).dropped > 0);
}

static void the_daemon_reports(void **state)
{
	struct fixture *x = *state;

	faultnet_rule(&x->net, 0, (struct fault_rule){ .delay_ns = 5 * NS_PER_MS });
	assert_true(one_way(x) > 0);
	assert_non_null(testnode_wait(
	    x->net.line,
	    json_pack("{s:s, s:i, s:i, s:i}", "kind", "delayed", "sent", 1, "held", 0, "lost", 0),
	    PATIENCE_MS));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		CASE(fixed_delays),
		CASE(twelve_seconds_and_off_keeps_the_due_time),
		CASE(the_rule_that_did_it_is_blamed),
		CASE(jitter_is_within_its_bound_and_spread),
		CASE(a_slow_queue_lets_packets_through_at_its_rate),
		CASE(a_dead_delay_line_lets_packets_pass),
		CASE(a_stopped_delay_line_counts_as_dead),
		CASE(duplicates),
		CASE(corrupted_packets_fail_their_checksum),
		CASE(reordered_packets_come_behind_later_ones),
		CASE(rejected),
		CASE(ten_megabytes_arrive_bit_for_bit_through_a_delay),
		CASE(a_transfer_survives_corruption_and_loss),
		CASE(the_daemon_reports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
