#include "dwfm/dwfm.h"
#include "common/cleanup.h"
#include <errno.h>

static const char *const failures[WORK_FAILURES] = { [FAILED_DROPLET] = "droplet",
	                                             [FAILED_STORE] = "store",
	                                             [FAILED_HELD_BY_OTHER] = "held-by-other",
	                                             [FAILED_GRANT] = "grant" };

struct lease_counts {
	uint32_t held, in_work;
};

static struct lease_counts count_leases(const struct dwfm *d, mono_ns now)
{
	struct lease_counts c = { 0 };

	for (uint32_t i = 0; i < d->n_droplets; i++)
		c.held += lease_holds(&d->droplets[i].lease, now);
	for (unsigned i = 0; i < DWFM_WORKERS_MAX; i++)
		c.in_work += d->workers[i].step != WORKER_IDLE;
	return c;
}

static json_t *failed(const struct work_counts *c)
{
	json_t *by = json_object();

	for (int i = 0; i < WORK_FAILURES; i++)
		json_object_set_new(by, failures[i], json_integer((json_int_t)c->failed[i]));
	return by;
}

static json_t *ops(const struct work_counts *c)
{
	return json_pack("{s:I, s:I, s:I}", "offered", (json_int_t)c->ops_offered, "done",
	                 (json_int_t)c->ops_done, "failed", (json_int_t)c->ops_failed);
}

/* What was counted since the sample before, a second. */
static void add_rates(json_t *sample, struct dwfm *d, mono_ns now)
{
	const struct work_counts *c = &d->counts, *was = &d->sampled;
	const struct {
		const char *name;
		uint64_t n;
	} rates[] = {
		{ "offered_per_s", c->offered - was->offered },
		{ "good_per_s", c->done - was->done },
		{ "stale_per_s", c->stale - was->stale },
		{ "dropped_per_s", c->dropped - was->dropped },
	};
	double seconds = (double)(now - d->sampled_at) / (double)NS_PER_S;

	for (size_t i = 0; d->sampled_at && i < ARRAY_SIZE(rates); i++)
		json_object_set_new(sample, rates[i].name, json_real((double)rates[i].n / seconds));
	d->sampled = *c;
	d->sampled_at = now;
}

static void tell_work(struct dwfm *d)
{
	mono_ns now = mono_now();
	struct lease_counts leases = count_leases(d, now);
	const struct work_counts *c = &d->counts;
	json_t *sample =
	    json_pack("{s:I, s:I, s:I, s:I, s:f, s:I}", "held", (json_int_t)leases.held, "expired",
	              (json_int_t)(d->n_droplets - leases.held), "droplets", (json_int_t)d->n_droplets,
	              "queued", (json_int_t)queue_length(d->queue), "oldest_ms",
	              mono_ms(queue_age(d->queue, now)), "in_work", (json_int_t)leases.in_work);
	json_t *counts =
	    json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "offered", (json_int_t)c->offered, "done",
	              (json_int_t)c->done, "stale", (json_int_t)c->stale, "dropped", (json_int_t)c->dropped,
	              "refused", (json_int_t)c->refused, "failed", failed(c), "ops", ops(c));

	json_object_update(sample, counts);
	json_decref(counts);
	add_rates(sample, d, now);
	node_sample(d->node, "work", sample);
}

static void tell_leases(struct dwfm *d, struct share *s, const char *event, uint32_t *count)
{
	if (*count == 0) return;
	node_event(d->node, event, 0, json_pack("{s:s, s:I}", "zone", s->zone, "count", (json_int_t)*count));
	*count = 0;
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct dwfm *d = arg;

	(void)fd, (void)what;
	for (unsigned i = 0; i < d->n_shares; i++) {
		tell_leases(d, &d->shares[i], "lease.lost", &d->shares[i].lost);
		tell_leases(d, &d->shares[i], "lease.taken", &d->shares[i].taken);
	}
	tell_work(d);
}

int samples_start(struct dwfm *d, mono_ns period)
{
	struct timeval tv = mono_timeval(period);

	d->sample = event_new(d->node->base, -1, EV_PERSIST, on_sample, d);
	if (!d->sample) return -ENOMEM;
	return event_add(d->sample, &tv) < 0 ? -ENOMEM : 0;
}
