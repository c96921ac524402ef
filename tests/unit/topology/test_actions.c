/* Commands as words, checked against a topology. */
#include "tests/unit/topology/load.h"
#include "orchestrator/topology/actions.h"
#include "common/cleanup.h"

static const char one_service[] =
    MINIMAL "clients: [{rate: 1/s}]\nfaults: {slow: {delay: 1s}, lossy: {drop: 5%}}\n";
static const char two_services[] = "zones: [az1, az2]\nservices: {shop: , api: }\n";

static void words_and_quotes(void **state)
{
	struct action_words w;
	char error[256];

	(void)state;
	assert_int_equal(action_split("  exec  az1.nlb -- sh -c 'echo \"a  b\"' c\\ d \"\" x'y'z ", &w, error,
	                              sizeof(error)),
	                 0);
	assert_int_equal(w.argc, 9);
	assert_string_equal(w.argv[0], "exec");
	assert_string_equal(w.argv[5], "echo \"a  b\"");
	assert_string_equal(w.argv[6], "c d");
	assert_string_equal(w.argv[7], "");
	assert_string_equal(w.argv[8], "xyz");
	assert_null(w.argv[9]);
	assert_int_equal(action_split(" \t", &w, error, sizeof(error)), 0);
	assert_int_equal(w.argc, 0);
	assert_int_equal(action_split("a 'b", &w, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "a quote that never closes");
}

static void a_line_has_limits(void **state)
{
	struct action_words w;
	char error[256], line[ACTION_LINE_MAX + 1];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[ACTION_LINE_MAX] = 0;
	assert_int_equal(action_split(line, &w, error, sizeof(error)), -EINVAL);
	line[ACTION_LINE_MAX - 1] = 0;
	assert_int_equal(action_split(line, &w, error, sizeof(error)), 0);
	assert_int_equal(strlen(w.argv[0]), ACTION_LINE_MAX - 1);
	for (size_t i = 0; i < 2 * ACTION_WORDS_MAX + 1; i++)
		line[i] = i % 2 ? ' ' : 'x';
	line[2 * ACTION_WORDS_MAX] = 0;
	assert_int_equal(action_split(line, &w, error, sizeof(error)), 0);
	assert_int_equal(w.argc, ACTION_WORDS_MAX);
	line[2 * ACTION_WORDS_MAX] = 'x';
	line[2 * ACTION_WORDS_MAX + 1] = 0;
	assert_int_equal(action_split(line, &w, error, sizeof(error)), -EINVAL);
}

static void good_lines_pass(void **state)
{
	static const char *const good[] = {
		"fault list",
		"fault on slow",
		"fault off lossy",
		"fault set slow delay=2s jitter=1ms",
		"fault set slow on_for=1s off_for=2s",
		"failover status",
		"failover rate-limit on",
		"failover enable",
		"failover disable",
		"failover policy velocity,hold-down max_removed=40% half_life=30s",
		"failover policy disabled",
		"instance launch az1",
		"instance launch shop az1",
		"instance replace shop az2 2",
		"instance replace az2 2",
		"instance terminate az1.shop-12",
		"instance kill az1.checker",
		"instance pause region.az-failover",
		"instance resume internet.client-1",
		"set clients.0.rate=288/s",
		"set services.shop.targets.queue=1",
		"set clients.0.rate=1/s clients.0.retries=2",
		"exec az1 -- ip route",
		"exec backbone -- true",
	};
	struct loaded l = load_well(one_service);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char error[1024];
		if (action_check(l.t, good[i], error, sizeof(error)) < 0)
			fail_msg("'%s' refused: %s", good[i], error);
	}
	unload(&l);
}

static void bad_lines_say_what_was_expected(void **state)
{
	static const struct {
		const char *line, *message;
	} bad[] = {
		{ "", "expected a command: fault, failover, instance, set, exec, dns, ec2, dwfm" },
		{ "falt on slow", "unknown command 'falt', did you mean 'fault'? (there are: fault, "
		                  "failover, instance, set, exec, dns, ec2, dwfm)" },
		{ "fault", "expected a fault command: list, on, off, set" },
		{ "fault on", "expected: fault on NAME" },
		{ "fault on slow lossy", "expected: fault on NAME" },
		{ "fault on slw", "no fault 'slw', did you mean 'slow'?" },
		{ "fault set slow", "expected: fault set NAME key=value..." },
		{ "fault set slow delay", "expected: fault set NAME key=value..." },
		{ "fault set slow delay=x",
		  "faults.slow.delay=x: delay: expected a duration such as 250ms or 30s from 0s "
		  "to 600s, found 'x'" },
		{ "fault set slow on_for=1s",
		  "faults.slow.on_for=1s: a duty cycle needs both on_for and off_for" },
		{ "failover rate-limit", "expected: failover rate-limit on|off" },
		{ "failover rate-limit 5", "expected: failover rate-limit on|off" },
		{ "failover policy", "expected: failover policy STAGE[,STAGE...] [key=value...]" },
		{ "failover policy velocty", "unknown stage 'velocty'" },
		{ "failover policy velocity half_life=1s",
		  "no stage of this policy has a parameter 'half_life'" },
		{ "failover policy velocity max_removed=2",
		  "max_removed: expected a share such as 50% or 0.5 from 0% to "
		  "100%, found '2'" },
		{ "instance launch", "expected: instance launch|replace [SERVICE] ZONE [N]" },
		{ "instance launch shop", "no zone 'shop'" },
		{ "instance launch az3", "no zone 'az3'" },
		{ "instance launch shop az1 0", "expected 1 to 1000 instances, found '0'" },
		{ "instance launch stop az1 1", "no service 'stop' or no zone 'az1'" },
		{ "instance terminate az1.checker",
		  "expected an instance such as az1.shop-1, found 'az1.checker'" },
		{ "instance kill az1", "expected a node such as az1.shop-1, found 'az1'" },
		{ "instance kill az1.shop-01", "expected a node such as az1.shop-1, found 'az1.shop-01'" },
		{ "set clients.0.rate", "expected: set PATH=VALUE..., such as set clients.0.rate=288/s" },
		{ "set clients.3.rate=1/s",
		  "clients.3.rate=1/s: no element '3' in a list of 1 (the first is 0)" },
		{ "exec az1 ip route", "expected: exec NODE -- COMMAND..." },
		{ "exec az9 -- true", "no node 'az9'" },
		{ "dns repair", "this topology has no dns_automation, so no planner and no enactors" },
	};
	struct loaded l = load_well(one_service);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char error[1024] = "";
		int r = action_check(l.t, bad[i].line, error, sizeof(error));
		if (r != -EINVAL || strcmp(error, bad[i].message)) {
			fail_msg("'%s'\n  expected %s\n  got %d %s", bad[i].line, bad[i].message, r, error);
		}
	}
	unload(&l);
}

