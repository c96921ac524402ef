/* The load balancer end to end: the daemon, unprivileged, in a namespace, with real TCP of both families. */
#include "tests/netns/nlb_echo.h"
#include "common/cleanup.h"
#include "proto/classes.h"
#include "proto/health.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Bit i is set if one of n new flows went to target i. */
static unsigned targets_of(int n)
{
	unsigned seen = 0;
	for (int i = 0; i < n; i++) {
		int target, fd = open_flow(i & 1, &target);
		seen |= 1u << (target - 1);
		finish(fd);
	}
	return seen;
}

/* --- a health checker -------------------------------------------------------------------------------- */

static uint32_t sequence;

/* Reports the targets whose bits are set as healthy, and checks the acknowledgement. */
static void report_health(unsigned healthy, uint64_t event)
{
	struct health_report r = {
		.epoch = 1, .sequence = ++sequence, .parts = 1, .total = LAB_TARGETS, .n = LAB_TARGETS
	};
	struct health_ack ack;
	uint8_t buf[HEALTH_DATAGRAM_MAX];
	struct sockaddr_storage at;
	struct timeval patience = { .tv_sec = 3 };
	cleanup_close int fd = lab_socket(lab.router, AF_INET, SOCK_DGRAM);

	for (unsigned i = 0; i < LAB_TARGETS; i++)
		r.targets[i] = (struct health_target){ i + 1, healthy >> i & 1, event };
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&at, lab_address(lab_router[0], PORT_HEALTH_CHECKER, &at)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	int len = health_report_encode(&r, buf, sizeof(buf));
	socklen_t at_len = lab_address(lab_own[0], PORT_HEALTH_REPORT, &at);
	assert_int_equal(sendto(fd, buf, (size_t)len, 0, (struct sockaddr *)&at, at_len), len);
	ssize_t got = recv(fd, buf, sizeof(buf), 0);
	assert_true(got > 0);
	assert_int_equal(health_ack_decode(&ack, buf, (size_t)got), 0);
	assert_int_equal(ack.sequence, r.sequence);
	assert_int_equal(ack.part, 0);
}

/* --- tests ------------------------------------------------------------------------------------------- */

static struct testnode *nlb;

static int start_default(void **state)
{
	(void)state;
	nlb = lab_start_nlb(&lab, lab_config());
	lab_register(nlb, 7);
	return 0;
}
static int start_via_peer(void **state)
{
	json_t *config = lab_config();

	(void)state;
	json_object_set_new(config, "via_peer", json_true());
	nlb = lab_start_nlb(&lab, config);
	lab_register(nlb, 7);
	return 0;
}
static int stop(void **state)
{
	(void)state;
	return testnode_stop(nlb);
}
static json_int_t figure(const char *key)
{
	testnode_forget(nlb);
	return json_integer_value(
	    json_object_get(testnode_wait(nlb, json_pack("{s:s}", "kind", "flows"), PATIENCE_MS), key));
}
static void wait_for(const char *key, json_int_t value, int timeout_ms)
{
	testnode_forget(nlb);
	assert_non_null(testnode_wait(nlb, json_pack("{s:s, s:I}", "kind", "flows", key, value), timeout_ms));
}

static void transfers_bit_for_bit(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		int target, fd = open_flow(v6, &target);
		exchange(fd, TRANSFER);
		finish(fd);
	}
}

static void a_target_leaves_during_a_transfer(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		int target, fd = open_flow(v6, &target);
		unsigned others = 7 & ~(1u << (target - 1));
		exchange(fd, TRANSFER / 2);
		lab_register(nlb, others);
		exchange(fd, TRANSFER / 2);
		assert_int_equal(targets_of(40), others);
		exchange(fd, 1000);
		finish(fd);
		lab_register(nlb, 7);
	}
}

static void only_healthy_targets_get_new_flows(void **state)
{
	int target, fd = open_flow(false, &target);

	(void)state;
	assert_int_equal(targets_of(40), 7); /* never reported on: as good as healthy */
	report_health(7 & ~(1u << (target - 1)), 11);
	assert_int_equal(targets_of(40), 7 & ~(1u << (target - 1)));
	exchange(fd, TRANSFER); /* an old flow stays where it is */
	finish(fd);
}

