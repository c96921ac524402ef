#include "orchestrator/verdict/figures_dns.h"
#include "common/cleanup.h"
#include <errno.h>
#include <math.h>
#include <string.h>

/* A client tells its requests per so many seconds of arrivals: the last failure lies somewhere in them. */
static const double BUCKET_S = 0.1;
/* The console sees that a repair has worked when it looks the next time, and may tell that first. */
static const double NOTICED_S = 5;

static bool is_event(const struct record_event *e, const char *name)
{
	return strcmp(e->event, name) == 0;
}

bool dns_is_own(const struct record_event *e, const char *dns_name)
{
	const char *endpoint = record_text(e, "endpoint");
	size_t n = strlen(endpoint), label = strcspn(dns_name, ".");

	if (n > 0 && endpoint[n - 1] == '.') n--;
	return !strncmp(endpoint, dns_name, n) && (n == label || n == strlen(dns_name));
}

/* --- outages ----------------------------------------------------------------------------------------- */

/* What has been read so far. */
struct reading {
	struct dns_outage *outages;
	size_t n;
	bool open;
	double newest, newest_before; /* plan numbers: made so far, made when the outage began */
};

static int begin_outage(struct reading *s, double t)
{
	if (s->open) return 0;
	struct dns_outage *grown = reallocarray(s->outages, s->n + 1, sizeof(*grown));
	if (!grown) return -ENOMEM;
	s->outages = grown;
	grown[s->n++] = (struct dns_outage){ t, INFINITY, INFINITY, NAN };
	s->open = true;
	s->newest_before = s->newest;
	return 0;
}

/* An operator's repair, by either way, belongs to the outage that it ends. */
static void take_repair(struct reading *s, const struct record_event *e)
{
	struct dns_outage *o = s->n ? &s->outages[s->n - 1] : NULL;

	if (!o || !json_is_true(json_object_get(e->json, "ok")) || !strcmp(record_text(e, "how"), "auto"))
		return;
	if (isnan(o->repaired) && (s->open || e->t - o->to < NOTICED_S)) o->repaired = e->t;
}

static int take_event(struct reading *s, const struct record_event *e, const char *dns_name)
{
	struct dns_outage *o = s->open ? &s->outages[s->n - 1] : NULL;

	if (is_event(e, "plan.made")) s->newest = fmax(s->newest, record_number(e, "plan", 0));
	if (is_event(e, "dns.repaired")) take_repair(s, e);
	if (o && is_event(e, "plan.aborted") && record_number(e, "plan", 0) > s->newest_before)
		o->stuck_at = fmin(o->stuck_at, e->t);
	if (is_event(e, "endpoint.empty") && dns_is_own(e, dns_name)) return begin_outage(s, e->t);
	if (o && is_event(e, "endpoint.restored") && dns_is_own(e, dns_name)) {
		o->to = e->t;
		s->open = false;
	}
	return 0;
}

int dns_outages(const struct record *r, const char *dns_name, struct dns_outage **ret, size_t *ret_n)
{
	struct reading s = { 0 };
	int result = 0;

	for (size_t i = 0; i < r->n_events && result == 0; i++)
		result = take_event(&s, &r->events[i], dns_name);
	if (result < 0) {
		free(s.outages);
		return result;
	}
	*ret = s.outages;
	*ret_n = s.n;
	return 0;
}

/* --- figures ----------------------------------------------------------------------------------------- */

static bool holds(struct span s, double t)
{
	return t >= s.from && t < s.to;
}

/* True if the i-th event's endpoint was emptied in the span before. */
static bool emptied_before(const struct record *r, size_t i, struct span span)
{
	for (size_t k = 0; k < i; k++) {
		const struct record_event *e = &r->events[k];
		if (holds(span, e->t) && is_event(e, "endpoint.empty") &&
		    !strcmp(record_text(e, "endpoint"), record_text(&r->events[i], "endpoint")))
			return true;
	}
	return false;
}

static void count_events(const struct record *r, struct span span, struct dns_figures *f)
{
	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (!holds(span, e->t)) continue;
		f->plans += is_event(e, "plan.made");
		f->emptied += is_event(e, "endpoint.empty") && !emptied_before(r, i, span);
		f->stale_writes +=
		    is_event(e, "plan.stale") && json_is_true(json_object_get(e->json, "written"));
	}
}

/* From the name's return to the end of the last 100 ms in which a client of the service got no address. */
static double tail_of(const struct record *r, const char *service, double from, double to)
{
	double last = from;

	for (size_t i = 0; i < r->n_metrics; i++) {
		const struct record_metric *m = &r->metrics[i];
		const struct record_series *s = &r->series[m->series];
		if (strcmp(s->metric, "no_address") || strcmp(s->service, service) || m->value <= 0) continue;
		if (m->t >= from && m->t < to) last = fmax(last, m->t + BUCKET_S);
	}
	return last - from;
}

static void judge_outage(const struct record *r, struct span span, const char *service,
                         const struct dns_outage *o, double next, struct dns_figures *f)
{
	struct span empty = span_cut((struct span){ o->from, o->to }, span);

	f->empty_seconds += empty.to - empty.from;
	/* an enactor that brought the name back by itself was not stuck */
	if ((!isnan(o->repaired) || isinf(o->to)) && o->stuck_at < span.to && o->to > span.from)
		f->stuck = true;
	if (holds(span, o->repaired)) f->repaired_s = o->repaired - o->from;
	if (holds(span, o->to)) f->negative_tail_s = tail_of(r, service, o->to, next);
}

void dns_figures_of(const struct record *r, struct span span, const char *service, const char *dns_name,
                    struct dns_figures *ret)
{
	cleanup_free struct dns_outage *outages = NULL;
	size_t n = 0;

	*ret = (struct dns_figures){ .repaired_s = NAN, .negative_tail_s = NAN };
	count_events(r, span, ret);
	if (dns_outages(r, dns_name, &outages, &n) < 0) return;
	for (size_t i = 0; i < n; i++)
		judge_outage(r, span, service, &outages[i], i + 1 < n ? outages[i + 1].from : INFINITY, ret);
}

/* Null for what is not there; without the noise of sums. */
static json_t *real_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(round(value * 1e6) / 1e6);
}

json_t *dns_figures_json(const struct dns_figures *f)
{
	return json_pack("{s:i, s:i, s:i, s:o, s:b, s:o, s:o}", "plans", (int)f->plans, "emptied",
	                 (int)f->emptied, "stale_writes", (int)f->stale_writes, "empty_seconds",
	                 real_or_null(f->empty_seconds), "stuck", f->stuck, "repaired_s",
	                 real_or_null(f->repaired_s), "negative_tail_s", real_or_null(f->negative_tail_s));
}
