#include "orchestrator/verdict/figures.h"
#include "common/cleanup.h"
#include <errno.h>
#include <math.h>
#include <string.h>

/* Clients tell their figures per 100 ms of arrivals: a stretch shorter than that can't be judged. */
static const double RESOLUTION_S = 0.1;
static const double DISTURBED_RATE = 0.01;
static const double SETTLED_S = 5; /* a disturbance in the last 5 s of the window: it never became stable */

/* --- spans ------------------------------------------------------------------------------------------- */

struct span span_cut(struct span a, struct span b)
{
	struct span both = { fmax(a.from, b.from), fmin(a.to, b.to) };

	if (both.to < both.from) both.to = both.from;
	return both;
}

static bool holds(struct span s, double t)
{
	return t >= s.from && t < s.to;
}

static double seconds_of(mono_ns t)
{
	return (double)t / NS_PER_S;
}

struct span figures_run(const struct topology *t, double end)
{
	double last = t->n_phases ? seconds_of(t->phases[t->n_phases - 1].at) : end;
	return (struct span){ 0, fmax(0, fmin(last, end)) };
}

struct span figures_phase(const struct topology *t, size_t i, struct span run)
{
	double from = seconds_of(t->phases[i].at);
	double to = i + 1 < t->n_phases ? seconds_of(t->phases[i + 1].at) : from;

	return span_cut((struct span){ from, to }, run);
}

static bool is_event(const struct record_event *e, const char *name)
{
	return strcmp(e->event, name) == 0;
}

/* A step of the scenario or of a user that isn't the trigger itself. */
static bool is_operator_step(const struct record_event *e)
{
	const char *action = record_text(e, "action");
	return is_event(e, "step") && strncmp(action, "fault on ", 9) && strncmp(action, "fault off ", 10);
}

struct span figures_window(const struct record *r, struct span run)
{
	struct span window = run;
	bool fault = false;
	size_t after = r->n_events; /* the last fault.off */

	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (e->t >= run.to) continue;
		fault = fault || is_event(e, "fault.on");
		if (is_event(e, "fault.off") && (after == r->n_events || e->t >= r->events[after].t))
			after = i;
	}
	if (after == r->n_events) return fault ? (struct span){ run.to, run.to } : run;
	window.from = fmax(run.from, r->events[after].t);
	for (size_t i = after + 1; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (is_operator_step(e) && e->t >= window.from) window.to = fmin(window.to, e->t);
	}
	return window;
}

/* --- zones ------------------------------------------------------------------------------------------- */

/* True if n of the targets are at least the share that failover wants to see healthy. */
static bool enough(const struct record_event *e, double n)
{
	double of = record_number(e, "of", 0);
	/* 55 % of 100 is a little more than 55 in floating point */
	return of > 0 && n + 1e-9 >= record_number(e, "min_healthy", INFINITY) * of;
}

static void count_removal(const struct record_event *e, struct figures *f)
{
	double well = record_number(e, "well", NAN);

	f->zone_removals++;
	if (isnan(well) || !enough(e, well)) return;
	f->false_removals++;
	if (!enough(e, well - record_number(e, "overloaded", 0))) f->false_removals_overloaded++;
}

/* Names in an event are the record's own copies: one name, one address. */
static bool seen_before(const struct record *r, size_t i, struct span span)
{
	for (size_t j = 0; j < i; j++) {
		const struct record_event *e = &r->events[j];
		if (e->zone == r->events[i].zone && holds(span, e->t) && is_event(e, "zone.removed"))
			return true;
	}
	return false;
}

static void count_events(const struct record *r, struct span span, struct figures *f)
{
	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (!holds(span, e->t)) continue;
		if (is_event(e, "zone.restored")) f->zone_restores++;
		if (is_event(e, "zone.held")) f->zone_holds++;
		if (!is_event(e, "zone.removed")) continue;
		count_removal(e, f);
		if (!seen_before(r, i, span)) f->zones++;
	}
}

/* --- requests ---------------------------------------------------------------------------------------- */

const char *const figures_classes[FIGURES_CLASSES] = { "no_address", "unreachable", "refused",
	                                               "reset",      "timed_out",   "http" };

