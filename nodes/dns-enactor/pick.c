#include "common/cleanup.h"
#include "common/log.h"
#include "dns-enactor/enactor.h"
#include "dns-enactor/tell.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

enum { PATH_TEXT_MAX = 64 };

static void idle(struct dne *d)
{
	d->doing = DNE_IDLE;
	dne_go_on_after(d, d->config.knobs.poll, dne_pick);
}

/* --- what is in force -------------------------------------------------------------------------------- */

static void on_in_force(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne *d = arg;
	uint64_t plan;

	(void)n;
	d->in_force = 0;
	dns_generation_read(dns_rrset_value(&sets[0]), &d->in_force);
	/* by value: for a tree that isn't there the wildcard answers */
	d->planted = dns_mark_read(dns_rrset_value(&sets[1]), &plan) == 0;
	if (d->forced || d->plan.number > d->in_force) {
		dne_tell_picked(d);
		dne_go_on(d, dne_apply);
		return;
	}
	dne_tell_stale(d, d->config.service_endpoint, d->in_force, false);
	dne_put_down(d, "a newer plan is in force");
}

/* The one check of a plan's age; and is its tree there already? */
static void ask_in_force(struct dne *d)
{
	const struct dns_rrset sets[] = {
		{ .owner = dns_name_generation(d->config.service_endpoint, d->config.zone), .type = "TXT" },
		{ .owner = dns_name_mark(d->plan.tree, d->config.zone), .type = "TXT" },
	};
	int r = dns_talk_read(d->talk, sets, ARRAY_SIZE(sets), on_in_force, d);

	if (r < 0) dne_stumble(d, r);
}

/* --- the document ------------------------------------------------------------------------------------ */

/* Why the plan isn't for us, or NULL. */
static const char *objection(const struct dne *d, const struct dns_plan *p)
{
	if (strcmp(p->zone, d->config.zone)) return "it is for another zone";
	if (strcmp(p->endpoints[0].name, d->config.service_endpoint)) return "it is for another service";
	if (d->pinned && p->number != d->pinned) return "it isn't the plan that was asked for";
	if (d->config.knobs.refuse_empty && p->n_balancers == 0) return "it has no load balancer";
	return NULL;
}

static void end_repair(struct dne *d, const char *reason)
{
	if (!d->repairing) return;
	d->repairing = false;
	dne_tell_repaired(d, "enactor", d->repair_cause, mono_now() - d->repair_begun, reason);
}

static void refuse(struct dne *d, uint64_t plan, uint32_t sum, const char *reason)
{
	if (d->refused_sum != sum) dne_tell_refused(d, plan, reason);
	d->refused_sum = sum;
	end_repair(d, reason);
	idle(d);
}

/* Takes the plan over. */
static void take_plan(struct dne *d, const struct dns_plan *p)
{
	d->plan = *p;
	d->has_plan = true;
	d->forced = d->pinned || d->repairing;
	d->picked = 0;
	dne_go_on(d, ask_in_force);
}

static bool wanted(const struct dne *d, const struct dns_plan *p)
{
	return d->repairing || (d->pinned ? !d->pin_done : p->number > d->handled);
}

static void take_document(struct dne *d, const char *body, size_t len)
{
	uint32_t sum = (uint32_t)crc32_z(1, (const Bytef *)body, len);
	char why[DNS_PLAN_WHY_MAX];
	struct dns_plan plan;

	/* one from the future may be none later; until then it isn't told again */
	if (dns_plan_read(body, len, wall_ms(), &plan, why) < 0) {
		refuse(d, 0, sum, why);
		return;
	}
	const char *reason = objection(d, &plan);
	if (reason)
		refuse(d, plan.number, sum, reason);
	else if (wanted(d, &plan)) {
		take_plan(d, &plan);
		return;
	} else
		idle(d);
	dns_plan_release(&plan);
}

static void miss_store(struct dne *d, int status)
{
	char why[64];

	if (status)
		snprintf(why, sizeof(why), "it answers with HTTP status %d", status);
	else
		snprintf(why, sizeof(why), "no answer");
	if (!d->store_missing) dne_tell_waiting(d, "the plan store", why);
	d->store_missing = true;
	idle(d);
}

static void on_document(int status, const char *body, size_t len, void *arg)
{
	struct dne *d = arg;

	if (status != 200 && status != 304 && status != 404) {
		miss_store(d, status);
		return;
	}
	if (d->store_missing) log_line("the plan store answers again");
	d->store_missing = false;
	if (status == 200)
		take_document(d, body, len);
	else if (status == 404 && d->pinned)
		refuse(d, d->pinned, (uint32_t)d->pinned, "the store doesn't have it");
	else
		idle(d);
}

static void fetch(struct dne *d)
{
	char path[PATH_TEXT_MAX] = "/plans/newest", known[PATH_TEXT_MAX];
	bool unless = !d->pinned && !d->repairing && d->handled > 0;

	if (d->pinned) snprintf(path, sizeof(path), "/plans/%" PRIu64, d->pinned);
	snprintf(known, sizeof(known), "\"%" PRIu64 "\"", d->handled);
	int r = http_get(d->store, path, unless ? known : NULL, on_document, d);
	if (r < 0) dne_stumble(d, r);
}

void dne_pick(struct dne *d)
{
	d->doing = DNE_PICKING;
	if (d->pinned && d->pin_done && !d->repairing)
		idle(d);
	else
		dne_lead_then(d, fetch, idle);
}

void dne_put_down(struct dne *d, const char *reason)
{
	if (d->plan.number > d->handled) d->handled = d->plan.number;
	if (d->pinned == d->plan.number) d->pin_done = true;
	if (d->forced) end_repair(d, reason);
	dns_plan_release(&d->plan);
	dne_walk_release(&d->walk);
	d->has_plan = false;
	d->picked = 0;
	idle(d);
}
