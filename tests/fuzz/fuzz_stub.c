// with: nodes/common/stub_wire.c
/* Any datagram read as an answer: no crash, and never more than an answer can hold. */
#include "common/stub.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stub_answer answer;
	int family = size > 0 && data[0] & 1 ? AF_INET6 : AF_INET;
	/* the fuzzer needn't guess the id */
	uint16_t id = size >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : 0;

	if (stub_parse(data, size, id, "shop.lab", family, &answer) < 0) return 0;
	if (answer.n > STUB_ADDRESSES_MAX || (answer.outcome == STUB_OK) != (answer.n > 0)) abort();
	for (size_t i = 0; i < answer.n; i++)
		if (answer.addresses[i].any.sa_family != family) abort();
	return 0;
}
