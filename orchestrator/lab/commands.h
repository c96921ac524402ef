/* commands.h - what can be asked of a running lab, by its users through the control socket and by its
 * scenario: the same words do the same. */
#ifndef AZLAB_COMMANDS_H
#define AZLAB_COMMANDS_H
#include "orchestrator/lab/lab.h"

/* Carries out one command, as typed less "azlab" and the lab's name; what it has to say goes to out. With
 * json, figures come as JSON. Returns an exit status: 0, 2 for wrong words, 4 if it could not be done. */
int lab_command(struct lab *lab, size_t argc, const char *const *argv, bool json, FILE *out);

/* --- knobs.c --- */
/* The topology in force with n PATH=VALUE set, if a running lab can take them, all or nothing; it is the
 * caller's. -EINVAL with *error for wrong ones and for what only a new run can change. */
int knobs_check(const struct lab *lab, const char *const *sets, size_t n, struct topology **ret,
                struct topology_error *error);
/* Puts the checked topology in force, which takes it over, and tells the nodes that it concerns. */
int knobs_turn(struct lab *lab, struct topology *next, const char *const *sets, size_t n, uint64_t cause);
#endif
