#include "orchestrator/faults/fault_rules.h"
#include "common/cleanup.h"
#include "orchestrator/faults/fault_addr.h"
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

/* the program knows the numbers by its own header */
static_assert((int)CLASS_ANY == FAULT_CLASS_ANY && (int)CLASS_ROUTE_UPDATE == FAULT_CLASS_ROUTE_UPDATE &&
                  (int)CLASS_HEALTH_CHECK == FAULT_CLASS_HEALTH_CHECK &&
                  (int)CLASS_CONTROL == FAULT_CLASS_CONTROL && (int)CLASS_DNS == FAULT_CLASS_DNS &&
                  (int)CLASS_LEASE == FAULT_CLASS_LEASE && (int)CLASS_USER == FAULT_CLASS_USER,
              "enum fault_class");
static_assert((int)PER_DEFAULT == FAULT_PER_DEFAULT && (int)PER_FLOW == FAULT_PER_FLOW &&
                  (int)PER_PACKET == FAULT_PER_PACKET,
              "enum fault_per");
static_assert(FAULT_PREFIXES_MAX >= 2 * (1 + PLAN_ZONAL_MAX), "a node's addresses fit into a side");

static const char *const class_names[] = {
	[CLASS_ANY] = "any",
	[CLASS_ROUTE_UPDATE] = "route-update",
	[CLASS_HEALTH_CHECK] = "health-check",
	[CLASS_CONTROL] = "control",
	[CLASS_DNS] = "dns",
	[CLASS_LEASE] = "lease",
	[CLASS_USER] = "user",
};

const char *fault_class_name(enum fault_class class)
{
	return class < ARRAY_SIZE(class_names) ? class_names[class] : "?";
}

int fault_class_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(class_names); i++) {
		if (strcmp(class_names[i], name) == 0) return (int)i;
	}
	return -EINVAL;
}

/* --- addresses --------------------------------------------------------------------------------------- */

static uint64_t word_of_ones(unsigned bits)
{
	if (bits == 0) return 0;
	return htobe64(bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits));
}

static void side_add(struct fault_side *side, struct fault_addr addr, unsigned len)
{
	struct fault_prefix *x = &side->prefix[side->n++];

	x->mask.word[0] = word_of_ones(len);
	x->mask.word[1] = word_of_ones(len > 64 ? len - 64 : 0);
	x->addr.word[0] = addr.word[0] & x->mask.word[0];
	x->addr.word[1] = addr.word[1] & x->mask.word[1];
}

static void side_add_both(struct fault_side *side, struct plan_prefix p)
{
	side_add(side, fault_addr_v4(p.v4), 96 + p.len4);
	side_add(side, fault_addr_v6(p.v6), p.len6);
}

static void side_add_node(struct fault_side *side, const struct plan_node *n)
{
	side_add_both(side, (struct plan_prefix){ n->addr.v4, n->addr.v6, 32, 128 });
	for (size_t i = 0; i < n->n_zonal; i++) {
		side_add_both(side, (struct plan_prefix){ n->zonal[i].v4, n->zonal[i].v6, 32, 128 });
	}
}

/* A zone's name is its router's as well; here it means the zone. */
static bool zone_by_name(const struct plan *p, const char *name, int *ret)
{
	if (strcmp(name, "region") == 0) {
		*ret = PLAN_REGION;
	} else if (strcmp(name, "internet") == 0) {
		*ret = PLAN_INTERNET;
	} else {
		*ret = topology_zone(p->topology, name);
		return *ret >= 0;
	}
	return true;
}

static int side_resolve(const struct plan *p, const char *name, struct fault_side *side)
{
	int index;

	side->n = 0;
	if (!name) return 0;
	if (zone_by_name(p, name, &index)) {
		side_add_both(side, plan_prefix(index));
		return 0;
	}
	if ((index = plan_find(p, name)) < 0) return -EINVAL;
	side_add_node(side, &p->nodes[index]);
	return 0;
}

/* --- rules ------------------------------------------------------------------------------------------- */

static uint64_t salt_of(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t probability(double p)
{
	if (p <= 0) return 0;
	return p >= 1 ? FAULT_CERTAIN : (uint64_t)(p * (double)FAULT_CERTAIN);
}

static void fill_actions(const struct fault_config *c, struct fault_rule *r)
{
	r->salt = salt_of(c->name);
	r->class = c->class;
	r->per = c->per;
	r->reject = c->reject;
	r->drop_every = c->drop_every;
	/* a bare `reject` refuses all; with a `drop`, what that would drop */
	r->drop = c->reject && c->drop <= 0 && !c->drop_every ? FAULT_CERTAIN : probability(c->drop);
	r->delay_ns = c->delay;
	r->jitter_ns = c->jitter;
	r->gap_ns = c->rate > 0 ? (uint64_t)((double)NS_PER_S / c->rate) : 0;
	r->on_ns = c->off_for > 0 ? c->on_for : 0;
	r->off_ns = c->on_for > 0 ? c->off_for : 0;
	r->duplicate = probability(c->duplicate);
	r->reorder = probability(c->reorder);
	r->corrupt = probability(c->corrupt);
}

int fault_rule_resolve(const struct fault_config *c, const struct plan *p, struct fault_rule *ret,
                       struct topology_error *error)
{
	const char *wrong = NULL;

	memset(ret, 0, sizeof(*ret));
	fill_actions(c, ret);
	if (side_resolve(p, c->from, &ret->from) < 0) wrong = c->from;
	if (side_resolve(p, c->to, &ret->to) < 0) wrong = c->to;
	if (!wrong) return 0;
	snprintf(error->text, sizeof(error->text), "fault '%s': no zone or node is called '%s'", c->name,
	         wrong);
	return -EINVAL;
}
