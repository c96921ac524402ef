/* build_follow.h - a second thread that does its part for one node after the other, as soon as the first
 * thread has done its own: namespaces are named and furnished while the next ones are being made.
 *
 * The kernel refuses threads to a process whose children are to live in another PID namespace, as a lab's
 * nodes do: the follower then does its part when it is joined, on the caller's thread.
 *
 * One follower serves one range of nodes. The caller owns struct follower, from start to join. */
#ifndef AZLAB_BUILD_FOLLOW_H
#define AZLAB_BUILD_FOLLOW_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Does the second part for a node; 0 or -errno, which ends the following. */
typedef int follow_step(void *arg, size_t node);

struct follower {
	follow_step *step;
	void *arg;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock;
	pthread_cond_t more;
	size_t next, ready; /* nodes from next to before ready wait for their second part */
	bool last;          /* ready won't grow */
	int result;
};

/* Begins before node `from`. */
void follower_start(struct follower *f, size_t from, follow_step *step, void *arg);
/* All nodes before `ready` have their first part. */
void follower_lead(struct follower *f, size_t ready);
/* Waits until all that are ready have their second part too; returns the first failure of a step. */
int follower_join(struct follower *f);
#endif
