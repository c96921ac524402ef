// with: nodes/proto/health.c
/* Any bytes as a health report or its acknowledgement: refused, or decoded to what encodes to them again. */
#include "proto/health.h"
#include <stdlib.h>
#include <string.h>

static void same(const uint8_t *data, size_t size, const uint8_t *encoded, int len)
{
	if (len < 0 || (size_t)len != size || memcmp(data, encoded, size)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[HEALTH_DATAGRAM_MAX];
	static struct health_report r;
	struct health_ack a;

	if (health_report_decode(&r, data, size) == 0)
		same(data, size, buf, health_report_encode(&r, buf, sizeof(buf)));
	if (health_ack_decode(&a, data, size) == 0)
		same(data, size, buf, health_ack_encode(&a, buf, sizeof(buf)));
	return 0;
}
