#include "network-manager/backlog.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { AGENTS = 3, LOG_MAX = 20000 };

/* What was sent, in order. */
struct sending {
	mono_ns at;
	unsigned agent, attempt;
	uint32_t id, generation;
};
static struct {
	struct backlog *backlog;
	mono_ns now;
	size_t n;
	struct sending log[LOG_MAX];
} lab;

static void record(void *arg, struct backlog_message *m)
{
	(void)arg;
	assert_true(lab.n < LOG_MAX);
	lab.log[lab.n++] = (struct sending){ lab.now, m->agent, m->attempts, m->change->update.id,
		                             m->change->update.generation };
}

static void begin(unsigned workers, mono_ns update_time, mono_ns retransmit)
{
	struct backlog_config config = { workers, update_time, retransmit };

	backlog_free(lab.backlog);
	memset(&lab, 0, sizeof(lab));
	lab.backlog = backlog_new(AGENTS, &config, record, NULL);
	assert_non_null(lab.backlog);
}

static int end(void **state)
{
	(void)state;
	backlog_free(lab.backlog);
	lab.backlog = NULL;
	return 0;
}

/* Runs the backlog at every instant it asks for, until the given one. */
static void run_until(mono_ns end_at)
{
	for (mono_ns next = backlog_run(lab.backlog, lab.now); next <= end_at;
	     next = backlog_run(lab.backlog, lab.now)) {
		assert_true(next > lab.now); /* or it would spin */
		lab.now = next;
	}
	lab.now = end_at;
}

static struct route_address address_of(uint32_t id)
{
	return (struct route_address){ .v4 = { id }, .v6 = { .s6_addr32 = { [3] = id } } };
}

static int put(uint32_t id, uint32_t generation, enum route_action action)
{
	struct route_update u = {
		.action = action, .id = id, .generation = generation, .address = address_of(id)
	};
	return backlog_put(lab.backlog, &u, 0, lab.now);
}

static bool acknowledge(unsigned agent, uint32_t id, uint32_t generation)
{
	struct route_address address = address_of(id);
	return backlog_acknowledge(lab.backlog, agent, &address, generation) != NULL;
}

static size_t sent_to(unsigned agent)
{
	size_t n = 0;
	for (size_t i = 0; i < lab.n; i++)
		n += lab.log[i].agent == agent;
	return n;
}

static void workers_are_busy_for_update_time_a_message(void **state)
{
	(void)state;
	begin(2, 10 * NS_PER_MS, NS_PER_S);
	put(1, 1, ROUTE_ATTACH);
	put(2, 1, ROUTE_ATTACH);
	run_until(500 * NS_PER_MS);
	assert_int_equal(lab.n, 6); /* one message per change and agent, two every 10 ms */
	for (size_t i = 0; i < lab.n; i++)
		assert_true(lab.log[i].at == (mono_ns)(i / 2 + 1) * 10 * NS_PER_MS);
	assert_int_equal(backlog_counts(lab.backlog).sent, 6);
	assert_int_equal(backlog_counts(lab.backlog).unacknowledged, 6);
}

static void a_late_call_does_not_slow_the_workers_down(void **state)
{
	(void)state;
	begin(1, 10 * NS_PER_MS, NS_PER_S);
	put(1, 1, ROUTE_ATTACH);
	backlog_run(lab.backlog, 0);
	lab.now = 25 * NS_PER_MS; /* due at 10, 20 and 30 */
	assert_true(backlog_run(lab.backlog, lab.now) == 30 * NS_PER_MS);
	assert_int_equal(lab.n, 2);
	/* but no worker has worked on what was not there yet */
	run_until(95 * NS_PER_MS);
	put(2, 1, ROUTE_ATTACH);
	assert_true(backlog_run(lab.backlog, lab.now) == 105 * NS_PER_MS);
}

static void retransmission_doubles_up_to_five_seconds(void **state)
{
	static const mono_ns waits_ms[] = { 200, 400, 800, 1600, 3200, 5000, 5000 };
	mono_ns due = 0;

	(void)state;
	begin(1, 0, 200 * NS_PER_MS);
	put(1, 1, ROUTE_ATTACH);
	run_until(0);
	acknowledge(1, 1, 1);
	acknowledge(2, 1, 1);
	lab.n = 0;
	run_until(17 * NS_PER_S);
	assert_int_equal(lab.n, sizeof(waits_ms) / sizeof(waits_ms[0]));
	for (size_t i = 0; i < lab.n; i++) {
		due += waits_ms[i] * NS_PER_MS;
		assert_true(lab.log[i].at == due);
		assert_int_equal(lab.log[i].attempt, i + 2);
	}
	assert_int_equal(backlog_counts(lab.backlog).resent, lab.n);
	assert_int_equal(backlog_counts(lab.backlog).sent, AGENTS);
}

