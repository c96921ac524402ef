/* retry.h - how a customer's client retries, with the AWS CLI's defaults: 3 attempts, pauses of
 * rand(0,1) * 2^i s up to 20 s; boto3 has 5 for EC2. Pure. */
#ifndef AZLAB_AUTOSCALER_RETRY_H
#define AZLAB_AUTOSCALER_RETRY_H
#include "common/http_client.h"
#include "common/random.h"
#include <stdbool.h>

#define RETRY_PAUSE_MAX (20 * NS_PER_S)

struct retry_policy {
	unsigned attempts; /* in all; at least 1 */
	mono_ns pause;     /* before the second attempt, then doubling */
	bool jitter;       /* a random part of the pause */
};

/* What every AWS SDK tries again: no answer at all, 500, 502, 503, 504, throttling. */
bool retry_worthy(enum call_outcome outcome, unsigned status, const char *code);
/* The pause behind an attempt, the first being 1. */
mono_ns retry_pause(const struct retry_policy *p, unsigned attempt, struct random *random);
#endif
