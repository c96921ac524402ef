/* summary.h - a run's summary: figures, fidelity, expectations and verdict as one JSON object, which is
 * summary.json and all that summary.md, junit.xml and the report's head are made from. Pure. */
#ifndef AZLAB_SUMMARY_H
#define AZLAB_SUMMARY_H
#include "orchestrator/verdict/fidelity.h"

/* Also the command's exit status. Untrusted wins over fail: figures that can't be believed fail nothing. */
enum verdict { VERDICT_PASS = 0, VERDICT_FAIL = 1, VERDICT_UNTRUSTED = 3 };

struct summary_input {
	const struct topology *topology;
	const struct record *record;
	const struct fidelity *fidelity;
	double end; /* when the run ended, in seconds since the scenario's start; INFINITY: as planned */
	const char *lab;
	const char *started; /* RFC 3339 */
	const char *repeat;  /* the command that repeats the run */
};

/* The caller owns the result; NULL without memory. */
json_t *summary_make(const struct summary_input *in);
enum verdict summary_verdict(const json_t *summary);
/* Puts the expectations' results and the verdict into the record, at t. */
void summary_record(const json_t *summary, struct record *r, double t);

/* Each writes one file; 0 or -errno. */
int summary_write_json(const json_t *summary, FILE *out);
/* About ten lines for a CI job's page. */
int summary_write_markdown(const json_t *summary, FILE *out);

/* The columns of the table of figures: their heading, and the cell of a phase's (or the run's) figures. */
enum { SUMMARY_COLUMNS = 9, SUMMARY_CELL_MAX = 64 };
extern const char *const summary_headings[SUMMARY_COLUMNS];
void summary_cell(const json_t *figures, int column, char text[SUMMARY_CELL_MAX]);
#endif
