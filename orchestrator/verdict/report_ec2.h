/* report_ec2.h - the report's section about EC2: figures by phase, and what its charts are drawn from.
 * Bounded in size whatever the length of the run. */
#ifndef AZLAB_REPORT_EC2_H
#define AZLAB_REPORT_EC2_H
#include "orchestrator/verdict/record.h"
#include <stdio.h>

/* Nothing without an "ec2" in the summary. */
void report_ec2(FILE *out, const json_t *summary);
/* Lines as changes, [[t, value or null], ...]; JSON null without an "ec2". */
json_t *report_ec2_data(const struct record *r, const json_t *summary);
#endif
