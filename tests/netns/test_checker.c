/* The health checker against real backends in a namespace: states, reports and their acknowledgements,
 * bounded concurrency. The receiver of the reports is the test itself. */
#include "common/cleanup.h"
#include "common/mono.h"
#include "proto/classes.h"
#include "proto/health.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { SERVICE = 3, ZONE = 1, SEED = 7, CAUSE = 77 };
#define RECEIVER "127.0.1.1"

static int ns;

static struct testnode *start_backend(int port, unsigned concurrency, unsigned queue, int service_ms)
{
	return testnode_start(&(struct testnode_spec){
	    .ns = ns,
	    .daemon = "backend",
	    .name = "az1.shop",
	    .zone = "az1",
	    .seed = SEED,
	    .config = json_pack("{s:i, s:i, s:i, s:i, s:s, s:i}", "port", port, "concurrency", concurrency,
	                        "queue", queue, "service_time_ms", service_ms, "distribution", "fixed",
	                        "overload_after_ms", 100),
	});
}

struct options {
	const char *protocol, *init_state;
	int interval_ms, timeout_ms, concurrency, family;
	bool report;
};

static json_t *checker_config(const struct options *o)
{
	json_t *receivers = json_array();

	if (o->report) json_array_append_new(receivers, json_string(RECEIVER));
	return json_pack("{s:i, s:i, s:o, s:[{s:i, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:i}]}",
	                 "zone_index", ZONE, "concurrency", o->concurrency, "report_to", receivers,
	                 "services", "service", SERVICE, "name", "shop", "port", 80, "protocol",
	                 o->protocol ? o->protocol : "http", "path", "/health", "interval_ms",
	                 o->interval_ms ? o->interval_ms : 50, "timeout_ms",
	                 o->timeout_ms ? o->timeout_ms : 40, "rise", 2, "fall", 2, "init_state",
	                 o->init_state ? o->init_state : "up", "family", o->family ? o->family : 4);
}

static struct testnode *start_checker(const struct options *o)
{
	static const int none;
	return testnode_start(&(struct testnode_spec){ .ns = ns,
	                                               .daemon = "health-checker",
	                                               .name = "az1.checker",
	                                               .zone = "az1",
	                                               .seed = SEED,
	                                               .config = checker_config(o),
	                                               .keep_caps = &none });
}

/* n targets, of which the i-th is 127.0.0.i; all of 127/8 is the same backend. */
static json_t *table(unsigned n)
{
	json_t *targets = json_array();

	for (unsigned i = 1; i <= n; i++) {
		char name[32], addr4[32];
		snprintf(name, sizeof(name), "az1.shop-%u", i);
		snprintf(addr4, sizeof(addr4), "127.0.0.%u", i);
		json_array_append_new(targets,
		                      json_pack("{s:i, s:s, s:s, s:s, s:i}", "id", 100 + i, "name", name,
		                                "addr4", addr4, "addr6", "::1", "cause", CAUSE));
	}
	return targets;
}

/* --- the receiver ------------------------------------------------------------------------------------ */

static int open_receiver(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT_HEALTH_REPORT) };
	int on = 1;

	inet_pton(AF_INET, RECEIVER, &at.sin_addr);
	testnet_enter(ns);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)), 0);
	return fd;
}

/* The next report, with its DSCP; false if none came in time. */
static bool receive(int fd, struct health_report *ret, int *ret_dscp, int timeout_ms)
{
	uint8_t buf[HEALTH_DATAGRAM_MAX];
	char control[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, timeout_ms) <= 0) return false;
	ssize_t n = recvmsg(fd, &msg, 0);
	assert_int_equal(health_report_decode(ret, buf, (size_t)n), 0);
	struct cmsghdr *tos = CMSG_FIRSTHDR(&msg);
	if (ret_dscp) *ret_dscp = tos && tos->cmsg_type == IP_TOS ? *CMSG_DATA(tos) >> 2 : -1;
	return true;
}

