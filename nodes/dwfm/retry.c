#include "dwfm/retry.h"

/* What the budget may save up: a few retries are harmless at any load (Envoy lets three run at once). */
#define TOKENS_MIN 3.0
#define TOKENS_MAX 100.0
enum { DOUBLINGS_MAX = 20 };

void retry_init(struct retry *r, uint64_t seed, const char *stream)
{
	*r = (struct retry){ .random = random_of(seed, stream), .tokens = TOKENS_MIN };
}

void retry_earn(struct retry *r, const struct dwfm_knobs *k)
{
	r->tokens += k->retry_budget;
	if (r->tokens > TOKENS_MAX) r->tokens = TOKENS_MAX;
}

bool retry_spend(struct retry *r, const struct dwfm_knobs *k)
{
	if (k->retry_budget <= 0) return true;
	if (r->tokens < 1) return false;
	r->tokens -= 1;
	return true;
}

mono_ns retry_wait(struct retry *r, const struct dwfm_knobs *k, unsigned failures)
{
	unsigned doublings = failures > DOUBLINGS_MAX ? DOUBLINGS_MAX : failures - 1;
	mono_ns pause = k->backoff << doublings;

	if (k->backoff_max > 0 && pause > k->backoff_max) pause = k->backoff_max;
	return k->full_jitter ? (mono_ns)(random_unit(&r->random) * (double)pause) : pause;
}
