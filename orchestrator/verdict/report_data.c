/* report_data.c - the record as the report's script wants it: series over one time axis, and the events. */
#include "orchestrator/verdict/report.h"
#include "orchestrator/verdict/report_dns.h"
#include "orchestrator/verdict/report_ec2.h"
#include "common/cleanup.h"
#include <math.h>
#include <string.h>

enum {
	EVENTS_MAX = 20000,   /* past it the page would be too heavy; events.jsonl has all */
	BUCKETS_WANTED = 600, /* as many as a wide screen can show */
};

static const double LOCKS_BEFORE_S = 10, LOCKS_AFTER_S = 2;

static json_t *pair(double t, double value)
{
	return json_pack("[f, f]", t, value);
}

/* --- series ------------------------------------------------------------------------------------------ */

/* Changes of a metric that holds until its next value; equal ones in a row are one. NULL: of any zone. */
static json_t *changes_of(const struct record *r, const char *metric, const char *service, const char *zone)
{
	cleanup_free struct record_metric *points = NULL;
	json_t *changes = json_array();
	double last = NAN;
	size_t n = 0;

	if (record_points(r, metric, &points, &n) < 0) return changes;
	for (size_t i = 0; i < n; i++) {
		const struct record_series *s = &r->series[points[i].series];
		if (zone && (strcmp(s->service, service) || strcmp(s->zone, zone))) continue;
		if (points[i].value == last) continue;
		json_array_append_new(changes, pair(points[i].t, points[i].value));
		last = points[i].value;
	}
	return changes;
}

static json_t *holds_of(const struct record *r, const char *service, const char *zone)
{
	json_t *times = json_array();

	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (strcmp(e->event, "zone.held") || strcmp(e->zone, zone)) continue;
		const char *of = record_text(e, "service");
		if (!*of || !strcmp(of, service)) json_array_append_new(times, json_real(e->t));
	}
	return times;
}

static json_t *zone_data(const struct record *r, const char *service, const char *zone)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "zone", zone, "in",
	                 changes_of(r, "in_answer", service, zone), "held",
	                 changes_of(r, "held", service, zone), "holds", holds_of(r, service, zone), "healthy",
	                 changes_of(r, "healthy", service, zone), "well",
	                 changes_of(r, "well", service, zone), "of", changes_of(r, "of", service, zone));
}

static json_t *service_data(const struct record *r, const char *service, const json_t *zones)
{
	json_t *list = json_array(), *zone;
	size_t i;

	json_array_foreach ((json_t *)zones, i, zone) {
		json_array_append_new(list, zone_data(r, service, json_string_value(zone)));
	}
	return json_pack("{s:s, s:o}", "service", service, "zones", list);
}

/* Services in the order in which the record first speaks of their zones. */
static json_t *services_data(const struct record *r, const json_t *zones)
{
	json_t *services = json_array();

	for (size_t i = 0; i < r->n_series; i++) {
		const struct record_series *s = &r->series[i];
		bool first = !strcmp(s->metric, "in_answer");
		for (size_t k = 0; first && k < i; k++) {
			first =
			    strcmp(r->series[k].metric, "in_answer") || r->series[k].service != s->service;
		}
		if (first) json_array_append_new(services, service_data(r, s->service, zones));
	}
	return services;
}

/* --- load -------------------------------------------------------------------------------------------- */

struct bucket {
	double requests, errors;
};

/* A round width, in seconds, that makes at most about BUCKETS_WANTED buckets. */
static double bucket_width(double length)
{
	static const double widths[] = { 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300 };

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		if (length / widths[i] <= BUCKETS_WANTED) return widths[i];
	}
	return length / BUCKETS_WANTED;
}

static json_t *buckets_json(const struct bucket *buckets, size_t n, double from, double width)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct bucket *b = &buckets[i];
		json_t *rate = b->requests > 0 ? json_real(b->errors / b->requests) : json_null();
		json_array_append_new(
		    rows, json_pack("[f, f, o]", from + (double)i * width, b->requests / width, rate));
	}
	return rows;
}

/* All clients together: [t, requests/s, error rate]. */
static json_t *load_data(const struct record *r, double from, double to)
{
	double width = bucket_width(to - from);
	size_t n = to > from ? (size_t)ceil((to - from) / width - 1e-9) : 0;
	cleanup_free struct bucket *buckets = calloc(n + 1, sizeof(*buckets));

	if (!buckets) return NULL;
	for (size_t i = 0; i < r->n_metrics; i++) {
		const struct record_metric *m = &r->metrics[i];
		const char *metric = r->series[m->series].metric;
		if (m->t < from || m->t >= to) continue;
		size_t at = (size_t)((m->t - from) / width + 1e-9);
		if (!strcmp(metric, "requests")) buckets[at].requests += m->value;
		if (!strcmp(metric, "errors")) buckets[at].errors += m->value;
	}
	return json_pack("{s:f, s:o}", "width", width, "rows", buckets_json(buckets, n, from, width));
}

