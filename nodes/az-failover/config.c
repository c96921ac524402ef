#include "az-failover/config.h"
#include "common/dns_peer.h"
#include "common/node.h"
#include "common/take.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_stage(const json_t *entry, struct chain_stage *ret, char *why)
{
	const char *name = node_string(entry, "stage", "");
	const json_t *params = json_object_get(entry, "params");

	ret->type = stage_find(name);
	if (!ret->type) return wrong(why, "unknown stage '%s'", name);
	for (size_t i = 0; i < STAGE_PARAMS_MAX && ret->type->params[i].key; i++) {
		const struct stage_param *p = &ret->type->params[i];
		const json_t *value = json_array_get(params, i);
		ret->params[i] = json_is_number(value) ? json_number_value(value) : p->fallback;
		if (!(ret->params[i] >= p->min && ret->params[i] <= p->max))
			return wrong(why, "%s: %s is out of its range", name, p->key);
	}
	return 0;
}

static int read_policy(const json_t *entry, size_t zones, struct verdicts_config *ret, char *why)
{
	const json_t *stages = json_object_get(entry, "stages");
	int r = 0;

	ret->zones = (unsigned)zones;
	ret->enabled = node_bool(entry, "enabled", true);
	ret->rate_limit = node_bool(entry, "rate_limit", false);
	ret->min_healthy = node_number(entry, "min_healthy", 0.5);
	ret->n_stages = json_array_size(stages);
	if (!(ret->min_healthy >= 0 && ret->min_healthy <= 1))
		return wrong(why, "'min_healthy' is not within 0 and 1");
	if (ret->n_stages > CHAIN_STAGES_MAX) return wrong(why, "more than %d stages", CHAIN_STAGES_MAX);
	for (size_t i = 0; i < ret->n_stages && r == 0; i++)
		r = read_stage(json_array_get(stages, i), &ret->stages[i], why);
	return r;
}

static int read_zonal(const json_t *entry, size_t zones, struct azf_service_config *ret, char *why)
{
	const json_t *zonal = json_object_get(entry, "zonal");
	int r = 0;

	if (json_array_size(zonal) != zones) return wrong(why, "'zonal' needs one entry for each zone");
	for (size_t z = 0; z < zones && r == 0; z++) {
		const json_t *pair = json_array_get(zonal, z);
		struct azf_zonal *to = &ret->zonal[z];
		r = take_address(pair, "v4", AF_INET, to->v4, sizeof(to->v4), why);
		if (r == 0) r = take_address(pair, "v6", AF_INET6, to->v6, sizeof(to->v6), why);
	}
	return r;
}

static int read_service(const json_t *entry, size_t index, size_t zones, struct azf_service_config *ret,
                        char *why)
{
	double ttl_s;
	int r;

	if (node_number(entry, "service", -1) != (double)index)
		return wrong(why, "services are not in order");
	if ((r = take_number(entry, "ttl_s", -1, 0, INT32_MAX, &ttl_s, why)) < 0) return r;
	ret->ttl_s = (uint32_t)ttl_s;
	ret->automated = node_bool(entry, "automated", false);
	if ((r = take_string(entry, "name", ret->name, sizeof(ret->name), why)) < 0) return r;
	if ((r = take_string(entry, "dns_name", ret->dns_name, sizeof(ret->dns_name), why)) < 0) return r;
	if ((r = read_policy(entry, zones, &ret->policy, why)) < 0) return r;
	return read_zonal(entry, zones, ret, why);
}

static int read_zones(const json_t *zones, struct azf_config *ret, char *why)
{
	ret->n_zones = json_array_size(zones);
	if (ret->n_zones < 1 || ret->n_zones > STAGE_ZONES_MAX)
		return wrong(why, "1 to %d zones expected", STAGE_ZONES_MAX);
	for (size_t z = 0; z < ret->n_zones; z++) {
		const char *name = json_string_value(json_array_get(zones, z));
		if (!name || strlen(name) >= AZF_NAME_MAX)
			return wrong(why, "a zone has no name, or one too long");
		memcpy(ret->zones[z], name, strlen(name) + 1);
	}
	return 0;
}

static int read_services(const json_t *services, struct azf_config *ret, char *why)
{
	size_t n = json_array_size(services);
	int r = 0;

	if (n > AZF_SERVICES_MAX) return wrong(why, "more than %d services", AZF_SERVICES_MAX);
	ret->services = calloc(n ? n : 1, sizeof(*ret->services));
	if (!ret->services) return -ENOMEM;
	ret->n_services = n;
	for (size_t i = 0; i < n && r == 0; i++)
		r = read_service(json_array_get(services, i), i, ret->n_zones, &ret->services[i], why);
	return r;
}

int azf_config_read(const json_t *config, struct azf_config *ret, char why[WHY_MAX])
{
	struct azf_config c = { 0 };

	snprintf(why, WHY_MAX, "out of memory");
	int r = read_zones(json_object_get(config, "zones"), &c, why);
	if (r == 0) r = dns_server_read(json_object_get(config, "dns"), c.server, &c.key, why);
	if (r == 0) r = read_services(json_object_get(config, "services"), &c, why);
	if (r < 0)
		azf_config_release(&c);
	else
		*ret = c;
	return r;
}

void azf_config_release(struct azf_config *c)
{
	free(c->services);
	c->services = NULL;
	c->n_services = 0;
}
