#include "dns-enactor/config.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "common/take.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static int read_names(const json_t *config, struct dne_config *ret, char *why)
{
	int r = take_string(config, "holder", ret->holder, sizeof(ret->holder), why);

	if (r == 0) r = take_string(config, "zone", ret->zone, sizeof(ret->zone), why);
	if (r == 0)
		r = take_string(config, "service_endpoint", ret->service_endpoint,
		                sizeof(ret->service_endpoint), why);
	if (r < 0) return r;
	if (!dns_labels_ok(ret->holder, sizeof(ret->holder), false)) return wrong(why, "bad 'holder'");
	if (!dns_labels_ok(ret->zone, sizeof(ret->zone), true)) return wrong(why, "bad 'zone'");
	if (!dns_labels_ok(ret->service_endpoint, sizeof(ret->service_endpoint), true))
		return wrong(why, "bad 'service_endpoint'");
	return 0;
}

static const struct {
	const char *key;
	size_t at;
	double fallback, min; /* milliseconds */
} times[] = {
	{ "poll_ms", offsetof(struct dne_knobs, poll), 100, 1 },
	{ "lock_ms", offsetof(struct dne_knobs, lock), 300, 1 },
	{ "backoff_ms", offsetof(struct dne_knobs, backoff), 100, 1 },
	{ "backoff_max_ms", offsetof(struct dne_knobs, backoff_max), 5000, 1 },
	{ "leader_ms", offsetof(struct dne_knobs, leader_lease), 2000, 1 },
};

static int read_times(const json_t *config, struct dne_knobs *ret, char *why)
{
	static const double longest_ms = 24 * 3600 * 1000.0;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		double ms;
		int r =
		    take_number(config, times[i].key, times[i].fallback, times[i].min, longest_ms, &ms, why);
		if (r < 0) return r;
		*(mono_ns *)((char *)ret + times[i].at) = (mono_ns)(ms * NS_PER_MS);
	}
	return 0;
}

static int choose(const json_t *config, const char *key, const char *const *words, size_t n, int *ret,
                  char *why)
{
	const char *word = node_string(config, key, words[0]);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], word)) continue;
		*ret = (int)i;
		return 0;
	}
	return wrong(why, "'%s' can't be '%s'", key, word);
}

/* Strict: a guard that is taken for off because it was misspelt guards nothing. */
static int take_switch(const json_t *config, const char *key, bool fallback, bool *ret, char *why)
{
	const json_t *value = json_object_get(config, key);

	if (value && !json_is_boolean(value)) return wrong(why, "'%s' is neither true nor false", key);
	*ret = value ? json_is_true(value) : fallback;
	return 0;
}

static int read_guards(const json_t *config, struct dne_knobs *ret, char *why)
{
	static const char *const freshness[] = { "once", "per-write", "compare-and-set" };
	static const char *const cleanup[] = { "by-age", "never-active" };
	static const char *const leader[] = { "off", "lease" };
	static const char *const aborts[] = { "plan", "endpoint" };
	static const char *const walk[] = { "random", "plan" };
	double keep;
	int f = 0, c = 0, l = 0, w = 0, a = 0;
	int r = choose(config, "freshness", freshness, ARRAY_SIZE(freshness), &f, why);

	if (r == 0) r = choose(config, "cleanup", cleanup, ARRAY_SIZE(cleanup), &c, why);
	if (r == 0) r = choose(config, "aborts", aborts, ARRAY_SIZE(aborts), &a, why);
	if (r == 0) r = choose(config, "walk", walk, ARRAY_SIZE(walk), &w, why);
	if (r == 0) r = choose(config, "leader", leader, ARRAY_SIZE(leader), &l, why);
	if (r == 0) r = take_number(config, "keep", 4, 0, UINT32_MAX, &keep, why);
	if (r < 0) return r;
	ret->keep = (uint64_t)keep;
	ret->freshness = (enum dne_freshness)f;
	ret->cleanup = (enum dne_cleanup)c;
	ret->leader = l;
	ret->skip_endpoint = a;
	ret->in_plan_order = w;
	r = take_switch(config, "alias_check", true, &ret->alias_check, why);
	if (r == 0) r = take_switch(config, "refuse_empty", false, &ret->refuse_empty, why);
	if (r == 0) r = take_switch(config, "auto_rollback", false, &ret->auto_rollback, why);
	return r;
}

int dne_config_read(const json_t *config, struct dne_config *ret, char why[WHY_MAX])
{
	struct dne_config c = { 0 };
	int r = read_names(config, &c, why);

	if (r == 0) r = dns_peers_read(config, &c.peers, why);
	if (r == 0) r = read_times(config, &c.knobs, why);
	if (r == 0) r = read_guards(config, &c.knobs, why);
	if (r == 0) *ret = c;
	return r;
}