static void without_a_healthy_target_all_are_used(void **state)
{
	(void)state;
	report_health(2, 21);
	assert_int_equal(targets_of(20), 2);
	report_health(0, 22);
	const json_t *on = testnode_wait_event(nlb, "failopen.on", "scope", "targets", PATIENCE_MS);
	assert_int_equal(json_integer_value(json_object_get(on, "cause")), 22);
	assert_int_equal(targets_of(40), 7);
	report_health(4, 23);
	const json_t *off = testnode_wait_event(nlb, "failopen.off", "service", "shop", PATIENCE_MS);
	assert_int_equal(json_integer_value(json_object_get(off, "cause")), 23);
	assert_int_equal(targets_of(20), 4);
}

/* What a client gets from the target itself it gets through the balancer. An error that comes while connect()
 * is still sending counts only from the second SYN on, one second later; a lost error would take the 3 s of
 * patience. */
static void assert_same_error(int port, int expected4, int expected6)
{
	for (int v6 = 0; v6 < 2; v6++) {
		int expected = v6 ? expected6 : expected4;
		assert_int_equal(lab_connect(lab.client, lab_target(0, v6), port), -expected);
		mono_ns before = mono_now();
		assert_int_equal(lab_connect(lab.client, lab_zonal[v6], port), -expected);
		assert_true(mono_now() - before < 2 * NS_PER_S);
	}
}

static void unreachable_target(void **state)
{
	(void)state;
	lab_register(nlb, 1);
	testnet_run(lab.router,
	            "ip route replace unreachable 10.1.1.1/32; ip -6 route del fd00:1::1:1 dev t1;"
	            " ip -6 route add unreachable fd00:1::1:1/128");
	assert_same_error(LAB_PORT, EHOSTUNREACH, ENETUNREACH);
	assert_true(figure("icmp") >= 2);
	testnet_run(lab.router,
	            "ip route replace 10.1.1.1/32 dev t1; ip -6 route del unreachable fd00:1::1:1/128;"
	            " ip -6 route add fd00:1::1:1/128 dev t1");
}

/* A second service, on a port where no target listens. */
static int start_two(void **state)
{
	json_t *config = lab_config();

	(void)state;
	json_array_append_new(json_object_get(config, "services"),
	                      json_pack("{s:i, s:s, s:i, s:s, s:s}", "service", 5, "name", "dead", "port",
	                                LAB_PORT_UNUSED, "zonal4", lab_zonal[0], "zonal6", lab_zonal[1]));
	nlb = lab_start_nlb(&lab, config);
	testnode_targets(nlb, 5,
	                 json_pack("[{s:i, s:s, s:s}]", "id", 9, "addr4", lab_target(0, false), "addr6",
	                           lab_target(0, true)));
	return testnode_wait(nlb, json_pack("{s:s, s:[i,i]}", "kind", "flows", "registered", 0, 1),
	                     PATIENCE_MS)
	           ? 0
	           : -1;
}

static void target_that_refuses(void **state)
{
	(void)state;
	assert_same_error(LAB_PORT_UNUSED, ECONNREFUSED, ECONNREFUSED);
	assert_int_equal(figure("new"), 2);
	/* the other service has no target: refused as well, by the balancer */
	for (int v6 = 0; v6 < 2; v6++)
		assert_int_equal(lab_connect(lab.client, lab_zonal[v6], LAB_PORT), -ECONNREFUSED);
	assert_int_equal(figure("no_target"), 2);
}

static int mss_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return (int)info.tcpi_snd_mss;
}

/* What either end has learnt in other tests makes it announce smaller segments, and no error is needed. */
static void forget_paths(void)
{
	const char *flush = "ip route flush cache; ip -6 route flush cache";

	testnet_run(lab.client, "%s", flush);
	for (int i = 0; i < LAB_TARGETS; i++)
		testnet_run(lab.target[i], "%s", flush);
}

static void smaller_mtu_towards_the_target(void **state)
{
	(void)state;
	lab_register(nlb, 1);
	forget_paths();
	testnet_run(lab.router, "ip link set dev t1 mtu 1300");
	for (int v6 = 0; v6 < 2; v6++) {
		int target, fd = open_flow(v6, &target);
		assert_in_range(mss_of(fd), 1400, 1460);
		exchange(fd, TRANSFER);
		assert_in_range(mss_of(fd), 1200, 1300 - 40); /* the client has learnt it */
		finish(fd);
	}
	assert_true(figure("icmp") >= 2);
	testnet_run(lab.router, "ip link set dev t1 mtu 1500");
}

