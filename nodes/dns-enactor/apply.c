#include "common/cleanup.h"
#include "common/dns_tree.h"
#include "dns-enactor/enactor.h"
#include "dns-enactor/sweep.h"
#include "dns-enactor/tell.h"
#include <errno.h>
#include <string.h>

static void look(struct dne *d);

static struct dne_target target_of(const struct dne *d)
{
	return (struct dne_target){ .config = &d->config,
		                    .plan = &d->plan,
		                    .endpoint = &d->plan.endpoints[dne_walk_at(&d->walk)],
		                    .forced = d->forced };
}

/* --- the end of it ----------------------------------------------------------------------------------- */

static void give_up(struct dne *d, const char *reason)
{
	dne_tell_aborted(d, reason);
	dne_put_down(d, reason);
}

static void on_cleaned(const struct dne_victim *victim, void *arg)
{
	dne_tell_cleaned(arg, victim);
}

static void on_swept(void *arg)
{
	struct dne *d = arg;

	dne_put_down(d, d->walk.n_aborted ? "not every endpoint could be turned" : NULL);
}

static void sweep(struct dne *d)
{
	const struct dne_sweep_calls calls = { .cleaned = on_cleaned, .done = on_swept, .arg = d };
	int r;

	d->doing = DNE_CLEANING;
	if ((r = dne_sweep(d->talk, &d->config, &d->plan, &calls)) < 0) dne_stumble(d, r);
}

static void go_to_next(struct dne *d)
{
	if (dne_walk_next(&d->walk, mono_now())) {
		dne_go_on(d, look);
		return;
	}
	dne_tell_applied(d);
	dne_go_on(d, sweep);
}

/* This endpoint can't take the plan, and with `aborts: plan` no other gets it either. */
static void abort_at(struct dne *d, const char *reason)
{
	if (!d->config.knobs.skip_endpoint) {
		give_up(d, reason);
		return;
	}
	dne_tell_aborted(d, reason);
	d->walk.n_aborted++;
	go_to_next(d);
}

/* --- after a transaction ----------------------------------------------------------------------------- */

static void taken(struct dne *d)
{
	const char *endpoint = target_of(d).endpoint->name;

	dne_tell_taken(d);
	if (!d->forced && d->view.plan > d->plan.number) dne_tell_stale(d, endpoint, d->view.plan, true);
	go_to_next(d);
}

static void back_off(struct dne *d, const struct dne_view *view, const char *why)
{
	const struct dne_knobs *k = &d->config.knobs;

	dne_tell_lost(d, view, why);
	dne_go_on_after(d, dne_walk_back_off(&d->walk, k->backoff, k->backoff_max, &d->random), look);
}

static void on_rolled_back(enum dns_status status, void *arg)
{
	struct dne *d = arg;

	if (status == DNS_OK) dne_tell_repaired(d, "auto", d->picked, mono_now() - d->rollback_begun, NULL);
	if (status == DNS_PREREQUISITE)
		back_off(d, &d->close, "moved");
	else
		dne_go_on(d, look);
}

static void roll_back(struct dne *d, const struct dne_target *t)
{
	int64_t until_ms = dne_until_ms(d, d->config.knobs.lock);
	int r;

	d->rollback_begun = mono_now();
	r = dns_talk_update(d->talk, dne_roll_back(t, &d->close, until_ms), DNS_ONCE, on_rolled_back, d);
	if (r < 0) dne_stumble(d, r);
}

static void conclude(struct dne *d)
{
	struct dne_target t = target_of(d);
	enum dne_verdict verdict = dne_after(&t, &d->view, &d->close, d->refused);

	switch (verdict) {
	case DNE_TAKEN:
		taken(d);
		break;
	case DNE_OLD_GONE:
		if (dne_can_roll_back(&t, &d->close))
			roll_back(d, &t);
		else
			abort_at(d, "the tree in force is gone");
		break;
	case DNE_OWN_GONE:
		give_up(d, "its own tree is gone");
		break;
	case DNE_EMPTY:
		give_up(d, "its own tree has no address");
		break;
	case DNE_SEND: /* no answer, and nothing has happened */
		dne_go_on(d, look);
		break;
	default:
		back_off(d, &d->close, "moved");
	}
}

