/* capacity.h - the finite capacity of a server: slots that serve, and a first-in first-out queue before them.
 * Pure: time is passed in and must not go backwards.
 *
 *   submit -> [ queue, at most `queue` long ] -> [ slots, `concurrency` of them ] -> next() -> owner
 *
 * A slot that ends at T starts its next work at T, not at the moment somebody notices, so a late event loop
 * costs no capacity. Work whose caller has gone keeps its place in the queue and is skipped when its turn
 * comes. *Overloaded*: the oldest work in the queue has waited for overload_after.
 *
 * Ownership: the caller owns and embeds struct work, and keeps it until capacity_next() returns it. */
#ifndef AZLAB_CAPACITY_H
#define AZLAB_CAPACITY_H
#include "common/mono.h"
#include "common/random.h"
#include <stdbool.h>
#include <sys/queue.h>

enum service_distribution { SERVICE_UNIFORM, SERVICE_FIXED, SERVICE_EXPONENTIAL };

struct capacity_config {
	unsigned concurrency, queue;
	mono_ns service_time; /* the mean */
	enum service_distribution distribution;
	bool serve_abandoned;
	mono_ns overload_after;
};

enum work_state { WORK_IDLE, WORK_QUEUED, WORK_SERVING, WORK_SERVED, WORK_SKIPPED };
struct work {
	TAILQ_ENTRY(work) link;
	enum work_state state;
	bool abandoned;
	mono_ns since; /* when it was submitted */
	mono_ns done;  /* when its slot ends or ended */
};
TAILQ_HEAD(work_list, work);

struct capacity {
	struct capacity_config config;
	struct random random; /* of service times */
	struct work_list queue, serving /* by their end */, skipped;
	unsigned busy, queued;
	bool overloaded;
	uint64_t served, refused, abandoned; /* since the start */
};

void capacity_init(struct capacity *c, const struct capacity_config *config, struct random random);
/* A knob was turned: work in service goes on as it began, work in the queue stays even past a new limit. */
void capacity_configure(struct capacity *c, const struct capacity_config *config, mono_ns now);
/* Takes the work in; false if slots and queue are full. Call after capacity_next() has returned NULL for now.
 */
bool capacity_submit(struct capacity *c, struct work *w, mono_ns now);
/* The work's caller has gone. */
void capacity_abandon(struct work *w);
/* The next work that left by now, WORK_SERVED or WORK_SKIPPED; NULL when there is none. */
struct work *capacity_next(struct capacity *c, mono_ns now);
/* Updates `overloaded`; true if it changed. Call after capacity_next() has returned NULL for now. */
bool capacity_judge(struct capacity *c, mono_ns now);
/* How long the oldest work in the queue has waited, 0 if none waits. */
mono_ns capacity_waited(const struct capacity *c, mono_ns now);
/* When capacity_next() or capacity_judge() will have something to say without anything new happening. */
mono_ns capacity_due(const struct capacity *c);
#endif
