#include "dwfm/workflow_parts.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include <string.h>

enum { AGAIN_MS = 500 };

static void go(struct workflow *f);
static void enter(struct workflow *f, enum step step);

/* --- its time-out ------------------------------------------------------------------------------------ */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct workflow *f = arg;

	(void)fd, (void)what;
	/* if it waits in the queue, it goes on waiting there, for nothing */
	workflow_answer_error(f, "timed-out");
	f->abandoned = true;
}

/* --- the end ----------------------------------------------------------------------------------------- */

static void free_workflow(struct workflow *f)
{
	LIST_REMOVE(f, link);
	evtimer_del(&f->deadline);
	evtimer_del(&f->again);
	ask_cancel(&f->question);
	free(f);
}

static void end_before_it_began(struct workflow *f, const char *error)
{
	workflow_answer_error(f, error);
	free_workflow(f);
}

/* A launch gets one with a slot; the others have theirs, which has to be under a lease. */
static bool find_droplet(struct workflow *f)
{
	struct droplet *p;

	if (f->kind != LEASE_LAUNCH) return lease_holds(&f->droplet->lease, mono_now());
	if (!(p = droplet_pick(f->dwfm, f->zone))) return false;
	f->droplet = p;
	p->used++;
	return true;
}

static void give_slot_back(struct workflow *f)
{
	if (f->droplet->used) f->droplet->used--;
}

/* --- steps ------------------------------------------------------------------------------------------- */

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	go(arg);
}

static void again_later(struct workflow *f)
{
	timer_after(&f->again, AGAIN_MS * NS_PER_MS);
}

static void release_worker(struct workflow *f)
{
	struct worker *w = f->worker;

	f->worker = NULL;
	if (w) worker_end(w);
}

static void on_recorded(bool ok, void *arg)
{
	struct workflow *f = arg;

	if (ok) {
		f->ordered = mono_now();
		enter(f, ORDER);
	} else if (f->worker) { /* nothing has been ordered; but the row may be there all the same */
		if (f->kind == LEASE_LAUNCH) give_slot_back(f);
		workflow_answer_error(f, "unavailable");
		enter(f, FORGET);
	} else {
		again_later(f);
	}
	release_worker(f);
}

static int record(struct workflow *f)
{
	char droplet[DROPLET_NAME_MAX];
	struct store_workflow row = { .id = f->id,
		                      .kind = f->kind,
		                      .instance = f->instance,
		                      .droplet = droplet,
		                      .service = f->service,
		                      .real = f->real,
		                      .cause = f->cause };

	droplet_name(f->droplet, droplet);
	return store_put_workflow(f->dwfm, &row, on_recorded, f);
}

/* A launch that nobody wants any more. */
static void undo(struct workflow *f)
{
	f->kind = LEASE_TERMINATE;
	enter(f, RECORD);
}

static void on_launched(struct workflow *f)
{
	f->done = mono_now();
	if (f->abandoned)
		undo(f);
	else
		enter(f, CONFIRM);
}

static void on_carried_out(struct workflow *f)
{
	if (f->kind == LEASE_LAUNCH) {
		on_launched(f);
		return;
	}
	if (f->kind == LEASE_TERMINATE) give_slot_back(f);
	if (!f->abandoned) workflow_answer_ok(f);
	enter(f, FORGET);
}

static void end_refused(struct workflow *f, const char *error)
{
	if (f->kind == LEASE_LAUNCH) give_slot_back(f);
	workflow_answer_error(f, error);
	enter(f, FORGET);
}

/* A droplet that has no slot, whatever its last state check said. */
static void look_elsewhere(struct workflow *f)
{
	f->droplet->used = f->droplet->slots;
	if (!f->abandoned && find_droplet(f)) {
		enter(f, RECORD);
		return;
	}
	workflow_answer_error(f, "no-capacity");
	enter(f, FORGET);
}

static void on_refused(struct workflow *f, const struct lease_message *reply)
{
	enum lease_refusal why = reply->why;

	if (why == LEASE_UNKNOWN && f->kind == LEASE_TERMINATE) {
		on_carried_out(f); /* it has been ended before */
	} else if (why == LEASE_UNKNOWN) {
		end_refused(f, "unknown");
	} else if (why == LEASE_NO_SLOT) {
		look_elsewhere(f);
	} else if (why == LEASE_FAILED && f->kind == LEASE_LAUNCH) {
		end_refused(f, "unavailable");
	} else {
		/* unless the newer epoch is our own: the order was late */
		if (why == LEASE_OLD_EPOCH && reply->epoch > f->droplet->lease.epoch)
			droplet_usurped(f->droplet, true);
		again_later(f); /* the lease comes again, or the launch that is in hand ends */
	}
}

static void on_ordered(struct question *q, const struct lease_message *reply)
{
	struct workflow *f = container_of(q, struct workflow, question);

	if (!reply)
		go(f);
	else if (reply->kind == LEASE_DONE)
		on_carried_out(f);
	else if (reply->kind == LEASE_REFUSED)
		on_refused(f, reply);
	else
		again_later(f);
}

/* Under a lease only; else later, when it has come again. */
static void order(struct workflow *f)
{
	struct droplet *p = f->droplet;
	mono_ns now = mono_now();
	struct lease_message m = { .kind = LEASE_ORDER,
		                   .droplet = p->number,
		                   .epoch = p->lease.epoch,
		                   .order = f->kind,
		                   .real = f->real,
		                   .cause = f->cause };

	if (!lease_holds(&p->lease, now)) {
		again_later(f);
		return;
	}
	memcpy(m.instance, f->instance, sizeof(m.instance));
	memcpy(m.service, f->service, sizeof(m.service));
	ask(&f->dwfm->asker, &f->question, &p->share->address, &m, p->lease.until, on_ordered);
}