static void a_turned_retransmit_knob_holds_for_what_waits(void **state)
{
	(void)state;
	begin(1, 0, NS_PER_S);
	put(1, 1, ROUTE_ATTACH);
	run_until(100 * NS_PER_MS);
	struct backlog_config quicker = { 1, 0, 150 * NS_PER_MS };
	assert_int_equal(backlog_configure(lab.backlog, &quicker), 0);
	assert_true(backlog_run(lab.backlog, lab.now) == 150 * NS_PER_MS);
}

static void bad_configurations_are_refused(void **state)
{
	static const struct backlog_config bad[] = { { 0, 0, NS_PER_S },
		                                     { BACKLOG_WORKERS_MAX + 1, 0, NS_PER_S },
		                                     { 1, -1, NS_PER_S },
		                                     { 1, 0, NS_PER_MS - 1 } };

	(void)state;
	begin(1, 0, NS_PER_S);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(backlog_configure(lab.backlog, &bad[i]), -EINVAL);
}

static void connected_once_when_all_agents_have_acknowledged(void **state)
{
	(void)state;
	begin(1, 0, NS_PER_S);
	put(1, 1, ROUTE_ATTACH);
	run_until(0);
	assert_false(acknowledge(0, 1, 1));
	assert_false(acknowledge(2, 1, 1));
	assert_false(acknowledge(2, 1, 1)); /* a duplicate */
	assert_false(acknowledge(1, 1, 2)); /* a generation that was never sent */
	assert_false(acknowledge(1, 7, 1)); /* an address that nobody knows */
	assert_false(acknowledge(AGENTS, 1, 1));
	assert_true(acknowledge(1, 1, 1));
	assert_false(acknowledge(1, 1, 1));
	assert_true(backlog_run(lab.backlog, lab.now) == MONO_NEVER);
	assert_int_equal(backlog_counts(lab.backlog).unacknowledged, 0);
}

static void an_agent_that_does_not_answer_costs_the_others_nothing(void **state)
{
	(void)state;
	begin(1, NS_PER_MS, 5 * NS_PER_MS);
	/* 300 changes of which agent 0 acknowledges none: hundreds of its retransmissions fall due meanwhile
	 */
	for (uint32_t id = 1; id <= 300; id++)
		put(id, 1, ROUTE_ATTACH);
	for (mono_ns at = NS_PER_MS; at <= 900 * NS_PER_MS; at += NS_PER_MS) {
		size_t before = lab.n;
		run_until(at);
		for (size_t i = before; i < lab.n; i++)
			if (lab.log[i].agent) acknowledge(lab.log[i].agent, lab.log[i].id, 1);
	}
	assert_int_equal(lab.n, 900);
	for (size_t i = 0; i < lab.n; i++)
		assert_int_equal(lab.log[i].attempt, 1);
	assert_int_equal(sent_to(1), 300);
	run_until(NS_PER_S); /* only now the workers turn to agent 0's */
	assert_int_equal(lab.n, 1000);
	for (size_t i = 900; i < lab.n; i++) {
		assert_int_equal(lab.log[i].agent, 0);
		assert_true(lab.log[i].attempt > 1);
	}
}

static void a_detach_supersedes_a_queued_attach(void **state)
{
	(void)state;
	begin(1, 10 * NS_PER_MS, NS_PER_S);
	put(1, 1, ROUTE_ATTACH);
	put(2, 1, ROUTE_ATTACH);
	assert_int_equal(put(1, 2, ROUTE_DETACH), 1);
	run_until(500 * NS_PER_MS);
	assert_int_equal(lab.n, 6);
	for (size_t i = 0; i < 3; i++) { /* in the place of the attach, which is never sent */
		assert_int_equal(lab.log[i].id, 1);
		assert_int_equal(lab.log[i].generation, 2);
	}
}

static void a_detach_supersedes_an_unacknowledged_attach(void **state)
{
	(void)state;
	begin(1, 0, 100 * NS_PER_MS);
	put(1, 1, ROUTE_ATTACH);
	run_until(50 * NS_PER_MS);
	acknowledge(0, 1, 1);
	assert_int_equal(put(1, 2, ROUTE_DETACH), 1);
	run_until(60 * NS_PER_MS);
	assert_int_equal(lab.n, 6);
	assert_false(acknowledge(1, 1, 1)); /* late, of the attach: means nothing any more */
	for (unsigned agent = 0; agent < AGENTS; agent++)
		acknowledge(agent, 1, 2);
	run_until(10 * NS_PER_S);
	assert_int_equal(lab.n, 6); /* no retransmission of either */
}

