/* The network manager and three agents against real kernels' routing tables. */
#include "common/node.h"
#include "proto/classes.h"
#include "proto/route.h"
#include "tests/netns/routes_fixture.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <cmocka.h>

enum { TIMEOUT_MS = 10000, CAUSE = 4711 };

static void has_route(int router, int zone, int host, bool expected)
{
	char lines[512];
	cleanup_free char *dump = dump_routes(lab.router[router]);

	expect_host(lines, 0, router, zone, host, "shop");
	for (char *save, *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!!strstr(dump, line) != expected)
			fail_msg("az%d: '%s' is %s in:\n%s", router + 1, line, expected ? "missing" : "still",
			         dump);
	}
}

static json_int_t event_member(const json_t *event, const char *key)
{
	assert_non_null(event);
	return json_integer_value(json_object_get(event, key));
}

static void wait_connected(const char *instance)
{
	assert_non_null(
	    testnode_wait_event(lab.manager, "instance.connected", "instance", instance, TIMEOUT_MS));
}

static size_t count_sent(const char *event, const char *instance, const char *to)
{
	return testnode_count(lab.manager, json_pack("{s:s, s:{s:s, s:s}}", "event", event, "fields",
	                                             "instance", instance, "to", to));
}

/* --- reaching an instance ---------------------------------------------------------------------------- */

/* The errno of a connection to a port that nobody listens on: ECONNREFUSED if the host is reached. */
static int connect_error(int ns, const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	bool is4 = inet_pton(AF_INET, text, &v4.sin_addr) == 1;
	struct sockaddr *to = is4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;

	if (!is4) assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	testnet_enter(ns);
	cleanup_close int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	testnet_enter(testnet_home());
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ .tv_sec = 2 }, sizeof(struct timeval));
	return connect(fd, to, is4 ? sizeof(v4) : sizeof(v6)) < 0 ? errno : 0;
}

static void an_attached_instance_is_reached_from_every_zone(void **state)
{
	(void)state;
	testnet_run(
	    lab.hosts[0],
	    "ip address add 10.1.0.10/32 dev eth0; ip address add fd00:a21a:b:1::a/128 dev eth0 nodad");
	testnet_run(
	    lab.hosts[1],
	    "ip address add 10.2.0.11/32 dev eth0; ip address add fd00:a21a:b:2::b/128 dev eth0 nodad");
	assert_int_equal(connect_error(lab.region, "10.1.0.10"), EHOSTUNREACH);
	assert_int_equal(connect_error(lab.region, "fd00:a21a:b:1::a"), ENETUNREACH);
	send_change(&lab, "attach", 0, 10, 1, "shop", CAUSE);
	send_change(&lab, "attach", 1, 11, 1, "shop", CAUSE);
	wait_connected("az1.shop-10");
	wait_connected("az2.shop-11");
	for (int router = 0; router < ZONES; router++)
		has_route(router, 0, 10, true);
	assert_int_equal(connect_error(lab.region, "10.1.0.10"), ECONNREFUSED);
	assert_int_equal(connect_error(lab.region, "fd00:a21a:b:1::a"), ECONNREFUSED);
	assert_int_equal(connect_error(lab.hosts[1], "10.1.0.10"), ECONNREFUSED);
	assert_int_equal(connect_error(lab.hosts[1], "fd00:a21a:b:1::a"), ECONNREFUSED);
	send_change(&lab, "detach", 0, 10, 2, "shop", CAUSE);
	for (int i = 0; i < ZONES; i++)
		assert_non_null(testnode_wait_event(lab.agent[i], "route.removed", "instance", "az1.shop-10",
		                                    TIMEOUT_MS));
	for (int router = 0; router < ZONES; router++) {
		has_route(router, 0, 10, false);
		has_route(router, 1, 11, true);
	}
	assert_int_equal(connect_error(lab.hosts[1], "10.1.0.10"), EHOSTUNREACH);
}

/* --- causes, retransmission, order ------------------------------------------------------------------- */

