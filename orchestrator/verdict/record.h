/* record.h - the facts of a run in one place: its events and its metrics, kept in memory for the figures and
 * appended to events.jsonl and metrics.csv while they happen.
 *
 * Units: t is seconds since the scenario's start, negative before it, kept to the microsecond.
 * Errors: a failed write (a full disk) never stops a run; the first one is remembered, the facts stay in
 * memory, and record_error() tells.
 * Ownership: strings handed in are copied; fields of an event are consumed; what is read out is borrowed and
 * lives as long as the record. */
#ifndef AZLAB_RECORD_H
#define AZLAB_RECORD_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record_event {
	double t;
	uint64_t id, cause;              /* cause 0: unknown */
	const char *node, *zone, *event; /* "" where there is none */
	json_t *json;                    /* the whole line, fields merged in */
};
/* What a metric is of; "" where it belongs to none. */
struct record_series {
	const char *node, *zone, *service, *metric;
};
struct record_metric {
	double t, value;
	uint32_t series; /* index in record.series */
};

struct record {
	size_t n_events, n_metrics, n_series;
	struct record_event *events;   /* in order of arrival, which isn't quite that of time */
	struct record_metric *metrics; /* likewise */
	struct record_series *series;
	struct record_state *state; /* record.c's own */
};

/* What is remembered beside being written. Figures need all of it; a lab that stays up for days, with some
 * hundred metrics and events a second, only its newest events, RECORD_RECENT_MAX at most and half of them at
 * least. */
enum record_keep { RECORD_KEEP_NOTHING, RECORD_KEEP_RECENT, RECORD_KEEP_ALL };
enum { RECORD_RECENT_MAX = 65536 };

/* A record that appends to the two descriptors, which it owns from now on; -1 for none. NULL without memory.
 */
struct record *record_new(int events_fd, int metrics_fd, enum record_keep keep);
/* Reads a run folder's events.jsonl and metrics.csv, either of which may be absent. A last line that was cut
 * short, as after a crash, is left out. -EBADMSG with the file and line in *error for other malformed ones.
 */
int record_load(const char *folder, struct record **ret, char error[256]);
void record_free(struct record *r);

/* Records an event and returns its id: the one given, or with 0 a new one of the orchestrator's own (upper
 * half 0). fields, an object or NULL, is merged in; its "zone" tells which zone the event is about and so
 * replaces the node's. NULL strings count as "". */
uint64_t record_event(struct record *r, double t, uint64_t id, uint64_t cause, const char *node,
                      const char *zone, const char *event, json_t *fields);
/* Gives away an id of the orchestrator's own for an event that is recorded later under it. */
uint64_t record_id(struct record *r);
/* Records a value; one that is not finite (a percentile over nothing) is left out. */
void record_metric(struct record *r, double t, const char *node, const char *zone, const char *service,
                   const char *metric, double value);
/* Hands buffered lines to the kernel: call it each second and before the files are read. */
void record_flush(struct record *r);
/* 0, or -errno of the first failure to write or to remember. */
int record_error(const struct record *r);

/* A number of an event's fields, or fallback. */
double record_number(const struct record_event *e, const char *key, double fallback);
/* A text of an event's fields, or "". */
const char *record_text(const struct record_event *e, const char *key);

/* All values of one metric in order of time, values of one instant in order of arrival. The caller frees
 * *ret. 0 or -ENOMEM. */
int record_points(const struct record *r, const char *metric, struct record_metric **ret, size_t *ret_n);
#endif
