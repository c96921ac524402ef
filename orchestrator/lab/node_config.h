/* node_config.h - the configuration of each node, as docs/management.md lists it. Pure: made from the plan
 * alone, so a knob that was turned is told to exactly the nodes whose configuration came out different. */
#ifndef AZLAB_NODE_CONFIG_H
#define AZLAB_NODE_CONFIG_H
#include "common/dns_update.h"
#include "orchestrator/plan/plan.h"
#include <jansson.h>

/* The "config" object of a node; NULL for nodes without a management channel. The caller owns it. */
json_t *node_config(const struct plan *p, size_t node, const struct dns_key *key);
/* One entry of a "targets" table, and the network manager's view of the same instance (without "type",
 * "generation" and "cause"). The caller owns them. */
json_t *node_config_target(const struct plan *p, size_t instance, uint64_t cause);
json_t *node_config_attachment(const struct plan *p, size_t instance);
#endif