static void each_event_names_its_cause(void **state)
{
	bool last = false;

	(void)state;
	send_change(&lab, "attach", 1, 20, 1, "shop", CAUSE);
	const json_t *connected =
	    testnode_wait_event(lab.manager, "instance.connected", "instance", "az2.shop-20", TIMEOUT_MS);
	assert_non_null(connected);
	for (int i = 0; i < ZONES; i++) {
		const json_t *sent =
		    testnode_wait_event(lab.manager, "route.sent", "to", zone_names[i], TIMEOUT_MS);
		const json_t *installed = testnode_wait_event(lab.agent[i], "route.installed", "instance",
		                                              "az2.shop-20", TIMEOUT_MS);
		assert_true(event_member(sent, "cause") == CAUSE);
		assert_true(event_member(installed, "cause") == event_member(sent, "id"));
		assert_true(event_member(sent, "id") != 0);
		last |= event_member(connected, "cause") == event_member(installed, "id");
	}
	assert_true(last);
}

static void lost_updates_are_sent_again_and_to_that_zone_only(void **state)
{
	(void)state;
	testnet_run(
	    lab.router[0],
	    "nft 'table inet t { chain c { type filter hook input priority 0; udp dport %d drop; }; }'",
	    PORT_ROUTE_AGENT);
	send_change(&lab, "attach", 2, 30, 1, "shop", CAUSE);
	for (int i = 1; i < ZONES; i++)
		assert_non_null(testnode_wait_event(lab.agent[i], "route.installed", "instance",
		                                    "az3.shop-30", TIMEOUT_MS));
	const json_t *third = testnode_wait(
	    lab.manager,
	    json_pack("{s:s, s:{s:s, s:i}}", "event", "route.resent", "fields", "to", "az1", "attempt", 3),
	    TIMEOUT_MS);
	const json_t *sent = testnode_wait(
	    lab.manager,
	    json_pack("{s:s, s:{s:s, s:i}}", "event", "route.sent", "fields", "to", "az1", "attempt", 1),
	    TIMEOUT_MS);
	assert_true(event_member(third, "cause") == event_member(sent, "id"));
	/* 50 ms and then 100 ms after the first sending, which is neither sooner nor much later */
	json_int_t after = event_member(third, "at_ns") - event_member(sent, "at_ns");
	assert_in_range(after, 150 * NS_PER_MS, 1000 * NS_PER_MS);
	has_route(0, 2, 30, false);
	has_route(1, 2, 30, true);
	testnet_run(lab.router[0], "nft delete table inet t");
	wait_connected("az3.shop-30");
	has_route(0, 2, 30, true);
	assert_int_equal(count_sent("route.resent", "az3.shop-30", "az2"), 0);
	assert_int_equal(count_sent("route.sent", "az3.shop-30", "az1"), 1);
}

/* Sends an update past the manager and returns the agent's answer and its mark. */
static int ask_agent(int ns, const struct route_update *u, struct route_ack *ret, int *ret_tos)
{
	uint8_t datagram[ROUTE_DATAGRAM_MAX];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT_ROUTE_AGENT) };
	int len = route_update_encode(u, datagram, sizeof(datagram)), on = 1;
	char control[64];
	struct iovec iov = { .iov_base = datagram, .iov_len = sizeof(datagram) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	inet_pton(AF_INET, agent_addresses[0], &to.sin_addr);
	testnet_enter(ns);
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM, 0);
	testnet_enter(testnet_home());
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	if (sendto(fd, datagram, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to)) != len) return -errno;
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, TIMEOUT_MS) != 1) return -ETIMEDOUT;
	ssize_t got = recvmsg(fd, &msg, 0);
	if (got < 0) return -errno;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	*ret_tos = c && c->cmsg_type == IP_TOS ? *CMSG_DATA(c) : -1;
	return route_ack_decode(ret, datagram, (size_t)got);
}

static void an_overtaken_update_is_acknowledged_and_does_nothing(void **state)
{
	struct route_update old = { .action = ROUTE_ATTACH,
		                    .generation = 1,
		                    .instance = "az1.shop-40",
		                    .zone = "az1",
		                    .ifname = "shop" };
	struct route_ack ack;
	int tos;

	(void)state;
	inet_pton(AF_INET, "10.1.0.40", &old.address.v4);
	inet_pton(AF_INET6, "fd00:a21a:b:1::28", &old.address.v6);
	send_change(&lab, "attach", 0, 40, 1, "shop", CAUSE);
	wait_connected("az1.shop-40");
	send_change(&lab, "detach", 0, 40, 2, "shop", CAUSE);
	assert_non_null(
	    testnode_wait_event(lab.agent[0], "route.removed", "instance", "az1.shop-40", TIMEOUT_MS));
	assert_int_equal(ask_agent(lab.region, &old, &ack, &tos), 0);
	assert_int_equal(ack.generation, 1);
	assert_true(ack.event == 0);
	assert_string_equal(ack.zone, "az1");
	assert_int_equal(tos, TOS_OF_DSCP(DSCP_CS6));
	has_route(0, 0, 40, false);
	assert_int_equal(testnode_count(lab.agent[0], json_pack("{s:s}", "event", "route.installed")), 1);
}

