#include "orchestrator/verdict/report_dns.h"
#include "orchestrator/verdict/figures_dns.h"
#include "orchestrator/verdict/summary_markup.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <math.h>
#include <string.h>

enum { POINTS_MAX = 600, LOCKS_SHOWN = 40 };
/* Around the moment at which the name lost its addresses. */
static const double LOCKS_BEFORE_S = 3, LOCKS_AFTER_S = 1;
/* The console looks at the zone now and then, so that it may see a deletion before or after it is told. */
static const double NOTICED_S = 5;

static bool is_event(const struct record_event *e, const char *name)
{
	return strcmp(e->event, name) == 0;
}

static double plan_of(const struct record_event *e)
{
	return record_number(e, "plan", NAN);
}

static bool same_endpoint(const struct record_event *a, const struct record_event *b)
{
	return strcmp(record_text(a, "endpoint"), record_text(b, "endpoint")) == 0;
}

/* --- the story --------------------------------------------------------------------------------------- */

static const struct record_event *first_empty(const struct record *r, const char *dns_name)
{
	const struct record_event *any = NULL;

	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (!is_event(e, "endpoint.empty")) continue;
		if (dns_is_own(e, dns_name)) return e;
		if (!any) any = e;
	}
	return any;
}

/* The last write of an old plan to the endpoint before it was empty. */
static void find_stale(const struct record *r, struct dns_story *s)
{
	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (is_event(e, "plan.stale") && json_is_true(json_object_get(e->json, "written")) &&
		    same_endpoint(e, s->empty) && e->t <= s->empty->t)
			s->stale = e;
	}
}

/* What the enactor of the stale plan had done with it until then. */
static void find_before(const struct record *r, struct dns_story *s)
{
	for (size_t i = 0; s->stale && i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (e->node != s->stale->node || plan_of(e) != plan_of(s->stale) || e->t > s->stale->t)
			continue;
		if (is_event(e, "plan.picked")) s->picked = e;
		if (!is_event(e, "lock.lost")) continue;
		if (!s->lost) s->lost = e;
		s->n_lost++;
	}
}

static void find_deletion(const struct record *r, struct dns_story *s)
{
	for (size_t i = 0; s->stale && i < r->n_events && !s->cleaned; i++) {
		const struct record_event *e = &r->events[i];
		if (is_event(e, "plan.cleaned") && plan_of(e) == plan_of(s->stale) &&
		    fabs(e->t - s->empty->t) < NOTICED_S)
			s->cleaned = e;
	}
	for (size_t i = 0; s->cleaned && i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (is_event(e, "plan.applied") && e->node == s->cleaned->node &&
		    plan_of(e) == record_number(s->cleaned, "by_plan", NAN))
			s->applied = e;
	}
}

static void find_after(const struct record *r, struct dns_story *s)
{
	for (size_t i = 0; i < r->n_events && !s->restored; i++) {
		const struct record_event *e = &r->events[i];
		if (e->t < s->empty->t) continue;
		if (is_event(e, "plan.aborted")) {
			if (!s->aborted) s->aborted = e;
			s->n_aborted++;
		}
		if (is_event(e, "dns.repaired") && json_is_true(json_object_get(e->json, "ok")) &&
		    !s->repaired)
			s->repaired = e;
		if (is_event(e, "endpoint.restored") && same_endpoint(e, s->empty)) s->restored = e;
	}
}

bool dns_story_of(const struct record *r, const char *dns_name, struct dns_story *ret)
{
	struct dns_story s = { .empty = first_empty(r, dns_name) };

	if (!s.empty) return false;
	find_stale(r, &s);
	find_before(r, &s);
	find_deletion(r, &s);
	find_after(r, &s);
	*ret = s;
	return true;
}

/* --- as a list --------------------------------------------------------------------------------------- */

static void begin_step(FILE *out, const struct record_event *e)
{
	fprintf(out, "<li><time>%.3f s</time> ", e->t);
	markup_put(out, "%s: ", e->node);
}

