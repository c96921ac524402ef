#include "common/resolve.h"
#include <arpa/inet.h>

void resolve_init(struct resolve *r, struct stub *stub, const char *name, int family, uint16_t port,
                  struct random random)
{
	*r = (struct resolve){ .stub = stub, .name = name, .family = family, .port = port, .random = random };
	TAILQ_INIT(&r->waiters);
}

static void serve(struct resolve *r, resolve_ready *ready, void *arg)
{
	if (r->answer.n == 0) {
		ready(arg, NULL);
		return;
	}
	size_t i = (size_t)(random_unit(&r->random) * (double)r->answer.n);
	union probe_address address = r->answer.addresses[i];
	in_port_t *port = address.any.sa_family == AF_INET ? &address.v4.sin_port : &address.v6.sin6_port;
	*port = htons(r->port);
	ready(arg, &address);
}

static void serve_waiters(struct resolve *r)
{
	struct resolve_waiters now = TAILQ_HEAD_INITIALIZER(now);
	struct resolve_waiter *w;

	/* those that come back at once, to try again, wait for another answer */
	TAILQ_CONCAT(&now, &r->waiters, link);
	while ((w = TAILQ_FIRST(&now))) {
		TAILQ_REMOVE(&now, w, link);
		w->waiting = false;
		serve(r, w->ready, w->arg);
	}
}

static void on_answer(const struct stub_answer *answer, void *arg)
{
	struct resolve *r = arg;

	r->asking = false;
	r->answer = *answer;
	r->expires = mono_now() + answer->ttl_s * NS_PER_S;
	serve_waiters(r);
}

void resolve_get(struct resolve *r, struct resolve_waiter *w, resolve_ready *ready, void *arg, mono_ns now)
{
	if (r->answer.n > 0 && now < r->expires) {
		serve(r, ready, arg);
		return;
	}
	*w = (struct resolve_waiter){ .waiting = true, .ready = ready, .arg = arg };
	TAILQ_INSERT_TAIL(&r->waiters, w, link);
	/* memory is all it can lack, the name having been checked: the waiter's own deadline ends its wait
	 * then */
	if (!r->asking) r->asking = stub_ask(r->stub, r->name, r->family, on_answer, r) == 0;
}

void resolve_leave(struct resolve *r, struct resolve_waiter *w)
{
	if (w->waiting) TAILQ_REMOVE(&r->waiters, w, link);
	w->waiting = false;
}