/* --- links and routes that come and go --------------------------------------------------------------- */

static void an_update_before_its_link_is_retried(void **state)
{
	(void)state;
	send_change(&lab, "attach", 0, 50, 1, "late", CAUSE);
	assert_non_null(testnode_wait(
	    lab.manager,
	    json_pack("{s:s, s:{s:s, s:i}}", "event", "route.resent", "fields", "to", "az1", "attempt", 2),
	    TIMEOUT_MS));
	has_route(1, 0, 50, true);
	assert_int_equal(testnode_count(lab.agent[0], json_pack("{s:s}", "event", "route.installed")), 0);
	testnet_link(lab.router[0], "late", lab.hosts[0], "late");
	wait_connected("az1.shop-50");
	testnet_run(lab.router[0], "ip route show proto 97 | grep -q '^10.1.0.50 dev late scope link'");
	testnet_run(lab.router[0], "ip -6 route show proto 97 | grep -q '^fd00:a21a:b:1::32 dev late '");
}

static void a_route_that_is_gone_already_is_removed(void **state)
{
	(void)state;
	testnet_link(lab.router[1], "brief", lab.hosts[1], "brief");
	send_change(&lab, "attach", 1, 60, 1, "brief", CAUSE);
	wait_connected("az2.shop-60");
	testnet_run(lab.router[1], "ip link delete brief"); /* and the kernel takes its routes along */
	send_change(&lab, "detach", 1, 60, 2, "brief", CAUSE);
	for (int i = 0; i < ZONES; i++)
		assert_non_null(testnode_wait_event(lab.agent[i], "route.removed", "instance", "az2.shop-60",
		                                    TIMEOUT_MS));
	has_route(0, 1, 60, false);
	send_change(&lab, "detach", 1, 61, 1, "brief", CAUSE); /* never attached at all */
	for (int i = 0; i < ZONES; i++)
		assert_non_null(testnode_wait_event(lab.agent[i], "route.removed", "instance", "az2.shop-61",
		                                    TIMEOUT_MS));
}

static void a_restarted_agent_is_told_everything_again(void **state)
{
	(void)state;
	for (int host = 70; host < 75; host++)
		send_change(&lab, "attach", 0, host, 1, "shop", CAUSE);
	send_change(&lab, "attach", 0, 75, 1, "shop", CAUSE);
	wait_connected("az1.shop-75");
	wait_connected("az1.shop-70");
	assert_int_equal(testnode_kill(lab.agent[1]), 128 + 9);
	send_change(&lab, "detach", 0, 75, 2, "shop", CAUSE);
	testnet_run(lab.router[1], "ip route flush proto 97 && ip -6 route flush proto 97");
	testnet_run(lab.router[1], "ip route add 10.1.0.75 via 169.254.0.1 dev backbone onlink proto 97");
	lab.agent[1] = start_agent(&lab, 1, "10.0.0.2");
	assert_non_null(
	    testnode_wait_event(lab.agent[1], "route.removed", "instance", "az1.shop-75", TIMEOUT_MS));
	for (int host = 70; host < 75; host++) {
		char name[32];
		snprintf(name, sizeof(name), "az1.shop-%d", host);
		assert_non_null(
		    testnode_wait_event(lab.agent[1], "route.installed", "instance", name, TIMEOUT_MS));
		has_route(1, 0, host, true);
	}
	has_route(1, 0, 75, false);
}

/* --- privileges, bad input --------------------------------------------------------------------------- */

static unsigned long long effective_capabilities(pid_t pid)
{
	char path[64], line[256];
	unsigned long long caps = ~0ULL;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	return caps;
}

