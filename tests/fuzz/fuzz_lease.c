// with: nodes/proto/lease.c
/* Any bytes as a datagram between DWFM and droplets: refused, or decoded to what encodes to the same bytes.
 */
#include "proto/lease.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[LEASE_DATAGRAM_MAX];
	struct lease_message m;

	if (lease_decode(&m, data, size) < 0) return 0;
	int len = lease_encode(&m, buf, sizeof(buf));
	if (len < 0 || (size_t)len != size || memcmp(data, buf, size)) abort();
	return 0;
}
