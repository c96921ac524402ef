#include "dns-planner/planner.h"
#include "common/random.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER (500 * NS_PER_MS)

void planner_config_release(struct planner_config *c)
{
	free(c->endpoints);
	free(c->sources);
	*c = (struct planner_config){ 0 };
}

static bool has_source(const struct dns_plan *plan, const struct planner_source *s)
{
	for (size_t i = 0; i < plan->n_balancers; i++)
		if (!memcmp(&plan->balancers[i].addr6, &s->addr6, sizeof(s->addr6))) return true;
	return false;
}

void planner_init(struct planner *p, const struct planner_config *config, uint64_t next,
                  const struct dns_plan *newest)
{
	*p = (struct planner){ .config = config, .next = next };
	for (size_t i = 0; i < config->n_sources; i++)
		p->sources[i].planned = !newest || has_source(newest, &config->sources[i]);
}

/* --- health ------------------------------------------------------------------------------------------ */

static uint16_t weight_of(const struct planner *p, size_t source)
{
	unsigned capacity = p->config->sources[source].capacity;
	uint64_t weight = (uint64_t)p->sources[source].healthy * capacity;

	if (!p->sources[source].known) weight = p->sources[source].planned ? capacity : 0;
	return (uint16_t)(weight < UINT16_MAX ? weight : UINT16_MAX);
}

void planner_report(struct planner *p, unsigned source, const struct health_count *h)
{
	if (source >= p->config->n_sources) return;
	if (h->cause) p->sources[source].cause = h->cause;
	p->sources[source].healthy = h->healthy;
	p->sources[source].known = true;
}

/* Has a load balancer come or gone? */
static bool moved(const struct planner *p, size_t source)
{
	return (weight_of(p, source) > 0) != p->sources[source].planned;
}

static bool anything_moved(const struct planner *p, uint64_t *ret_cause)
{
	bool any = false;

	*ret_cause = 0;
	for (size_t i = 0; i < p->config->n_sources; i++) {
		if (!moved(p, i)) continue;
		any = true;
		if (p->sources[i].cause > *ret_cause) *ret_cause = p->sources[i].cause;
	}
	return any;
}

/* --- time -------------------------------------------------------------------------------------------- */

static mono_ns interval_of(const struct planner *p)
{
	return p->config->slow_lane ? p->config->slow_interval : p->config->interval;
}

void planner_begin(struct planner *p, mono_ns now)
{
	p->begun = true;
	p->due = now + interval_of(p);
}

void planner_retime(struct planner *p, mono_ns now)
{
	p->due = now + interval_of(p);
}

void planner_pause(struct planner *p)
{
	p->paused = true;
}

void planner_resume(struct planner *p, mono_ns now)
{
	if (!p->paused) return;
	p->paused = false;
	p->due = now + interval_of(p);
}

mono_ns planner_due(const struct planner *p)
{
	uint64_t cause;

	if (!p->begun || p->paused) return MONO_NEVER;
	mono_ns due = anything_moved(p, &cause) ? 0 : p->due;
	return due > p->retry ? due : p->retry;
}

/* The intervals go on as they were; those missed are left out. */
void planner_made(struct planner *p, mono_ns now)
{
	for (size_t i = 0; i < p->config->n_sources; i++)
		p->sources[i].planned = weight_of(p, i) > 0;
	p->next++;
	p->retry = 0;
	if (p->due <= now) p->due += (now - p->due) / interval_of(p) * interval_of(p) + interval_of(p);
}

void planner_failed(struct planner *p, mono_ns now)
{
	p->retry = now + RETRY_AFTER;
}

/* --- plans ------------------------------------------------------------------------------------------- */

/* A new name for each plan, the same for the same seed. */
static void draw_tree(uint64_t seed, uint64_t number, char tree[DNS_TREE_LEN + 1])
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char stream[32];

	snprintf(stream, sizeof(stream), "tree-%" PRIu64, number);
	struct random random = random_of(seed, stream);
	for (unsigned i = 0; i < DNS_TREE_LEN; i++)
		tree[i] = letters[random_next(&random) % (sizeof(letters) - 1)];
	tree[DNS_TREE_LEN] = '\0';
}

static struct in6_addr address_after(struct in6_addr base, uint32_t n)
{
	uint32_t low;

	memcpy(&low, &base.s6_addr[12], sizeof(low));
	low = htonl(ntohl(low) + n);
	memcpy(&base.s6_addr[12], &low, sizeof(low));
	return base;
}

static void add_balancers(const struct planner_source *s, uint16_t weight, struct dns_plan *plan)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct dns_balancer *b = &plan->balancers[plan->n_balancers++];
		memcpy(b->name, s->name, sizeof(b->name));
		if (i > 0) snprintf(b->name, sizeof(b->name), "%.52s-%" PRIu32, s->name, i + 1);
		b->weight = weight;
		b->addr4.s_addr = htonl(ntohl(s->addr4.s_addr) + i);
		b->addr6 = address_after(s->addr6, i);
	}
}

static size_t count_balancers(const struct planner *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->config->n_sources; i++)
		n += weight_of(p, i) ? p->config->sources[i].count : 0;
	return n;
}

int planner_fill(const struct planner *p, uint64_t seed, int64_t now_ms, struct dns_plan *ret,
                 uint64_t *ret_cause)
{
	const struct planner_config *c = p->config;
	size_t n = count_balancers(p);
	struct dns_plan plan = { .number = p->next,
		                 .made_ms = now_ms,
		                 .ttl_s = c->ttl_s,
		                 .n_endpoints = c->n_endpoints,
		                 .endpoints = c->endpoints };

	plan.balancers = malloc((n ? n : 1) * sizeof(*plan.balancers));
	if (!plan.balancers) return -ENOMEM;
	plan.kind = anything_moved(p, ret_cause) ? DNS_PLAN_EVACUATE : DNS_PLAN_CAPACITY;
	draw_tree(seed, plan.number, plan.tree);
	memcpy(plan.service, c->service, sizeof(plan.service));
	memcpy(plan.zone, c->zone, sizeof(plan.zone));
	for (size_t i = 0; i < c->n_sources; i++) {
		uint16_t weight = weight_of(p, i);
		if (weight) add_balancers(&c->sources[i], weight, &plan);
	}
	*ret = plan;
	return 0;
}