static void on_marks(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne *d = arg;
	struct dne_target t = target_of(d);

	(void)n;
	dne_view_read_marks(&t, sets, &d->close);
	conclude(d);
}

static void on_close_view(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne *d = arg;
	struct dne_target t = target_of(d);
	struct dns_rrset marks[DNE_MARKS_MAX];
	int r;

	(void)n;
	dne_view_read(sets, true, &d->close);
	size_t n_marks = dne_marks(&t, &d->close, marks);
	if (n_marks == 0)
		on_marks(marks, 0, d);
	else if ((r = dns_talk_read(d->talk, marks, n_marks, on_marks, d)) < 0)
		dne_stumble(d, r);
}

/* Why was it refused? Or, without an answer, was it carried out? */
static void look_closely(struct dne *d)
{
	struct dne_target t = target_of(d);
	struct dns_rrset sets[DNE_QUESTIONS_MAX];
	int r = dns_talk_read(d->talk, sets, dne_questions(&t, true, sets), on_close_view, d);

	if (r < 0) dne_stumble(d, r);
}

static void on_sent(enum dns_status status, void *arg)
{
	struct dne *d = arg;

	d->refused = status == DNS_PREREQUISITE;
	if (status == DNS_OK)
		taken(d);
	else
		look_closely(d);
}

/* --- before it --------------------------------------------------------------------------------------- */

static void send_flip(struct dne *d, const struct dne_target *t)
{
	int64_t until_ms = dne_until_ms(d, d->config.knobs.lock);
	int r = dns_talk_update(d->talk, dne_flip(t, &d->view, until_ms), DNS_ONCE, on_sent, d);

	if (r < 0) dne_stumble(d, r);
}

static void on_view(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne *d = arg;
	struct dne_target t = target_of(d);

	(void)n;
	dne_view_read(sets, false, &d->view);
	switch (dne_before(&t, &d->view, wall_ms())) {
	case DNE_SEND:
		send_flip(d, &t);
		break;
	case DNE_KEPT:
		go_to_next(d);
		break;
	case DNE_STALE:
		dne_tell_stale(d, t.endpoint->name, d->view.plan, false);
		dne_put_down(d, "a newer plan is in force");
		break;
	default:
		back_off(d, &d->view, "held");
	}
}

static void read_view(struct dne *d)
{
	struct dne_target t = target_of(d);
	struct dns_rrset sets[DNE_QUESTIONS_MAX];
	int r = dns_talk_read(d->talk, sets, dne_questions(&t, false, sets), on_view, d);

	if (r < 0) dne_stumble(d, r);
}

static void resign(struct dne *d)
{
	give_up(d, "another enactor leads");
}

static void look(struct dne *d)
{
	dne_lead_then(d, read_view, resign);
}

/* --- the tree ---------------------------------------------------------------------------------------- */

static void walk(struct dne *d)
{
	int r = dne_walk_begin(&d->walk, d->plan.n_endpoints,
	                       d->config.knobs.in_plan_order ? NULL : &d->random, mono_now());

	d->doing = DNE_WALKING;
	if (r < 0)
		dne_stumble(d, r);
	else
		look(d);
}

static void on_planted(int result, void *arg)
{
	struct dne *d = arg;

	if (result < 0)
		dne_stumble(d, result);
	else
		dne_go_on(d, walk);
}

void dne_apply(struct dne *d)
{
	int r = 0;

	d->doing = DNE_PLANTING;
	if (d->planted)
		walk(d);
	else
		r = dns_tree_plant(d->talk, &d->plan, on_planted, d);
	if (r < 0) dne_stumble(d, r);
}