static void put_race(FILE *out, const struct dns_story *s)
{
	if (s->picked) {
		begin_step(out, s->picked);
		fprintf(out,
		        "picks up plan %.0f, which is newer than the one in force, %.0f. It won't be "
		        "checked again.</li>\n",
		        plan_of(s->picked), record_number(s->picked, "in_force", NAN));
	}
	if (s->lost) {
		begin_step(out, s->lost);
		fprintf(out,
		        "loses a lock with plan %.0f, the first of %u until the stale write; it backs off "
		        "each time.</li>\n",
		        plan_of(s->lost), s->n_lost);
	}
	if (s->stale) {
		begin_step(out, s->stale);
		markup_put(out, "<b>the stale write</b>: it gets the lock of %s",
		           record_text(s->stale, "endpoint"));
		fprintf(out, " and turns it from plan %.0f back to plan %.0f.</li>\n",
		        record_number(s->stale, "in_force", NAN), plan_of(s->stale));
	}
	if (s->applied) {
		begin_step(out, s->applied);
		fprintf(out, "has applied plan %.0f and begins its clean-up.</li>\n", plan_of(s->applied));
	}
	if (s->cleaned) {
		begin_step(out, s->cleaned);
		fprintf(out,
		        "<b>the fatal clean-up</b>: it deletes the tree of plan %.0f, the one in "
		        "force.</li>\n",
		        plan_of(s->cleaned));
	}
}

static void put_outage(FILE *out, const struct dns_story *s)
{
	begin_step(out, s->empty);
	markup_put(out, "%s has no address any more.</li>\n", record_text(s->empty, "endpoint"));
	if (s->aborted) {
		begin_step(out, s->aborted);
		fprintf(out, "has to abort plan %.0f, the first of %u: ", plan_of(s->aborted), s->n_aborted);
		markup_put(out, "%s.</li>\n", record_text(s->aborted, "reason"));
	}
	if (s->repaired) {
		begin_step(out, s->repaired);
		markup_put(out, "the repair, %s", record_text(s->repaired, "how"));
		fprintf(out, ", took %.0f ms.</li>\n", record_number(s->repaired, "took_ms", NAN));
	}
	if (s->restored) {
		begin_step(out, s->restored);
		markup_put(out, "%s has addresses again.</li>\n", record_text(s->restored, "endpoint"));
	}
}

/* Who held the endpoint's lock in those seconds. */
static void put_locks(FILE *out, const struct record *r, const struct dns_story *s)
{
	size_t shown = 0;

	if (!s->stale) return; /* no lock had to do with it */
	double from = s->stale->t - LOCKS_BEFORE_S;
	markup_put(out,
	           "<h3>The lock of %s in those seconds</h3><div class=\"scroll\"><table class=\"figures\">",
	           record_text(s->empty, "endpoint"));
	fputs("<thead><tr><th>time</th><th>enactor</th><th></th><th>plan</th><th>details</th></tr></thead>\n"
	      "<tbody>\n",
	      out);
	for (size_t i = 0; i < r->n_events && shown < LOCKS_SHOWN; i++) {
		const struct record_event *e = &r->events[i];
		bool taken = is_event(e, "lock.taken");
		if ((!taken && !is_event(e, "lock.lost")) || !same_endpoint(e, s->empty)) continue;
		if (e->t < from || e->t > s->empty->t + LOCKS_AFTER_S) continue;
		fprintf(out, "<tr><td>%.3f s</td>", e->t);
		markup_put(out, "<td>%s</td><td>%s</td>", e->zone, taken ? "taken" : "lost");
		fprintf(out, "<td>%.0f</td>", plan_of(e));
		if (taken)
			fprintf(out, "<td>over plan %.0f, after %.0f attempts</td></tr>\n",
			        record_number(e, "over", NAN), record_number(e, "attempts", NAN));
		else
			markup_put(out, "<td>%s by %s</td></tr>\n", record_text(e, "why"),
			           record_text(e, "holder"));
		shown++;
	}
	fputs("</tbody></table></div>\n", out);
}

