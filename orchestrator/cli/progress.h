/* progress.h - the lab's life for a person who watches: what happens, a line each, and on a terminal a line
 * that is rewritten each second with the zones in DNS and the error rate. */
#ifndef AZLAB_PROGRESS_H
#define AZLAB_PROGRESS_H
#include "orchestrator/lab/lab.h"

struct progress {
	bool terminal; /* standard error is one */
	bool quiet;
	unsigned width;   /* of the line that stands there and will be rewritten */
	unsigned columns; /* of the terminal */
	unsigned seconds;
	char phase[64];
};

void progress_init(struct progress *p);
void progress_step(struct progress *p, const char *what);
void progress_event(struct progress *p, double t, const char *node, const char *event, const json_t *fields);
void progress_second(struct progress *p, const struct lab *lab);
/* Ends the rewritten line, before anything else is printed. */
void progress_end(struct progress *p);
#endif
