/* retry.h - when work that failed may be tried again: back-off and a budget. Pure but for its random numbers.
 */
#ifndef AZLAB_DWFM_RETRY_H
#define AZLAB_DWFM_RETRY_H
#include "common/random.h"
#include "dwfm/knobs.h"

struct retry {
	struct random random;
	double tokens; /* retries that the budget has room for */
};

void retry_init(struct retry *r, uint64_t seed, const char *stream);
/* A first attempt is made: it adds to the budget. */
void retry_earn(struct retry *r, const struct dwfm_knobs *k);
/* May one be tried again now? Takes it from the budget. */
bool retry_spend(struct retry *r, const struct dwfm_knobs *k);
/* How long to wait after that many failures in a row (from 1). */
mono_ns retry_wait(struct retry *r, const struct dwfm_knobs *k, unsigned failures);
#endif
