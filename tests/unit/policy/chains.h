/* chains.h - for tests of the policy: configurations with stages at their defaults. */
#ifndef AZLAB_TEST_CHAINS_H
#define AZLAB_TEST_CHAINS_H
#include "policy/verdicts.h"

static inline struct chain_stage stage_of(const struct stage_type *type)
{
	struct chain_stage s = { .type = type };
	for (size_t i = 0; i < STAGE_PARAMS_MAX && type->params[i].key; i++)
		s.params[i] = type->params[i].fallback;
	return s;
}

static inline struct verdicts_config config_of(unsigned zones, bool on, size_t n,
                                               const struct stage_type *const *types)
{
	struct verdicts_config c = {
		.zones = zones, .enabled = true, .rate_limit = on, .min_healthy = 0.5, .n_stages = n
	};
	for (size_t i = 0; i < n; i++)
		c.stages[i] = stage_of(types[i]);
	return c;
}
#endif
