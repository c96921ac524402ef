/* dns-planner: which load balancers serve the endpoints, as numbered plans, for the enactors to fetch.
 * config.h what it is told; planner.h when there is a new plan, and which; store.h and serve.h where the
 * plans are. Here: reports in, the timer, the messages. */
#include "common/health_rx.h"
#include "common/log.h"
#include "common/node.h"
#include "common/timer.h"
#include "dns-planner/config.h"
#include "dns-planner/serve.h"
#include <errno.h>
#include <string.h>

struct daemon {
	struct config config;
	struct planner planner;
	struct plan_store store;
	struct health_inbox *inbox;
	struct event *plan_timer, *second_timer;
	uint64_t made;
	bool store_broken;
};

/* --- plans ------------------------------------------------------------------------------------------- */

static void arm(struct daemon *d)
{
	timer_at(d->plan_timer, planner_due(&d->planner), mono_now());
}

/* Once an episode: the plan in force stays, and every later try fails for the same reason. */
static void tell_broken(struct node *n, uint64_t number, int error)
{
	struct daemon *d = n->self;

	if (!d->store_broken) {
		log_errno(error, "plan %llu cannot be stored, the newest one there stays",
		          (unsigned long long)number);
		node_event(n, "plan.unstored", 0,
		           json_pack("{s:I, s:s}", "plan", (json_int_t)number, "reason", strerror(-error)));
	}
	d->store_broken = true;
}

static void tell_made(struct node *n, const struct dns_plan *p, uint64_t cause)
{
	struct daemon *d = n->self;

	if (d->store_broken) log_line("plans can be stored again");
	d->store_broken = false;
	d->made++;
	node_event_as(n, p->event, "plan.made", cause,
	              json_pack("{s:I, s:s, s:s, s:I, s:I}", "plan", (json_int_t)p->number, "tree", p->tree,
	                        "kind", dns_plan_kind_text(p->kind), "records",
	                        (json_int_t)dns_plan_records(p), "load_balancers",
	                        (json_int_t)p->n_balancers));
}

static void make_plan(struct node *n)
{
	struct daemon *d = n->self;
	struct dns_plan plan;
	uint64_t cause;
	int r = planner_fill(&d->planner, n->seed, wall_ms(), &plan, &cause);

	if (r == 0) {
		plan.event = node_event_id(n);
		r = store_put_plan(&d->store, &plan);
		if (r == 0) tell_made(n, &plan, cause);
		free(plan.balancers);
	}
	if (r < 0) tell_broken(n, d->planner.next, r);
	(r < 0 ? planner_failed : planner_made)(&d->planner, mono_now());
}

static void on_plan(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	struct daemon *d = n->self;

	(void)fd, (void)what;
	if (planner_due(&d->planner) <= mono_now()) make_plan(n);
	arm(d);
}

/* --- reports ----------------------------------------------------------------------------------------- */

/* A checker reports all services, and waits until each report is acknowledged: those of others too. */
static bool on_report(const struct health_report *report, void *arg)
{
	struct daemon *d = arg;
	struct health_report mine = *report;
	struct health_count health;

	if (report->service != d->config.service) return true;
	mine.service = 0;
	int r = health_inbox_take(d->inbox, &mine, mono_now(), &health);
	if (r == 1) planner_report(&d->planner, report->zone, &health);
	return r >= 0;
}

static void on_reports_done(void *arg)
{
	arm(arg);
}

/* --- management -------------------------------------------------------------------------------------- */

static void sample(struct node *n)
{
	struct daemon *d = n->self;

	node_sample(n, "plans",
	            json_pack("{s:I, s:I, s:b}", "made", (json_int_t)d->made, "newest",
	                      (json_int_t)d->planner.next - 1, "paused", d->planner.paused));
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	sample(arg);
}

/* Numbers go on from the newest file, whatever is in it. */
static int open_store(struct node *n)
{
	static struct plan_store_list list;
	struct daemon *d = n->self;
	struct dns_plan newest;

	if (n->fds[0] < 0) return log_errno(-EBADF, "no folder for the plans");
	plan_store_init(&d->store, n->fds[0]);
	int r = plan_store_list(&d->store, &list);
	if (r < 0) return log_errno(r, "cannot read the plans' folder");
	uint64_t next = list.n ? list.numbers[list.n - 1] + 1 : d->config.first_plan;
	bool any = plan_store_newest(&d->store, wall_ms(), &newest) == 0;
	planner_init(&d->planner, &d->config.plans, next, any ? &newest : NULL);
	if (any) dns_plan_release(&newest);
	return 0;
}

static int open_timers(struct node *n)
{
	struct daemon *d = n->self;

	d->plan_timer = evtimer_new(n->base, on_plan, n);
	d->second_timer = event_new(n->base, -1, EV_PERSIST, on_second, n);
	if (!d->plan_timer || !d->second_timer) return -ENOMEM;
	return event_add(d->second_timer, &(struct timeval){ .tv_sec = 1 }) < 0 ? -ENOMEM : 0;
}

static int start(struct node *n, json_t *json)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct health_rx_ops ops = { .report = on_report, .drained = on_reports_done, .arg = d };
	struct in_addr any = { .s_addr = INADDR_ANY };
	char why[WHY_MAX];
	int r;

	if (!d) return -ENOMEM;
	n->self = d;
	if ((r = planner_config_read(json, &d->config, why)) < 0)
		return log_errno(r, "bad configuration: %s", why);
	if ((r = open_store(n)) < 0) return r;
	if ((r = health_inbox_new((unsigned)d->config.plans.n_sources, 1, &d->inbox)) < 0) return r;
	if ((r = open_timers(n)) < 0) return r;
	if ((r = plan_serve_open(n->base, &d->store, d->config.port)) < 0)
		return log_errno(r, "cannot serve plans on TCP port %u", d->config.port);
	return health_rx_open(n->base, any, any, &ops);
}

static int on_start(struct node *n, json_t *body)
{
	struct daemon *d = n->self;

	(void)body;
	planner_begin(&d->planner, mono_now());
	arm(d);
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct daemon *d = n->self;
	struct planner_config *now = &d->config.plans;
	struct config next;
	char why[WHY_MAX];
	int r = planner_config_read(json_object_get(body, "config"), &next, why);

	if (r < 0) return log_errno(r, "bad configuration: %s", why);
	bool changed = next.plans.interval != now->interval || next.plans.slow_lane != now->slow_lane ||
	               next.plans.slow_interval != now->slow_interval;
	now->interval = next.plans.interval;
	now->slow_interval = next.plans.slow_interval;
	now->slow_lane = next.plans.slow_lane;
	planner_config_release(&next.plans);
	if (changed) planner_retime(&d->planner, mono_now());
	arm(d);
	return 0;
}

static int on_pause(struct node *n, json_t *body)
{
	struct daemon *d = n->self;

	(void)body;
	planner_pause(&d->planner);
	arm(d);
	sample(n);
	return 0;
}

static int on_resume(struct node *n, json_t *body)
{
	struct daemon *d = n->self;

	(void)body;
	planner_resume(&d->planner, mono_now());
	arm(d);
	sample(n);
	return 0;
}

int main(void)
{
	static const struct node_message messages[] = { { "start", on_start },
		                                        { "set", on_set },
		                                        { "pause", on_pause },
		                                        { "resume", on_resume },
		                                        { 0 } };
	static const struct node_ops ops = { .daemon = "dns-planner", .start = start, .messages = messages };

	return node_run(&ops);
}