static void count_class(const char *metric, double value, struct figures *f)
{
	for (size_t i = 0; i < FIGURES_CLASSES; i++) {
		if (!strcmp(metric, figures_classes[i])) f->by_class[i] += value;
	}
}

/* A bucket belongs where it begins. */
static void count_requests(const struct record *r, struct span span, struct figures *f)
{
	for (size_t i = 0; i < r->n_metrics; i++) {
		const struct record_metric *m = &r->metrics[i];
		const char *metric = r->series[m->series].metric;
		if (!holds(span, m->t)) continue;
		if (!strcmp(metric, "requests")) f->requests += m->value;
		if (!strcmp(metric, "errors")) f->errors += m->value;
		if (!strcmp(metric, "attempts")) f->attempts += m->value;
		if (!strcmp(metric, "lab_errors")) f->lab_errors += m->value;
		count_class(metric, m->value, f);
	}
	f->error_rate = f->requests > 0 ? f->errors / f->requests : NAN;
}

/* --- time to stable ---------------------------------------------------------------------------------- */

struct second {
	double requests, errors;
	bool removal;
};

/* Fills in the seconds of the window, counted from its start. */
static void fill_seconds(const struct record *r, struct span window, struct second *seconds, size_t n)
{
	for (size_t i = 0; i < r->n_metrics; i++) {
		const struct record_metric *m = &r->metrics[i];
		const char *metric = r->series[m->series].metric;
		size_t at = holds(window, m->t) ? (size_t)(m->t - window.from) : n;
		if (at >= n) continue;
		if (!strcmp(metric, "requests")) seconds[at].requests += m->value;
		if (!strcmp(metric, "errors")) seconds[at].errors += m->value;
	}
	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		size_t at = holds(window, e->t) ? (size_t)(e->t - window.from) : n;
		if (at < n && is_event(e, "zone.removed")) seconds[at].removal = true;
	}
}

static bool is_disturbed(const struct second *s)
{
	return s->removal || (s->requests > 0 && s->errors >= DISTURBED_RATE * s->requests);
}

static int find_stable(const struct record *r, struct span window, struct figures *f)
{
	double length = window.to - window.from;
	size_t n = length > 0 ? (size_t)ceil(length - RESOLUTION_S) : 0;

	f->time_to_stable_s = NAN;
	if (length < RESOLUTION_S) return 0;
	if (n == 0) n = 1;
	cleanup_free struct second *seconds = calloc(n, sizeof(*seconds));
	if (!seconds) return -ENOMEM;
	fill_seconds(r, window, seconds, n);
	while (n > 0 && !is_disturbed(&seconds[n - 1]))
		n--;
	double end = fmin((double)n, length); /* of the last disturbed second */
	f->metastable = n > 0 && end > length - SETTLED_S + RESOLUTION_S;
	if (!f->metastable) f->time_to_stable_s = end;
	return 0;
}

/* --- step functions: a value holds until the next one of its series ------------------------------------ */

/* One metric over a span, instant by instant. */
struct steps {
	struct record_metric *points;
	size_t n, at;
	double *now; /* of each series; NAN before its first value */
};

static void steps_release(struct steps *s)
{
	free(s->points);
	free(s->now);
}

static int steps_init(struct steps *s, const struct record *r, const char *metric)
{
	*s = (struct steps){ .now = calloc(r->n_series + 1, sizeof(double)) };
	if (!s->now) return -ENOMEM;
	for (size_t i = 0; i < r->n_series; i++)
		s->now[i] = NAN;
	return record_points(r, metric, &s->points, &s->n);
}

/* Takes over all values up to t and returns the time of the next one, span.to if none comes before it. */
static double steps_until(struct steps *s, double t, struct span span)
{
	for (; s->at < s->n && s->points[s->at].t <= t; s->at++)
		s->now[s->points[s->at].series] = s->points[s->at].value;
	return s->at < s->n ? fmin(s->points[s->at].t, span.to) : span.to;
}

static int sum_capacity(const struct record *r, struct span span, struct figures *f)
{
	__attribute__((cleanup(steps_release))) struct steps s;
	int result = steps_init(&s, r, "capacity_lost");

	for (double t = span.from, next; result == 0 && t < span.to; t = next) {
		next = steps_until(&s, t, span);
		for (size_t i = 0; i < r->n_series; i++) {
			if (!isnan(s.now[i])) f->capacity_seconds_lost += s.now[i] * (next - t);
		}
	}
	return result;
}

