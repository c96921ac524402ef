#include "orchestrator/verdict/record.h"
#include "common/cleanup.h"
#include <errno.h>
#include <math.h>
#include <search.h>
#include <string.h>

/* What is remembered beside the public tables. Names and series are found again by binary trees, so that a
 * record of a million values holds each name once. */
struct record_state {
	FILE *events_file, *metrics_file;
	enum record_keep keep;
	int error;
	uint64_t last_id;
	void *names, *series_tree;
	size_t cap_events, cap_metrics, cap_series;
};
struct series_node {
	struct record_series key;
	uint32_t index;
};

static const char HEADER[] = "t,node,zone,service,metric,value\n";

static void remember_error(struct record *r, int error)
{
	if (!r->state->error) r->state->error = error;
}

/* --- names, series, growing tables ------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The record's own copy of a name; NULL without memory. */
static const char *intern(struct record *r, const char *name)
{
	char **found;

	if (!name || !*name) return "";
	if ((found = tfind(name, &r->state->names, compare_names))) return *found;
	char *copy = strdup(name);
	if (!copy) return NULL;
	if (tsearch(copy, &r->state->names, compare_names)) return copy;
	free(copy);
	return NULL;
}

static int compare_series(const void *a, const void *b)
{
	const struct record_series *x = a, *y = b; /* a series_node begins with its key */
	int order;

	if ((order = strcmp(x->metric, y->metric)) || (order = strcmp(x->zone, y->zone))) return order;
	if ((order = strcmp(x->node, y->node))) return order;
	return strcmp(x->service, y->service);
}

/* Makes room for one more element of the given size; the table grows by half. */
static int grow(void *table, size_t n, size_t *cap, size_t size)
{
	void **at = table;

	if (n < *cap) return 0;
	size_t wanted = *cap ? *cap + *cap / 2 : 256;
	void *larger = reallocarray(*at, wanted, size);
	if (!larger) return -ENOMEM;
	*at = larger;
	*cap = wanted;
	return 0;
}

static int add_series(struct record *r, const struct record_series *key, uint32_t *ret)
{
	struct record_state *s = r->state;
	cleanup_free struct series_node *node = calloc(1, sizeof(*node));

	if (!node || grow(&r->series, r->n_series, &s->cap_series, sizeof(*r->series)) < 0) return -ENOMEM;
	node->key = (struct record_series){ intern(r, key->node), intern(r, key->zone),
		                            intern(r, key->service), intern(r, key->metric) };
	node->index = (uint32_t)r->n_series;
	if (!node->key.node || !node->key.zone || !node->key.service || !node->key.metric) return -ENOMEM;
	if (!tsearch(node, &s->series_tree, compare_series)) return -ENOMEM;
	r->series[r->n_series++] = node->key;
	*ret = take_ptr(node)->index;
	return 0;
}

static int find_series(struct record *r, const struct record_series *key, uint32_t *ret)
{
	struct series_node **found = tfind(key, &r->state->series_tree, compare_series);

	if (!found) return add_series(r, key, ret);
	*ret = (*found)->index;
	return 0;
}

/* --- files ------------------------------------------------------------------------------------------- */

static int check_write(struct record *r, FILE **file, int result)
{
	if (result >= 0) return 0;
	remember_error(r, errno ? -errno : -EIO);
	fclose(*file); /* a torn line would spoil what comes after it */
	*file = NULL;
	return -EIO;
}

static void write_event(struct record *r, const json_t *line)
{
	FILE **file = &r->state->events_file;

	if (!*file) return;
	errno = 0;
	int result = json_dumpf(line, *file, JSON_COMPACT | JSON_REAL_PRECISION(12));
	if (result == 0) result = putc('\n', *file) == EOF ? -1 : 0;
	if (result == 0) result = fflush(*file); /* followed live by `azlab events --follow` */
	check_write(r, file, result);
}

/* Quotes a field as RFC 4180 does, if it needs it. */
static int put_field(FILE *file, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) return fprintf(file, "%s,", text);
	putc('"', file);
	for (; *text; text++) {
		if (*text == '"') putc('"', file);
		putc(*text, file);
	}
	return fputs("\",", file);
}

static void write_metric(struct record *r, double t, const struct record_series *s, double value)
{
	FILE **file = &r->state->metrics_file;
	const char *const fields[] = { s->node, s->zone, s->service, s->metric };

	if (!*file) return;
	errno = 0;
	int result = fprintf(*file, "%.6f,", t);
	for (size_t i = 0; result >= 0 && i < ARRAY_SIZE(fields); i++)
		result = put_field(*file, fields[i]);
	if (result >= 0) result = fprintf(*file, "%.15g\n", value);
	check_write(r, file, result);
}

void record_flush(struct record *r)
{
	FILE **files[] = { &r->state->events_file, &r->state->metrics_file };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		errno = 0;
		if (*files[i]) check_write(r, files[i], fflush(*files[i]));
	}
}

int record_error(const struct record *r)
{
	return r->state->error;
}

/* --- life -------------------------------------------------------------------------------------------- */

static FILE *open_file(struct record *r, int fd)
{
	if (fd < 0) return NULL;
	FILE *file = fdopen(fd, "w");
	if (!file) {
		remember_error(r, -errno);
		close(fd);
	}
	return file;
}

struct record *record_new(int events_fd, int metrics_fd, enum record_keep keep)
{
	struct record *r = calloc(1, sizeof(*r));
	struct record_state *s = calloc(1, sizeof(*s));

	if (!r || !s) {
		free(r);
		free(s);
		return NULL;
	}
	r->state = s;
	s->keep = keep;
	s->events_file = open_file(r, events_fd);
	s->metrics_file = open_file(r, metrics_fd);
	errno = 0;
	if (s->metrics_file) check_write(r, &s->metrics_file, fputs(HEADER, s->metrics_file));
	return r;
}

