/* compare.h - runs beside each other: their figures, row by row, and the knobs in which they differ. Pure.
 *
 * A comparison is {"runs": [{"folder", "lab", "seed", "verdict"}], "figures": ROWS, "phases": {NAME: ROWS},
 * "knobs": {PATH: [texts]} or null}, where ROWS is {FIGURE: {"values": [one a run], "differs"}}. Values are
 * as in summary.json, null where a run doesn't have the figure. Two values differ when a reader of the table
 * sees them differ: in six significant digits. "knobs" has only what differs, null where a run doesn't have
 * the path.
 *
 * Ownership: JSON returned is the caller's; of what comes in nothing is kept but references. */
#ifndef AZLAB_COMPARE_H
#define AZLAB_COMPARE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct compare_run {
	const char *folder; /* as the user typed it */
	json_t *summary;    /* summary.json */
	json_t *knobs;      /* compare_knobs() of topology.yaml; NULL: unknown */
};
/* Of which phases, besides the whole run. */
struct compare_phases {
	bool all;
	const char *only; /* this one; NULL: all or none */
};

/* A topology's text as {PATH: text}, paths as `azlab set` takes them. NULL with a sentence in error if it
 * isn't YAML. The schema isn't asked: an older azlab's run can still be compared. */
json_t *compare_knobs(const char *yaml, char error[256]);
/* Names of all phases that some run has, in order. NULL without memory, as of compare_make(). */
json_t *compare_phase_names(const struct compare_run *runs, size_t n);
/* Without every run's knobs the comparison's are null: what one run is not known to have isn't a difference.
 */
json_t *compare_make(const struct compare_run *runs, size_t n, const struct compare_phases *phases);
enum { COMPARE_TEXT_MAX = 64 };
/* A value as the table shows it, "-" for null; buf is used for numbers. */
const char *compare_text(const json_t *value, char buf[COMPARE_TEXT_MAX]);
/* As a table, a column a run; 0 or -errno. */
int compare_print(const json_t *comparison, FILE *out);
#endif
