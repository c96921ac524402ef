#include "health-checker/checker.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"

#define TICK NS_PER_MS

static struct checker *checker_of(const struct checker_target *t)
{
	return t->service->checker;
}

/* --- results ----------------------------------------------------------------------------------------- */

/* By its flow a failed check's cause is found; NULL for others. */
static json_t *describe_flow(const struct checker_target *t, const struct probe_result *result)
{
	if (result->outcome == PROBE_OK) return NULL;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	in_port_t sport = probe_address_text(&result->source, src),
	          dport = probe_address_text(&t->spec.to, dst);

	return json_pack("{s:s, s:i, s:s, s:i}", "src", src, "sport", (int)sport, "dst", dst, "dport",
	                 (int)dport);
}

static void report_change(struct checker_target *t, uint64_t cause, const struct probe_result *result)
{
	char reason[128];

	probe_result_text(result, reason, sizeof(reason));
	t->event = node_event(
	    checker_of(t)->node, t->health.state == TARGET_UP ? "target.healthy" : "target.unhealthy", cause,
	    json_pack("{s:s, s:s, s:s, s:I, s:o*}", "target", t->name, "service", t->service->name, "reason",
	              reason, "checks", (json_int_t)t->checks, "flow", describe_flow(t, result)));
	reports_push(t);
	reports_changed(t->service);
}

/* The one place where a check ends: decides, reports a change, and gives its slot on. */
static void on_checked(struct probe *p, const struct probe_result *result, void *arg)
{
	struct checker_target *t = arg;
	struct checker *c = checker_of(t);
	/* until checks have confirmed its state, what a target does comes of its registration */
	uint64_t cause = t->health.confirmed ? 0 : t->event;

	(void)p;
	c->in_flight--;
	t->checks++;
	c->made++;
	c->failed += result->outcome != PROBE_OK;
	schedule_done(&c->schedule, &t->turn, mono_now());
	/* our own shortage says nothing about the target */
	if (result->outcome == PROBE_LAB_ERROR)
		log_line("check of %s failed here: errno %d, ignoring", t->name, result->error);
	else if (target_feed(&t->health, &t->service->policy, result->outcome == PROBE_OK))
		report_change(t, cause, result);
	checks_run(c);
}

/* --- turns ------------------------------------------------------------------------------------------- */

/* An episode ends when no check has been late for an interval. */
static void count_late(struct checker *c, const struct checker_target *t)
{
	mono_ns now = t->turn.started;
	bool goes_on = c->last_late && now - c->last_late <= t->turn.interval;

	c->late++;
	c->last_late = now;
	if (goes_on) return;
	/* the first start has no interval yet */
	mono_ns stretched = t->turn.stretched ? t->turn.stretched : t->turn.interval + t->turn.late;
	node_event(
	    c->node, "check.late", 0,
	    json_pack("{s:f, s:f}", "late_ms", mono_ms(t->turn.late), "interval_ms", mono_ms(stretched)));
}

static void start_check(struct checker *c, struct checker_target *t)
{
	if (t->turn.late > 0) count_late(c, t);
	c->in_flight++;
	probe_start(&t->probe, c->node->base, &t->spec, on_checked, t);
}

/* Checks start on whole milliseconds, those due in one together: to wake up costs as much as the check itself
 * (52 us of CPU a TCP check without, 38 with it, at 5,000/s). HAProxy's timers count milliseconds too. */
static mono_ns next_tick(mono_ns due)
{
	if (due == MONO_NEVER) return due;
	return (due + TICK - 1) / TICK * TICK;
}

static void arm(struct checker *c, mono_ns due, mono_ns now)
{
	if (due == c->armed) return;
	c->armed = due;
	timer_at(c->turn_timer, next_tick(due), now);
}

void checks_run(struct checker *c)
{
	struct schedule_entry *turn;
	mono_ns now = mono_now();

	while ((turn = schedule_next(&c->schedule, now)))
		start_check(c, container_of(turn, struct checker_target, turn));
	arm(c, schedule_due(&c->schedule), now);
}

void checks_stop(struct checker_target *t)
{
	if (t->probe.active) checker_of(t)->in_flight--;
	probe_cancel(&t->probe);
	schedule_remove(&checker_of(t)->schedule, &t->turn);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct checker *c = arg;

	(void)fd, (void)what;
	c->armed =
	    MONO_NEVER; /* it may be early by the loop's idea of the time, and then has to fire again */
	checks_run(c);
}

int checks_open(struct checker *c)
{
	c->armed = MONO_NEVER;
	c->turn_timer = evtimer_new(c->node->base, on_turn, c);
	return c->turn_timer ? 0 : -ENOMEM;
}
