/* line.h - the delay line: takes packets out of the fault program's ring buffer, sends each at its due time
 * on the device it was taken from, and keeps the heartbeat without which the program passes packets at once.
 *
 * Descriptors, in this order: the ring buffer, the map `line`, then one packet socket a namespace, in the
 * numbering of the program's records, each with PACKET_VNET_HDR and the mark that the program lets pass. */
#ifndef AZLAB_DELAY_LINE_H
#define AZLAB_DELAY_LINE_H
#include "held.h"
#include "lag.h"
#include <event2/event.h>

struct line {
	struct held held;
	const int *sockets; /* borrowed; -1 where there is none */
	size_t n_sockets;
	struct fault_line *shared; /* mapped */
	struct ring_buffer *ring;
	int timer_fd;
	mono_ns armed; /* what timer_fd is set to */
	struct event *ring_event, *timer_event, *beat_event;
	uint64_t sent, gone; /* gone: due for a device that no longer exists */
	struct lag lag;
};

/* Opens the line on n descriptors and hooks it into the loop; 0 or -errno. They stay the caller's. */
int line_open(struct line *l, struct event_base *base, const int *fds, size_t n);
#endif
