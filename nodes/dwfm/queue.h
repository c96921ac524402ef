/* queue.h - the work that waits for a worker of a DWFM host: attempts at leases, and lifecycle operations.
 * Pure.
 *
 * Which piece is next is the discipline's: the oldest (fifo), the youngest (lifo), or the oldest but for what
 * CoDel drops when the wait has been above its target for an interval (RFC 8289, with its 5 ms and 100 ms).
 * With deadlines, what can't be finished within its time-out any more is dropped as it comes up. Renewals may
 * go before operations.
 *
 * Nothing in here gets forgotten but by queue_clear(): a piece whose owner has given it up still waits, and
 * is handed out as any other.
 *
 * Ownership: an operation (item.op) is the caller's; dropped pieces are handed back. Errors are -errno. */
#ifndef AZLAB_DWFM_QUEUE_H
#define AZLAB_DWFM_QUEUE_H
#include "dwfm/knobs.h"
#include <stddef.h>
#include <stdint.h>

struct queue_item {
	mono_ns queued, expires;
	uint32_t droplet, attempt; /* an attempt at a lease: whose, and which of it */
	void *op;                  /* a lifecycle operation, NULL for an attempt */
};

/* A piece was taken out without being worked on. */
typedef void queue_dropped(const struct queue_item *item, void *arg);

struct queue;
struct queue *queue_new(queue_dropped *dropped, void *arg);
void queue_free(struct queue *q); /* drops nothing */
/* -EAGAIN if admission refuses it; -ENOMEM. */
int queue_push(struct queue *q, const struct dwfm_knobs *k, const struct queue_item *item);
/* False if there is none. */
bool queue_pop(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret);
/* Drops everything; returns how much that was. */
size_t queue_clear(struct queue *q);
size_t queue_length(const struct queue *q);
/* How long the oldest piece has waited; 0 if there is none. */
mono_ns queue_age(const struct queue *q, mono_ns now);
#endif