/* Zones of a service that are known to be in or out of its answer now. */
static void count_zones(const struct record *r, const struct steps *s, const char *service, unsigned *in,
                        unsigned *out)
{
	*in = *out = 0;
	for (size_t i = 0; i < r->n_series; i++) {
		if (r->series[i].service != service || isnan(s->now[i])) continue;
		*(s->now[i] > 0 ? in : out) += 1;
	}
}

static int watch_answers(const struct record *r, struct span span, struct figures *f)
{
	__attribute__((cleanup(steps_release))) struct steps s;
	int result = steps_init(&s, r, "in_answer");

	for (double t = span.from, next; result == 0 && t < span.to; t = next) {
		bool empty = false;
		next = steps_until(&s, t, span);
		for (size_t i = 0; i < r->n_series; i++) {
			unsigned in, out;
			if (isnan(s.now[i])) continue;
			count_zones(r, &s, r->series[i].service, &in, &out);
			if (out > f->max_zones_out) f->max_zones_out = out;
			empty = empty || in == 0;
		}
		if (empty) f->empty_answer_s += next - t;
	}
	return result;
}

/* --- all of them ------------------------------------------------------------------------------------- */

int figures_of(const struct record *r, struct span span, struct span window, struct figures *ret)
{
	struct figures f = { 0 };
	int result;

	count_events(r, span, &f);
	count_requests(r, span, &f);
	if ((result = find_stable(r, span_cut(window, span), &f)) < 0) return result;
	if ((result = sum_capacity(r, span, &f)) < 0) return result;
	if ((result = watch_answers(r, span, &f)) < 0) return result;
	*ret = f;
	return 0;
}

static const struct {
	const char *name;
	enum { COUNT, NUMBER, REAL, BOOL } kind;
	size_t offset;
} members[] = {
#define MEMBER(name, kind)                                                                                   \
	{                                                                                                    \
#name, kind, offsetof(struct figures, name)                                                  \
	}
	MEMBER(zone_removals, COUNT),
	MEMBER(zone_restores, COUNT),
	MEMBER(zone_holds, COUNT),
	MEMBER(zones, COUNT),
	MEMBER(false_removals, COUNT),
	MEMBER(false_removals_overloaded, COUNT),
	MEMBER(requests, NUMBER), /* whole numbers, but more than an unsigned may hold */
	MEMBER(errors, NUMBER),
	MEMBER(error_rate, REAL),
	MEMBER(capacity_seconds_lost, REAL),
	MEMBER(time_to_stable_s, REAL),
	MEMBER(metastable, BOOL),
	MEMBER(attempts, NUMBER),
	MEMBER(lab_errors, NUMBER),
	MEMBER(empty_answer_s, REAL),
	MEMBER(max_zones_out, COUNT),
#undef MEMBER
};

static json_t *member_json(const struct figures *f, size_t i)
{
	const void *at = (const char *)f + members[i].offset;
	double value;

	if (members[i].kind == COUNT) return json_integer(*(const unsigned *)at);
	if (members[i].kind == BOOL) return json_boolean(*(const bool *)at);
	value = *(const double *)at;
	if (isnan(value)) return json_null();
	/* without the noise of sums, so that "max: 2" holds for 2 */
	return members[i].kind == NUMBER ? json_integer((json_int_t)llround(value))
	                                 : json_real(round(value * 1e9) / 1e9);
}

static json_t *classes_json(const struct figures *f)
{
	json_t *object = json_object();

	for (size_t i = 0; i < FIGURES_CLASSES; i++) {
		json_object_set_new(object, figures_classes[i],
		                    json_integer((json_int_t)llround(f->by_class[i])));
	}
	return object;
}

json_t *figures_json(const struct figures *f)
{
	json_t *object = json_pack("{s:o}", "errors_by_class", classes_json(f));

	for (size_t i = 0; object && i < ARRAY_SIZE(members); i++) {
		if (json_object_set_new(object, members[i].name, member_json(f, i)) == 0) continue;
		json_decref(object);
		object = NULL;
	}
	return object;
}
