/* bucket.h - a token bucket: rate requests a second, burst at once. Pure: time is passed in. */
#ifndef AZLAB_EC2_API_BUCKET_H
#define AZLAB_EC2_API_BUCKET_H
#include "common/mono.h"
#include <stdbool.h>

struct bucket {
	double rate_per_s, burst; /* rate 0: no limit */
	double tokens;
	mono_ns at; /* when tokens was right */
};

/* From now on; the bucket keeps what it holds, as far as the new burst has room for it. */
static inline void bucket_set(struct bucket *b, double rate_per_s, double burst)
{
	b->rate_per_s = rate_per_s;
	b->burst = burst;
	if (b->tokens > burst) b->tokens = burst;
}
/* A full bucket. */
static inline struct bucket bucket_full(double rate_per_s, double burst, mono_ns now)
{
	return (struct bucket){ .rate_per_s = rate_per_s, .burst = burst, .tokens = burst, .at = now };
}
/* True, and a token less, if there is one. */
static inline bool bucket_take(struct bucket *b, mono_ns now)
{
	double gained = b->rate_per_s * (double)(now - b->at) / (double)NS_PER_S;

	b->at = now;
	b->tokens = b->tokens + gained < b->burst ? b->tokens + gained : b->burst;
	if (b->rate_per_s <= 0) return true;
	if (b->tokens < 1) return false;
	b->tokens -= 1;
	return true;
}
#endif
