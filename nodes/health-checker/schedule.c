#include "health-checker/schedule.h"

void schedule_init(struct schedule *s, unsigned limit)
{
	*s = (struct schedule){ .limit = limit };
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->queue);
}

static mono_ns later(mono_ns a, mono_ns b)
{
	return a > b ? a : b;
}

/* From the back: intervals are mostly the same, so the new one is mostly the last. */
static void wait_until(struct schedule *s, struct schedule_entry *e, mono_ns due)
{
	struct schedule_entry *before = TAILQ_LAST(&s->waiting, schedule_list);

	e->state = SCHEDULE_WAITING;
	e->due = due;
	while (before && before->due > due)
		before = TAILQ_PREV(before, schedule_list, link);
	if (before)
		TAILQ_INSERT_AFTER(&s->waiting, before, e, link);
	else
		TAILQ_INSERT_HEAD(&s->waiting, e, link);
}

void schedule_add(struct schedule *s, struct schedule_entry *e, mono_ns first, mono_ns interval)
{
	*e = (struct schedule_entry){ .interval = interval };
	wait_until(s, e, first);
}

void schedule_remove(struct schedule *s, struct schedule_entry *e)
{
	if (e->state == SCHEDULE_WAITING) TAILQ_REMOVE(&s->waiting, e, link);
	if (e->state == SCHEDULE_QUEUED) TAILQ_REMOVE(&s->queue, e, link);
	if (e->state == SCHEDULE_RUNNING) s->busy--;
	e->state = SCHEDULE_OUT;
}

void schedule_retime(struct schedule *s, struct schedule_entry *e, mono_ns interval, mono_ns now)
{
	mono_ns due = e->due - e->interval + interval;

	e->interval = interval;
	if (e->state != SCHEDULE_WAITING) return;
	TAILQ_REMOVE(&s->waiting, e, link);
	wait_until(s, e, later(due, now));
}

static bool slot_free(const struct schedule *s)
{
	return s->limit == 0 || s->busy < s->limit;
}

static void queue_due(struct schedule *s, mono_ns now)
{
	struct schedule_entry *e;

	while ((e = TAILQ_FIRST(&s->waiting)) && e->due <= now) {
		TAILQ_REMOVE(&s->waiting, e, link);
		TAILQ_INSERT_TAIL(&s->queue, e, link);
		e->state = SCHEDULE_QUEUED;
		e->blocked = false;
	}
}

/* Those in front were marked when they were the last. */
static void mark_blocked(struct schedule *s)
{
	struct schedule_entry *e = TAILQ_LAST(&s->queue, schedule_list);

	for (; e && !e->blocked; e = TAILQ_PREV(e, schedule_list, link))
		e->blocked = true;
}

struct schedule_entry *schedule_next(struct schedule *s, mono_ns now)
{
	queue_due(s, now);
	struct schedule_entry *e = TAILQ_FIRST(&s->queue);
	if (!e) return NULL;
	if (!slot_free(s)) {
		mark_blocked(s);
		return NULL;
	}
	TAILQ_REMOVE(&s->queue, e, link);
	s->busy++;
	e->state = SCHEDULE_RUNNING;
	e->late = e->blocked ? now - e->due : 0;
	e->stretched = e->started ? now - e->started : 0;
	e->started = now;
	return e;
}

void schedule_done(struct schedule *s, struct schedule_entry *e, mono_ns now)
{
	/* one that ran in time keeps its phase; one that was late would else be due again too soon, and its
	 * lateness would grow without bound instead of stretching the interval */
	mono_ns from = e->blocked ? e->started : e->due;

	s->busy--;
	wait_until(s, e, later(from + e->interval, now));
}

void schedule_occupy(struct schedule *s)
{
	s->busy++;
}

void schedule_release(struct schedule *s)
{
	s->busy--;
}

mono_ns schedule_due(const struct schedule *s)
{
	const struct schedule_entry *e = TAILQ_FIRST(&s->waiting);

	if (!TAILQ_EMPTY(&s->queue) && slot_free(s)) return 0;
	return e ? e->due : MONO_NEVER;
}
