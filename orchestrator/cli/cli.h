/* cli.h - the azlab command's verbs. Each gets its own words (argv[0] is the verb) and returns an exit
 * status; main.c's table has their help. */
#ifndef AZLAB_CLI_H
#define AZLAB_CLI_H
#include "orchestrator/cli/session.h"
#include <argp.h>

struct verb {
	const char *name;
	int (*run)(const struct verb *v, int argc, char **argv);
	const char *args;  /* as in a usage line */
	const char *brief; /* one line */
	const char *help;  /* what a reader of `azlab VERB --help` should know */
};
/* All verbs, ending with an empty name. */
extern const struct verb verbs[];

/* Parses options with argp: --help teaches, wrong words end the program with status 2. Returns the index of
 * the first word that is not an option. in_order stops at that word (for commands of the user's own). */
int cli_parse(const struct verb *v, const struct argp_option *options,
              error_t (*take)(int, char *, struct argp_state *), void *input, bool in_order, int argc,
              char **argv);
/* The words that are no options, after cli_parse(), must be between min and max; else a usage line, status 2.
 */
int cli_wrong(const struct verb *v, const char *what);
/* Which lab is meant: the first word if a living lab has that name (*ret_taken is 1), else the only one that
 * lives. An exit status; said on standard error. */
int cli_lab(const struct verb *v, int argc, char **argv, char name[OWN_LAB_MAX + 1], int *ret_taken);
/* 77 with a line on standard error, unless root. */
int cli_need_root(const struct verb *v);

int cli_run(const struct verb *v, int argc, char **argv);
int cli_up(const struct verb *v, int argc, char **argv);
int cli_check(const struct verb *v, int argc, char **argv);
int cli_down(const struct verb *v, int argc, char **argv);
int cli_ls(const struct verb *v, int argc, char **argv);
int cli_call(const struct verb *v, int argc,
             char **argv); /* status, fault, failover, instance, set, events */
int cli_exec(const struct verb *v, int argc, char **argv);
int cli_capture(const struct verb *v, int argc, char **argv);
int cli_report(const struct verb *v, int argc, char **argv);
int cli_compare(const struct verb *v, int argc, char **argv);
int cli_clean(const struct verb *v, int argc, char **argv);
#endif
