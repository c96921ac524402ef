#include "autoscaler/retry.h"
#include "common/cleanup.h"
#include <string.h>

bool retry_worthy(enum call_outcome outcome, unsigned status, const char *code)
{
	static const char *const throttling[] = { "RequestLimitExceeded", "Throttling", "ThrottlingException",
		                                  "RequestThrottled", "SlowDown" };

	if (outcome != CALL_ANSWERED) return true;
	if (status == 500 || status == 502 || status == 503 || status == 504) return true;
	for (size_t i = 0; i < ARRAY_SIZE(throttling); i++) {
		if (strcmp(code, throttling[i]) == 0) return true;
	}
	return false;
}

mono_ns retry_pause(const struct retry_policy *p, unsigned attempt, struct random *random)
{
	unsigned doublings = attempt > 0 ? attempt - 1 : 0;
	mono_ns pause = RETRY_PAUSE_MAX;

	if (doublings < 32 && p->pause <= RETRY_PAUSE_MAX >> doublings) pause = p->pause << doublings;
	return p->jitter ? (mono_ns)((double)pause * random_unit(random)) : pause;
}
