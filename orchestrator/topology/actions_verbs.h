/* actions_verbs.h - what the files that check commands share. */
#ifndef AZLAB_ACTIONS_VERBS_H
#define AZLAB_ACTIONS_VERBS_H
#include "orchestrator/topology/actions.h"
#include <errno.h>

/* What a line's check needs: its words behind the verb, and where the reason goes. */
struct action {
	const struct topology *t;
	size_t argc;
	char *const *argv;
	char *error;
	size_t size;
};
/* A table of verbs ends with an empty name. check gives 0, -EINVAL with the reason told, or ACTION_MISUSED.
 */
struct action_verb {
	const char *name, *usage;
	int (*check)(const struct action *a);
};
/* The words don't have the verb's form: its usage is the message. */
enum { ACTION_MISUSED = -EPROTO };

/* Tells the reason; returns -EINVAL. */
int action_refuse(const struct action *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Finds the verb that the first word names and lets it check the others. */
int action_verb(const struct action *a, const struct action_verb *verbs, const char *what);
/* Whether the topology could take these settings, as `set` would make them. */
int action_try_sets(const struct action *a, const char *const *sets, size_t n);
/* The same with KEY=VALUE words, from the first-th on, as settings ABOVE.KEY=VALUE. */
int action_try_sets_below(const struct action *a, const char *above, size_t first);
/* A verb that takes no words. */
int action_no_words(const struct action *a);
/* "dns ...", "ec2 ...", "dwfm ..." */
int action_dns(const struct action *a);
int action_ec2(const struct action *a);
int action_dwfm(const struct action *a);
#endif
