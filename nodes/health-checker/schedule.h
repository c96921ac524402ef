/* schedule.h - which check runs next: each at its own interval, at most `limit` at once.
 * Pure: time is passed in and must not go backwards.
 *
 * A check that falls due while no slot is free waits in a queue and runs late. With n checks of duration D
 * on c slots, n*D/c above the interval, the interval stretches to n*D/c, the same for all. Work other than
 * checks can occupy slots too.
 *
 * Ownership: the caller owns and embeds struct schedule_entry (zeroed). */
#ifndef AZLAB_CHECKER_SCHEDULE_H
#define AZLAB_CHECKER_SCHEDULE_H
#include "common/mono.h"
#include <stdbool.h>
#include <sys/queue.h>

enum schedule_state { SCHEDULE_OUT, SCHEDULE_WAITING, SCHEDULE_QUEUED, SCHEDULE_RUNNING };
struct schedule_entry {
	TAILQ_ENTRY(schedule_entry) link;
	enum schedule_state state;
	bool blocked;     /* was due while no slot was free */
	mono_ns interval; /* from start to start, as configured */
	mono_ns due, started;
	mono_ns late;      /* of the last start: how long it waited for a slot */
	mono_ns stretched; /* the last two starts were so far apart; 0 before the second */
};
TAILQ_HEAD(schedule_list, schedule_entry);

struct schedule {
	struct schedule_list waiting /* by due */, queue /* due, in that order */;
	unsigned limit; /* slots; 0: as many as wanted */
	unsigned busy;
};

void schedule_init(struct schedule *s, unsigned limit);
void schedule_add(struct schedule *s, struct schedule_entry *e, mono_ns first, mono_ns interval);
/* Takes it out in any state, with its slot if it has one. */
void schedule_remove(struct schedule *s, struct schedule_entry *e);
/* Changes the interval, also of the wait that goes on. */
void schedule_retime(struct schedule *s, struct schedule_entry *e, mono_ns interval, mono_ns now);
/* The next check to start at once; NULL when none is due or no slot is free. Call until NULL. */
struct schedule_entry *schedule_next(struct schedule *s, mono_ns now);
/* The check has ended: frees its slot and waits for its next turn. */
void schedule_done(struct schedule *s, struct schedule_entry *e, mono_ns now);
/* Other work takes a slot (even one too many: it comes of a check that had one) and gives it back. */
void schedule_occupy(struct schedule *s);
void schedule_release(struct schedule *s);
/* When schedule_next() will have something without a slot getting free; MONO_NEVER if nothing waits. */
mono_ns schedule_due(const struct schedule *s);
#endif