/* --- events ------------------------------------------------------------------------------------------ */

/* What tells the story; the rest is how it came about, and is left out first. */
static bool is_story(const struct record_event *e)
{
	static const char *const prefixes[] = { "lab.",    "phase",     "step",      "fault.",     "knob.",
		                                "zone.",   "node.",     "failopen.", "client.",    "expect.",
		                                "verdict", "dns.",      "endpoint.", "plan.clean", "dwfm.",
		                                "api.",    "lease.lost" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (!strncmp(e->event, prefixes[i], strlen(prefixes[i]))) return true;
	}
	return false;
}

static int compare_events(const void *a, const void *b)
{
	const struct record_event *x = *(const struct record_event *const *)a;
	const struct record_event *y = *(const struct record_event *const *)b;

	if (x->t != y->t) return x->t < y->t ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* When an endpoint was first found empty; INFINITY: never. */
static double first_empty(const struct record *r)
{
	for (size_t i = 0; i < r->n_events; i++)
		if (!strcmp(r->events[i].event, "endpoint.empty")) return r->events[i].t;
	return INFINITY;
}

/* A hundred locks a second are taken and lost: those shortly before an endpoint was emptied tell why. */
static bool is_idle_lock(const struct record_event *e, double empty)
{
	return !strncmp(e->event, "lock.", 5) &&
	       !(e->t > empty - LOCKS_BEFORE_S && e->t < empty + LOCKS_AFTER_S);
}

/* The events to show, in order of time. Returns how many. */
static size_t choose_events(const struct record *r, const struct record_event **chosen)
{
	size_t n = 0, story = 0;
	double empty = first_empty(r);

	for (size_t i = 0; i < r->n_events; i++)
		story += is_story(&r->events[i]);
	size_t others = story < EVENTS_MAX ? EVENTS_MAX - story : 0;
	for (size_t i = 0; i < r->n_events && n < EVENTS_MAX; i++) {
		if (is_idle_lock(&r->events[i], empty)) continue;
		if (!is_story(&r->events[i])) {
			if (others == 0) continue;
			others--;
		}
		chosen[n++] = &r->events[i];
	}
	qsort(chosen, n, sizeof(struct record_event *), compare_events);
	return n;
}

static json_t *event_json(const struct record_event *e)
{
	json_t *line = json_copy(e->json);

	json_object_set_new(line, "story", json_boolean(is_story(e)));
	/* an id may be more than a script's number can hold exactly */
	json_object_set_new(line, "id", json_sprintf("%llu", (unsigned long long)e->id));
	json_object_set_new(line, "cause", json_sprintf("%llu", (unsigned long long)e->cause));
	return line;
}

static json_t *events_data(const struct record *r)
{
	cleanup_free const struct record_event **chosen =
	    calloc(r->n_events + 1, sizeof(struct record_event *));
	json_t *events = json_array();
	size_t n = chosen ? choose_events(r, chosen) : 0;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(events, event_json(chosen[i]));
	return events;
}

/* --- all of it --------------------------------------------------------------------------------------- */

static json_t *phases_data(const json_t *summary)
{
	json_t *phases = json_array(), *figures;
	const char *name;

	json_object_foreach (json_object_get(summary, "phases"), name, figures) {
		json_array_append_new(phases, json_pack("{s:s, s:O, s:O}", "name", name, "from",
		                                        json_object_get(figures, "from_s"), "to",
		                                        json_object_get(figures, "to_s")));
	}
	return phases;
}

json_t *report_data(const struct record *r, const json_t *summary)
{
	const json_t *zones = json_object_get(summary, "zone_names");
	double from = json_number_value(json_object_get(summary, "from_s"));
	double to = json_number_value(json_object_get(summary, "to_s"));
	json_t *events = events_data(r);
	size_t omitted = r->n_events - json_array_size(events);

	return json_pack("{s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "from", from, "to", to,
	                 "phases", phases_data(summary), "dns", report_dns_data(r, summary), "ec2",
	                 report_ec2_data(r, summary), "services", services_data(r, zones), "load",
	                 load_data(r, from, to), "lost", changes_of(r, "capacity_lost", NULL, NULL), "events",
	                 events, "omitted", (json_int_t)omitted);
}
