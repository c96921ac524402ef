/* lab.c - a lab's life: its books, its loop, its start and its end. lab_up.c brings it up. */
#include "orchestrator/lab/lab.h"
#include "common/cleanup.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { START_DELAY_MS = 100 };

int lab_fail(struct lab *lab, int error, const char *format, ...)
{
	va_list args;

	if (!lab->broken) {
		va_start(args, format);
		vsnprintf(lab->error, sizeof(lab->error), format, args);
		va_end(args);
	}
	lab->broken = true;
	event_base_loopbreak(lab->base);
	return error;
}

/* --- the loop ---------------------------------------------------------------------------------------- */

static void on_interrupt(evutil_socket_t fd, short what, void *arg)
{
	struct lab *lab = arg;
	(void)fd, (void)what;
	lab->stopping = true;
	event_base_loopbreak(lab->base);
}

static void on_child_changed(evutil_socket_t fd, short what, void *arg)
{
	struct lab *lab = arg;
	(void)fd, (void)what;
	for (size_t i = 0; i < lab->n_stations; i++)
		if (lab->stations[i]) station_poll_stopped(lab->stations[i]);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct lab *lab = arg;

	(void)fd, (void)what;
	if (!lab->t0) return;
	lab_observe(lab, true);
	lab_record_faults(lab);
	record_flush(lab->record);
	lab->recent_error_rate =
	    lab->recent_requests ? (double)lab->recent_errors / (double)lab->recent_requests : NAN;
	lab->recent_requests = lab->recent_errors = 0;
	if (lab->on_second) lab->on_second(lab->show_arg, lab);
}

static int open_loop(struct lab *lab)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct timeval second = { 1, 0 };
	struct event_config *config = event_config_new();

	if (!config) return -ENOMEM;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	lab->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!lab->base) return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (!(lab->interrupted[i] = evsignal_new(lab->base, signals[i], on_interrupt, lab)) ||
		    event_add(lab->interrupted[i], NULL) < 0)
			return -ENOMEM;
	lab->child_changed = evsignal_new(lab->base, SIGCHLD, on_child_changed, lab);
	lab->second = event_new(lab->base, -1, EV_PERSIST, on_second, lab);
	if (!lab->child_changed || !lab->second) return -ENOMEM;
	return event_add(lab->child_changed, NULL) < 0 || event_add(lab->second, &second) < 0 ? -ENOMEM : 0;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	*(bool *)arg = true;
}

int lab_wait(struct lab *lab, bool (*done)(struct lab *), mono_ns deadline)
{
	bool late = false;
	struct timeval tv = mono_timeval(deadline - mono_now());
	struct event *timer = evtimer_new(lab->base, on_deadline, &late);

	if (!timer || evtimer_add(timer, &tv) < 0) return -ENOMEM;
	while (!lab->broken && !lab->stopping && !late && !(done && done(lab)))
		event_base_loop(lab->base, EVLOOP_ONCE);
	event_free(timer);
	if (lab->broken) return -EPIPE;
	if (lab->stopping) return -EINTR;
	return done && done(lab) ? 0 : -ETIMEDOUT;
}

/* --- start and end ----------------------------------------------------------------------------------- */

void lab_start(struct lab *lab)
{
	lab->t0 = mono_now() + START_DELAY_MS * NS_PER_MS;
	lab_flush_early(lab);
	for (size_t i = 0; i < lab->n_stations; i++)
		if (lab->stations[i] && lab->stations[i]->channel >= 0)
			station_send(lab->stations[i],
			             json_pack("{s:s, s:I}", "type", "start", "t0_ns", (json_int_t)lab->t0),
			             NULL, 0);
	lab_event(lab, "lab.up", 0, NULL, NULL,
	          json_pack("{s:s, s:I}", "lab", lab->name, "seed", (json_int_t)lab->seed));
	lab_observe(lab, true);
}

void lab_count_lost(struct lab *lab)
{
	uint64_t lost = 0;
	for (size_t i = 0; i < lab->n_stations; i++) {
		if (!lab->stations[i]) continue;
		lost += lab->stations[i]->lost;
		lab->stations[i]->lost = 0;
	}
	if (lost) fidelity_lost_events(lab->fidelity, lost);
}

void lab_down(struct lab *lab)
{
	lab->stopping = true;
	if (lab->t0 && lab->build) {
		/* under `up` nobody reads standard error any more: the reason stands in the record */
		if (lab->broken)
			lab_event(lab, "lab.broken", 0, NULL, NULL, json_pack("{s:s}", "reason", lab->error));
		lab_event(lab, "lab.down", 0, NULL, NULL, NULL);
	}
	lab_count_lost(lab);
	for (size_t i = 0; i < lab->n_stations; i++)
		if (lab->stations[i]) lab->stations[i]->ending = true;
	for (size_t i = 0; i < lab->n_stations; i++)
		station_free(lab->stations[i]);
	lab->n_stations = 0;
	lab_end_execs(lab);
	spawner_stop(&lab->spawner);
	truth_close(lab->truth);
	lab->truth = NULL;
	fault_plane_close(lab->faults);
	lab->faults = NULL;
	build_down(lab->build);
	lab->build = NULL;
}

int lab_new(struct topology *t, const char *name, struct rundir *dir, struct record *record, struct lab **ret)
{
	struct topology_error why;
	struct lab *lab = calloc(1, sizeof(*lab));
	int result;

	if (!lab) return -ENOMEM;
	lab->name = name;
	lab->topology = t;
	lab->seed = t->seed;
	lab->rundir = dir;
	lab->record = record;
	lab->recent_error_rate = NAN;
	lab->early = json_array();
	lab->spawner.lifeline = -1;
	lab->handlers = (struct station_handlers){ lab_on_message, lab_on_ended, lab_on_stopped, lab };
	*ret = lab;
	if (!(lab->fidelity = fidelity_new(fidelity_timeout(t)))) return -ENOMEM;
	if ((result = open_loop(lab)) < 0) return result;
	if ((result = dns_key_make(&lab->key)) < 0)
		return lab_fail(lab, result, "no random numbers for the DNS key");
	if ((result = plan_make(t, &lab->plan, &why)) < 0) return lab_fail(lab, result, "%s", why.text);
	return 0;
}

void lab_free(struct lab *lab)
{
	if (!lab) return;
	for (size_t i = 0; i < ARRAY_SIZE(lab->interrupted); i++)
		if (lab->interrupted[i]) event_free(lab->interrupted[i]);
	if (lab->child_changed) event_free(lab->child_changed);
	if (lab->second) event_free(lab->second);
	if (lab->base) event_base_free(lab->base);
	json_decref(lab->early);
	fidelity_free(lab->fidelity);
	plan_free(lab->plan);
	topology_free(lab->topology);
	free(lab->stations);
	free(lab->instances);
	free(lab);
}
