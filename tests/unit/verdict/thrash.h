/* thrash.h - a made-up record of three zones that thrash for a while, as large as a real one: for looking at
 * reports, not a claim about what the lab does. */
#ifndef AZLAB_TEST_THRASH_H
#define AZLAB_TEST_THRASH_H
#include "common/random.h"
#include "orchestrator/verdict/summary.h"
#include "tests/unit/verdict/facts.h"
#include <math.h>

static inline uint64_t say(struct record *r, double t, uint64_t cause, const char *node, const char *event,
                           json_t *fields)
{
	return record_event(r, t, 0, cause, node, "", event, fields);
}

/* What a zone is doing at t, from its own rhythm: removed for a second or so every few seconds. */
static inline bool thrash_out(int zone, double t)
{
	double limit = zone == 0 ? 62 : 51;
	return t > 11 + zone && t < limit && fmod(t * (1 + zone * 0.13) + zone * 1.7, 5.1) < 1.9;
}

static inline void thrash_scenario(struct record *r)
{
	static const struct {
		double t;
		const char *action, *event, *fault;
	} steps[] = {
		{ 10, "fault on slow-routes", "fault.on", "slow-routes" },
		{ 10, "instance replace shop az1 2", NULL, NULL },
		{ 14, "fault on lossy-checks", "fault.on", "lossy-checks" },
		{ 22, "fault off lossy-checks", "fault.off", "lossy-checks" },
		{ 30, "fault off slow-routes", "fault.off", "slow-routes" },
		{ 50, "failover rate-limit on", "knob.set", NULL },
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		uint64_t id =
		    say(r, steps[i].t, 0, "azlab", "step", json_pack("{s:s}", "action", steps[i].action));
		if (steps[i].event)
			say(r, steps[i].t, id, "azlab", steps[i].event,
			    json_pack("{s:s?}", "fault", steps[i].fault));
	}
}

/* A zone's removal as the end of a chain: a check failed, so a target became unhealthy, so the zone left. */
static inline void thrash_change(struct record *r, double t, const char *zone, bool out, uint64_t *cause)
{
	char node[64], target[64];

	snprintf(node, sizeof(node), "%s.checker", zone);
	snprintf(target, sizeof(target), "%s.shop-2", zone);
	if (!out) *cause = 0;
	uint64_t check =
	    say(r, t - 0.02, *cause, node, out ? "target.unhealthy" : "target.healthy",
	        json_pack("{s:s, s:s, s:s}", "target", target, "service", "shop", "reason", "timed out"));
	*cause =
	    say(r, t, check, "region.az-failover", out ? "zone.removed" : "zone.restored",
	        json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:f}", "zone", zone, "service", "shop", "healthy",
	                  out ? 1 : 2, "well", 3, "overloaded", 0, "of", 3, "min_healthy", 0.5));
}

static inline void thrash_zones(struct record *r)
{
	static const char *const zones[] = { "az1", "az2", "az3" };
	int was_out[3] = { -1, -1, -1 }, gone_before = -1;
	uint64_t cause[3] = { 0 };

	for (int tick = -20; tick < 800; tick++) {
		double t = tick / 10.0;
		int gone = 0;
		for (int z = 0; z < 3; z++) {
			int out = thrash_out(z, t), well = z == 0 && t > 10 && t < 17 ? 1 : 3;
			gone += out ? well : 0;
			if (out == was_out[z] && tick % 10) continue;
			if (was_out[z] >= 0 && out != was_out[z])
				thrash_change(r, t, zones[z], out, &cause[z]);
			was_out[z] = out;
			answer(r, t, zones[z], !out);
			record_metric(r, t, "azlab", zones[z], "shop", "healthy",
			              out ? 1 : 3 - (t > 11 && t < 51 && tick % 3 == 0));
			record_metric(r, t, "azlab", zones[z], "shop", "well", well);
			record_metric(r, t, "azlab", zones[z], "shop", "of", 3);
			record_metric(r, t, "azlab", zones[z], "shop", "held", t > 52 && t < 62 && z == 1);
		}
		if (gone != gone_before) lost(r, t, gone);
		gone_before = gone;
	}
	say(r, 52, 0, "region.az-failover", "zone.held",
	    json_pack("{s:s, s:s}", "zone", "az2", "reason", "velocity"));
}

static inline void thrash_load(struct record *r)
{
	struct random random = random_of(1, "load");

	for (int tick = 0; tick < 800; tick++) {
		double t = tick / 10.0, gone = 0;
		for (int z = 0; z < 3; z++)
			gone += thrash_out(z, t);
		double requests = 45 + (double)(random_next(&random) % 17);
		double errors = gone < 2 ? 0 : floor(requests * (gone - 1) / 3 * random_unit(&random));
		bucket(r, t, requests, errors);
		record_metric(r, t, "internet.client-1", "internet", "shop", "timed_out", errors);
	}
}

static inline struct record *thrash_record(void)
{
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);

	say(r, -2, 0, "azlab", "lab.up", NULL);
	thrash_scenario(r);
	thrash_zones(r);
	thrash_load(r);
	return r;
}

static struct phase_config thrash_phases[] = {
	{ .name = "calm", .at = 0 },
	{ .name = "fault", .at = 10 * NS_PER_S },
	{ .name = "after", .at = 30 * NS_PER_S },
	{ .name = "limited", .at = 50 * NS_PER_S },
	{ .name = "settled", .at = 65 * NS_PER_S },
	{ .name = "end", .at = 80 * NS_PER_S },
};
static struct bound thrash_bounds[] = {
	{ .figure = "zone_removals", .has_max = true, .max = 0 },
	{ .figure = "zone_removals", .has_min = true, .min = 8 },
	{ .figure = "error_rate", .has_max = true, .max = 0.01 },
};
static struct expect_config thrash_expects[] = {
	{ .phase = "calm", .n_bounds = 1, .bounds = &thrash_bounds[0] },
	{ .phase = "after", .n_bounds = 2, .bounds = &thrash_bounds[1] },
	{ .phase = "settled", .n_bounds = 1, .bounds = &thrash_bounds[0] },
};
static const struct topology thrash_topology = {
	.file = "topologies/az-thrash.yaml",
	.region = "us-east-1",
	.seed = 1,
	.n_zones = 3,
	.zones = { "az1", "az2", "az3" },
	.n_phases = 6,
	.phases = thrash_phases,
	.n_expects = 3,
	.expects = thrash_expects,
};

static inline json_t *thrash_summary(struct record *r)
{
	struct fidelity *f = fidelity_new(250 * NS_PER_MS);
	struct summary_input in = { .topology = &thrash_topology,
		                    .record = r,
		                    .fidelity = f,
		                    .end = INFINITY,
		                    .lab = "az-thrash",
		                    .started = "2025-10-20T06:52:00Z",
		                    .repeat = "azlab run topologies/az-thrash.yaml --seed 1" };

	for (int t = 1; t < 80; t++)
		fidelity_lateness(f, "az1.checker", t, (uint32_t[]){ 90, 1500 }, 2);
	json_t *summary = summary_make(&in);
	summary_record(summary, r, 80);
	fidelity_free(f);
	return summary;
}
#endif
