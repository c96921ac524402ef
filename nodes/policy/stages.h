/* stages.h - the stages that exist, one file each; stage_types[] (stages.c) is the list that all others use.
 */
#ifndef AZLAB_STAGES_H
#define AZLAB_STAGES_H
#include "policy/stage.h"

extern const struct stage_type stage_velocity;  /* velocity.c */
extern const struct stage_type stage_hold_down; /* hold_down.c */
extern const struct stage_type stage_disabled;  /* disabled.c */
#endif
