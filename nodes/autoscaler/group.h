/* group.h - a group of instances that is kept at its size. Pure: what is seen goes in, what to do comes out.
 *
 * What is there is asked for again and again; while a call that changes a group is under way, and in answers
 * to questions that were put before its end, the group isn't judged. */
#ifndef AZLAB_AUTOSCALER_GROUP_H
#define AZLAB_AUTOSCALER_GROUP_H
#include "autoscaler/reply.h"
#include "common/mono.h"

enum { GROUP_STEP_MAX = 100 }; /* instances in one call */

struct group {
	char name[REPLY_TEXT_MAX], zone[REPLY_TEXT_MAX], service[REPLY_TEXT_MAX]; /* zone may be empty: any */
	bool real;
	unsigned size;
	unsigned running, pending; /* as last seen */
	bool changing;             /* a call that changes it is under way */
	mono_ns changed;           /* when the last one ended */
};

/* Counts the instances of the group that live, as asked at `asked`. Returns how many to launch (> 0) or to
 * end
 * (< 0): 0 also while it can't be judged. */
int group_judge(struct group *g, const struct reply_instance *instances, size_t n, mono_ns asked);
/* Picks up to n of the group to end, the youngest first; how many it has picked. */
size_t group_pick(const struct group *g, const struct reply_instance *instances, size_t n_instances,
                  const struct reply_instance **ret, size_t n);
#endif
