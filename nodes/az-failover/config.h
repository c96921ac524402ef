/* config.h - az-failover's configuration, read from the management message. */
#ifndef AZLAB_AZF_CONFIG_H
#define AZLAB_AZF_CONFIG_H
#include "common/dns_update.h"
#include "common/take.h"
#include "policy/verdicts.h"
#include <jansson.h>
#include <netinet/in.h>

enum { AZF_SERVICES_MAX = 64, AZF_NAME_MAX = 256 };

struct azf_service_config {
	char name[AZF_NAME_MAX], dns_name[AZF_NAME_MAX];
	uint32_t ttl_s;
	bool automated; /* someone else keeps its name in DNS */
	struct verdicts_config policy;
	struct azf_zonal {
		char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN]; /* as inet_ntop() writes them */
	} zonal[STAGE_ZONES_MAX];
};
struct azf_config {
	size_t n_zones, n_services;
	char zones[STAGE_ZONES_MAX][AZF_NAME_MAX];
	char server[INET6_ADDRSTRLEN];
	struct dns_key key;
	struct azf_service_config *services; /* by the topology's index */
};

/* Reads it; the caller releases *ret. 0, -EINVAL with what is wrong in why, or -ENOMEM. */
int azf_config_read(const json_t *config, struct azf_config *ret, char why[WHY_MAX]);
void azf_config_release(struct azf_config *c);
#endif
