#include "backend/server.h"
#include "backend/connection.h"
#include "common/cleanup.h"
#include "common/listener.h"
#include "common/timer.h"
#include <errno.h>

struct server {
	struct server_spec spec;
	struct event_base *base;
	struct listener *listener;
	struct event *timer;
	struct capacity capacity;
};

const struct capacity *server_capacity(const struct server *s)
{
	return &s->capacity;
}

static void arm(struct server *s, mono_ns now)
{
	timer_at(s->timer, capacity_due(&s->capacity), now);
}

/* Answers all work that is finished by now. */
static void finish_due(struct server *s, mono_ns now)
{
	struct work *w;

	while ((w = capacity_next(&s->capacity, now)))
		connection_work_done(w);
}

static void settle(struct server *s, mono_ns now)
{
	finish_due(s, now); /* also what a change has made skip */
	if (capacity_judge(&s->capacity, now))
		s->spec.overload_changed(&s->capacity, capacity_waited(&s->capacity, now), s->spec.arg);
	arm(s, now);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	settle(arg, mono_now());
}

static bool on_request(struct work *w, void *arg)
{
	struct server *s = arg;
	mono_ns now = mono_now();

	finish_due(s, now);
	bool taken = capacity_submit(&s->capacity, w, now);
	settle(s, now);
	return taken;
}

void server_configure(struct server *s, const struct capacity_config *config)
{
	mono_ns now = mono_now();

	finish_due(s, now);
	capacity_configure(&s->capacity, config, now);
	settle(s, now);
}

static void on_accept(int fd, void *arg)
{
	struct server *s = arg;

	if (connection_open(s->base, fd, s->spec.body, on_request, s) < 0) close(fd);
}

int server_start(struct event_base *base, const struct server_spec *spec, struct server **ret)
{
	cleanup_free struct server *s = calloc(1, sizeof(*s));
	int result;

	if (!s) return -ENOMEM;
	s->spec = *spec;
	s->base = base;
	capacity_init(&s->capacity, &spec->capacity, spec->random);
	s->timer = evtimer_new(base, on_timer, s);
	if (!s->timer) return -ENOMEM;
	if ((result = listener_open(base, spec->port, on_accept, s, &s->listener)) < 0) return result;
	*ret = take_ptr(s);
	return 0;
}
