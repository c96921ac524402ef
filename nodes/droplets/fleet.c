#include "droplets/fleet.h"
#include "common/cleanup.h"
#include <search.h>
#include <string.h>

struct fleet {
	uint32_t first, count, slots;
	void *instances; /* glibc's tree, by name */
	struct fleet_droplet droplets[];
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fleet_instance *)a)->name, ((const struct fleet_instance *)b)->name);
}

struct fleet *fleet_new(uint32_t first, uint32_t count, uint32_t slots)
{
	struct fleet *f = calloc(1, sizeof(*f) + count * sizeof(f->droplets[0]));

	if (!f) return NULL;
	f->first = first;
	f->count = count;
	f->slots = slots;
	return f;
}

void fleet_free(struct fleet *f)
{
	if (!f) return;
	tdestroy(f->instances, free);
	free(f);
}

static struct fleet_droplet *find_droplet(struct fleet *f, uint32_t droplet)
{
	return droplet >= f->first && droplet - f->first < f->count ? &f->droplets[droplet - f->first] : NULL;
}

const struct fleet_droplet *fleet_droplet(const struct fleet *f, uint32_t droplet)
{
	return find_droplet((struct fleet *)f, droplet);
}

struct fleet_instance *fleet_find(const struct fleet *f, const char *instance)
{
	struct fleet_instance key;

	snprintf(key.name, sizeof(key.name), "%s", instance);
	void *node = tfind(&key, &f->instances, by_name);
	return node ? *(struct fleet_instance **)node : NULL;
}

static void settle(struct fleet_droplet *d, uint64_t request, enum lease_refusal why)
{
	d->settled[d->n_settled++ % FLEET_SETTLED] = (struct fleet_settled){ request, why };
}

static const struct fleet_settled *find_settled(const struct fleet_droplet *d, uint64_t request)
{
	for (uint32_t i = 0; i < FLEET_SETTLED && i < d->n_settled; i++)
		if (d->settled[i].request == request) return &d->settled[i];
	return NULL;
}

static void remove_instance(struct fleet *f, struct fleet_instance *i)
{
	struct fleet_droplet *d = find_droplet(f, i->droplet);

	settle(d, i->launched, LEASE_FAILED);
	d->used--;
	tdelete(i, &f->instances, by_name);
	free(i);
}

/* --- leases ------------------------------------------------------------------------------------------ */

void fleet_grant(struct fleet *f, const struct lease_message *grant, mono_ns arrived)
{
	struct fleet_droplet *d = find_droplet(f, grant->droplet);
	mono_ns until = arrived + grant->for_ms * NS_PER_MS;

	if (!d || grant->epoch < d->epoch) return;
	/* a holder's grants may overtake each other, so its time never gets shorter; another one's begins
	 * anew */
	if (grant->epoch > d->epoch || until > d->until) d->until = until;
	d->epoch = grant->epoch;
	memcpy(d->holder, grant->holder, sizeof(d->holder));
}

struct lease_message fleet_state(const struct fleet *f, const struct lease_message *question)
{
	const struct fleet_droplet *d = fleet_droplet(f, question->droplet);
	struct lease_message m = { .droplet = question->droplet, .request = question->request };

	if (!d) {
		m.kind = LEASE_REFUSED;
		m.why = LEASE_UNKNOWN;
		return m;
	}
	m.kind = LEASE_STATE;
	m.epoch = d->epoch;
	m.slots = f->slots;
	m.used = d->used;
	return m;
}

/* --- orders ------------------------------------------------------------------------------------------ */

static enum fleet_verdict refuse(enum lease_refusal why, enum lease_refusal *ret_why)
{
	*ret_why = why;
	return FLEET_REFUSED;
}

static enum fleet_verdict launch(struct fleet *f, struct fleet_droplet *d, const struct lease_message *order,
                                 enum lease_refusal *ret_why, struct fleet_instance **ret_instance)
{
	cleanup_free struct fleet_instance *new = NULL;

	if (d->used >= f->slots) return refuse(LEASE_NO_SLOT, ret_why);
	if (!(new = calloc(1, sizeof(*new)))) return refuse(LEASE_FAILED, ret_why);
	memcpy(new->name, order->instance, sizeof(new->name));
	new->droplet = order->droplet;
	new->real = order->real;
	new->launched = order->request;
	if (!tsearch(new, &f->instances, by_name)) return refuse(LEASE_FAILED, ret_why);
	d->used++;
	*ret_instance = take_ptr(new);
	return FLEET_BEGUN;
}

static enum fleet_verdict judge_instance(struct fleet *f, struct fleet_droplet *d,
                                         const struct lease_message *order, enum lease_refusal *ret_why,
                                         struct fleet_instance **ret_instance)
{
	struct fleet_instance *i = fleet_find(f, order->instance);

	if (!i && order->order == LEASE_LAUNCH) return launch(f, d, order, ret_why, ret_instance);
	if (!i || i->droplet != order->droplet) return refuse(LEASE_UNKNOWN, ret_why);
	*ret_instance = i;
	if (!i->running) /* who wants to end what is just beginning asks again */
		return order->order == LEASE_LAUNCH ? FLEET_IN_HAND : refuse(LEASE_FAILED, ret_why);
	switch (order->order) {
	case LEASE_LAUNCH:
		return FLEET_DONE_BEFORE;
	case LEASE_REBOOT:
		if (i->rebooted == order->request) return FLEET_DONE_BEFORE;
		i->rebooted = order->request;
		break;
	case LEASE_TERMINATE:
		*ret_instance = NULL;
		remove_instance(f, i);
		break;
	}
	return FLEET_DONE;
}

static enum fleet_verdict judge_order(struct fleet *f, struct fleet_droplet *d,
                                      const struct lease_message *order, mono_ns now,
                                      enum lease_refusal *ret_why, struct fleet_instance **ret_instance)
{
	uint64_t highest = d->epoch;

	if (order->epoch >
	    d->epoch) { /* a newer holder, whose grant got lost: the older one's time is over */
		d->epoch = order->epoch;
		d->until = 0;
	}
	if (order->epoch < highest) return refuse(LEASE_OLD_EPOCH, ret_why);
	if (now >= d->until) return refuse(LEASE_NO_LEASE, ret_why);
	return judge_instance(f, d, order, ret_why, ret_instance);
}

enum fleet_verdict fleet_order(struct fleet *f, const struct lease_message *order, mono_ns now,
                               enum lease_refusal *ret_why, struct fleet_instance **ret_instance)
{
	struct fleet_droplet *d = find_droplet(f, order->droplet);

	*ret_instance = NULL;
	if (!d) return refuse(LEASE_UNKNOWN, ret_why);
	bool launches = order->order == LEASE_LAUNCH;
	const struct fleet_settled *before = launches ? find_settled(d, order->request) : NULL;
	if (before) return refuse(before->why, ret_why);
	enum fleet_verdict verdict = judge_order(f, d, order, now, ret_why, ret_instance);
	if (launches && verdict == FLEET_REFUSED) settle(d, order->request, *ret_why);
	return verdict;
}

void fleet_launched(struct fleet *f, struct fleet_instance *instance, bool ok)
{
	instance->launch = NULL;
	if (ok)
		instance->running = true;
	else
		remove_instance(f, instance);
}

struct fleet_counts fleet_counts(const struct fleet *f, mono_ns now)
{
	struct fleet_counts c = { .slots = f->count * f->slots };

	for (uint32_t i = 0; i < f->count; i++) {
		c.leased += f->droplets[i].until > now;
		c.used += f->droplets[i].used;
	}
	return c;
}
