#include "orchestrator/verdict/report_ec2.h"
#include "orchestrator/verdict/ec2_seconds.h"
#include "orchestrator/verdict/report_table.h"
#include "orchestrator/verdict/summary_markup.h"
#include "common/cleanup.h"
#include <math.h>
#include <string.h>

enum {
	POINTS_MAX = 600, /* of a line: as many as a wide screen can show */
	LINES_MAX = 12,   /* error codes, stages: there are few, but they come from a record */
};

/* --- the table --------------------------------------------------------------------------------------- */

static const struct {
	const char *heading, *figure;
	double factor;
	int decimals;
	const char *unit;
} columns[] = {
	{ "leases", "leases_held", 1, 0, "" },
	{ "fewest", "leases_held_min", 1, 0, "" },
	{ "back after", "leases_recovered_s", 1, 0, " s" },
	{ "offered", "offered_per_s", 1, 0, "/s" },
	{ "good", "good_per_s", 1, 0, "/s" },
	{ "of calm's", "good_of_calm", 100, 0, " %" },
	{ "stale", "stale_per_s", 1, 0, "/s" },
	{ "queue", "queue_max", 1, 0, "" },
	{ "oldest", "oldest_max_ms", 1e-3, 1, " s" },
	{ "API errors", "api_errors", 1, 0, "" },
	{ "launches", "launches", 1, 0, "" },
	{ "failed", "launches_failed", 1, 0, "" },
	{ "stuck for", "recovery_broken_s", 1, 0, " s" },
};

static const char *heading(int column)
{
	return columns[column].heading;
}

static void cell(const json_t *figures, int column, char text[SUMMARY_CELL_MAX])
{
	const json_t *value = json_object_get(json_object_get(figures, "ec2"), columns[column].figure);

	if (json_is_number(value))
		snprintf(text, SUMMARY_CELL_MAX, "%.*f%s", columns[column].decimals,
		         json_number_value(value) * columns[column].factor, columns[column].unit);
	else
		strcpy(text, "–");
}

void report_ec2(FILE *out, const json_t *summary)
{
	static const struct report_table table = { ARRAY_SIZE(columns), heading, cell };

	if (!json_object_get(summary, "ec2")) return;
	fputs("<section id=\"ec2\"><h2>EC2: leases and work</h2><div class=\"charts\"></div>\n", out);
	report_table_put(out, &table, summary);
	fputs("</section>\n", out);
}

/* --- the charts -------------------------------------------------------------------------------------- */

/* Seconds as [t, value] of at most POINTS_MAX stretches. */
enum fold { FOLD_LAST, FOLD_MEAN, FOLD_MOST };
struct stretch {
	double from, width; /* width: whole seconds */
};

static struct stretch stretch_of(double from, size_t n)
{
	return (struct stretch){ from, fmax(1, ceil((double)n / POINTS_MAX)) };
}

/* NAN where nothing was told. */
static double fold(const double *values, size_t n, enum fold how)
{
	double last = NAN, most = NAN, sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(values[i])) continue;
		last = values[i], sum += values[i], most = fmax(most, values[i]);
	}
	return how == FOLD_MOST ? most : how == FOLD_LAST || isnan(last) ? last : sum / (double)n;
}

static json_t *line(const struct stretch *s, const double *values, size_t n, enum fold how)
{
	json_t *points = json_array();
	double last = INFINITY; /* no value that is ever told */

	for (size_t i = 0, width = (size_t)s->width; i < n; i += width) {
		double value = fold(&values[i], n - i < width ? n - i : width, how);
		if (value == last || (isnan(value) && isnan(last))) continue;
		last = value;
		json_array_append_new(points, json_pack("[f, o]", s->from + (double)i,
		                                        isnan(value) ? json_null() : json_real(value)));
	}
	return points;
}

static json_t *column(const struct ec2_seconds *s, size_t offset, enum fold how)
{
	struct stretch stretch = stretch_of(s->from, s->n);
	cleanup_free double *values = calloc(s->n + 1, sizeof(*values));

	for (size_t i = 0; values && i < s->n; i++) {
		const void *member = (const char *)&s->rows[i] + offset;
		values[i] = *(const double *)member;
	}
	return line(&stretch, values, values ? s->n : 0, how);
}

/* The part of a metric's name between prefix and suffix, of len characters; NULL if it hasn't these. */
static const char *between(const char *metric, const char *prefix, const char *suffix, size_t *ret_len)
{
	size_t all = strlen(metric), before = strlen(prefix), after = strlen(suffix);

	if (all <= before + after || strncmp(metric, prefix, before)) return NULL;
	if (strcmp(metric + all - after, suffix)) return NULL;
	*ret_len = all - before - after;
	return metric + before;
}

/* A line for each metric PREFIX...SUFFIX, named after what is between. */
static json_t *lines(const struct record *r, struct span span, const char *prefix, const char *suffix,
                     enum fold how)
{
	size_t n = span.to > span.from ? (size_t)ceil(span.to - span.from) : 0, len;
	struct stretch stretch = stretch_of(span.from, n);
	cleanup_free double *values = calloc(n + 1, sizeof(*values));
	json_t *list = json_array();

	for (size_t i = 0; values && i < r->n_series && json_array_size(list) < LINES_MAX; i++) {
		const char *name = between(r->series[i].metric, prefix, suffix, &len);
		if (!name) continue;
		ec2_series_by_second(r, (uint32_t)i, span, 0, values, n);
		for (size_t k = 0; how == FOLD_MEAN && k < n; k++)
			if (isnan(values[k])) values[k] = 0; /* what wasn't counted didn't happen */
		json_array_append_new(list, json_pack("{s:s%, s:o}", "name", name, len, "line",
		                                      line(&stretch, values, n, how)));
	}
	return list;
}

json_t *report_ec2_data(const struct record *r, const json_t *summary)
{
	const json_t *ec2 = json_object_get(summary, "ec2");
	struct span run = { json_number_value(json_object_get(summary, "from_s")),
		            json_number_value(json_object_get(summary, "to_s")) };
	__attribute__((cleanup(ec2_seconds_release))) struct ec2_seconds s = { 0 };

	if (!ec2) return json_null();
	if (ec2_seconds_of(r, run, &(struct ec2_store){ "", "" }, &s) < 0) return NULL;
#define COLUMN(member, how) #member, column(&s, offsetof(struct ec2_second, member), how)
	return json_pack("{s:O?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "timeout_ms",
	                 json_object_get(ec2, "timeout_ms"), COLUMN(droplets, FOLD_LAST),
	                 COLUMN(held, FOLD_LAST), COLUMN(queued, FOLD_MOST), COLUMN(oldest_ms, FOLD_MOST),
	                 COLUMN(offered, FOLD_MEAN), COLUMN(good, FOLD_MEAN), COLUMN(stale, FOLD_MEAN),
	                 "errors", lines(r, run, "api.errors.", "", FOLD_MEAN), "stages",
	                 lines(r, run, "api.launches.stages_ms.", ".p50", FOLD_MOST));
#undef COLUMN
}