static void commands_to_a_dns_automation(void **state)
{
	static const char *const good[] = { "dns status",
		                            "dns plans",
		                            "dns history",
		                            "dns repair",
		                            "dns repair enactor az2",
		                            "dns pin 17",
		                            "dns unpin",
		                            "dns planner pause",
		                            "dns planner resume",
		                            "dns enactor az1 pause",
		                            "dns freeze",
		                            "dns unfreeze",
		                            "set dns_automation.freshness=compare-and-set",
		                            "exec az1.dns-enactor -- true" };
	static const struct {
		const char *line, *message;
	} bad[] = {
		{ "dns", "expected a dns command: status, plans, history, repair, break, pin, unpin, "
		         "planner, enactor, "
		         "freeze, unfreeze" },
		{ "dns repair az1", "expected: dns repair [enactor ZONE]" },
		{ "dns repair enactor az9", "no zone 'az9'" },
		{ "dns pin", "expected: dns pin PLAN" },
		{ "dns pin x", "expected a plan's number, found 'x'" },
		{ "dns pin 0", "expected a plan's number, found '0'" },
		{ "dns planner stop", "expected: dns planner pause|resume" },
		{ "dns enactor az1", "expected: dns enactor ZONE pause|resume" },
		{ "dns enactor az9 pause", "no zone 'az9'" },
		{ "dns freeze az1", "expected: dns freeze" },
	};
	struct loaded l = load_well(MINIMAL "dns_automation: {service: shop}\n");
	char error[1024] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (action_check(l.t, good[i], error, sizeof(error)) < 0)
			fail_msg("'%s' refused: %s", good[i], error);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(action_check(l.t, bad[i].line, error, sizeof(error)), -EINVAL);
		assert_string_equal(error, bad[i].message);
	}
	unload(&l);
}

static void launches_are_taken_apart(void **state)
{
	struct loaded one = load_well(one_service), two = load_well(two_services);
	struct action_launch launch;
	char error[256];

	(void)state;
	assert_int_equal(action_launch(one.t, 2, (char *[]){ "az2", "7" }, &launch, error, sizeof(error)), 0);
	assert_true(launch.service == 0 && launch.zone == 1 && launch.n == 7);
	assert_int_equal(action_launch(two.t, 2, (char *[]){ "api", "az1" }, &launch, error, sizeof(error)),
	                 0);
	assert_true(launch.service == 1 && launch.zone == 0 && launch.n == 1);
	assert_int_equal(action_launch(two.t, 1, (char *[]){ "az1" }, &launch, error, sizeof(error)),
	                 -EINVAL);
	assert_string_equal(error, "which service? expected: instance launch|replace [SERVICE] ZONE [N]");
	unload(&one);
	unload(&two);
}

static void policies_give_their_stages(void **state)
{
	struct stage_config stages[TOPOLOGY_STAGES_MAX];
	size_t n;
	char error[256];

	(void)state;
	assert_int_equal(
	    action_policy(2, (char *[]){ "velocity,disabled", "per=5s" }, stages, &n, error, sizeof(error)),
	    0);
	assert_int_equal(n, 2);
	assert_string_equal(stages[0].type->name, "velocity");
	assert_true(stages[0].params[0] == 0.34 && stages[0].params[1] == 5e9);
	assert_string_equal(stages[1].type->name, "disabled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_quotes),
		cmocka_unit_test(a_line_has_limits),
		cmocka_unit_test(good_lines_pass),
		cmocka_unit_test(bad_lines_say_what_was_expected),
		cmocka_unit_test(commands_to_a_dns_automation),
		cmocka_unit_test(launches_are_taken_apart),
		cmocka_unit_test(policies_give_their_stages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
