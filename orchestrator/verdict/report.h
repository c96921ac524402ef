/* report.h - report.html: the whole run on one self-contained page, which asks nothing of any network. The
 * tables are plain HTML; the charts are drawn by dygraphs (Debian's libjs-dygraphs), inlined when the report
 * is written. Without it the page has the tables and says what is missing. */
#ifndef AZLAB_REPORT_H
#define AZLAB_REPORT_H
#include "orchestrator/verdict/record.h"
#include <stdio.h>

struct report_input {
	const struct record *record;
	const json_t *summary;     /* as summary_make() gives it */
	const char *topology_text; /* YAML as run */
};
/* 0 or -errno. */
int report_write(const struct report_input *in, FILE *out);
/* Writes report.html of a run folder anew, from the files in it. 0, or -errno with *error. */
int report_folder(const char *folder, char error[256]);

/* What the charts and the event table are made from, as JSON; NULL without memory. */
json_t *report_data(const struct record *r, const json_t *summary);

/* A whole text file, NULL if it can't be read. The caller frees it. */
char *report_read(int folder, const char *name);
/* The page's own style and script, built in. */
extern const char report_css[], report_js[];
#endif