void record_free(struct record *r)
{
	if (!r) return;
	record_flush(r);
	if (r->state->events_file) fclose(r->state->events_file);
	if (r->state->metrics_file) fclose(r->state->metrics_file);
	for (size_t i = 0; i < r->n_events; i++)
		json_decref(r->events[i].json);
	tdestroy(r->state->series_tree, free);
	tdestroy(r->state->names, free);
	free(r->events);
	free(r->metrics);
	free(r->series);
	free(r->state);
	free(r);
}

/* --- facts ------------------------------------------------------------------------------------------- */

/* The same value whether it was kept in memory or went through a file. */
static double to_microsecond(double t)
{
	return round(t * 1e6) / 1e6;
}

static json_t *event_line(const struct record_event *e, json_t *fields)
{
	json_t *line =
	    json_pack("{s:f, s:I, s:I, s:s, s:s, s:s}", "t", e->t, "id", (json_int_t)e->id, "cause",
	              (json_int_t)e->cause, "node", e->node, "zone", e->zone, "event", e->event);
	const char *about = json_string_value(json_object_get(fields, "zone"));

	if (line && about) json_object_set(line, "zone", json_object_get(fields, "zone"));
	if (line && fields) json_object_update_missing(line, fields);
	return line;
}

static void forget_older_half(struct record *r)
{
	size_t gone = r->n_events / 2;

	for (size_t i = 0; i < gone; i++)
		json_decref(r->events[i].json);
	r->n_events -= gone;
	memmove(r->events, &r->events[gone], r->n_events * sizeof(*r->events));
}

/* Takes over e->json in every case. */
static int keep_event(struct record *r, const struct record_event *e)
{
	struct record_event kept = *e;

	if (r->state->keep == RECORD_KEEP_RECENT && r->n_events == RECORD_RECENT_MAX) forget_older_half(r);
	kept.node = intern(r, e->node);
	kept.zone = intern(r, json_string_value(json_object_get(e->json, "zone")));
	kept.event = intern(r, e->event);
	if (!kept.node || !kept.zone || !kept.event ||
	    grow(&r->events, r->n_events, &r->state->cap_events, sizeof(kept)) < 0) {
		json_decref(e->json);
		return -ENOMEM;
	}
	r->events[r->n_events++] = kept;
	return 0;
}

uint64_t record_id(struct record *r)
{
	return ++r->state->last_id;
}

uint64_t record_event(struct record *r, double t, uint64_t id, uint64_t cause, const char *node,
                      const char *zone, const char *event, json_t *fields)
{
	struct record_event e = { .t = to_microsecond(t),
		                  .id = id ? id : ++r->state->last_id,
		                  .cause = cause,
		                  .node = node ? node : "",
		                  .zone = zone ? zone : "",
		                  .event = event ? event : "" };

	/* ids that the orchestrator gave away itself and those given here are one row */
	if (e.id >> 32 == 0 && e.id > r->state->last_id) r->state->last_id = e.id;
	e.json = event_line(&e, fields);
	json_decref(fields);
	if (!e.json) {
		remember_error(r, -EINVAL); /* no memory, or a name that isn't UTF-8 */
		return e.id;
	}
	write_event(r, e.json);
	if (r->state->keep == RECORD_KEEP_NOTHING) {
		json_decref(e.json);
	} else if (keep_event(r, &e) < 0) {
		remember_error(r, -ENOMEM);
	}
	return e.id;
}

void record_metric(struct record *r, double t, const char *node, const char *zone, const char *service,
                   const char *metric, double value)
{
	struct record_series key = { node ? node : "", zone ? zone : "", service ? service : "", metric };
	struct record_metric m = { .t = to_microsecond(t), .value = value };

	if (!isfinite(value)) return;
	write_metric(r, m.t, &key, value);
	if (r->state->keep < RECORD_KEEP_ALL) return;
	if (find_series(r, &key, &m.series) < 0 ||
	    grow(&r->metrics, r->n_metrics, &r->state->cap_metrics, sizeof(m)) < 0) {
		remember_error(r, -ENOMEM);
		return;
	}
	r->metrics[r->n_metrics++] = m;
}

/* --- reading out ------------------------------------------------------------------------------------- */

double record_number(const struct record_event *e, const char *key, double fallback)
{
	const json_t *value = json_object_get(e->json, key);
	return json_is_number(value) ? json_number_value(value) : fallback;
}

const char *record_text(const struct record_event *e, const char *key)
{
	const char *text = json_string_value(json_object_get(e->json, key));
	return text ? text : "";
}

/* The points came out of one table, so that their addresses there tell the order of arrival. */
static int compare_points(const void *a, const void *b)
{
	const struct record_metric *x = *(const struct record_metric *const *)a;
	const struct record_metric *y = *(const struct record_metric *const *)b;

	if (x->t != y->t) return x->t < y->t ? -1 : 1;
	return x < y ? -1 : x > y;
}

int record_points(const struct record *r, const char *metric, struct record_metric **ret, size_t *ret_n)
{
	cleanup_free const struct record_metric **order =
	    calloc(r->n_metrics + 1, sizeof(struct record_metric *));
	size_t n = 0;

	if (!order) return -ENOMEM;
	for (size_t i = 0; i < r->n_metrics; i++) {
		const struct record_metric *m = &r->metrics[i];
		if (!strcmp(r->series[m->series].metric, metric)) order[n++] = m;
	}
	qsort(order, n, sizeof(struct record_metric *), compare_points);
	struct record_metric *points = calloc(n + 1, sizeof(*points));
	if (!points) return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		points[i] = *order[i];
	*ret = points;
	*ret_n = n;
	return 0;
}
