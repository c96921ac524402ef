/* health_inbox.h - puts the checkers' reports together: the parts of one report, the newest of several, and
 * which checkers have fallen silent. Pure: time is passed in. */
#ifndef AZLAB_HEALTH_INBOX_H
#define AZLAB_HEALTH_INBOX_H
#include "common/mono.h"
#include "proto/health.h"

enum { HEALTH_ZONES_MAX = 64 }; /* sets of them are bits: bit i is zone i */

/* A checker that isn't heard for so long is silent: its zone's last state is kept. */
#define HEALTH_SILENCE (3 * NS_PER_S)

struct health_inbox;
struct health_count {
	unsigned healthy, of;
	uint64_t cause; /* the newest event among the targets that differ from the last report, 0 if none */
};

/* 0 or -ENOMEM. */
int health_inbox_new(unsigned zones, unsigned services, struct health_inbox **ret);
void health_inbox_free(struct health_inbox *in);
/* Takes one part. 1 if it completes a report newer than the last one, *ret then filled in; 0 if not;
 * -EINVAL for a zone, service or shape that can't be: not to be acknowledged; -ENOMEM. */
int health_inbox_take(struct health_inbox *in, const struct health_report *part, mono_ns now,
                      struct health_count *ret);
/* From here on silence counts for the zones that were never heard. */
void health_inbox_begin(struct health_inbox *in, mono_ns now);
/* Zones whose checker became silent, and those that became audible again, since the last call. */
uint64_t health_inbox_fell_silent(struct health_inbox *in, mono_ns now);
uint64_t health_inbox_heard_again(struct health_inbox *in);
/* When the next one may fall silent; MONO_NEVER if none can. */
mono_ns health_inbox_deadline(const struct health_inbox *in);
#endif
