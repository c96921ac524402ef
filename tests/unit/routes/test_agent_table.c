#include "network-agent/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct route_update update_of(uint8_t host, uint32_t generation, enum route_action action)
{
	return (struct route_update){ .action = action,
		                      .generation = generation,
		                      .address = { .v4 = { host }, .v6 = { .s6_addr = { [15] = host } } } };
}

/* Offers a sequence of "generation and what is to come of it", as an agent would. */
static void replay(const char *offers, const char *outcomes)
{
	struct agent_table t = { 0 };

	for (size_t i = 0; offers[i]; i++) {
		uint32_t generation = (uint32_t)(offers[i] - '0');
		struct route_update u = update_of(1, generation, ROUTE_ATTACH);
		uint64_t event = 99;
		char outcome = 'A';
		if (!agent_table_wants(&t, &u, &event))
			outcome = event == generation ? '=' : '<';
		else
			assert_int_equal(agent_table_applied(&t, &u, generation), 0);
		if (outcome != outcomes[i])
			fail_msg("offer %zu of \"%s\": expected %c, got %c", i, offers, outcomes[i], outcome);
		if (outcome == '<') assert_true(event == 0);
	}
	agent_table_release(&t);
}

static void only_newer_generations_are_applied(void **state)
{
	(void)state;
	replay("1", "A");
	replay("123", "AAA");
	replay("1122", "A=A="); /* duplicates: acknowledged with the event of their application */
	replay("2121", "A<=<"); /* overtaken */
	replay("513425", "A<<<<=");
}

static void a_refused_update_is_wanted_again(void **state)
{
	struct agent_table t = { 0 };
	struct route_update u = update_of(1, 1, ROUTE_ATTACH);
	uint64_t event;

	(void)state;
	assert_true(agent_table_wants(&t, &u, &event)); /* not applied: the kernel said no */
	assert_true(agent_table_wants(&t, &u, &event));
	assert_int_equal(agent_table_applied(&t, &u, 5), 0);
	assert_false(agent_table_wants(&t, &u, &event));
	assert_true(event == 5);
	agent_table_release(&t);
}

static void a_deleted_address_keeps_its_generation(void **state)
{
	struct agent_table t = { 0 };
	struct route_update attach = update_of(1, 1, ROUTE_ATTACH), detach = update_of(1, 2, ROUTE_DETACH);
	uint64_t event;

	(void)state;
	assert_int_equal(agent_table_applied(&t, &detach, 7), 0);
	assert_int_equal(agent_table_generation(&t, &attach.address), 2);
	assert_false(agent_table_wants(&t, &attach, &event));
	agent_table_release(&t);
}

static void addresses_do_not_touch_each_other(void **state)
{
	struct agent_table t = { 0 };
	uint64_t event;

	(void)state;
	for (unsigned host = 1; host <= 200; host++) {
		struct route_update u = update_of((uint8_t)host, host, ROUTE_ATTACH);
		assert_true(agent_table_wants(&t, &u, &event));
		assert_int_equal(agent_table_applied(&t, &u, host), 0);
	}
	for (unsigned host = 1; host <= 200; host++) {
		struct route_update u = update_of((uint8_t)host, 0, ROUTE_ATTACH);
		assert_int_equal(agent_table_generation(&t, &u.address), host);
	}
	agent_table_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_newer_generations_are_applied),
		cmocka_unit_test(a_refused_update_is_wanted_again),
		cmocka_unit_test(a_deleted_address_keeps_its_generation),
		cmocka_unit_test(addresses_do_not_touch_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
