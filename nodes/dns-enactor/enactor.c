#include "dns-enactor/enactor.h"
#include "common/log.h"
#include "common/timer.h"
#include "dns-enactor/tell.h"
#include "proto/classes.h"
#include <errno.h>
#include <stdlib.h>

int64_t dne_until_ms(struct dne *d, mono_ns span)
{
	int64_t until_ms = wall_ms() + span / NS_PER_MS;

	if (until_ms <= d->last_until_ms) until_ms = d->last_until_ms + 1;
	return d->last_until_ms = until_ms;
}

/* --- steps ------------------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dne *d = arg;
	dne_step *step = d->next;

	(void)fd, (void)what;
	if (d->paused || !step) return;
	d->next = NULL;
	step(d);
}

void dne_go_on(struct dne *d, dne_step *step)
{
	if (d->paused)
		d->next = step;
	else
		step(d);
}

void dne_go_on_after(struct dne *d, mono_ns span, dne_step *step)
{
	d->next = step;
	timer_after(d->timer, span);
}

bool dne_stands_still(const struct dne *d)
{
	return d->paused && d->next;
}

void dne_stumble(struct dne *d, int error)
{
	log_errno(error, "cannot go on, beginning anew with the newest plan");
	if (d->has_plan) {
		dns_plan_release(&d->plan);
		dne_walk_release(&d->walk);
	}
	d->has_plan = false;
	d->doing = DNE_IDLE;
	dne_go_on_after(d, NS_PER_S, dne_pick);
}

/* --- life -------------------------------------------------------------------------------------------- */

static void on_waiting(const char *what, void *arg)
{
	if (what)
		dne_tell_waiting(arg, "the DNS server", what);
	else
		log_line("the DNS server answers again");
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	dne_tell_sample(arg);
}

static int open_peers(struct dne *d)
{
	const struct dns_peers *c = &d->config.peers;
	int r = dns_talk_new(d->node->base, c->server, PORT_DNS, &c->key, on_waiting, d, &d->talk);

	if (r < 0) return log_errno(r, "cannot reach the DNS server at '%s'", c->server);
	r = http_get_new(d->node->base, c->store, c->store_port, DNS_PLAN_TEXT_MAX, &d->store);
	return r < 0 ? log_errno(r, "cannot reach the plan store at '%s'", c->store) : 0;
}

int dne_new(struct node *n, const struct dne_config *config, struct dne **ret)
{
	struct dne *d = calloc(1, sizeof(*d));
	int r;

	if (!d) return -ENOMEM;
	d->node = n;
	d->config = *config;
	d->random = random_of(n->seed, n->name);
	d->timer = evtimer_new(n->base, on_timer, d);
	d->second = event_new(n->base, -1, EV_PERSIST, on_second, d);
	if (!d->timer || !d->second) return -ENOMEM;
	if ((r = open_peers(d)) < 0) return r;
	event_add(d->second, &(struct timeval){ .tv_sec = 1 });
	/* enactors that start together don't stay in step */
	dne_go_on_after(d, (mono_ns)(random_unit(&d->random) * (double)config->knobs.poll), dne_pick);
	*ret = d;
	return 0;
}