static void an_agent_can_change_the_network_and_nothing_else(void **state)
{
	int ns = testnet_new();
	struct testnode *as_root = testnode_start(
	    &(struct testnode_spec){ .ns = ns, .daemon = "network-agent", .name = "az9", .zone = "az9" });

	(void)state;
	assert_int_equal(effective_capabilities(testnode_pid(as_root)), 1ULL << CAP_NET_ADMIN);
	assert_int_equal(effective_capabilities(testnode_pid(lab.agent[0])), 1ULL << CAP_NET_ADMIN);
	assert_int_equal(effective_capabilities(testnode_pid(lab.manager)), 0);
	assert_int_equal(testnode_stop(as_root), 0);
	close(ns);
}

static void nonsense_is_refused_and_disturbs_nothing(void **state)
{
	(void)state;
	testnode_send(lab.manager, json_pack("{s:s, s:s}", "type", "attach", "instance", "az1.shop-80"));
	send_change(&lab, "attach", 0, 80, 0, "shop", CAUSE); /* generations begin at 1 */
	testnode_set(lab.manager, json_pack("{s:i}", "workers", 0));
	testnet_run(lab.region, "bash -c 'echo nonsense >/dev/udp/10.1.0.1/%d'", PORT_ROUTE_AGENT);
	send_change(&lab, "attach", 0, 81, 1, "shop", CAUSE);
	wait_connected("az1.shop-81");
	assert_int_equal(count_sent("route.sent", "az1.shop-80", "az1"), 0);
}

static void bad_configurations_end_the_program(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"agents\": [{\"zone\": \"az1\", \"address\": \"nowhere\"}]}",
		"{\"agents\": [{\"address\": \"10.1.0.1\"}]}",
		"{\"agents\": [{\"zone\": \"az1\", \"address\": \"10.1.0.1\"}], \"workers\": 0}",
		"{\"agents\": [{\"zone\": \"az1\", \"address\": \"10.1.0.1\"}], \"retransmit_ms\": 0}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct testnode *t =
		    testnode_launch(&(struct testnode_spec){ .ns = lab.core, /* where the port is free */
		                                             .daemon = "network-manager",
		                                             .name = "m",
		                                             .zone = "region",
		                                             .config = json_loads(bad[i], 0, NULL) });
		assert_null(testnode_wait(t, json_pack("{s:s}", "kind", "ready"), TIMEOUT_MS));
		assert_int_equal(testnode_stop(t), NODE_EXIT_SYSTEM);
	}
}

static void samples_tell_the_backlog(void **state)
{
	(void)state;
	testnode_set(lab.manager,
	             json_pack("{s:i, s:i, s:i}", "workers", 1, "update_time_ms", 50, "retransmit_ms", 1000));
	for (int host = 100; host < 110; host++)
		send_change(&lab, "attach", 2, host, 1, "shop", CAUSE);
	/* 30 messages of 50 ms are 1.5 s of work: a sample falls into them, and one after them */
	wait_connected("az3.shop-109");
	const json_t *messages = testnode_messages(lab.manager), *message;
	size_t i, backlogs = 0;
	json_array_foreach (messages, i, message) {
		backlogs += strcmp(node_string(message, "kind", ""), "routes") == 0 &&
		            node_number(message, "queued", 0) > 0;
	}
	assert_true(backlogs > 0);
	testnode_forget(lab.manager);
	const json_t *sample = testnode_wait(
	    lab.manager, json_pack("{s:s, s:i, s:i}", "kind", "routes", "queued", 0, "unacknowledged", 0),
	    TIMEOUT_MS);
	assert_true(event_member(sample, "sent") >= 30);
}

#define routes_test(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		routes_test(an_attached_instance_is_reached_from_every_zone),
		routes_test(each_event_names_its_cause),
		routes_test(lost_updates_are_sent_again_and_to_that_zone_only),
		routes_test(an_overtaken_update_is_acknowledged_and_does_nothing),
		routes_test(an_update_before_its_link_is_retried),
		routes_test(a_route_that_is_gone_already_is_removed),
		routes_test(a_restarted_agent_is_told_everything_again),
		routes_test(an_agent_can_change_the_network_and_nothing_else),
		routes_test(nonsense_is_refused_and_disturbs_nothing),
		routes_test(bad_configurations_end_the_program),
		routes_test(samples_tell_the_backlog),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
