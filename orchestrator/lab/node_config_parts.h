/* node_config_parts.h - what the files of node_config share: the pieces that configurations are made of, and
 * the makers that stand in files of their own. JSON returned is the caller's. */
#ifndef AZLAB_NODE_CONFIG_PARTS_H
#define AZLAB_NODE_CONFIG_PARTS_H
#include "orchestrator/lab/node_config.h"

json_t *config_text4(const struct in_addr *a);
/* The IPv4 address of ZONE.ROLE, or null. */
json_t *config_address(const struct plan *p, const char *zone, const char *role);

/* --- node_config_ec2.c --- */
json_t *config_dynamodb(const struct plan *p, const struct plan_node *n, const struct dns_key *key);
json_t *config_droplets(const struct plan *p, const struct plan_node *n, const struct dns_key *key);
json_t *config_dwfm(const struct plan *p, const struct plan_node *n, const struct dns_key *key);
json_t *config_ec2_api(const struct plan *p, const struct plan_node *n, const struct dns_key *key);
json_t *config_autoscaler(const struct plan *p, const struct plan_node *n, const struct dns_key *key);
#endif