static void smaller_mtu_towards_the_client(void **state)
{
	(void)state;
	lab_register(nlb, 1);
	forget_paths();
	testnet_run(lab.router, "ip link set dev client mtu 1300");
	for (int v6 = 0; v6 < 2; v6++) {
		int target, fd = open_flow(v6, &target);
		exchange(fd, TRANSFER);
		finish(fd);
	}
	assert_true(figure("icmp") >= 2);
	testnet_run(lab.router, "ip link set dev client mtu 1500");
}

/* --- slots come back --------------------------------------------------------------------------------- */

static int start_short(void **state)
{
	json_t *config = lab_config();

	(void)state;
	json_object_update_new(config, json_pack("{s:i, s:i, s:i, s:i}", "idle_timeout_ms", 1500,
	                                         "half_open_timeout_ms", 500, "closing_ms", 500,
	                                         "time_wait_ms", 700));
	nlb = lab_start_nlb(&lab, config);
	lab_register(nlb, 7);
	return 0;
}

static void close_and_reset_free_the_slots(void **state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int target;

	(void)state;
	for (int i = 0; i < 10; i++)
		finish(open_flow(i & 1, &target));
	for (int i = 0; i < 10; i++) {
		int fd = open_flow(i & 1, &target);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	wait_for("closed", 20, 3000);
	wait_for("active", 0, 3000);
	wait_for("held", 0, 5000);
	assert_int_equal(figure("timed_out"), 0);
	assert_int_equal(figure("new"), 20);
}

static void silence_frees_the_slot_and_then_resets(void **state)
{
	int target, fd = open_flow(false, &target);
	uint8_t byte = 0;

	(void)state;
	wait_for("active", 1, 3000);
	wait_for("timed_out", 1, 6000);
	wait_for("active", 0, 3000);
	wait_for("held", 0, 3000);
	assert_int_equal(send(fd, &byte, 1, 0), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

/* --- start ------------------------------------------------------------------------------------------- */

static void without_privileges_it_says_what_is_missing(void **state)
{
	static const int caps[] = { CAP_NET_ADMIN };
	struct testnode_spec spec = { .ns = lab.nlb,
		                      .daemon = "nlb",
		                      .name = "az1.nlb",
		                      .zone = "az1",
		                      .config = lab_config(),
		                      .keep_caps = caps,
		                      .n_keep_caps = 1 };
	struct testnode *t;
	int pipes[2], saved = dup(STDERR_FILENO);
	char text[2048] = "";

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	t = testnode_launch(&spec);
	int status = testnode_stop(t);
	dup2(saved, STDERR_FILENO);
	close(pipes[1]), close(saved);
	assert_true(read(pipes[0], text, sizeof(text) - 1) > 0);
	close(pipes[0]);
	assert_int_equal(status, NODE_EXIT_SYSTEM);
	assert_non_null(strstr(text, "missing: CAP_BPF, CAP_PERFMON"));
}

static void runs_without_capabilities(void **state)
{
	char path[64], line[128];
	uint64_t effective = 1;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/status", testnode_pid(nlb));
	cleanup_fclose FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapPrm:", 7)) effective = strtoull(line + 7, NULL, 16);
	assert_int_equal(effective, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start_default, stop)
	const struct CMUnitTest tests[] = {
		T(transfers_bit_for_bit),
		T(a_target_leaves_during_a_transfer),
		T(only_healthy_targets_get_new_flows),
		T(without_a_healthy_target_all_are_used),
		T(unreachable_target),
		cmocka_unit_test_setup_teardown(target_that_refuses, start_two, stop),
		T(smaller_mtu_towards_the_target),
		T(smaller_mtu_towards_the_client),
		T(runs_without_capabilities),
		{ "transfers_via_peer", transfers_bit_for_bit, start_via_peer, stop, NULL },
		{ "smaller_mtu_via_peer", smaller_mtu_towards_the_target, start_via_peer, stop, NULL },
		cmocka_unit_test_setup_teardown(close_and_reset_free_the_slots, start_short, stop),
		cmocka_unit_test_setup_teardown(silence_frees_the_slot_and_then_resets, start_short, stop),
		cmocka_unit_test(without_privileges_it_says_what_is_missing),
	};
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, open_all, NULL);
}
