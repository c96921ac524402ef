/* session.h - one lab from topology to run folder: what `azlab run` and `azlab up` have in common. */
#ifndef AZLAB_SESSION_H
#define AZLAB_SESSION_H
#include "orchestrator/lab/control.h"
#include "orchestrator/lab/lab.h"
#include "orchestrator/cli/progress.h"

struct session_options {
	const char *file;
	const char *name;        /* of the lab; NULL: the file's name without .yaml */
	const char *out;         /* run folder; NULL: runs/LAB-TIME */
	const char *const *sets; /* PATH=VALUE */
	size_t n_sets;
	enum record_keep keep; /* a run that is judged needs all */
	const char *repeat;    /* the command that repeats this run, for its last line */
};

struct session {
	struct lab *lab;
	struct control *control;
	struct rundir *rundir;
	struct record *record;
	struct progress progress;
	struct fidelity_probe began;
	char name[64], started[32];
	const struct session_options *options;
	char *topology_text; /* as run, with all defaults */
	json_t *summary;     /* of a run, once judged */
};

/* Exit statuses of the azlab command. */
enum {
	EXIT_FINE = 0,
	EXIT_EXPECTATION = 1,
	EXIT_USAGE = 2,
	EXIT_UNTRUSTED = 3,
	EXIT_BROKEN = 4,
	EXIT_PRIVILEGES = 77
};

/* Each returns an exit status, having said on standard error what is wrong. */
int session_open(struct session *s, const struct session_options *o);
/* The lab comes up; its control socket answers from then on. */
int session_up(struct session *s);
/* Plays the scenario and judges it; the summary is in s->summary. */
int session_play(struct session *s);
/* Takes the lab down, writes what is left to write, gives the run folder its name, releases all. Returns
 * status, or what went wrong if that is worse. */
int session_close(struct session *s, int status);
#endif
