/* actions.h - the commands that change a running lab, as words: what a user types behind "azlab" (less the
 * lab's name) and what a scenario's "do" lists. Pure: this only says whether a line could be carried out. */
#ifndef AZLAB_ACTIONS_H
#define AZLAB_ACTIONS_H
#include "orchestrator/topology/topology.h"

enum { ACTION_WORDS_MAX = 64, ACTION_LINE_MAX = 4096 };

/* A line cut into words; "..." and '...' keep blanks, a backslash keeps the next character (not in '...'). */
struct action_words {
	size_t argc;
	char *argv[ACTION_WORDS_MAX + 1]; /* ends with NULL; points into text */
	char text[ACTION_LINE_MAX];
};

/* 0, or -EINVAL with the reason in error. */
int action_split(const char *line, struct action_words *ret, char *error, size_t size);
/* Checks a whole line, or one that is in words already, against a topology: verbs, names, numbers. 0, or
 * -EINVAL with what was expected. Whether an instance is alive only the lab can tell. */
int action_check(const struct topology *t, const char *line, char *error, size_t size);
int action_check_words(const struct topology *t, size_t argc, char *const *argv, char *error, size_t size);

/* The chain in the words behind "failover policy": STAGE[,STAGE...] [key=value...]; a key goes to every
 * stage that has it. ret has room for TOPOLOGY_STAGES_MAX. */
int action_policy(size_t argc, char *const *argv, struct stage_config *ret, size_t *ret_n, char *error,
                  size_t size);

/* "instance launch|replace [SERVICE] ZONE [N]", taken apart; the service is the only one if left out. */
struct action_launch {
	int service, zone;
	unsigned n;
};
int action_launch(const struct topology *t, size_t argc, char *const *argv, struct action_launch *ret,
                  char *error, size_t size);

/* "dwfm-2" or "2": a host's number, from 1; NULL: 0, all hosts. 0, or -EINVAL with what was expected. */
int action_dwfm_host(const struct topology *t, const char *word, unsigned *ret, char *error, size_t size);
#endif
