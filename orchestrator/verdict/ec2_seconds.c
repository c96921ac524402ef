#include "orchestrator/verdict/ec2_seconds.h"
#include "orchestrator/verdict/figures_dns.h"
#include "common/cleanup.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct column {
	const char *metric; /* one that ends with a dot: all of those below it */
	size_t offset;
	double held_s;
	bool worst;    /* of the hosts, instead of their sum */
	bool of_store; /* a metric that every service has */
} columns[] = {
#define COLUMN(text, member, ...)                                                                            \
	{                                                                                                    \
		.metric = text, .offset = offsetof(struct ec2_second, member), __VA_ARGS__                   \
	}
	COLUMN("work.droplets", droplets, .held_s = INFINITY),
	COLUMN("work.held", held, .held_s = EC2_TOLD_S),
	COLUMN("work.queued", queued, .held_s = EC2_TOLD_S),
	COLUMN("work.oldest_ms", oldest_ms, .held_s = EC2_TOLD_S, .worst = true),
	COLUMN("work.offered_per_s", offered, .held_s = EC2_TOLD_S),
	COLUMN("work.good_per_s", good, .held_s = EC2_TOLD_S),
	COLUMN("work.stale_per_s", stale, .held_s = EC2_TOLD_S),
	COLUMN("work.dropped_per_s", dropped, .held_s = EC2_TOLD_S),
	COLUMN("api.requests.", api_calls, .held_s = 0),
	COLUMN("api.errors.", api_errors, .held_s = 0),
	COLUMN("api.launches.ok", launches, .held_s = 0),
	COLUMN("api.launches.failed", launches_failed, .held_s = 0),
	/* of two samples in one second the latter; percentiles don't add up */
	COLUMN("api.launches.stages_ms.api.p99", launch_api_ms, .held_s = 0.5, .worst = true),
	COLUMN("api.launches.stages_ms.droplet.p99", launch_droplet_ms, .held_s = 0.5, .worst = true),
	COLUMN("api.launches.stages_ms.network.p99", launch_network_ms, .held_s = 0.5, .worst = true),
	COLUMN("routes.queued", backlog, .held_s = EC2_TOLD_S),
	COLUMN("of", store, .held_s = INFINITY, .of_store = true),
	COLUMN("well", store_well, .held_s = INFINITY, .of_store = true),
#undef COLUMN
};

static bool belongs(const struct record_series *s, const struct column *c, const char *store)
{
	size_t n = strlen(c->metric);

	if (c->of_store && strcmp(s->service, store)) return false;
	return c->metric[n - 1] == '.' ? !strncmp(s->metric, c->metric, n) : !strcmp(s->metric, c->metric);
}

static const struct column *column_of(const struct record_series *s, const char *store)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (belongs(s, &columns[i], store)) return &columns[i];
	return NULL;
}

/* Fills the seconds without a value from the last one before them, as long as that holds. The very first
 * value is of the second before it, too. */
static void hold(double *rows, size_t n, double value, double at, double held_s)
{
	for (size_t i = 0; i < n; i++) {
		if (isnan(value) && i + 1 < n && !isnan(rows[i + 1])) rows[i] = rows[i + 1];
		if (!isnan(rows[i])) {
			value = rows[i];
			at = (double)i;
		} else if ((double)i - at <= held_s) {
			rows[i] = value;
		}
	}
}

void ec2_series_by_second(const struct record *r, uint32_t series, struct span span, double held_s,
                          double *rows, size_t n)
{
	double before = NAN, before_at = -INFINITY;

	for (size_t i = 0; i < n; i++)
		rows[i] = NAN;
	for (size_t i = 0; i < r->n_metrics; i++) {
		const struct record_metric *m = &r->metrics[i];
		if (m->series != series || m->t >= span.to) continue;
		double at = floor(m->t - span.from);
		if (at >= (double)n) continue;
		if (at < 0) {
			before = m->value;
			before_at = at;
		} else if (held_s > 0 || isnan(rows[(size_t)at])) {
			rows[(size_t)at] = m->value;
		} else {
			rows[(size_t)at] += m->value;
		}
	}
	if (held_s > 0) hold(rows, n, before, before_at, held_s);
}

static void add(struct ec2_seconds *s, const struct column *c, const double *values)
{
	for (size_t i = 0; i < s->n; i++) {
		void *member = (char *)&s->rows[i] + c->offset;
		double *cell = member;
		if (!isnan(values[i])) *cell = c->worst ? fmax(*cell, values[i]) : *cell + values[i];
	}
}

void ec2_seconds_release(struct ec2_seconds *s)
{
	free(s->rows);
	*s = (struct ec2_seconds){ 0 };
}

static int add_outages(struct ec2_seconds *s, const struct record *r, const char *dns_name)
{
	cleanup_free struct dns_outage *outages = NULL;
	size_t n = 0;
	int error = dns_outages(r, dns_name, &outages, &n);

	for (size_t i = 0; i < n; i++) {
		double first = fmax(0, floor(outages[i].from - s->from)), end = outages[i].to - s->from;
		for (size_t k = 0; k < s->n; k++)
			if ((double)k >= first && (double)k < end) s->rows[k].store_lost = true;
	}
	return error;
}

static int add_all(struct ec2_seconds *s, const struct record *r, struct span span, const char *service)
{
	cleanup_free double *values = calloc(s->n + 1, sizeof(*values));

	if (!values) return -ENOMEM;
	for (size_t i = 0; s->n > 0 && i < r->n_series; i++) {
		const struct column *c = column_of(&r->series[i], service);
		if (!c) continue;
		ec2_series_by_second(r, (uint32_t)i, span, c->held_s, values, s->n);
		add(s, c, values);
	}
	return 0;
}

int ec2_seconds_of(const struct record *r, struct span span, const struct ec2_store *store,
                   struct ec2_seconds *ret)
{
	struct ec2_seconds s = { .from = span.from };
	int error;

	s.n = span.to > span.from ? (size_t)ceil(span.to - span.from) : 0;
	if (!(s.rows = calloc(s.n + 1, sizeof(*s.rows)))) return -ENOMEM;
	if ((error = add_all(&s, r, span, store->service)) < 0 ||
	    (error = add_outages(&s, r, store->dns_name)) < 0) {
		ec2_seconds_release(&s);
		return error;
	}
	*ret = s;
	return 0;
}
