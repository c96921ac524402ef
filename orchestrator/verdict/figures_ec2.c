#include "orchestrator/verdict/figures_ec2.h"
#include "common/cleanup.h"
#include <math.h>
#include <string.h>

/* Recovered is every lease but one in a hundred: a droplet may be between two leases at any moment. */
static const double RECOVERED = 0.99;
/* The recovery invariant: DNS and DynamoDB well for so long means at least this part of calm's good work. */
static const double GOOD_PART = 0.2;
enum { WELL_FOR_S = 15, GOOD_OVER_S = 5 };

/* --- recovery ---------------------------------------------------------------------------------------- */

static double mean_good(const struct ec2_second *rows, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rows[i].good;
	return n > 0 ? sum / (double)n : NAN;
}

static bool recovered(const struct ec2_second *s)
{
	return s->droplets > 0 && s->held >= RECOVERED * s->droplets;
}

/* Seconds from the span's start until leases are back and stay; NAN if they aren't at its end. */
static double recovery(const struct ec2_seconds *s)
{
	size_t i = s->n;

	while (i > 0 && recovered(&s->rows[i - 1]))
		i--;
	return i == s->n ? NAN : (double)i;
}

static bool store_is_well(const struct ec2_second *s)
{
	return !s->store_lost && (s->store == 0 || s->store_well > 0);
}

static bool all_well(const struct ec2_second *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!store_is_well(&rows[i])) return false;
	return true;
}

/* Seconds of the span in which the invariant was broken: each is judged by the seconds before it, be they of
 * another phase, but for those before calm began. */
static double broken(const struct ec2_seconds *s, size_t lead, double calm_from, double calm)
{
	double seconds = 0;

	for (size_t i = lead; i < s->n; i++) {
		if (s->from + (double)i - WELL_FOR_S < calm_from) continue;
		if (all_well(&s->rows[i - WELL_FOR_S], WELL_FOR_S + 1) &&
		    mean_good(&s->rows[i - GOOD_OVER_S], GOOD_OVER_S) < GOOD_PART * calm)
			seconds++;
	}
	return seconds;
}

/* --- the figures ------------------------------------------------------------------------------------- */

static json_t *real_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(round(value * 1e6) / 1e6);
}

static json_t *count_or_null(double value)
{
	return isnan(value) ? json_null() : json_integer((json_int_t)round(value));
}

/* What adds up is summed, of the rest the extremes; fmin() and fmax() pass over NAN. */
struct totals {
	struct ec2_second sum;
	double held_min, queue_max, oldest_max, seconds;
	double backlog_max, api_max, droplet_max, network_max;
};

static struct totals totals_of(const struct ec2_seconds *s)
{
	struct totals t = { .held_min = NAN, .queue_max = NAN, .oldest_max = NAN, .seconds = (double)s->n };

	for (size_t i = 0; i < s->n; i++) {
		const struct ec2_second *row = &s->rows[i];
		t.sum.offered += row->offered, t.sum.good += row->good, t.sum.stale += row->stale;
		t.sum.api_calls += row->api_calls;
		t.sum.api_errors += row->api_errors, t.sum.launches += row->launches;
		t.sum.launches_failed += row->launches_failed;
		if (row->droplets > 0) t.held_min = fmin(t.held_min, row->held);
		t.queue_max = fmax(t.queue_max, row->queued);
		t.oldest_max = fmax(t.oldest_max, row->oldest_ms);
		t.backlog_max = fmax(t.backlog_max, row->backlog);
		t.api_max = fmax(t.api_max, row->launch_api_ms);
		t.droplet_max = fmax(t.droplet_max, row->launch_droplet_ms);
		t.network_max = fmax(t.network_max, row->launch_network_ms);
	}
	return t;
}

/* What customers see: calls, and how long launches took, stage by stage. */
static json_t *customers(const struct totals *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "api_calls",
	                 count_or_null(t->sum.api_calls), "api_errors", count_or_null(t->sum.api_errors),
	                 "launches", count_or_null(t->sum.launches), "launches_failed",
	                 count_or_null(t->sum.launches_failed), "network_backlog_max",
	                 count_or_null(t->backlog_max), "launch_api_max_ms", real_or_null(t->api_max),
	                 "launch_droplet_max_ms", real_or_null(t->droplet_max), "launch_network_max_ms",
	                 real_or_null(t->network_max));
}

static json_t *leases_and_work(const struct ec2_seconds *s, const struct totals *t, double calm,
                               double broken_s)
{
	const struct ec2_second *last = s->n > 0 ? &s->rows[s->n - 1] : NULL;

	/* over no seconds at all 0 / 0 is NAN, which becomes null */
	return json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "droplets",
	    count_or_null(last ? last->droplets : NAN), "leases_held", count_or_null(last ? last->held : NAN),
	    "leases_held_min", count_or_null(t->held_min), "leases_recovered_s", real_or_null(recovery(s)),
	    "offered_per_s", real_or_null(t->sum.offered / t->seconds), "good_per_s",
	    real_or_null(t->sum.good / t->seconds), "stale_per_s", real_or_null(t->sum.stale / t->seconds),
	    "good_of_calm", real_or_null(calm > 0 ? t->sum.good / t->seconds / calm : NAN), "queue_max",
	    count_or_null(t->queue_max), "oldest_max_ms", real_or_null(t->oldest_max), "recovery_broken_s",
	    count_or_null(broken_s));
}

json_t *figures_ec2_json(const struct record *r, struct span span, struct span calm,
                         const struct ec2_store *store)
{
	__attribute__((cleanup(ec2_seconds_release))) struct ec2_seconds led = { 0 }, quiet = { 0 };
	struct span with_lead = { span.from - WELL_FOR_S, span.to };

	if (span.to <= span.from) with_lead.to = with_lead.from;
	if (ec2_seconds_of(r, with_lead, store, &led) < 0 || ec2_seconds_of(r, calm, store, &quiet) < 0)
		return NULL;
	size_t lead = led.n > WELL_FOR_S ? WELL_FOR_S : led.n;
	struct ec2_seconds own = { &led.rows[lead], led.n - lead, span.from };
	double good = mean_good(quiet.rows, quiet.n);
	struct totals t = totals_of(&own);
	json_t *figures = leases_and_work(&own, &t, good, broken(&led, lead, calm.from, good));
	json_object_update_new(figures, customers(&t));
	return figures;
}
