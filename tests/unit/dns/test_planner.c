/* When the planner makes a plan, and which: reports and the clock are the test's. */
#include "dns-planner/planner.h"
#include "common/cleanup.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define T0 (1000 * NS_PER_S)
#define INTERVAL (NS_PER_S / 2)

static struct dns_endpoint endpoint = { "dynamodb", DNS_ANY };
static struct planner_source sources[3];
static struct planner_config config;
static struct planner planner;

static int set_up(void **state)
{
	(void)state;
	config = (struct planner_config){ .service = "dynamodb",
		                          .zone = "us-east-1.lab",
		                          .ttl_s = 2,
		                          .n_endpoints = 1,
		                          .n_sources = 3,
		                          .endpoints = &endpoint,
		                          .sources = sources,
		                          .interval = INTERVAL,
		                          .slow_interval = 10 * INTERVAL };
	for (unsigned i = 0; i < 3; i++) {
		sources[i] = (struct planner_source){ .capacity = 4, .count = 1 };
		snprintf(sources[i].name, sizeof(sources[i].name), "az%u", i + 1);
		sources[i].addr4.s_addr = htonl(0x0a000001 | i << 16);
		sources[i].addr6.s6_addr[0] = 0xfd;
		sources[i].addr6.s6_addr[15] = (uint8_t)i;
	}
	planner_init(&planner, &config, 1, NULL);
	return 0;
}

static void report(unsigned source, unsigned healthy, uint64_t cause)
{
	struct health_count h = { .healthy = healthy, .of = 3, .cause = cause };

	planner_report(&planner, source, &h);
}

static void all_well(void)
{
	for (unsigned i = 0; i < 3; i++)
		report(i, 3, 10 + i);
}

/* The plan that is due now, as "az1=12 az2=12"; it is taken to be stored. */
static const char *plan_at(mono_ns now, enum dns_plan_kind *kind, uint64_t *cause)
{
	static char text[1024];
	struct dns_plan plan;
	size_t used = 0;

	assert_true(planner_due(&planner) <= now);
	assert_int_equal(planner_fill(&planner, 7, 1790000000000, &plan, cause), 0);
	*kind = plan.kind;
	text[0] = '\0';
	for (size_t i = 0; i < plan.n_balancers; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s=%u", i ? " " : "",
		                         plan.balancers[i].name, plan.balancers[i].weight);
	free(plan.balancers);
	planner_made(&planner, now);
	return text;
}

static void nothing_is_planned_before_the_start(void **state)
{
	(void)state;
	all_well();
	report(1, 0, 21);
	assert_int_equal(planner_due(&planner), MONO_NEVER);
	planner_begin(&planner, T0);
	assert_int_equal(planner_due(&planner), 0);
}

static void plans_follow_capacity_at_the_interval(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	planner_begin(&planner, T0);
	assert_int_equal(planner_due(&planner), T0 + INTERVAL);
	all_well();
	report(2, 1, 30); /* less capacity is no hurry */
	assert_int_equal(planner_due(&planner), T0 + INTERVAL);
	assert_string_equal(plan_at(T0 + INTERVAL, &kind, &cause), "az1=12 az2=12 az3=4");
	assert_int_equal(kind, DNS_PLAN_CAPACITY);
	assert_int_equal(cause, 0);
	assert_int_equal(planner_due(&planner), T0 + 2 * INTERVAL);
	assert_int_equal(planner.next, 2);
}

static void one_that_goes_or_comes_is_a_plan_at_once(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	all_well();
	planner_begin(&planner, T0);
	report(1, 1, 40);
	report(1, 0, 41);
	assert_int_equal(planner_due(&planner), 0);
	assert_string_equal(plan_at(T0 + 1, &kind, &cause), "az1=12 az3=12");
	assert_int_equal(kind, DNS_PLAN_EVACUATE);
	assert_int_equal(cause, 41);
	assert_int_equal(planner_due(&planner), T0 + INTERVAL); /* the interval goes on as it was */
	report(1, 0, 41);                                       /* the same again is nothing new */
	assert_int_equal(planner_due(&planner), T0 + INTERVAL);
	report(1, 2, 42);
	assert_string_equal(plan_at(T0 + 2, &kind, &cause), "az1=12 az2=8 az3=12");
	assert_int_equal(kind, DNS_PLAN_EVACUATE);
	assert_int_equal(cause, 42);
}

static void one_that_goes_and_comes_back_unplanned_is_nothing(void **state)
{
	(void)state;
	all_well();
	planner_begin(&planner, T0);
	planner_pause(&planner);
	report(0, 0, 50);
	report(0, 3, 51);
	planner_resume(&planner, T0 + INTERVAL / 2);
	assert_int_equal(planner_due(&planner), T0 + INTERVAL / 2 + INTERVAL);
}

static void all_gone_is_an_empty_plan(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	planner_begin(&planner, T0);
	for (unsigned i = 0; i < 3; i++)
		report(i, 0, 60 + i);
	assert_string_equal(plan_at(T0 + 1, &kind, &cause), "");
	assert_int_equal(kind, DNS_PLAN_EVACUATE);
	assert_int_equal(cause, 62);
}

static void the_slow_lane_is_for_capacity_only(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	all_well();
	planner_begin(&planner, T0);
	config.slow_lane = true;
	planner_retime(&planner, T0 + 1);
	assert_int_equal(planner_due(&planner), T0 + 1 + 10 * INTERVAL);
	report(0, 0, 70);
	assert_int_equal(planner_due(&planner), 0);
	plan_at(T0 + 2, &kind, &cause);
	assert_int_equal(planner_due(&planner), T0 + 1 + 10 * INTERVAL);
}

