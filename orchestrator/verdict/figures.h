/* figures.h - what a run comes down to, as numbers. Pure functions of the record and of spans of its time;
 * docs/figures.md defines each figure.
 *
 * Units: seconds since the scenario's start; counts of requests, events and targets; target-seconds.
 * Ownership: nothing is kept; JSON returned is the caller's. */
#ifndef AZLAB_FIGURES_H
#define AZLAB_FIGURES_H
#include "orchestrator/verdict/record.h"
#include "orchestrator/topology/topology.h"

/* From `from` on, up to but without `to`; empty if to <= from. */
struct span {
	double from, to;
};
enum { FIGURES_CLASSES = 6 };
/* How requests fail, as clients tell it: "no_address", "unreachable", ... */
extern const char *const figures_classes[FIGURES_CLASSES];

struct figures {
	unsigned zone_removals, zone_restores, zone_holds;
	unsigned zones; /* different zones removed */
	unsigned false_removals, false_removals_overloaded;
	double requests, errors, attempts, lab_errors;
	double by_class[FIGURES_CLASSES]; /* of the errors */
	double error_rate;                /* NAN: no requests */
	double capacity_seconds_lost;
	double time_to_stable_s; /* NAN: none */
	bool metastable;
	double empty_answer_s;
	unsigned max_zones_out;
};

/* The part that two spans have in common, or an empty span. */
struct span span_cut(struct span a, struct span b);
/* A topology's run, from 0 to its last phase, or to end where that is earlier: a run that broke down. */
struct span figures_run(const struct topology *t, double end);
/* The i-th phase, cut to the run. The last phase of a topology only ends the run and has no span. */
struct span figures_phase(const struct topology *t, size_t i, struct span run);
/* The window in which the system should become stable: from the last fault.off to the next operator step or
 * the run's end; the run if there was no fault; empty while a fault is on to the end. */
struct span figures_window(const struct record *r, struct span run);

/* The figures of a span; window is the run's. 0 or -ENOMEM. */
int figures_of(const struct record *r, struct span span, struct span window, struct figures *ret);
/* {"zone_removals": 0, ...} with null for NAN; NULL without memory. */
json_t *figures_json(const struct figures *f);
#endif
