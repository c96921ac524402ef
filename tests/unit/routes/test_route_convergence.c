/* A manager's backlog and three agents' tables on a simulated network that loses, doubles, delays and so
 * reorders datagrams, all from a seed: whatever happens, the agents' routes end as the last changes say. */
#include "common/random.h"
#include "network-agent/table.h"
#include "network-manager/backlog.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { AGENTS = 3, ADDRESSES = 400, CHANGES = 1000, FLIGHT_MAX = 16384 };

struct datagram {
	mono_ns due;
	bool answer;
	unsigned agent, epoch;
	struct route_update update;
};
struct sim {
	struct random random;
	mono_ns now;
	struct backlog *backlog;
	struct agent_table tables[AGENTS];
	unsigned epochs[AGENTS], heard[AGENTS]; /* the agent's own, and what the manager has seen */
	bool routed[AGENTS][ADDRESSES];
	struct {
		uint32_t generation;
		bool attached;
	} wanted[ADDRESSES];
	size_t flying;
	struct datagram flight[FLIGHT_MAX];
	size_t lost, doubled;
};

static struct route_address address_of(uint32_t id)
{
	return (struct route_address){ .v4 = { id }, .v6 = { .s6_addr32 = { [3] = id } } };
}

/* 20 % lost, 20 % doubled, 0 to 300 ms on the way. */
static void fly(struct sim *s, struct datagram d)
{
	int copies = 1;

	if (random_unit(&s->random) < 0.2) {
		s->lost++;
		copies = 0;
	} else if (random_unit(&s->random) < 0.2) {
		s->doubled++;
		copies = 2;
	}
	while (copies-- > 0) {
		assert_true(s->flying < FLIGHT_MAX);
		d.due = s->now + (mono_ns)(random_unit(&s->random) * 300 * NS_PER_MS);
		s->flight[s->flying++] = d;
	}
}

static void on_send(void *arg, struct backlog_message *m)
{
	fly(arg, (struct datagram){ .agent = m->agent, .update = m->change->update });
}

static void at_agent(struct sim *s, const struct datagram *d)
{
	uint64_t event;

	if (agent_table_wants(&s->tables[d->agent], &d->update, &event)) {
		s->routed[d->agent][d->update.id] = d->update.action == ROUTE_ATTACH;
		assert_int_equal(agent_table_applied(&s->tables[d->agent], &d->update, 1), 0);
	}
	struct datagram answer = *d;
	answer.answer = true;
	answer.epoch = s->epochs[d->agent];
	fly(s, answer);
}

static void at_manager(struct sim *s, const struct datagram *d)
{
	if (d->epoch < s->heard[d->agent]) return;
	if (d->epoch > s->heard[d->agent]) backlog_replay(s->backlog, d->agent, s->now);
	s->heard[d->agent] = d->epoch;
	backlog_acknowledge(s->backlog, d->agent, &d->update.address, d->update.generation);
}

static size_t next_datagram(const struct sim *s)
{
	size_t first = 0;
	for (size_t i = 1; i < s->flying; i++)
		if (s->flight[i].due < s->flight[first].due) first = i;
	return first;
}

/* Advances to the given instant, from one due thing to the next. */
static void advance(struct sim *s, mono_ns until)
{
	for (;;) {
		mono_ns next = backlog_run(s->backlog, s->now);
		size_t first = next_datagram(s);
		bool arrives = s->flying > 0 && s->flight[first].due <= next;
		if (arrives) next = s->flight[first].due;
		if (next > until) break;
		s->now = next;
		if (!arrives) continue;
		struct datagram d = s->flight[first];
		s->flight[first] = s->flight[--s->flying];
		(d.answer ? at_manager : at_agent)(s, &d);
	}
	s->now = until;
}

static void change_one(struct sim *s)
{
	uint32_t id = (uint32_t)(random_unit(&s->random) * ADDRESSES);
	struct route_update u = { .id = id,
		                  .generation = ++s->wanted[id].generation,
		                  .address = address_of(id) };

	s->wanted[id].attached = !s->wanted[id].attached;
	u.action = s->wanted[id].attached ? ROUTE_ATTACH : ROUTE_DETACH;
	assert_int_equal(backlog_put(s->backlog, &u, 0, s->now), 1);
}

/* The agent dies and comes back: its table is gone, the kernel's routes are not. */
static void restart_agent(struct sim *s, unsigned agent)
{
	agent_table_release(&s->tables[agent]);
	s->epochs[agent]++;
	backlog_replay(s->backlog, agent, s->now); /* its hello */
	s->heard[agent] = s->epochs[agent];
}

static void check_end(const struct sim *s, uint64_t seed)
{
	assert_int_equal(backlog_counts(s->backlog).queued, 0);
	assert_int_equal(backlog_counts(s->backlog).unacknowledged, 0);
	assert_true(s->lost > 100 && s->doubled > 100 && backlog_counts(s->backlog).resent > 100);
	for (unsigned agent = 0; agent < AGENTS; agent++) {
		for (uint32_t id = 0; id < ADDRESSES; id++) {
			if (s->routed[agent][id] != s->wanted[id].attached)
				fail_msg("seed %lu: agent %u has %s route of address %u", (unsigned long)seed,
				         agent, s->routed[agent][id] ? "a" : "no", id);
		}
	}
}

static void converge(uint64_t seed, bool restarts)
{
	struct sim *s = calloc(1, sizeof(*s));
	struct backlog_config config = { .workers = 2,
		                         .update_time = NS_PER_MS,
		                         .retransmit = 200 * NS_PER_MS };

	assert_non_null(s);
	s->random = random_of(seed, "routes");
	s->backlog = backlog_new(AGENTS, &config, on_send, s);
	assert_non_null(s->backlog);
	for (unsigned i = 0; i < CHANGES; i++) {
		change_one(s);
		if (restarts && i % 150 == 149) restart_agent(s, (unsigned)(i / 150) % AGENTS);
		advance(s, s->now + (mono_ns)(random_unit(&s->random) * 20 * NS_PER_MS));
	}
	advance(s, s->now + 120 * NS_PER_S);
	check_end(s, seed);
	for (unsigned agent = 0; agent < AGENTS; agent++)
		agent_table_release(&s->tables[agent]);
	backlog_free(s->backlog);
	free(s);
}

static void tables_end_right_over_a_bad_network(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		converge(seed, false);
}

static void tables_end_right_though_agents_restart(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		converge(seed, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_end_right_over_a_bad_network),
		cmocka_unit_test(tables_end_right_though_agents_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
