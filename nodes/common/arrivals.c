#include "common/arrivals.h"

void arrivals_init(struct arrivals *a, uint64_t seed, const char *name, double rate, bool poisson)
{
	*a = (struct arrivals){ .random = random_of(seed, name), .poisson = poisson, .rate = rate };
	/* evenly spaced ones begin in the middle of a gap: a span of whole gaps holds as many arrivals, and
	 * none of them stands on its border */
	a->gap = poisson ? random_exponential(&a->random, 1) : 0.5;
}

static double next_offset(const struct arrivals *a)
{
	return a->since + a->gap / a->rate * (double)NS_PER_S;
}

mono_ns arrivals_next(const struct arrivals *a)
{
	double next = a->rate > 0 ? next_offset(a) : INFINITY;
	return next < 0x1p62 ? (mono_ns)next : MONO_NEVER;
}

void arrivals_take(struct arrivals *a)
{
	a->since = next_offset(a);
	a->gap = a->poisson ? random_exponential(&a->random, 1) : 1;
}

void arrivals_set_rate(struct arrivals *a, double rate, mono_ns now)
{
	if ((double)now > a->since) {
		a->gap = fmax(0, a->gap - ((double)now - a->since) / (double)NS_PER_S * a->rate);
		a->since = (double)now;
	}
	a->rate = rate;
}

uint64_t arrivals_count(uint64_t seed, const char *name, double rate, bool poisson, mono_ns span)
{
	struct arrivals a;
	uint64_t n = 0;

	arrivals_init(&a, seed, name, rate, poisson);
	for (; arrivals_next(&a) < span; arrivals_take(&a))
		n++;
	return n;
}
