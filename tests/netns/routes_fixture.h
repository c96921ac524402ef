/* routes_fixture.h - for cmocka programs: one manager and three agents that all tests share, and that forget
 * what they said before each. */
#ifndef AZLAB_TEST_ROUTES_FIXTURE_H
#define AZLAB_TEST_ROUTES_FIXTURE_H
#include "tests/netns/routes_lab.h"

static struct routes_lab lab;

static int begin(void **state)
{
	(void)state;
	make_network(&lab);
	for (int i = 0; i < ZONES; i++)
		lab.agent[i] = start_agent(&lab, i, "10.0.0.2");
	lab.manager = start_manager(&lab, agent_addresses, 1, 50);
	return 0;
}

static int end(void **state)
{
	(void)state;
	stop_nodes(&lab);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	testnode_forget(lab.manager);
	for (int i = 0; i < ZONES; i++)
		testnode_forget(lab.agent[i]);
	return 0;
}
#endif
