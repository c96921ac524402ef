#include "policy/verdicts.h"
#include "policy/stages.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ZONE_BIT(z) (UINT64_C(1) << (z))

static zone_set all_zones(const struct verdicts *v)
{
	return v->config.zones == 64 ? ~UINT64_C(0) : ZONE_BIT(v->config.zones) - 1;
}

static zone_set zones_out(const struct verdicts *v)
{
	zone_set out = 0;
	for (unsigned z = 0; z < v->config.zones; z++)
		if (v->zones[z].out) out |= ZONE_BIT(z);
	return out;
}

static void happen(struct happenings *h, const struct verdicts *v, enum happening_kind kind, unsigned zone,
                   uint64_t cause, const char *reason)
{
	struct happening *new = &h->list[h->n++];

	*new = (struct happening){ .kind = kind, .zone = zone, .cause = cause };
	snprintf(new->reason, sizeof(new->reason), "%s", reason);
	if (kind == FAILOPEN_ON || kind == FAILOPEN_OFF) return;
	new->healthy = v->zones[zone].healthy;
	new->of = v->zones[zone].of;
}

static void hold_back(struct happenings *h, const struct verdicts *v, unsigned zone,
                      const struct chain_hold *hold)
{
	char reason[STAGE_REASON_MAX + 32];

	snprintf(reason, sizeof(reason), "%s: %s", hold->stage, hold->reason);
	happen(h, v, ZONE_HELD, zone, v->zones[zone].cause, reason);
}

static void remove_zone(struct happenings *h, const struct verdicts *v, unsigned zone)
{
	char reason[STAGE_REASON_MAX];

	snprintf(reason, sizeof(reason), "fewer than %.4g %% of its targets are healthy",
	         100 * v->config.min_healthy);
	happen(h, v, ZONE_REMOVED, zone, v->zones[zone].cause, reason);
}

static struct change change_of(const struct verdicts *v, enum change_kind kind, unsigned zone,
                               zone_set answer)
{
	unsigned registered = 0;

	for (unsigned z = 0; z < v->config.zones; z++)
		registered += v->zones[z].of;
	return (struct change){
		.kind = kind,
		.zone = zone,
		.zones = v->config.zones,
		.zones_in = (unsigned)__builtin_popcountll(answer),
		.healthy = v->zones[zone].healthy,
		.of = v->zones[zone].of,
		.capacity = registered ? (double)v->zones[zone].of / registered : 0,
	};
}

static bool recalls(const struct verdicts *v)
{
	return !v->config.enabled || chain_recalls(&v->chain);
}

/* Failover that is off as a whole acts as the stage of that name, before all others. */
static bool allowed(const struct verdicts *v, const struct chain *chain, const struct change *c, mono_ns now,
                    struct chain_hold *ret)
{
	*ret = (struct chain_hold){ .stage = stage_disabled.name };
	if (!v->config.enabled && !stage_disabled.allows(NULL, NULL, c, now, ret->reason, &ret->retry))
		return false;
	return chain_allows(chain, c, now, ret);
}

static void ask_again(struct verdicts *v, mono_ns when)
{
	if (when && (!v->retry || when < v->retry)) v->retry = when;
}

static void restore(struct verdicts *v, unsigned zone, uint64_t cause, const char *reason, mono_ns now,
                    struct happenings *h)
{
	struct change c = change_of(v, CHANGE_RESTORE_ZONE, zone, v->answer);

	chain_happened(&v->chain, &c, now);
	v->answer |= ZONE_BIT(zone);
	happen(h, v, ZONE_RESTORED, zone, cause, reason);
}

static void settle_restores(struct verdicts *v, uint64_t cause, mono_ns now, struct happenings *h)
{
	bool recalled = recalls(v);
	struct chain_hold hold;

	for (unsigned z = 0; z < v->config.zones; z++) {
		bool out = v->zones[z].out;
		if (v->answer & ZONE_BIT(z) || (out && !recalled)) continue;
		struct change c = change_of(v, CHANGE_RESTORE_ZONE, z, v->answer);
		if (!allowed(v, &v->chain, &c, now, &hold))
			ask_again(v, hold.retry);
		else if (out)
			restore(v, z, cause, "automatic failover is disabled", now, h);
		else
			restore(v, z, v->zones[z].cause, "enough of its targets are healthy", now, h);
	}
}

/* The answer would be empty: what is left stays, and all that left comes back. */
static void open_up(struct verdicts *v, uint64_t cause, mono_ns now, struct happenings *h)
{
	v->fail_open = true;
	happen(h, v, FAILOPEN_ON, 0, cause, "");
	for (unsigned z = 0; z < v->config.zones; z++) {
		v->zones[z].held = false;
		if (!(v->answer & ZONE_BIT(z)))
			restore(v, z, cause, "fail open: no zone would be left", now, h);
	}
}

