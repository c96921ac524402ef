/* lag.h - how late packets left, as a histogram of whole microseconds. */
#ifndef AZLAB_DELAY_LAG_H
#define AZLAB_DELAY_LAG_H
#include "common/mono.h"
#include <stdint.h>
#include <string.h>

enum { LAG_BINS = 10000 }; /* the last one: 10 ms and more */

struct lag {
	uint32_t n, bins[LAG_BINS];
};

static inline void lag_add(struct lag *l, mono_ns late)
{
	mono_ns us = late > 0 ? late / NS_PER_US : 0;
	l->bins[us < LAG_BINS ? us : LAG_BINS - 1]++;
	l->n++;
}
/* The quantile q of 0..1 in microseconds, 0 if nothing was added. */
static inline unsigned lag_quantile(const struct lag *l, double q)
{
	uint32_t rank = (uint32_t)(q * l->n), seen = 0;
	for (unsigned us = 0; us < LAG_BINS; us++) {
		seen += l->bins[us];
		if (seen > rank || (l->n && seen == l->n)) return us;
	}
	return 0;
}
static inline void lag_reset(struct lag *l)
{
	memset(l, 0, sizeof(*l));
}
#endif
