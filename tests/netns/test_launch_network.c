/* The network manager's API for EC2's launches: answered when every zone's agent has acknowledged, for
 * virtual instances (nothing is installed) and real ones (the lab's own routes). */
#include "proto/classes.h"
#include "tests/netns/command.h"
#include "tests/netns/routes_fixture.h"
#include <setjmp.h>
#include <cmocka.h>

enum { TIMEOUT_MS = 30000, CAUSE = 4711 };

/* POST; what is said is the body, a blank and the status. */
static struct command post(const char *path, const char *instance, bool real)
{
	return command_start(
	    lab.region,
	    "curl -s -m 60 -w ' %%{http_code}' http://127.0.0.1:%d%s -d '{\"instance\":\"%s\","
	    "\"zone\":\"az1\",\"real\":%s,\"cause\":%d}'",
	    PORT_NETWORK_MANAGER, path, instance, real ? "true" : "false", CAUSE);
}

static void ends_with(struct command *c, const char *expected)
{
	command_end(c);
	assert_int_equal(c->status, 0);
	assert_string_equal(c->said, expected);
	command_release(c);
}

static void posted(const char *path, const char *instance, bool real, const char *expected)
{
	struct command c = post(path, instance, real);
	ends_with(&c, expected);
}

static size_t events_of(struct testnode *t, const char *event, const char *instance)
{
	return testnode_count(t, json_pack("{s:s, s:{s:s}}", "event", event, "fields", "instance", instance));
}

/* What the manager knows is asked for by a sample, which it sends each second. */
static void wait_sample(json_t *pattern)
{
	assert_non_null(testnode_wait(lab.manager, pattern, TIMEOUT_MS));
}

static void a_virtual_instance_is_acknowledged_and_installs_nothing(void **state)
{
	(void)state;
	posted("/attach", "i-00000000000000001", false,
	       "{\"instance\":\"i-00000000000000001\",\"zone\":\"az1\",\"addr4\":\"\"} 200");
	for (int i = 0; i < ZONES; i++) {
		cleanup_free char *routes = dump_routes(lab.router[i]);
		assert_string_equal(routes, "");
		assert_int_equal(events_of(lab.agent[i], "route.installed", "i-00000000000000001"), 0);
	}
	const json_t *connected = testnode_wait_event(lab.manager, "instance.connected", "instance",
	                                              "i-00000000000000001", TIMEOUT_MS);
	assert_non_null(connected);
	assert_int_equal(events_of(lab.manager, "route.sent", "i-00000000000000001"), ZONES);
	/* the last agent's acknowledgement names what it acknowledged, and that names what led to it */
	const json_t *sent = testnode_wait(
	    lab.manager,
	    json_pack("{s:s, s:O}", "event", "route.sent", "id", json_object_get(connected, "cause")),
	    TIMEOUT_MS);
	assert_non_null(sent);
	assert_int_equal(json_integer_value(json_object_get(sent, "cause")), CAUSE);
}

static void a_repeated_attach_is_answered_at_once_and_costs_nothing(void **state)
{
	(void)state;
	posted("/attach", "i-00000000000000002", false,
	       "{\"instance\":\"i-00000000000000002\",\"zone\":\"az1\",\"addr4\":\"\"} 200");
	posted("/attach", "i-00000000000000002", false,
	       "{\"instance\":\"i-00000000000000002\",\"zone\":\"az1\",\"addr4\":\"\"} 200");
	wait_sample(json_pack("{s:s, s:i}", "kind", "routes", "queued", 0));
	assert_int_equal(events_of(lab.manager, "route.sent", "i-00000000000000002"), ZONES);
}

static void nobody_is_answered_before_every_agent_has_acknowledged(void **state)
{
	(void)state;
	testnet_run(lab.router[2],
	            "nft 'add table inet t; add chain inet t in { type filter hook input "
	            "priority 0; }; add rule inet t in udp dport %d drop'",
	            PORT_ROUTE_AGENT);
	struct command waiting = post("/attach", "i-00000000000000003", false);
	assert_non_null(testnode_wait(lab.manager,
	                              json_pack("{s:s, s:{s:s, s:s, s:i}}", "event", "route.resent", "fields",
	                                        "instance", "i-00000000000000003", "to", "az3", "attempt", 3),
	                              TIMEOUT_MS));
	assert_int_equal(events_of(lab.manager, "instance.connected", "i-00000000000000003"), 0);
	assert_int_equal(
	    testnode_count(lab.manager, json_pack("{s:s, s:{s:s, s:s}}", "event", "route.resent", "fields",
	                                          "instance", "i-00000000000000003", "to", "az1")),
	    0);
	testnet_run(lab.router[2], "nft delete table inet t");
	ends_with(&waiting, "{\"instance\":\"i-00000000000000003\",\"zone\":\"az1\",\"addr4\":\"\"} 200");
}

