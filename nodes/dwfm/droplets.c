#include "common/log.h"
#include "common/timer.h"
#include "dwfm/dwfm.h"
#include "proto/route_socket.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

void droplet_name(const struct droplet *p, char name[static DROPLET_NAME_MAX])
{
	snprintf(name, DROPLET_NAME_MAX, "%s-%05" PRIu32, p->share->zone, p->number);
}

/* --- their timers ------------------------------------------------------------------------------------ */

static void set_timer(struct droplet *p)
{
	timer_at(&p->timer, lease_next(&p->lease), mono_now());
}

static void offer_attempt(struct droplet *p, mono_ns now)
{
	struct queue_item item = { .queued = now,
		                   .expires = p->lease.gives_up,
		                   .droplet = (uint32_t)(p - p->dwfm->droplets),
		                   .attempt = p->lease.attempt };

	/* a refused one is like one that failed: its droplet waits for its time-out */
	work_offer(p->dwfm, &item);
}

void droplet_turn(struct droplet *p)
{
	mono_ns now = mono_now();
	unsigned news = lease_tick(&p->lease, &p->dwfm->knobs, &p->dwfm->retry, now);

	if (news & LEASE_LOST) p->share->lost++;
	set_timer(p);
	if (news & LEASE_ATTEMPT) offer_attempt(p, now);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	droplet_turn(arg);
}

void droplet_usurped(struct droplet *p, bool retry_at_once)
{
	if (lease_usurped(&p->lease, &p->dwfm->knobs, mono_now(), retry_at_once)) p->share->lost++;
	droplet_turn(p);
}

/* --- finding one ------------------------------------------------------------------------------------- */

static struct share *share_of(struct dwfm *d, const char *zone, size_t len)
{
	for (unsigned i = 0; i < d->n_shares; i++) {
		if (strlen(d->shares[i].zone) == len && !memcmp(d->shares[i].zone, zone, len))
			return &d->shares[i];
	}
	return NULL;
}

struct droplet *droplet_find(struct dwfm *d, const char *name)
{
	const char *dash = strrchr(name, '-');
	struct share *s = dash ? share_of(d, name, (size_t)(dash - name)) : NULL;
	char *end;

	if (!s || !dash[1]) return NULL;
	unsigned long number = strtoul(dash + 1, &end, 10);
	if (*end || number < s->first || number - s->first >= s->count) return NULL;
	return &d->droplets[s->base + (number - s->first)];
}

struct droplet *droplet_pick(struct dwfm *d, const char *zone)
{
	struct share *s = share_of(d, zone, strlen(zone));
	mono_ns now = mono_now();

	for (uint32_t i = 0; s && i < s->count; i++) {
		struct droplet *p = &d->droplets[s->base + s->next];
		s->next = (s->next + 1) % s->count;
		if (lease_holds(&p->lease, now) && p->used < p->slots) return p;
	}
	return NULL;
}

/* --- start ------------------------------------------------------------------------------------------- */

static int read_share(struct dwfm *d, const json_t *config)
{
	struct share *s = &d->shares[d->n_shares];
	const char *zone = node_string(config, "zone", ""), *address = node_string(config, "address", "");
	double port = node_number(config, "port", 0), first = node_number(config, "first", 1),
	       count = node_number(config, "count", 0);

	if (!*zone || strlen(zone) >= sizeof(s->zone) || !(port >= 1 && port <= UINT16_MAX) ||
	    !(first >= 0 && first < 1e9) || !(count >= 0 && count <= DWFM_DROPLETS_MAX) ||
	    route_socket_address(address, (uint16_t)port, &s->address) < 0)
		return -EINVAL;
	strcpy(s->zone, zone);
	s->first = (uint32_t)first;
	s->count = (uint32_t)count;
	s->base = d->n_droplets;
	d->n_droplets += s->count;
	d->n_shares++;
	return 0;
}

static void init_droplets(struct dwfm *d, struct share *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct droplet *p = &d->droplets[s->base + i];
		*p = (struct droplet){ .dwfm = d, .share = s, .number = s->first + i };
		evtimer_assign(&p->timer, d->node->base, on_timer, p);
	}
}

void droplets_begin(struct dwfm *d)
{
	mono_ns now = mono_now();

	for (uint32_t i = 0; i < d->n_droplets; i++) {
		double part = i / (double)d->n_droplets;
		lease_init(&d->droplets[i].lease, now + (mono_ns)(part * (double)d->knobs.start_over));
		set_timer(&d->droplets[i]);
	}
}

int droplets_read(struct dwfm *d, const json_t *shares)
{
	size_t i;
	json_t *share;

	if (json_array_size(shares) > DWFM_SHARES_MAX) return -ERANGE;
	json_array_foreach (shares, i, share) {
		if (read_share(d, share) < 0) return log_errno(-EINVAL, "droplets.%zu is not valid", i);
	}
	if (d->n_droplets > DWFM_DROPLETS_MAX) return -ERANGE;
	if (!(d->droplets = calloc(d->n_droplets + 1, sizeof(*d->droplets)))) return -ENOMEM;
	for (unsigned s = 0; s < d->n_shares; s++)
		init_droplets(d, &d->shares[s]);
	return 0;
}