static void a_pause_keeps_what_happens_for_later(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	all_well();
	planner_begin(&planner, T0);
	planner_pause(&planner);
	report(2, 0, 80);
	assert_int_equal(planner_due(&planner), MONO_NEVER);
	planner_resume(&planner, T0 + 9 * NS_PER_S);
	assert_string_equal(plan_at(T0 + 9 * NS_PER_S, &kind, &cause), "az1=12 az2=12");
	assert_int_equal(planner_due(&planner), T0 + 9 * NS_PER_S + INTERVAL);
	planner_resume(&planner, T0 + 10 * NS_PER_S); /* that of one that isn't paused: nothing */
	assert_int_equal(planner_due(&planner), T0 + 9 * NS_PER_S + INTERVAL);
}

static void missed_intervals_are_left_out(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	planner_begin(&planner, T0);
	plan_at(T0 + 5 * INTERVAL + 1, &kind, &cause);
	assert_int_equal(planner_due(&planner), T0 + 6 * INTERVAL);
	plan_at(T0 + 6 * INTERVAL, &kind, &cause);
	assert_int_equal(planner_due(&planner), T0 + 7 * INTERVAL);
}

static void what_cannot_be_stored_is_tried_again_under_its_number(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	all_well();
	planner_begin(&planner, T0);
	report(0, 0, 90);
	planner_failed(&planner, T0 + 1);
	assert_true(planner_due(&planner) > T0 + 1); /* not in a loop */
	assert_true(planner_due(&planner) <= T0 + 1 + NS_PER_S);
	assert_string_equal(plan_at(planner_due(&planner), &kind, &cause), "az2=12 az3=12");
	assert_int_equal(kind, DNS_PLAN_EVACUATE);
	assert_int_equal(planner.next, 2);
}

static void a_restart_leaves_out_what_the_newest_plan_left_out(void **state)
{
	struct dns_balancer in[2] = { { .addr6 = sources[0].addr6 }, { .addr6 = sources[2].addr6 } };
	struct dns_plan newest = { .n_balancers = 2, .balancers = in };
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	planner_init(&planner, &config, 18, &newest);
	planner_begin(&planner, T0);
	assert_int_equal(planner_due(&planner), T0 + INTERVAL); /* nobody has come or gone */
	assert_string_equal(plan_at(T0 + INTERVAL, &kind, &cause), "az1=4 az3=4");
	report(1, 3, 100);
	assert_string_equal(plan_at(T0 + INTERVAL + 1, &kind, &cause), "az1=4 az2=12 az3=4");
	assert_int_equal(planner.next, 20);
}

static void weights_have_their_bounds(void **state)
{
	enum dns_plan_kind kind;
	uint64_t cause;

	(void)state;
	sources[0].capacity = 60000;
	report(0, 2, 1);
	report(1, 1, 1);
	report(2, 1, 1);
	report(3, 0, 1); /* a zone that isn't there */
	planner_begin(&planner, T0);
	assert_string_equal(plan_at(T0 + INTERVAL, &kind, &cause), "az1=65535 az2=4 az3=4");
}

static void a_source_of_many_counts_its_addresses_on(void **state)
{
	struct dns_plan plan;
	uint64_t cause;
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];

	(void)state;
	sources[1].count = 300;
	all_well();
	assert_int_equal(planner_fill(&planner, 7, 0, &plan, &cause), 0);
	assert_int_equal(plan.n_balancers, 302);
	assert_string_equal(plan.balancers[300].name, "az2-300");
	assert_string_equal(inet_ntop(AF_INET, &plan.balancers[300].addr4, v4, sizeof(v4)), "10.1.1.44");
	assert_string_equal(inet_ntop(AF_INET6, &plan.balancers[300].addr6, v6, sizeof(v6)), "fd00::12c");
	assert_string_equal(plan.balancers[301].name, "az3");
	free(plan.balancers);
}

static void trees_differ_by_plan_and_follow_the_seed(void **state)
{
	struct dns_plan a, b, c;
	uint64_t cause;

	(void)state;
	planner_fill(&planner, 7, 0, &a, &cause);
	planner_fill(&planner, 7, 0, &b, &cause);
	assert_string_equal(a.tree, b.tree);
	assert_true(dns_tree_ok(a.tree));
	planner_made(&planner, T0);
	planner_fill(&planner, 7, 0, &c, &cause);
	assert_string_not_equal(a.tree, c.tree);
	free(a.balancers), free(b.balancers), free(c.balancers);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_planned_before_the_start),
		TEST(plans_follow_capacity_at_the_interval),
		TEST(one_that_goes_or_comes_is_a_plan_at_once),
		TEST(one_that_goes_and_comes_back_unplanned_is_nothing),
		TEST(all_gone_is_an_empty_plan),
		TEST(the_slow_lane_is_for_capacity_only),
		TEST(a_pause_keeps_what_happens_for_later),
		TEST(missed_intervals_are_left_out),
		TEST(what_cannot_be_stored_is_tried_again_under_its_number),
		TEST(a_restart_leaves_out_what_the_newest_plan_left_out),
		TEST(weights_have_their_bounds),
		TEST(a_source_of_many_counts_its_addresses_on),
		TEST(trees_differ_by_plan_and_follow_the_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
