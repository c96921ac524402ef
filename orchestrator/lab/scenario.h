/* scenario.h - plays a topology's scenario: at each phase's time its actions, which are the commands that a
 * user types. */
#ifndef AZLAB_SCENARIO_H
#define AZLAB_SCENARIO_H
#include "orchestrator/lab/lab.h"

/* Plays the scenario to its end, and goes on until every request that arrived before the end is decided.
 * 0; -EINTR if someone asked for the end before; -EPIPE if the lab broke down (lab->error). */
int scenario_play(struct lab *lab);
#endif