static void acknowledge(int fd, const struct health_report *report)
{
	struct health_ack ack = { report->zone, report->service, report->epoch, report->sequence,
		                  report->part };
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(PORT_HEALTH_CHECKER),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t buf[64];
	int len = health_ack_encode(&ack, buf, sizeof(buf));

	assert_int_equal(sendto(fd, buf, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

/* Acknowledges reports until one has total targets of which all or none are healthy. */
static struct health_report await_report(int fd, unsigned total, bool healthy)
{
	struct health_report report;

	for (mono_ns end = mono_now() + 5 * NS_PER_S; mono_now() < end;) {
		if (!receive(fd, &report, NULL, 2000)) break;
		acknowledge(fd, &report);
		bool all = report.total == total;
		for (unsigned i = 0; i < report.n; i++)
			all = all && report.targets[i].healthy == healthy;
		if (all) return report;
	}
	fail_msg("no report of %u targets that are %s", total, healthy ? "healthy" : "unhealthy");
	return report;
}

/* --- states ------------------------------------------------------------------------------------------ */

static void a_backend_that_dies_and_returns_is_seen_to(void **state)
{
	static const struct options cases[] = { { .protocol = "http", .family = 4 },
		                                { .protocol = "tcp", .family = 4 },
		                                { .protocol = "http", .family = 6 },
		                                { .protocol = "tcp", .family = 6 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct testnode *b = start_backend(80, 4, 8, 1), *c = start_checker(&cases[i]);
		testnode_targets(c, SERVICE, table(1));
		testnode_idle(300);
		assert_int_equal(testnode_count(c, json_pack("{s:s}", "type", "event")),
		                 0); /* control: all is well */
		testnode_kill(b);
		const json_t *down =
		    testnode_wait_event(c, "target.unhealthy", "target", "az1.shop-1", PATIENCE_MS);
		assert_non_null(down);
		const json_t *fields = json_object_get(down, "fields");
		assert_string_equal(json_string_value(json_object_get(fields, "reason")), "refused");
		assert_string_equal(json_string_value(json_object_get(fields, "service")), "shop");
		const json_t *flow = json_object_get(fields, "flow");
		const char *own = cases[i].family == 4 ? "127.0.0.1" : "::1";
		assert_string_equal(json_string_value(json_object_get(flow, "src")), own);
		assert_string_equal(json_string_value(json_object_get(flow, "dst")), own);
		assert_true(json_integer_value(json_object_get(flow, "sport")) > 0);
		assert_int_equal(json_integer_value(json_object_get(flow, "dport")), 80);
		assert_int_equal(json_integer_value(json_object_get(down, "cause")),
		                 0); /* it had been seen well */
		b = start_backend(80, 4, 8, 1);
		assert_non_null(
		    testnode_wait_event(c, "target.healthy", "target", "az1.shop-1", PATIENCE_MS));
		assert_int_equal(testnode_stop(c), 0);
		assert_int_equal(testnode_stop(b), 0);
	}
}

static void the_first_state_is_as_configured(void **state)
{
	(void)state;
	/* nobody listens: up falls, caused by the registration; down says nothing new; pending is decided */
	struct testnode *c = start_checker(&(struct options){ .init_state = "up" });
	testnode_targets(c, SERVICE, table(1));
	const json_t *down = testnode_wait_event(c, "target.unhealthy", NULL, NULL, PATIENCE_MS);
	assert_int_equal(json_integer_value(json_object_get(down, "cause")), CAUSE);
	assert_int_equal(testnode_stop(c), 0);

	c = start_checker(&(struct options){ .init_state = "down" });
	testnode_targets(c, SERVICE, table(1));
	testnode_idle(300);
	assert_int_equal(testnode_count(c, json_pack("{s:s}", "type", "event")), 0);
	assert_int_equal(testnode_stop(c), 0);

	int receiver = open_receiver();
	c = start_checker(&(struct options){ .init_state = "pending", .interval_ms = 300, .report = true });
	testnode_targets(c, SERVICE, table(1));
	await_report(receiver, 0, false); /* registered but not decided: not in the report */
	await_report(receiver, 1, false);
	assert_non_null(testnode_wait_event(c, "target.unhealthy", NULL, NULL, PATIENCE_MS));
	close(receiver);
	assert_int_equal(testnode_stop(c), 0);
}

static void overload_looks_like_illness_to_http_but_not_to_tcp(void **state)
{
	static const char *const protocols[] = { "http", "tcp" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct testnode *b = start_backend(80, 1, 64, 100);
		struct testnode *c = start_checker(&(struct options){ .protocol = protocols[i] });
		testnode_targets(c, SERVICE, table(1)); /* each check takes 100 ms of the one slot */
		testnode_idle(500);
		size_t falls = testnode_count(c, json_pack("{s:s, s:{s:s}}", "event", "target.unhealthy",
		                                           "fields", "reason", "timed out"));
		assert_int_equal(falls, strcmp(protocols[i], "http") == 0);
		assert_int_equal(testnode_stop(c), 0);
		assert_int_equal(testnode_stop(b), 0);
	}
}

static void a_target_that_left_is_checked_no_more(void **state)
{
	struct testnode *c = start_checker(&(struct options){ .interval_ms = 50 });

	(void)state;
	testnode_targets(c, SERVICE, table(3));
	assert_int_equal(
	    testnode_wait_count(c, json_pack("{s:s}", "event", "target.unhealthy"), 3, PATIENCE_MS), 3);
	testnode_targets(c, SERVICE, json_array());
	testnode_idle(1100);
	testnode_forget(c);
	const json_t *sample = testnode_wait(c, json_pack("{s:s}", "kind", "checks"), PATIENCE_MS);
	assert_int_equal(json_integer_value(json_object_get(sample, "made")), 0);
	assert_int_equal(json_array_size(json_object_get(sample, "targets")), 0);
	assert_int_equal(testnode_stop(c), 0);
}

static double checks_in_a_second(struct testnode *c)
{
	testnode_forget(c);
	testnode_wait_count(c, json_pack("{s:s}", "kind", "checks"), 1, PATIENCE_MS);
	testnode_forget(c);
	const json_t *sample = testnode_wait(c, json_pack("{s:s}", "kind", "checks"), PATIENCE_MS);
	return json_number_value(json_object_get(sample, "made"));
}

static void the_interval_turns_while_it_runs(void **state)
{
	struct testnode *b = start_backend(80, 8, 64, 1);
	struct testnode *c = start_checker(&(struct options){ .interval_ms = 200 });

	(void)state;
	testnode_targets(c, SERVICE, table(10));
	double slow = checks_in_a_second(c);
	testnode_set(c, checker_config(&(struct options){ .interval_ms = 50 }));
	double fast = checks_in_a_second(c);
	assert_true(slow >= 45 && slow <= 55);
	assert_true(fast >= 180 && fast <= 215);
	testnode_forget(c);
	const json_t *sample = testnode_wait(c, json_pack("{s:s}", "kind", "checks"), PATIENCE_MS), *target;
	size_t i;
	json_array_foreach (json_object_get(sample, "targets"), i, target)
		assert_true(json_integer_value(json_object_get(target, "passes")) >= 20);
	assert_int_equal(i, 10);
	assert_int_equal(testnode_stop(c), 0);
	assert_int_equal(testnode_stop(b), 0);
}

/* --- bounded concurrency ----------------------------------------------------------------------------- */

static void past_its_concurrency_checks_run_late(void **state)
{
	struct testnode *b = start_backend(80, 100, 100, 50);
	struct options o = { .interval_ms = 100, .timeout_ms = 1000, .concurrency = 0 };
	struct testnode *c = start_checker(&o);

	(void)state;
	testnode_targets(c, SERVICE, table(20));
	double free = checks_in_a_second(c);
	assert_true(free > 185 && free < 215); /* 20 targets, 100 ms */
	assert_int_equal(testnode_count(c, json_pack("{s:s}", "event", "check.late")), 0);
	o.concurrency = 5;
	testnode_set(c, checker_config(&o));
	assert_non_null(testnode_wait_event(c, "check.late", NULL, NULL, PATIENCE_MS));
	double bounded = checks_in_a_second(c);
	assert_true(bounded > 80 && bounded < 102); /* 20 x 50 ms / 5 slots = 200 ms */
	assert_int_equal(testnode_count(c, json_pack("{s:s}", "event", "target.unhealthy")), 0);
	assert_int_equal(testnode_stop(c), 0);
	assert_int_equal(testnode_stop(b), 0);
}

/* Checks a second of 8 targets on 2 slots after all of them died, their reports acknowledged or not. */
static double checks_beside_changes(bool acknowledged)
{
	int receiver = open_receiver();
	struct testnode *b = start_backend(80, 100, 100, 1);
	struct testnode *c = start_checker(&(struct options){ .concurrency = 2, .report = true });
	struct health_report report;

	testnode_targets(c, SERVICE, table(8));
	await_report(receiver, 8, true);
	testnode_kill(b);
	for (mono_ns end = mono_now() + 1300 * NS_PER_MS; mono_now() < end;) {
		if (receive(receiver, &report, NULL, 100) && acknowledged) acknowledge(receiver, &report);
	}
	size_t changes = testnode_count(c, json_pack("{s:s}", "event", "target.unhealthy"));
	assert_int_equal(changes, acknowledged ? 8 : 2);
	testnode_forget(c);
	const json_t *sample = testnode_wait(c, json_pack("{s:s}", "kind", "checks"), PATIENCE_MS);
	double made = json_number_value(json_object_get(sample, "made"));
	close(receiver);
	assert_int_equal(testnode_stop(c), 0);
	return made;
}

static void a_change_holds_a_slot_until_it_is_acknowledged(void **state)
{
	(void)state;
	assert_true(checks_beside_changes(true) > 140);         /* 8 targets, 50 ms */
	assert_int_equal((int)checks_beside_changes(false), 0); /* both slots wait for somebody to listen */
}

/* --- reports ----------------------------------------------------------------------------------------- */

static void reports_are_marked_numbered_and_repeated(void **state)
{
	int receiver = open_receiver(), dscp;
	struct testnode *b = start_backend(80, 8, 8, 1),
	                *c = start_checker(&(struct options){ .report = true });
	struct health_report report;
	uint32_t last = 0;

	(void)state;
	testnode_targets(c, SERVICE, table(2));
	report = await_report(receiver, 2, true);
	assert_int_equal(report.targets[0].event, CAUSE);
	last = report.sequence;
	for (int i = 0; i < 2; i++) {
		mono_ns before = mono_now();
		assert_true(receive(receiver, &report, &dscp, 1500));
		acknowledge(receiver, &report);
		assert_int_equal(dscp, DSCP_CS6);
		assert_int_equal(report.zone, ZONE);
		assert_int_equal(report.service, SERVICE);
		assert_int_equal(report.sequence, last + 1);
		assert_true(i == 0 ||
		            mono_now() - before > 900 * NS_PER_MS); /* acknowledged: once a second */
		last = report.sequence;
	}
	testnode_kill(b);
	report = await_report(receiver, 2, false);
	const json_t *event = testnode_wait_event(c, "target.unhealthy", NULL, NULL, PATIENCE_MS);
	bool known = false;
	for (int i = 0; i < 2; i++)
		known = known ||
		        report.targets[i].event == (uint64_t)json_integer_value(json_object_get(event, "id"));
	assert_true(known); /* what is on the wire names the event that made it so */
	close(receiver);
	assert_int_equal(testnode_stop(c), 0);
}

static void an_unacknowledged_change_is_sent_again(void **state)
{
	int receiver = open_receiver(), copies = 0;
	struct testnode *c = start_checker(&(struct options){ .report = true });
	struct health_report report;

	(void)state;
	testnode_targets(c, SERVICE, table(1));
	await_report(receiver, 1, false);
	testnode_targets(c, SERVICE, table(2));
	mono_ns end = mono_now() + 900 * NS_PER_MS;
	uint32_t sequence = 0;
	while (mono_now() < end) {
		if (!receive(receiver, &report, NULL, 20) || report.total != 2) continue;
		copies += sequence == report.sequence;
		sequence = report.sequence;
	}
	assert_true(copies >= 2);
	close(receiver);
	assert_int_equal(testnode_stop(c), 0);
}

static void many_targets_come_in_parts(void **state)
{
	int receiver = open_receiver();
	struct testnode *c = start_checker(&(struct options){ .interval_ms = 60000, .report = true });
	struct health_report report;
	unsigned seen = 0, parts = 0;

	(void)state;
	testnode_targets(c, SERVICE, table(200));
	while (seen < 200 && receive(receiver, &report, NULL, 2000)) {
		acknowledge(receiver, &report);
		if (report.total != 200) continue;
		assert_int_equal(report.parts, 4);
		assert_int_equal(report.part, parts++);
		seen += report.n;
	}
	assert_int_equal(seen, 200);
	close(receiver);
	assert_int_equal(testnode_stop(c), 0);
}

static void checks_are_marked_cs2(void **state)
{
	struct testnode *b = start_backend(80, 8, 8, 1);

	(void)state;
	/* anything from or to port 80 with another mark than CS2 (TOS 64) is refused: all checks still pass
	 */
	testnet_run(
	    ns, "nft 'add table inet marks; add chain inet marks in { type filter hook input priority 0; };"
	        " add rule inet marks in tcp dport 80 ip dscp != cs2 reject with tcp reset;"
	        " add rule inet marks in tcp dport 80 ip6 dscp != cs2 reject with tcp reset'");
	for (int family = 4; family <= 6; family += 2) {
		struct testnode *c =
		    start_checker(&(struct options){ .init_state = "down", .family = family });
		testnode_targets(c, SERVICE, table(1));
		assert_non_null(testnode_wait_event(c, "target.healthy", NULL, NULL, PATIENCE_MS));
		assert_int_equal(testnode_stop(c), 0);
	}
	testnet_run(ns, "nft delete table inet marks");
	assert_int_equal(testnode_stop(b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backend_that_dies_and_returns_is_seen_to),
		cmocka_unit_test(the_first_state_is_as_configured),
		cmocka_unit_test(overload_looks_like_illness_to_http_but_not_to_tcp),
		cmocka_unit_test(a_target_that_left_is_checked_no_more),
		cmocka_unit_test(the_interval_turns_while_it_runs),
		cmocka_unit_test(past_its_concurrency_checks_run_late),
		cmocka_unit_test(a_change_holds_a_slot_until_it_is_acknowledged),
		cmocka_unit_test(reports_are_marked_numbered_and_repeated),
		cmocka_unit_test(an_unacknowledged_change_is_sent_again),
		cmocka_unit_test(many_targets_come_in_parts),
		cmocka_unit_test(checks_are_marked_cs2),
	};
	ns = testnet_new();
	testnet_run(ns, "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
