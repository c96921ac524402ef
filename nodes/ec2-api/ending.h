/* ending.h - an instance on its way out, step by step, each repeated until it has succeeded: behind
 * TerminateInstances, behind a launch that got too few instances, after a restart.
 *
 *     mark -> order -> detach -> record -> (some minutes, in which it can still be described) -> forget
 *
 * An instance without a droplet is forgotten at once: nothing of it has ever been. Where the write of its row
 * is in doubt it begins at "record", since a row that is deleted may come back by a write that is carried out
 * late, and one that says "terminated" may not. Should DWFM have entered a droplet meanwhile, in answer to a
 * launch that was given up, the row decides, and it begins at "mark". */
#ifndef AZLAB_EC2_API_ENDING_H
#define AZLAB_EC2_API_ENDING_H
#include "ec2-api/api.h"

enum ending_step {
	ENDING_MARK,   /* write "shutting-down" */
	ENDING_ORDER,  /* tell DWFM */
	ENDING_DETACH, /* tell the network manager */
	ENDING_RECORD, /* write "terminated" */
	ENDING_LINGER,
	ENDING_FORGET /* delete the row */
};

/* Begins at a step; the instance is copied. */
void ending_begin(struct api *api, const struct instance *i, enum ending_step step, uint64_t cause);
#endif