static void older_or_equal_changes_are_ignored(void **state)
{
	(void)state;
	begin(1, 0, NS_PER_S);
	assert_int_equal(put(1, 5, ROUTE_DETACH), 1);
	assert_int_equal(put(1, 5, ROUTE_ATTACH), 0);
	assert_int_equal(put(1, 4, ROUTE_ATTACH), 0);
	run_until(0);
	for (size_t i = 0; i < lab.n; i++)
		assert_int_equal(lab.log[i].generation, 5);
}

static void an_acknowledgement_ends_a_retransmission_in_work(void **state)
{
	(void)state;
	begin(1, 10 * NS_PER_MS, 50 * NS_PER_MS);
	put(1, 1, ROUTE_ATTACH);
	run_until(65 * NS_PER_MS); /* sent at 10, 20, 30; the first one is in work again since 60 */
	assert_int_equal(lab.n, 3);
	for (unsigned agent = 0; agent < AGENTS; agent++)
		acknowledge(agent, 1, 1);
	put(2, 1, ROUTE_ATTACH);
	run_until(85 * NS_PER_MS);
	assert_int_equal(lab.n, 4); /* the worker was busy in vain until 70 */
	assert_int_equal(lab.log[3].id, 2);
	assert_true(lab.log[3].at == 80 * NS_PER_MS);
	assert_int_equal(backlog_counts(lab.backlog).resent, 0);
}

static void a_restarted_agent_gets_everything_again(void **state)
{
	(void)state;
	begin(1, 0, NS_PER_S);
	for (uint32_t id = 1; id <= 50; id++)
		put(id, 1, id % 2 ? ROUTE_ATTACH : ROUTE_DETACH);
	run_until(0);
	for (uint32_t id = 1; id <= 40; id++)
		for (unsigned agent = 0; agent < AGENTS; agent++)
			acknowledge(agent, id, 1);
	lab.n = 0;
	backlog_replay(lab.backlog, 1, lab.now);
	run_until(10 * NS_PER_MS);
	assert_int_equal(lab.n, 50);
	assert_int_equal(sent_to(1), 50);
	assert_false(acknowledge(1, 1, 1)); /* was connected before: no second report */
	acknowledge(0, 45, 1);
	acknowledge(2, 45, 1);
	assert_true(acknowledge(1, 45, 1)); /* was not */
}

static void fewer_workers_take_up_less(void **state)
{
	(void)state;
	begin(4, 10 * NS_PER_MS, NS_PER_S);
	for (uint32_t id = 1; id <= 4; id++)
		put(id, 1, ROUTE_ATTACH);
	backlog_run(lab.backlog, 0);
	struct backlog_config one = { 1, 10 * NS_PER_MS, NS_PER_S };
	assert_int_equal(backlog_configure(lab.backlog, &one), 0);
	run_until(10 * NS_PER_MS);
	assert_int_equal(lab.n, 4); /* what was in work is finished */
	run_until(50 * NS_PER_MS);
	assert_int_equal(lab.n, 8);
}

static void a_change_is_forgotten_once_all_have_acknowledged_it(void **state)
{
	struct route_address address = address_of(1);

	(void)state;
	begin(2, 10 * NS_PER_MS, NS_PER_S);
	put(1, 1, ROUTE_DETACH);
	run_until(100 * NS_PER_MS);
	for (unsigned agent = 0; agent < AGENTS; agent++) {
		assert_false(backlog_forget(lab.backlog, &address));
		acknowledge(agent, 1, 1);
	}
	assert_true(backlog_forget(lab.backlog, &address));
	assert_false(backlog_forget(lab.backlog, &address));
	backlog_replay(lab.backlog, 0, lab.now); /* nothing is left to tell */
	assert_int_equal(backlog_counts(lab.backlog).queued, 0);
	assert_int_equal(put(1, 1, ROUTE_ATTACH), 1);
}

#define backlog_test(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		backlog_test(workers_are_busy_for_update_time_a_message),
		backlog_test(a_late_call_does_not_slow_the_workers_down),
		backlog_test(retransmission_doubles_up_to_five_seconds),
		backlog_test(a_turned_retransmit_knob_holds_for_what_waits),
		backlog_test(bad_configurations_are_refused),
		backlog_test(connected_once_when_all_agents_have_acknowledged),
		backlog_test(an_agent_that_does_not_answer_costs_the_others_nothing),
		backlog_test(a_detach_supersedes_a_queued_attach),
		backlog_test(a_detach_supersedes_an_unacknowledged_attach),
		backlog_test(older_or_equal_changes_are_ignored),
		backlog_test(an_acknowledgement_ends_a_retransmission_in_work),
		backlog_test(a_restarted_agent_gets_everything_again),
		backlog_test(fewer_workers_take_up_less),
		backlog_test(a_change_is_forgotten_once_all_have_acknowledged_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
