/* held.h - the packets that the delay line holds, by the instant they are due; those due at the same
 * instant leave in the order they came. Pure.
 *
 * Units: CLOCK_MONOTONIC nanoseconds. Ownership: held_push() copies; held_pop() hands over to free(). */
#ifndef AZLAB_DELAY_HELD_H
#define AZLAB_DELAY_HELD_H
#include "common/mono.h"
#include "fault.h"
#include <stddef.h>

struct held_packet {
	uint64_t order;
	struct fault_packet p; /* its data follow */
};
struct held {
	struct held_packet **heap;
	size_t n, room;
	size_t bytes; /* that the packets take */
	size_t max_bytes;
	uint64_t order;
};

/* 0, -ENOBUFS at max_bytes, -ENOMEM. */
int held_push(struct held *h, const struct fault_packet *p);
/* When the next packet is due; MONO_NEVER if there is none. */
mono_ns held_due(const struct held *h);
/* The next packet if it is due by now, else NULL. */
struct held_packet *held_pop(struct held *h, mono_ns now);
void held_release(struct held *h);
#endif
