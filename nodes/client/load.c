#include "client/load.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include <errno.h>

struct load_request {
	SLIST_ENTRY(load_request) link;
	struct load *load;
	struct tally_bucket *bucket;
	mono_ns arrival;  /* absolute */
	mono_ns deadline; /* of the attempt */
	unsigned retries_left;
	struct resolve_waiter waiter;
	struct event no_address; /* the deadline while it waits for one */
	struct probe probe;
	struct probe_spec spec;
};

static void attempt(struct load_request *r);

/* --- an attempt's end -------------------------------------------------------------------------------- */

static enum tally_class class_of(enum probe_outcome outcome)
{
	static const enum tally_class classes[PROBE_OUTCOMES] = {
		[PROBE_OK] = TALLY_OK,
		[PROBE_HTTP_STATUS] = TALLY_HTTP,
		[PROBE_REFUSED] = TALLY_REFUSED,
		[PROBE_UNREACHABLE] = TALLY_UNREACHABLE,
		[PROBE_RESET] = TALLY_RESET,
		[PROBE_TIMED_OUT] = TALLY_TIMED_OUT,
		[PROBE_CLOSED_EARLY] = TALLY_RESET,
		[PROBE_MALFORMED] = TALLY_HTTP,
		[PROBE_LAB_ERROR] = TALLY_LAB,
	};
	return classes[outcome];
}

/* The one place where an attempt ends: another one, or the request is decided. */
static void attempt_over(struct load_request *r, enum tally_class class)
{
	if (class != TALLY_OK && r->retries_left > 0) {
		r->retries_left--;
		attempt(r);
		return;
	}
	tally_decide(r->bucket, class, mono_now() - r->arrival);
	SLIST_INSERT_HEAD(&r->load->idle, r, link);
}

static void on_probed(struct probe *p, const struct probe_result *result, void *arg)
{
	(void)p;
	attempt_over(arg, class_of(result->outcome));
}

static void on_no_address(evutil_socket_t fd, short what, void *arg)
{
	struct load_request *r = arg;

	(void)fd, (void)what;
	resolve_leave(&r->load->resolve, &r->waiter);
	attempt_over(r, TALLY_NO_ADDRESS);
}

/* --- an attempt -------------------------------------------------------------------------------------- */

static void on_address(void *arg, const union probe_address *address)
{
	struct load_request *r = arg;
	struct load *l = r->load;

	event_del(&r->no_address);
	if (!address) {
		attempt_over(r, TALLY_NO_ADDRESS);
		return;
	}
	r->spec = (struct probe_spec){ .to = *address,
		                       .request = l->request,
		                       .request_len = l->request_len,
		                       .timeout = r->deadline - mono_now() };
	probe_start(&r->probe, l->base, &r->spec, on_probed, r);
}

static void attempt(struct load_request *r)
{
	struct load *l = r->load;
	struct timeval timeout = mono_timeval(l->knobs.timeout);
	mono_ns now = mono_now();

	tally_attempt(r->bucket);
	r->deadline = now + l->knobs.timeout;
	resolve_get(&l->resolve, &r->waiter, on_address, r, now);
	if (r->waiter.waiting) event_add(&r->no_address, &timeout);
}

/* --- arrivals ---------------------------------------------------------------------------------------- */

static struct load_request *take_request(struct load *l)
{
	struct load_request *r = SLIST_FIRST(&l->idle);

	if (r) {
		SLIST_REMOVE_HEAD(&l->idle, link);
		return r;
	}
	if (!(r = calloc(1, sizeof(*r)))) return NULL;
	r->load = l;
	evtimer_assign(&r->no_address, l->base, on_no_address, r);
	return r;
}

static void arrive(struct load *l, mono_ns offset)
{
	struct tally_bucket *bucket = tally_arrive(&l->tally, offset);
	struct load_request *r = bucket ? take_request(l) : NULL;

	if (!r) { /* no memory: the lab's own error */
		if (bucket) tally_decide(bucket, TALLY_LAB, 0);
		return;
	}
	r->bucket = bucket;
	r->arrival = l->t0 + offset;
	r->retries_left = l->knobs.retries;
	attempt(r);
}

void load_run(struct load *l, mono_ns now)
{
	mono_ns next;

	if (!l->t0) return;
	while ((next = arrivals_next(&l->arrivals)) <= now - l->t0) {
		arrivals_take(&l->arrivals);
		arrive(l, next);
	}
	timer_at(l->timer, next, now - l->t0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	load_run(arg, mono_now());
}

void load_begin(struct load *l, mono_ns t0)
{
	l->t0 = t0;
	load_run(l, mono_now());
}

void load_turn(struct load *l, const struct load_knobs *knobs)
{
	mono_ns now = mono_now();

	load_run(l, now); /* what is due came at the old rate */
	l->knobs = *knobs;
	l->arrivals.poisson = knobs->poisson;
	arrivals_set_rate(&l->arrivals, knobs->rate, l->t0 ? now - l->t0 : 0);
	load_run(l, now);
}

int load_init(struct load *l, struct event_base *base, const struct load_knobs *knobs, uint64_t seed,
              const char *name)
{
	l->base = base;
	l->knobs = *knobs;
	arrivals_init(&l->arrivals, seed, name, knobs->rate, knobs->poisson);
	tally_init(&l->tally);
	SLIST_INIT(&l->idle);
	l->timer = evtimer_new(base, on_timer, l);
	return l->timer ? 0 : -ENOMEM;
}
