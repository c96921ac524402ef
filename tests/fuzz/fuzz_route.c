// with: nodes/proto/route.c
/* Any bytes as a datagram of each kind: refused, or decoded to what encodes to the same bytes again. */
#include "proto/route.h"
#include <stdlib.h>
#include <string.h>

static void same(const uint8_t *data, size_t size, const uint8_t *encoded, int len)
{
	if (len < 0 || (size_t)len != size || memcmp(data, encoded, size)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_update u;
	struct route_ack a;
	struct route_hello h;
	struct route_welcome w;

	if (route_update_decode(&u, data, size) == 0)
		same(data, size, buf, route_update_encode(&u, buf, sizeof(buf)));
	if (route_ack_decode(&a, data, size) == 0)
		same(data, size, buf, route_ack_encode(&a, buf, sizeof(buf)));
	if (route_hello_decode(&h, data, size) == 0)
		same(data, size, buf, route_hello_encode(&h, buf, sizeof(buf)));
	if (route_welcome_decode(&w, data, size) == 0)
		same(data, size, buf, route_welcome_encode(&w, buf, sizeof(buf)));
	return 0;
}
