#include "dwfm/dwfm.h"
#include "dwfm/workflow.h"

static void on_dropped(const struct queue_item *item, void *arg)
{
	struct dwfm *d = arg;

	d->counts.dropped++;
	if (item->op) workflow_dropped(item->op);
}

int work_offer(struct dwfm *d, const struct queue_item *item)
{
	int r;

	d->counts.offered++;
	if ((r = queue_push(d->queue, &d->knobs, item)) < 0) {
		d->counts.refused++;
		return r;
	}
	workers_pump(d);
	return 0;
}

static void begin(struct worker *w)
{
	w->worked = w->answered = false;
	if (w->item.op) {
		w->step = WORKER_ON_OP;
		workflow_begin(w->item.op, w);
	} else {
		attempt_begin(w);
	}
}

void workers_pump(struct dwfm *d)
{
	for (unsigned i = 0; i < d->knobs.workers; i++) {
		struct worker *w = &d->workers[i];
		if (w->step != WORKER_IDLE) continue;
		if (!queue_pop(d->queue, &d->knobs, mono_now(), &w->item)) return;
		begin(w);
	}
}

void worker_end(struct worker *w)
{
	w->step = WORKER_IDLE;
	event_del(&w->work);
	ask_cancel(&w->question);
	workers_pump(w->dwfm);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd, (void)what;
	w->worked = true;
	if (w->step == WORKER_ON_OP)
		workflow_worked(w->item.op, w);
	else
		attempt_worked(w);
}

int workers_init(struct dwfm *d)
{
	for (unsigned i = 0; i < DWFM_WORKERS_MAX; i++) {
		d->workers[i].dwfm = d;
		evtimer_assign(&d->workers[i].work, d->node->base, on_work, &d->workers[i]);
	}
	return (d->queue = queue_new(on_dropped, d)) ? 0 : -1;
}
