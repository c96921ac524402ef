/* resume.h - after a start: what an earlier API has left half done is found in the table "instances" and
 * taken up again. Asks until DynamoDB answers; the API serves meanwhile. */
#ifndef AZLAB_EC2_API_RESUME_H
#define AZLAB_EC2_API_RESUME_H
#include "ec2-api/api.h"

/* 0, or -1 without memory. */
int resume_begin(struct api *api);
#endif
