/* stats.h - the API's figures of a second: requests, errors, launches and what their stages took; and the
 * episodes of each error. Pure. */
#ifndef AZLAB_EC2_API_STATS_H
#define AZLAB_EC2_API_STATS_H
#include "ec2-api/api_error.h"
#include "ec2-api/instance.h"
#include <stddef.h>

#define API_ACTIONS(X)                                                                                       \
	X(RUN, "RunInstances")                                                                               \
	X(TERMINATE, "TerminateInstances")                                                                   \
	X(DESCRIBE, "DescribeInstances")                                                                     \
	X(DESCRIBE_STATUS, "DescribeInstanceStatus")                                                         \
	X(REBOOT, "RebootInstances")

enum api_action {
#define X(name, text) ACTION_##name,
	API_ACTIONS(X)
#undef X
	    ACTIONS
};
const char *action_text(enum api_action action);

struct spans { /* of one stage, of the launches that ended in this second */
	int64_t *us;
	size_t n, room;
};
struct stats {
	unsigned requests[ACTIONS], errors[API_CODES_N];
	unsigned launched, failed; /* instances */
	struct spans stages[STAGES];
	bool episode[API_CODES_N]; /* an episode of this error lasts */
};

void stats_release(struct stats *s);
/* True if an episode of the error begins with this one: it ends with a second without. */
bool stats_error(struct stats *s, enum api_code code);
void stats_launched(struct stats *s, const int64_t stage_us[static STAGES]);
/* True if the episode of the error ends with this second. */
bool stats_episode_ends(struct stats *s, enum api_code code);
/* The sample's fields, and a new second begins. */
json_t *stats_take(struct stats *s);
#endif