/* Asks the chain about each proposed removal in turn, on a trial copy: when all that would be left goes,
 * nothing goes, and the books must not say that it did. */
static void settle_removals(struct verdicts *v, uint64_t cause, mono_ns now, struct happenings *h)
{
	struct chain trial = v->chain;
	struct chain_hold holds[STAGE_ZONES_MAX];
	zone_set proposed = v->answer & zones_out(v), left = v->answer;

	for (unsigned z = 0; z < v->config.zones; z++) {
		if (!(proposed & ZONE_BIT(z))) continue;
		struct change c = change_of(v, CHANGE_REMOVE_ZONE, z, left);
		if (!allowed(v, &trial, &c, now, &holds[z])) continue;
		chain_happened(&trial, &c, now);
		left &= ~ZONE_BIT(z);
	}
	if (!left) {
		/* time alone brought it about: the last zone's own cause then */
		open_up(v, cause ? cause : v->zones[__builtin_ctzll(proposed)].cause, now, h);
		return;
	}
	v->chain = trial;
	v->answer = left;
	for (unsigned z = 0; z < v->config.zones; z++) {
		struct zone_verdict *zone = &v->zones[z];
		if (!(proposed & ZONE_BIT(z))) continue;
		bool held = left & ZONE_BIT(z);
		if (held) ask_again(v, holds[z].retry);
		if (!held) remove_zone(h, v, z);
		if (held && !zone->held) hold_back(h, v, z, &holds[z]);
		zone->held = held;
	}
}

static void settle(struct verdicts *v, uint64_t cause, mono_ns now, struct happenings *h)
{
	zone_set in = all_zones(v) & ~zones_out(v);

	v->retry = 0;
	if (v->fail_open && !in) return; /* the answer is all there is */
	if (v->fail_open) happen(h, v, FAILOPEN_OFF, 0, cause, "");
	v->fail_open = false;
	settle_restores(v, cause, now, h);
	settle_removals(v, cause, now, h);
}

static void judge(struct verdicts *v, unsigned zone, uint64_t cause)
{
	struct zone_verdict *z = &v->zones[zone];
	double min = v->config.min_healthy;
	bool out = min > 0 && z->had_targets && (z->of == 0 || z->healthy + 1e-9 < min * z->of);

	if (out == z->out) return;
	z->out = out;
	z->cause = cause;
	z->held = false;
}

static int check_config(const struct verdicts_config *c)
{
	if (c->zones == 0) return -EINVAL;
	return c->zones > STAGE_ZONES_MAX || c->n_stages > CHAIN_STAGES_MAX ? -E2BIG : 0;
}

static void take_config(struct verdicts *v, const struct verdicts_config *config)
{
	v->config = *config;
	v->chain.on = config->rate_limit;
	chain_configure(&v->chain, config->stages, config->n_stages);
}

int verdicts_init(struct verdicts *v, const struct verdicts_config *config)
{
	int r = check_config(config);

	if (r < 0) return r;
	memset(v, 0, sizeof(*v));
	take_config(v, config);
	v->answer = all_zones(v);
	return 0;
}

int verdicts_configure(struct verdicts *v, const struct verdicts_config *config, uint64_t cause, mono_ns now,
                       struct happenings *ret)
{
	int r = check_config(config);

	ret->n = 0;
	if (r < 0) return r;
	if (config->zones != v->config.zones) return -EINVAL;
	take_config(v, config);
	for (unsigned z = 0; z < v->config.zones; z++)
		judge(v, z, cause);
	settle(v, cause, now, ret);
	return 0;
}

void verdicts_feed(struct verdicts *v, unsigned zone, unsigned healthy, unsigned of, uint64_t cause,
                   mono_ns now, struct happenings *ret)
{
	struct zone_verdict *z = &v->zones[zone];

	ret->n = 0;
	z->healthy = healthy;
	z->of = of;
	z->had_targets |= of > 0;
	judge(v, zone, cause);
	settle(v, cause, now, ret);
}

void verdicts_tick(struct verdicts *v, mono_ns now, struct happenings *ret)
{
	ret->n = 0;
	settle(v, 0, now, ret);
}

mono_ns verdicts_retry(const struct verdicts *v)
{
	return v->retry ? v->retry : MONO_NEVER;
}

zone_set verdicts_proposed_out(const struct verdicts *v)
{
	return v->answer & zones_out(v);
}
