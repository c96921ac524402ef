/* expect.h - what a topology expects of its run, against what came out. Pure.
 *
 * A result is {"in": phase or null, "figure", "bound": "at most 1%", "actual", "pass", "text"}: text is the
 * whole finding for a person, "settled: zone_removals is 3, expected at most 1". */
#ifndef AZLAB_EXPECT_H
#define AZLAB_EXPECT_H
#include "orchestrator/verdict/record.h"
#include "orchestrator/topology/topology.h"

/* One result for each bound, in the topology's order. summary holds the figures as summary.json does; a
 * phase or a figure that isn't there fails, and so does null against a number. NULL without memory. */
json_t *expect_evaluate(const struct topology *t, const json_t *summary);
/* How many of the results failed. */
size_t expect_failures(const json_t *results);
/* Puts them into the record as expect.pass and expect.fail events. */
void expect_record(struct record *r, double t, const json_t *results);
#endif