static void on_confirmed(enum store_outcome outcome, void *arg)
{
	struct workflow *f = arg;

	if (outcome == STORE_FAILED) {
		again_later(f);
	} else if (f->abandoned) {
		undo(f);
	} else if (outcome == STORE_CONDITION_FAILED) {
		workflow_answer_error(f, "unavailable");
		f->abandoned = true;
		undo(f);
	} else {
		workflow_answer_ok(f);
		enter(f, FORGET);
	}
}

static void on_forgotten(bool ok, void *arg)
{
	if (ok)
		free_workflow(arg);
	else
		again_later(arg);
}

/* Does what its step is; what can't even begin is tried again. */
static void go(struct workflow *f)
{
	int r = 0;

	if (f->step == RECORD)
		r = record(f);
	else if (f->step == ORDER)
		order(f);
	else if (f->step == CONFIRM)
		r = store_place_instance(f->dwfm, f->instance, f->droplet, f->droplet->lease.epoch,
		                         on_confirmed, f);
	else if (f->step == FORGET)
		r = store_forget_workflow(f->dwfm, f->id, on_forgotten, f);
	if (r < 0) again_later(f);
}

static void enter(struct workflow *f, enum step step)
{
	f->step = step;
	go(f);
}

/* --- in a worker's hands ------------------------------------------------------------------------------ */

void workflow_begin(struct workflow *f, struct worker *w)
{
	f->taken = mono_now();
	timer_after(&w->work, w->dwfm->knobs.work_time);
}

void workflow_worked(struct workflow *f, struct worker *w)
{
	if (f->abandoned) {
		f->dwfm->counts.stale++;
		free_workflow(f);
		worker_end(w);
	} else if (!find_droplet(f)) {
		end_before_it_began(f, f->kind == LEASE_LAUNCH ? "no-capacity" : "unavailable");
		worker_end(w);
	} else {
		f->worker = w;
		enter(f, RECORD);
	}
}

void workflow_dropped(struct workflow *f)
{
	end_before_it_began(f, "overloaded");
}

/* --- life -------------------------------------------------------------------------------------------- */

static struct workflow *new_workflow(struct dwfm *d, const struct workflow_spec *spec)
{
	struct workflow *f = calloc(1, sizeof(*f));

	if (!f) return NULL;
	f->dwfm = d;
	f->kind = spec->kind;
	f->droplet = spec->droplet;
	f->real = spec->real;
	f->cause = spec->cause;
	f->queued = mono_now();
	snprintf(f->id, sizeof(f->id), "%s/%s", spec->instance, lease_order_text(spec->kind));
	snprintf(f->instance, sizeof(f->instance), "%s", spec->instance);
	snprintf(f->zone, sizeof(f->zone), "%s", spec->zone ? spec->zone : "");
	snprintf(f->service, sizeof(f->service), "%s", spec->service);
	evtimer_assign(&f->deadline, d->node->base, on_deadline, f);
	evtimer_assign(&f->again, d->node->base, on_again, f);
	LIST_INSERT_HEAD(&d->workflows, f, link);
	return f;
}

void workflow_start(struct dwfm *d, const struct workflow_spec *spec, struct http_request *request)
{
	static const char busy[] = "{\"error\":\"overloaded\"}";
	struct workflow *f = new_workflow(d, spec);

	if (!f) {
		http_answer(request, 503, NULL, busy, strlen(busy));
		return;
	}
	f->request = request;
	d->counts.ops_offered++;
	timer_after(&f->deadline, spec->timeout);
	struct queue_item item = { .queued = f->queued, .expires = f->queued + spec->timeout, .op = f };
	/* with no droplet to put it on there is nothing to wait for in the queue */
	if (spec->kind == LEASE_LAUNCH && !droplet_pick(d, f->zone))
		end_before_it_began(f, "no-capacity");
	else if (work_offer(d, &item) < 0)
		end_before_it_began(f, "overloaded");
}

static bool is_in_hand(const struct dwfm *d, const char *id)
{
	const struct workflow *f;

	LIST_FOREACH (f, &d->workflows, link) {
		if (!strcmp(f->id, id)) return true;
	}
	return false;
}

static void on_found(const struct store_workflow *row, void *arg)
{
	struct dwfm *d = arg;
	struct workflow_spec spec = { .kind = row->kind,
		                      .instance = row->instance,
		                      .droplet = droplet_find(d, row->droplet),
		                      .service = row->service,
		                      .real = row->real,
		                      .cause = row->cause };
	struct workflow *f;

	if (!spec.droplet) {
		log_line("operation on '%s': '%s' is no droplet of this host, ignoring", row->instance,
		         row->droplet);
		return;
	}
	/* found twice, when the search had to begin anew */
	if (is_in_hand(d, row->id) || !(f = new_workflow(d, &spec))) return;
	/* its caller is gone with the former incarnation; an undone launch keeps the launch's row */
	snprintf(f->id, sizeof(f->id), "%s", row->id);
	enter(f, ORDER);
}

static void on_search_end(bool ok, void *arg)
{
	static const struct timeval pause = { .tv_sec = 1 };
	struct dwfm *d = arg;

	if (ok)
		droplets_begin(d);
	else
		evtimer_add(&d->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	if (store_find_workflows(arg, on_found, on_search_end, arg) < 0) on_search_end(false, arg);
}

void workflows_resume(struct dwfm *d)
{
	evtimer_assign(&d->resume, d->node->base, on_resume, d);
	event_active(&d->resume, EV_TIMEOUT, 1);
}
