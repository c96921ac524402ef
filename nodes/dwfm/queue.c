#include "dwfm/queue.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { ROOM_MIN = 1024 };
#define CODEL_TARGET (5 * NS_PER_MS)
#define CODEL_INTERVAL (100 * NS_PER_MS)

/* A ring that grows. */
struct ring {
	struct queue_item *items;
	size_t room /* a power of 2 */, first, n;
};

struct codel {
	bool dropping;
	mono_ns first_above; /* when the wait will have been above the target for an interval; 0: it isn't */
	mono_ns drop_next;
	uint32_t count, last_count;
};

struct queue {
	struct ring attempts, ops;
	struct codel codel;
	queue_dropped *dropped;
	void *arg;
};

/* --- rings ------------------------------------------------------------------------------------------- */

static struct queue_item *ring_at(const struct ring *r, size_t i)
{
	return &r->items[(r->first + i) & (r->room - 1)];
}

static int ring_grow(struct ring *r)
{
	size_t room = r->room ? r->room * 2 : ROOM_MIN;
	struct queue_item *items = malloc(room * sizeof(*items));

	if (!items) return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		items[i] = *ring_at(r, i);
	free(r->items);
	*r = (struct ring){ .items = items, .room = room, .n = r->n };
	return 0;
}

static int ring_push(struct ring *r, const struct queue_item *item)
{
	if (r->n == r->room && ring_grow(r) < 0) return -ENOMEM;
	*ring_at(r, r->n++) = *item;
	return 0;
}

static struct queue_item ring_take_first(struct ring *r)
{
	struct queue_item item = *ring_at(r, 0);

	r->first = (r->first + 1) & (r->room - 1);
	r->n--;
	return item;
}

static struct queue_item ring_take_last(struct ring *r)
{
	return *ring_at(r, --r->n);
}

/* --- the queue --------------------------------------------------------------------------------------- */

struct queue *queue_new(queue_dropped *dropped, void *arg)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q) return NULL;
	q->dropped = dropped;
	q->arg = arg;
	return q;
}

void queue_free(struct queue *q)
{
	if (!q) return;
	free(q->attempts.items);
	free(q->ops.items);
	free(q);
}

size_t queue_length(const struct queue *q)
{
	return q->attempts.n + q->ops.n;
}

int queue_push(struct queue *q, const struct dwfm_knobs *k, const struct queue_item *item)
{
	if (k->admission && queue_length(q) >= k->admission) return -EAGAIN;
	return ring_push(item->op ? &q->ops : &q->attempts, item);
}

mono_ns queue_age(const struct queue *q, mono_ns now)
{
	mono_ns oldest = now;

	if (q->attempts.n && ring_at(&q->attempts, 0)->queued < oldest)
		oldest = ring_at(&q->attempts, 0)->queued;
	if (q->ops.n && ring_at(&q->ops, 0)->queued < oldest) oldest = ring_at(&q->ops, 0)->queued;
	return now - oldest;
}

/* The ring that the next piece comes from. */
static struct ring *next_ring(struct queue *q, const struct dwfm_knobs *k)
{
	struct ring *a = &q->attempts, *o = &q->ops;

	if (!o->n || (a->n && k->renewals_first)) return a;
	if (!a->n) return o;
	if (k->discipline == DWFM_LIFO)
		return ring_at(a, a->n - 1)->queued >= ring_at(o, o->n - 1)->queued ? a : o;
	return ring_at(a, 0)->queued <= ring_at(o, 0)->queued ? a : o;
}

static bool take(struct queue *q, const struct dwfm_knobs *k, struct queue_item *ret)
{
	struct ring *r = next_ring(q, k);

	if (!r->n) return false;
	*ret = k->discipline == DWFM_LIFO ? ring_take_last(r) : ring_take_first(r);
	return true;
}

/* Can it still be finished in time? work_time is the least that it takes, and what is written and granted
 * then takes its time as well. A queue that drops only what is over hands out, under overload, what is nearly
 * over: nothing would be finished. */
static bool is_live(const struct dwfm_knobs *k, mono_ns now, const struct queue_item *item)
{
	return now + 2 * k->work_time < item->expires;
}

/* Takes the next piece that can be finished in time, if deadlines are kept. */
static bool take_live(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret)
{
	while (take(q, k, ret)) {
		if (!k->deadlines || is_live(k, now, ret)) return true;
		q->dropped(ret, q->arg);
	}
	return false;
}

/* --- CoDel, in the words of RFC 8289, section 5 -------------------------------------------------------- */

static bool dodequeue(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret,
                      bool *ret_ok_to_drop)
{
	struct codel *c = &q->codel;
	bool any = take_live(q, k, now, ret);

	*ret_ok_to_drop = false;
	if (!any || now - ret->queued < CODEL_TARGET || !queue_length(q))
		c->first_above = 0;
	else if (!c->first_above)
		c->first_above = now + CODEL_INTERVAL;
	else
		*ret_ok_to_drop = now >= c->first_above;
	return any;
}

static mono_ns control_law(mono_ns t, uint32_t count)
{
	return t + (mono_ns)((double)CODEL_INTERVAL / sqrt(count));
}

static bool go_on_dropping(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret,
                           bool any, bool ok_to_drop)
{
	struct codel *c = &q->codel;

	if (!ok_to_drop) c->dropping = false;
	while (any && c->dropping && now >= c->drop_next) {
		c->count++;
		q->dropped(ret, q->arg);
		any = dodequeue(q, k, now, ret, &ok_to_drop);
		if (!ok_to_drop)
			c->dropping = false;
		else
			c->drop_next = control_law(c->drop_next, c->count);
	}
	return any;
}

static bool begin_dropping(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret)
{
	struct codel *c = &q->codel;
	uint32_t delta = c->count - c->last_count;
	bool ok_to_drop;

	q->dropped(ret, q->arg);
	bool any = dodequeue(q, k, now, ret, &ok_to_drop);
	c->dropping = true;
	c->count = delta > 1 && now - c->drop_next < 16 * CODEL_INTERVAL ? delta : 1;
	c->drop_next = control_law(now, c->count);
	c->last_count = c->count;
	return any;
}

static bool codel_pop(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret)
{
	bool ok_to_drop, any = dodequeue(q, k, now, ret, &ok_to_drop);

	if (q->codel.dropping) return go_on_dropping(q, k, now, ret, any, ok_to_drop);
	return any && ok_to_drop ? begin_dropping(q, k, now, ret) : any;
}

bool queue_pop(struct queue *q, const struct dwfm_knobs *k, mono_ns now, struct queue_item *ret)
{
	if (k->discipline == DWFM_CODEL) return codel_pop(q, k, now, ret);
	return take_live(q, k, now, ret);
}

size_t queue_clear(struct queue *q)
{
	size_t n = 0;

	for (; q->attempts.n; n++) {
		struct queue_item item = ring_take_first(&q->attempts);
		q->dropped(&item, q->arg);
	}
	for (; q->ops.n; n++) {
		struct queue_item item = ring_take_first(&q->ops);
		q->dropped(&item, q->arg);
	}
	q->codel = (struct codel){ 0 };
	return n;
}