static void put_number(FILE *out, const char *term, const json_t *dns, const char *member, const char *unit)
{
	const json_t *value = json_object_get(dns, member);

	markup_put(out, "<div><dt>%s</dt><dd>", term);
	if (json_is_number(value))
		fprintf(out, "%.6g%s", json_number_value(value), unit);
	else
		fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "–", out);
	fputs("</dd></div>\n", out);
}

void report_dns(FILE *out, const struct record *r, const json_t *summary)
{
	const json_t *dns = json_object_get(summary, "dns");
	struct dns_story story;

	if (!dns) return;
	fputs("<section id=\"dns\"><h2>The DNS automation</h2><dl>\n", out);
	put_number(out, "plans made", dns, "plans", "");
	put_number(out, "stale writes", dns, "stale_writes", "");
	put_number(out, "without an address", dns, "empty_seconds", " s");
	put_number(out, "stuck until an operator came", dns, "stuck", "");
	put_number(out, "repaired after", dns, "repaired_s", " s");
	put_number(out, "and the last client", dns, "negative_tail_s", " s later");
	fputs("</dl>\n", out);
	if (dns_story_of(r, node_string(dns, "endpoint", ""), &story)) {
		fputs("<h3>How a name lost its addresses</h3><ol class=\"steps\">\n", out);
		put_race(out, &story);
		put_outage(out, &story);
		fputs("</ol>\n", out);
		put_locks(out, r, &story);
	}
	fputs("</section>\n", out);
}

/* --- the chart --------------------------------------------------------------------------------------- */

/* One line of it: the last value in each of at most POINTS_MAX stretches. */
struct thinned {
	json_t *points;
	double from, width, last;
	long slot;
};

static void thin(struct thinned *s, double t, double value)
{
	long slot = (long)floor((t - s->from) / s->width);

	if (value == s->last) return;
	if (slot == s->slot) json_array_remove(s->points, json_array_size(s->points) - 1);
	json_array_append_new(s->points, json_pack("[f, f]", t, value));
	s->slot = slot;
	s->last = value;
}

/* Plan numbers of one kind of event, of one zone or, with NULL, of all. */
static json_t *plans_of(const struct record *r, const char *event, const char *zone, double from, double to)
{
	struct thinned s = { json_array(), from, fmax((to - from) / POINTS_MAX, 1e-3), NAN, -1 };

	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (!is_event(e, event) || (zone && strcmp(e->zone, zone))) continue;
		if (e->t >= from && e->t < to) thin(&s, e->t, plan_of(e));
	}
	return s.points;
}

/* The plan in force at the service's own name, as the console saw it. */
static json_t *in_force(const struct record *r, const char *dns_name, double from, double to)
{
	struct thinned s = { json_array(), from, fmax((to - from) / POINTS_MAX, 1e-3), NAN, -1 };
	cleanup_free struct record_metric *points = NULL;
	size_t n = 0, label = strcspn(dns_name, ".");

	if (record_points(r, "dns.plan", &points, &n) < 0) return s.points;
	for (size_t i = 0; i < n; i++) {
		const char *endpoint = r->series[points[i].series].service;
		if (strlen(endpoint) != label || strncmp(endpoint, dns_name, label)) continue;
		if (points[i].t >= from && points[i].t < to) thin(&s, points[i].t, points[i].value);
	}
	return s.points;
}

json_t *report_dns_data(const struct record *r, const json_t *summary)
{
	const json_t *dns = json_object_get(summary, "dns");
	double from = json_number_value(json_object_get(summary, "from_s"));
	double to = json_number_value(json_object_get(summary, "to_s"));
	json_t *enactors = json_array(), *zone;
	size_t i;

	if (!dns) {
		json_decref(enactors);
		return json_null();
	}
	json_array_foreach (json_object_get(summary, "zone_names"), i, zone)
		json_array_append_new(
		    enactors, json_pack("{s:O, s:o}", "zone", zone, "applied",
		                        plans_of(r, "plan.applied", json_string_value(zone), from, to)));
	return json_pack("{s:o, s:o, s:o}", "made", plans_of(r, "plan.made", NULL, from, to), "in_force",
	                 in_force(r, node_string(dns, "endpoint", ""), from, to), "enactors", enactors);
}
