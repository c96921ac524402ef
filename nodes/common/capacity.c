#include "common/capacity.h"
#include <math.h>

void capacity_init(struct capacity *c, const struct capacity_config *config, struct random random)
{
	*c = (struct capacity){ .config = *config, .random = random };
	TAILQ_INIT(&c->queue);
	TAILQ_INIT(&c->serving);
	TAILQ_INIT(&c->skipped);
}

static mono_ns service_time(struct capacity *c)
{
	double mean = (double)c->config.service_time;

	switch (c->config.distribution) {
	case SERVICE_FIXED:
		return c->config.service_time;
	case SERVICE_EXPONENTIAL:
		return llround(random_exponential(&c->random, mean));
	case SERVICE_UNIFORM:
		break;
	}
	return llround(mean * (0.5 + random_unit(&c->random)));
}

/* Keeps `serving` in the order of the ends; from the back, since ends come nearly in order. */
static void serve(struct capacity *c, struct work *w, mono_ns now)
{
	struct work *before = TAILQ_LAST(&c->serving, work_list);

	w->state = WORK_SERVING;
	w->done = now + service_time(c);
	while (before && before->done > w->done)
		before = TAILQ_PREV(before, work_list, link);
	if (before)
		TAILQ_INSERT_AFTER(&c->serving, before, w, link);
	else
		TAILQ_INSERT_HEAD(&c->serving, w, link);
	c->busy++;
}

static void fill_slots(struct capacity *c, mono_ns now)
{
	struct work *w;

	while (c->busy < c->config.concurrency && (w = TAILQ_FIRST(&c->queue))) {
		TAILQ_REMOVE(&c->queue, w, link);
		c->queued--;
		if (w->abandoned && !c->config.serve_abandoned) {
			w->state = WORK_SKIPPED;
			TAILQ_INSERT_TAIL(&c->skipped, w, link);
			c->abandoned++;
		} else {
			serve(c, w, now);
		}
	}
}

void capacity_configure(struct capacity *c, const struct capacity_config *config, mono_ns now)
{
	c->config = *config;
	fill_slots(c, now);
}

bool capacity_submit(struct capacity *c, struct work *w, mono_ns now)
{
	/* nothing waits while a slot is free */
	if (c->busy >= c->config.concurrency && c->queued >= c->config.queue) {
		c->refused++;
		return false;
	}
	*w = (struct work){ .state = WORK_QUEUED, .since = now };
	TAILQ_INSERT_TAIL(&c->queue, w, link);
	c->queued++;
	fill_slots(c, now);
	return true;
}

void capacity_abandon(struct work *w)
{
	w->abandoned = true;
}

struct work *capacity_next(struct capacity *c, mono_ns now)
{
	struct work *w = TAILQ_FIRST(&c->skipped);

	if (w) {
		TAILQ_REMOVE(&c->skipped, w, link);
		return w;
	}
	w = TAILQ_FIRST(&c->serving);
	if (!w || w->done > now) return NULL;
	TAILQ_REMOVE(&c->serving, w, link);
	w->state = WORK_SERVED;
	c->busy--;
	c->served++;
	fill_slots(c, w->done);
	return w;
}

mono_ns capacity_waited(const struct capacity *c, mono_ns now)
{
	const struct work *oldest = TAILQ_FIRST(&c->queue);
	return oldest ? now - oldest->since : 0;
}

bool capacity_judge(struct capacity *c, mono_ns now)
{
	bool before = c->overloaded;

	c->overloaded = !TAILQ_EMPTY(&c->queue) && capacity_waited(c, now) >= c->config.overload_after;
	return c->overloaded != before;
}

mono_ns capacity_due(const struct capacity *c)
{
	const struct work *oldest = TAILQ_FIRST(&c->queue), *ending = TAILQ_FIRST(&c->serving);
	mono_ns end = ending ? ending->done : MONO_NEVER;
	mono_ns crossing = oldest && !c->overloaded ? oldest->since + c->config.overload_after : MONO_NEVER;

	if (!TAILQ_EMPTY(&c->skipped)) return 0;
	return end < crossing ? end : crossing;
}
