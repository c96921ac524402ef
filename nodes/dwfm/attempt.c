#include "dwfm/dwfm.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include "dwfm/store.h"

/* Clocks of different machines may go at different speeds: a holder believes in its lease a little shorter.
 */
enum { MARGIN_PERCENT = 1 };
/* What the wall clock's whole milliseconds may add up to. */
#define ROUNDING (2 * NS_PER_MS)

static struct droplet *droplet_of(const struct worker *w)
{
	return &w->dwfm->droplets[w->item.droplet];
}

static void fail(struct worker *w, enum work_failure why)
{
	w->dwfm->counts.failed[why]++;
	worker_end(w);
}

/* Paid for, for nothing. */
static void end_stale(struct worker *w)
{
	w->dwfm->counts.stale++;
	worker_end(w);
}

static bool is_wanted(const struct worker *w)
{
	return lease_wants(&droplet_of(w)->lease, w->item.attempt, mono_now());
}

/* --- the grant --------------------------------------------------------------------------------------- */

static void hold(struct worker *w, uint64_t epoch)
{
	struct dwfm *d = w->dwfm;
	struct droplet *p = droplet_of(w);
	bool was_held = p->lease.held;

	if (!lease_succeed(&p->lease, &d->knobs, &d->retry, w->item.attempt, w->until, epoch, mono_now())) {
		end_stale(w);
		return;
	}
	if (!was_held) p->share->taken++;
	d->counts.done++;
	droplet_turn(p);
	worker_end(w);
}

static void on_granted(struct question *q, const struct lease_message *answer)
{
	struct worker *w = container_of(q, struct worker, question);

	if (!answer || answer->kind != LEASE_STATE) {
		fail(w, FAILED_GRANT);
		return;
	}
	if (answer->epoch > q->message.epoch) {
		droplet_usurped(droplet_of(w), false);
		fail(w, FAILED_HELD_BY_OTHER);
		return;
	}
	hold(w, q->message.epoch);
}

static void grant(struct worker *w, uint64_t epoch)
{
	struct droplet *p = droplet_of(w);
	mono_ns left = w->until - mono_now();
	struct lease_message m = { .kind = LEASE_GRANT,
		                   .droplet = p->number,
		                   .epoch = epoch,
		                   .for_ms = (uint32_t)((left + NS_PER_MS - 1) / NS_PER_MS) };

	if (left <= 0) {
		end_stale(w);
		return;
	}
	snprintf(m.holder, sizeof(m.holder), "%s", w->dwfm->holder);
	w->step = WORKER_GRANTING;
	ask(&w->dwfm->asker, &w->question, &p->share->address, &m, w->item.expires, on_granted);
}

/* --- the conditional write --------------------------------------------------------------------------- */

static void on_written(enum store_outcome outcome, uint64_t epoch, void *arg)
{
	struct worker *w = arg;

	/* one that was given up may have been overtaken by the next: that one tells whose the lease is */
	if (outcome == STORE_CONDITION_FAILED && is_wanted(w)) {
		droplet_usurped(droplet_of(w), w->renewing);
		fail(w, FAILED_HELD_BY_OTHER);
	} else if (outcome == STORE_FAILED) {
		fail(w, FAILED_STORE);
	} else if (!is_wanted(w)) {
		end_stale(w);
	} else {
		grant(w, epoch);
	}
}

/* Never shorter than what may be in the table already, which would refuse it. */
static mono_ns next_length(struct droplet *p, mono_ns now)
{
	mono_ns length = lease_length(&p->dwfm->knobs, &p->dwfm->retry),
	        left = p->written_until - now + ROUNDING;

	if (length < left) length = left;
	p->written_until = now + length;
	return length;
}

static void write_lease(struct worker *w)
{
	struct dwfm *d = w->dwfm;
	struct droplet *p = droplet_of(w);
	mono_ns now = mono_now();
	char name[DROPLET_NAME_MAX];

	if (d->knobs.deadlines && now >= w->item.expires) {
		end_stale(w);
		return;
	}
	mono_ns length = next_length(p, now);
	/* counted from before the write is sent: it ends before the one in the table does */
	w->until = now + length - length * MARGIN_PERCENT / 100;
	w->renewing = lease_holds(&p->lease, now);
	w->step = WORKER_WRITING;
	droplet_name(p, name);
	if (store_write_lease(d, name, w->renewing ? p->lease.epoch : 0, length, on_written, w) < 0)
		fail(w, FAILED_STORE);
}

/* --- the state check --------------------------------------------------------------------------------- */

static void go_on_after_check(struct worker *w)
{
	if (w->worked && w->answered) write_lease(w);
}

static void on_state(struct question *q, const struct lease_message *answer)
{
	struct worker *w = container_of(q, struct worker, question);
	struct droplet *p = droplet_of(w);

	if (!answer || answer->kind != LEASE_STATE) {
		fail(w, FAILED_DROPLET);
		return;
	}
	p->slots = answer->slots;
	p->used = answer->used;
	w->answered = true;
	go_on_after_check(w);
}

void attempt_worked(struct worker *w)
{
	go_on_after_check(w);
}

void attempt_begin(struct worker *w)
{
	struct dwfm *d = w->dwfm;
	struct droplet *p = droplet_of(w);
	struct lease_message m = { .kind = LEASE_CHECK, .droplet = p->number };

	snprintf(m.holder, sizeof(m.holder), "%s", d->holder);
	w->step = WORKER_CHECKING;
	timer_after(&w->work, d->knobs.work_time);
	/* as long as any attempt: a droplet that is silent keeps a worker */
	ask(&d->asker, &w->question, &p->share->address, &m, mono_now() + d->knobs.timeout, on_state);
}
