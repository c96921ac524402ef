#include "dns-enactor/tell.h"
#include "common/cleanup.h"

static const char *const doings[] = {
	[DNE_IDLE] = "idle",       [DNE_PICKING] = "picking",   [DNE_PLANTING] = "planting",
	[DNE_WALKING] = "walking", [DNE_CLEANING] = "cleaning",
};
_Static_assert(ARRAY_SIZE(doings) == DNE_DOINGS, "a word for each");

static json_int_t number(uint64_t n)
{
	return (json_int_t)n;
}

static const char *endpoint_of(const struct dne *d)
{
	return d->plan.endpoints[dne_walk_at(&d->walk)].name;
}

void dne_tell_picked(struct dne *d)
{
	d->picked = node_event(
	    d->node, "plan.picked", d->plan.event,
	    json_pack("{s:I, s:I}", "plan", number(d->plan.number), "in_force", number(d->in_force)));
}

void dne_tell_stale(struct dne *d, const char *endpoint, uint64_t in_force, bool written)
{
	node_event(d->node, "plan.stale", d->picked ? d->picked : d->plan.event,
	           json_pack("{s:I, s:I, s:s, s:b}", "plan", number(d->plan.number), "in_force",
	                     number(in_force), "endpoint", endpoint, "written", written));
}

void dne_tell_refused(struct dne *d, uint64_t plan, const char *reason)
{
	node_event(d->node, "plan.refused", 0,
	           json_pack("{s:I, s:s}", "plan", number(plan), "reason", reason));
}

void dne_tell_taken(struct dne *d)
{
	node_event(d->node, "lock.taken", d->picked,
	           json_pack("{s:s, s:I, s:I, s:i, s:f}", "endpoint", endpoint_of(d), "plan",
	                     number(d->plan.number), "over", number(d->view.plan), "attempts",
	                     (int)d->walk.attempt, "waited_ms", mono_ms(mono_now() - d->walk.since)));
}

void dne_tell_lost(struct dne *d, const struct dne_view *view, const char *why)
{
	struct dns_lock lock = dne_holder(view);

	d->lost++;
	node_event(d->node, "lock.lost", d->picked,
	           json_pack("{s:s, s:I, s:s, s:i, s:s}", "endpoint", endpoint_of(d), "plan",
	                     number(d->plan.number), "holder", lock.holder, "attempt", (int)d->walk.attempt,
	                     "why", why));
}

void dne_tell_applied(struct dne *d)
{
	d->applied++;
	node_event(d->node, "plan.applied", d->picked,
	           json_pack("{s:I, s:f, s:I}", "plan", number(d->plan.number), "took_ms",
	                     mono_ms(mono_now() - d->walk.begun), "endpoints", number(d->walk.n)));
}

void dne_tell_aborted(struct dne *d, const char *reason)
{
	node_event(d->node, "plan.aborted", d->picked,
	           json_pack("{s:I, s:s, s:s}", "plan", number(d->plan.number), "endpoint", endpoint_of(d),
	                     "reason", reason));
}

void dne_tell_cleaned(struct dne *d, const struct dne_victim *victim)
{
	node_event(d->node, "plan.cleaned", d->picked,
	           json_pack("{s:I, s:s, s:I}", "plan", number(victim->plan), "tree", victim->tree, "by_plan",
	                     number(d->plan.number)));
}

void dne_tell_waiting(struct dne *d, const char *whom, const char *why)
{
	node_event(d->node, "dns.waiting", d->picked, json_pack("{s:s++}", "for", whom, ": ", why));
}

void dne_tell_repaired(struct dne *d, const char *how, uint64_t cause, mono_ns took, const char *reason)
{
	node_event(d->node, "dns.repaired", cause,
	           json_pack("{s:s, s:b, s:f, s:s}", "how", how, "ok", !reason, "took_ms", mono_ms(took),
	                     "reason", reason ? reason : ""));
}

void dne_tell_sample(struct dne *d)
{
	node_sample(d->node, "enactor",
	            json_pack("{s:I, s:s, s:I, s:I, s:I, s:b}", "plan",
	                      number(d->has_plan ? d->plan.number : 0), "doing", doings[d->doing],
	                      "endpoints_done", number(d->walk.at), "applied", number(d->applied),
	                      "locks_lost", number(d->lost), "paused", dne_stands_still(d)));
}
