// with: nodes/proto/health.c nodes/nlb/registry.c
/* Any datagram as a health report: decoded or refused, and what was decoded is taken in without harm and
 * encodes to the same bytes again. */
#include "nlb/registry.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registry_target targets[] = { { .id = 1 }, { .id = 2 }, { .id = 0xffffffff } };
	uint8_t again[HEALTH_DATAGRAM_MAX];
	struct registry r = { 0 };
	struct health_report report;

	if (health_report_decode(&report, data, size) < 0) return 0;
	if (health_report_encode(&report, again, sizeof(again)) != (int)size || memcmp(again, data, size))
		abort();
	if (registry_set(&r, targets, 3, 0) < 0) return 0;
	registry_report(&r, &report);
	if (registry_report(&r, &report) >= 0) abort(); /* the same part again is no news */
	if (registry_fails_open(&r) != (registry_healthy(&r) == 0)) abort();
	registry_release(&r);
	return 0;
}
