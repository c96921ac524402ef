/* config.h - the planner's configuration, read from the management message. */
#ifndef AZLAB_DNS_PLANNER_CONFIG_H
#define AZLAB_DNS_PLANNER_CONFIG_H
#include "common/take.h"
#include "dns-planner/planner.h"
#include <jansson.h>

struct config {
	struct planner_config plans;
	unsigned service; /* its index, in health reports */
	uint64_t first_plan;
	uint16_t port;
};

/* Reads it; the caller releases plans. 0, -EINVAL with what is wrong in why, or -ENOMEM. */
int planner_config_read(const json_t *json, struct config *ret, char why[WHY_MAX]);
#endif
