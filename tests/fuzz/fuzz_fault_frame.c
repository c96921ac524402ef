// with: nodes/delay-line/frame.c nodes/delay-line/answer.c
/* Any captured packet may be sent again, corrupted or answered: no byte of it leads out of its buffer. */
#include "delay-line/answer.h"
#include "delay-line/frame.h"
#include <stdlib.h>
#include <string.h>

/* The program lets no packet through that is shorter than its Ethernet and IP headers. */
static uint32_t headers_of(const struct fault_packet *p)
{
	return p->v6 ? 14 + 40 : 14 + 20;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t answer[ANSWER_MAX];

	if (size < sizeof(struct fault_packet)) return 0;
	struct fault_packet *p = malloc(size);
	if (!p) return 0;
	memcpy(p, data, size);
	p->len = (uint32_t)(size - sizeof(*p));
	p->v6 &= 1;
	if (p->len >= headers_of(p)) {
		int len = answer_make(p, answer);
		if (len > ANSWER_MAX) abort();
		struct virtio_net_hdr h = frame_offloads(p);
		if (h.flags && h.csum_start + h.csum_offset + 2u > p->len) abort();
		frame_corrupt(p);
	}
	free(p);
	return 0;
}
