/* report_table.h - the report's tables of figures: a row for each phase, a last one for the whole run. */
#ifndef AZLAB_REPORT_TABLE_H
#define AZLAB_REPORT_TABLE_H
#include "orchestrator/verdict/summary.h"
#include <jansson.h>
#include <stdio.h>

struct report_table {
	int columns;
	const char *(*heading)(int column);
	/* What a phase's (or the run's) figures are in that column. */
	void (*cell)(const json_t *figures, int column, char text[SUMMARY_CELL_MAX]);
};
/* The table alone: the section around it is the caller's. */
void report_table_put(FILE *out, const struct report_table *t, const json_t *summary);
#endif
