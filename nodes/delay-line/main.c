/* azlab-delay-line: holds the packets that fault rules delay, and sends them when they are due. */
#include "line.h"
#include "common/log.h"
#include "common/node.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

struct delay_line {
	struct node *node;
	struct line line;
	struct event *report;
};

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct delay_line *d = arg;
	struct line *l = &d->line;

	(void)fd, (void)what;
	node_sample(d->node, "delayed",
	            json_pack("{s:I, s:I, s:I, s:I, s:i}", "held", (json_int_t)l->held.n, "sent",
	                      (json_int_t)l->sent, "lost", (json_int_t)l->shared->lost, "gone",
	                      (json_int_t)l->gone, "error_p99_us", (int)lag_quantile(&l->lag, 0.99)));
	lag_reset(&l->lag);
}

/* Others' time slices would show in every delay. With CAP_SYS_NICE, which node_run() drops right after
 * start(), the line goes before them: it sleeps nearly always, and its work is bounded by what packets
 * arrive. */
static void go_first(void)
{
	const struct sched_param first = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		log_errno(-errno,
		          "no real-time priority, delays will be as exact as the machine is idle, ignoring");
}

static int start(struct node *n, json_t *config)
{
	struct delay_line *d = calloc(1, sizeof(*d));
	int r;

	(void)config;
	if (!d) return -ENOMEM;
	n->self = d;
	d->node = n;
	go_first();
	if ((r = line_open(&d->line, n->base, n->fds, NODE_FDS_MAX)) < 0) return r;
	if (!(d->report = event_new(n->base, -1, EV_PERSIST, on_report, d))) return -ENOMEM;
	event_add(d->report, &(struct timeval){ .tv_sec = 1 });
	return 0;
}

int main(void)
{
	static const struct node_message messages[] = { { 0 } };
	static const struct node_ops ops = { .daemon = "delay-line", .start = start, .messages = messages };

	return node_run(&ops);
}
