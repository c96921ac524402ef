/* outbox.h - the books of one service's health reports: which receiver has acknowledged what. Pure.
 * Every report holds the whole state, so acknowledging one covers all before it. */
#ifndef AZLAB_CHECKER_OUTBOX_H
#define AZLAB_CHECKER_OUTBOX_H
#include <stdbool.h>
#include <stdint.h>

enum { OUTBOX_RECEIVERS_MAX = 8, OUTBOX_PARTS_MAX = 64 };

struct outbox {
	unsigned receivers;
	uint32_t sequence; /* of the report last begun; 0: none yet */
	unsigned parts;
	struct {
		uint64_t parts;    /* of that report, a bit each */
		uint32_t sequence; /* the newest report that it has whole */
	} acked[OUTBOX_RECEIVERS_MAX];
};

void outbox_init(struct outbox *o, unsigned receivers);
/* Begins a report of 1..OUTBOX_PARTS_MAX parts; returns its sequence. */
uint32_t outbox_begin(struct outbox *o, unsigned parts);
/* Does the receiver still lack this part of the last report? */
bool outbox_lacks(const struct outbox *o, unsigned receiver, unsigned part);
/* Takes in an acknowledgement; those of older reports, or repeated ones, change nothing. */
void outbox_ack(struct outbox *o, unsigned receiver, uint32_t sequence, unsigned part);
/* The newest report that every receiver has acknowledged whole, or something newer. */
uint32_t outbox_settled(const struct outbox *o);
#endif
