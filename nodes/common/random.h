/* random.h - seeded random numbers: SplitMix64 (Steele, Lea, Flood 2014), one stream a purpose.
 * The same seed and stream give the same numbers on every machine. */
#ifndef AZLAB_RANDOM_H
#define AZLAB_RANDOM_H
#include <math.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
/* FNV-1a of a name, to tell streams apart: random_of(seed, "az1.shop-2"). */
static inline struct random random_of(uint64_t seed, const char *stream)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (; *stream; stream++)
		h = (h ^ (uint8_t)*stream) * UINT64_C(0x100000001b3);
	struct random r = { .state = seed ^ h };
	random_next(&r);
	return r;
}
/* Uniform in [0, 1). */
static inline double random_unit(struct random *r)
{
	return (double)(random_next(r) >> 11) * 0x1.0p-53;
}
/* Exponential with the given mean. */
static inline double random_exponential(struct random *r, double mean)
{
	return -mean * log1p(-random_unit(r));
}
#endif
