/* config.h - the load balancer's configuration, from the management channel. Pure. */
#ifndef AZLAB_NLB_CONFIG_H
#define AZLAB_NLB_CONFIG_H
#include "nlb.h"
#include "common/take.h"
#include "nlb/registry.h"
#include "nlb/sweep.h"
#include <jansson.h>
#include <netinet/in.h>

struct nlb_service_config {
	unsigned number;  /* its index in the topology, as health reports and targets name it */
	const char *name; /* borrowed from the JSON */
	struct nlb_service at;
};
struct nlb_config {
	unsigned zone;
	struct in_addr address4, checker;
	struct nlb_addr own4, own6;
	size_t n_services;
	struct nlb_service_config services[NLB_SERVICES_MAX];
	bool via_peer; /* see plane.h */
	struct sweep_timeouts timeouts;
};

/* Reads the configuration; 0, or -EINVAL with the reason in why. */
int nlb_config_parse(const json_t *config, struct nlb_config *ret, char why[WHY_MAX]);
/* Reads a "targets" message: *ret_n targets of that port in an array that the caller frees, and the cause of
 * the newest registration. 0, -ENOMEM, or -EINVAL with the reason in why. */
int nlb_targets_parse(const json_t *body, uint16_t port, struct registry_target **ret, size_t *ret_n,
                      uint64_t *ret_cause, char why[WHY_MAX]);
#endif
