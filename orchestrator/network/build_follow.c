#include "orchestrator/network/build_follow.h"

/* Waits for a node to be ready; false when none is left, or one has failed. */
static bool next_node(struct follower *f, size_t *ret)
{
	pthread_mutex_lock(&f->lock);
	while (f->next == f->ready && !f->last)
		pthread_cond_wait(&f->more, &f->lock);
	bool found = f->next < f->ready && f->result == 0;
	if (found) *ret = f->next++;
	pthread_mutex_unlock(&f->lock);
	return found;
}

static void *follow(void *arg)
{
	struct follower *f = arg;
	size_t node;

	while (next_node(f, &node))
		f->result = f->step(f->arg, node);
	return NULL;
}

void follower_start(struct follower *f, size_t from, follow_step *step, void *arg)
{
	*f = (struct follower){ .step = step, .arg = arg, .next = from, .ready = from };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->more, NULL);
	f->runs = pthread_create(&f->thread, NULL, follow, f) == 0;
}

static void tell(struct follower *f, size_t ready, bool last)
{
	pthread_mutex_lock(&f->lock);
	f->ready = ready;
	f->last = last;
	pthread_cond_signal(&f->more);
	pthread_mutex_unlock(&f->lock);
}

void follower_lead(struct follower *f, size_t ready)
{
	tell(f, ready, false);
}

int follower_join(struct follower *f)
{
	tell(f, f->ready, true);
	if (f->runs)
		pthread_join(f->thread, NULL);
	else
		follow(f);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->more);
	return f->result;
}