static void a_detach_ends_the_wait_for_an_attach(void **state)
{
	(void)state;
	testnet_run(lab.router[0],
	            "nft 'add table inet t; add chain inet t in { type filter hook input "
	            "priority 0; }; add rule inet t in udp dport %d drop'",
	            PORT_ROUTE_AGENT);
	struct command waiting = post("/attach", "i-00000000000000004", false);
	assert_non_null(
	    testnode_wait_event(lab.manager, "route.sent", "instance", "i-00000000000000004", TIMEOUT_MS));
	posted("/detach", "i-00000000000000004", false, "{\"instance\":\"i-00000000000000004\"} 200");
	ends_with(&waiting, "{\"error\":\"detached\"} 409");
	testnet_run(lab.router[0], "nft delete table inet t");
	wait_sample(json_pack("{s:s, s:i, s:i}", "kind", "routes", "queued", 0, "unacknowledged", 0));
	/* all have acknowledged the detachment, and the manager has forgotten the instance: it begins anew */
	posted("/attach", "i-00000000000000004", false,
	       "{\"instance\":\"i-00000000000000004\",\"zone\":\"az1\",\"addr4\":\"\"} 200");
}

static void a_real_instance_waits_for_its_node(void **state)
{
	struct command waiting = post("/attach", "i-00000000000000005", true);

	(void)state;
	/* it has been taken in once a connection behind it is answered */
	testnet_run(lab.region,
	            "timeout 30 sh -c 'until ss -Htn state established sport = :%d | grep -q .; "
	            "do sleep 0.05; done'",
	            PORT_NETWORK_MANAGER);
	posted("/detach", "i-00000000000000005", true, "{\"instance\":\"i-00000000000000005\"} 200");
	testnode_send(lab.manager,
	              json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:I, s:s}", "type", "attach",
	                        "instance", "az1.shop-9", "id", 9, "generation", 1, "zone", "az1", "ifname",
	                        "shop", "addr4", "10.1.0.9", "addr6", "fd00:a21a:b:1::9", "cause",
	                        (json_int_t)CAUSE, "ec2", "i-00000000000000005"));
	ends_with(&waiting,
	          "{\"instance\":\"i-00000000000000005\",\"zone\":\"az1\",\"addr4\":\"10.1.0.9\"} 200");
	assert_non_null(
	    testnode_wait_event(lab.agent[0], "route.installed", "instance", "az1.shop-9", TIMEOUT_MS));
	posted("/attach", "i-00000000000000005", true,
	       "{\"instance\":\"i-00000000000000005\",\"zone\":\"az1\",\"addr4\":\"10.1.0.9\"} 200");
}

static void launches_share_the_backlog_with_everything_else(void **state)
{
	(void)state;
	testnode_set(lab.manager,
	             json_pack("{s:i, s:i, s:i}", "workers", 1, "update_time_ms", 50, "retransmit_ms", 1000));
	for (int host = 100; host < 120; host++)
		send_change(&lab, "attach", 1, host, 1, "shop", CAUSE);
	assert_non_null(
	    testnode_wait_event(lab.manager, "route.sent", "instance", "az2.shop-100", TIMEOUT_MS));
	struct command launch = post("/attach", "i-00000000000000006", false);
	ends_with(&launch, "{\"instance\":\"i-00000000000000006\",\"zone\":\"az1\",\"addr4\":\"\"} 200");
	/* 60 messages of 50 ms were before it */
	assert_int_equal(
	    testnode_count(lab.manager, json_pack("{s:s, s:{s:s}}", "event", "instance.connected", "fields",
	                                          "zone", "az2")),
	    20);
	testnode_set(lab.manager,
	             json_pack("{s:i, s:i, s:i}", "workers", 2, "update_time_ms", 1, "retransmit_ms", 50));
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	posted("/attach", "", false, "{\"error\":\"instance and zone are names\"} 400");
	posted("/elsewhere", "i-00000000000000007", false,
	       "{\"error\":\"there are /attach and /detach\"} 404");
	struct command c = command_start(lab.region, "curl -s -m 60 http://127.0.0.1:%d/attach -d nonsense",
	                                 PORT_NETWORK_MANAGER);
	ends_with(&c, "{\"error\":\"not JSON\"}");
	c = command_start(lab.region, "curl -s -m 60 http://127.0.0.1:%d/attach", PORT_NETWORK_MANAGER);
	ends_with(&c, "{\"error\":\"POST only\"}");
}

#define launch_test(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		launch_test(a_virtual_instance_is_acknowledged_and_installs_nothing),
		launch_test(a_repeated_attach_is_answered_at_once_and_costs_nothing),
		launch_test(nobody_is_answered_before_every_agent_has_acknowledged),
		launch_test(a_detach_ends_the_wait_for_an_attach),
		launch_test(a_real_instance_waits_for_its_node),
		launch_test(launches_share_the_backlog_with_everything_else),
		launch_test(nonsense_is_refused),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
