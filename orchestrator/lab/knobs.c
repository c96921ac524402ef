/* knobs.c - turning knobs while the lab runs: the topology in force is replaced by one with the new values,
 * and each node whose configuration that changes is told its new one. */
#include "common/cleanup.h"
#include "orchestrator/lab/commands.h"
#include "orchestrator/faults/fault_rules.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static const char *service_reshaped(const struct service_config *a, const struct service_config *b)
{
	if (!same_text(a->name, b->name)) return "the services";
	if (a->port != b->port) return "a service's port";
	if (a->targets.per_zone != b->targets.per_zone)
		return "per_zone (instance launch and terminate do that)";
	if (!same_text(a->dns_name, b->dns_name)) return "a service's DNS name";
	if (a->dns_negative_ttl != b->dns_negative_ttl) return "how long resolvers keep an empty answer";
	if (a->health_check.family != b->health_check.family) return "the address family of health checks";
	return NULL;
}

static const char *client_reshaped(const struct client_config *a, const struct client_config *b)
{
	if (!same_text(a->from, b->from) || !same_text(a->to, b->to))
		return "where a client stands or what it asks";
	if (a->family != b->family) return "the address family of a client";
	return same_text(a->path, b->path) ? NULL : "what a client asks for";
}

/* What stands as namespaces and processes can't be changed by a knob; names the first such thing, or NULL. */
static const char *reshaped(const struct topology *a, const struct topology *b)
{
	const char *what = NULL;

	if (a->seed != b->seed) return "the seed";
	if (!same_text(a->region, b->region)) return "the region's name";
	if (a->n_zones != b->n_zones) return "the zones";
	for (size_t i = 0; i < a->n_zones; i++)
		if (!same_text(a->zones[i], b->zones[i])) return "the zones";
	if (a->n_services != b->n_services) return "the services";
	for (size_t i = 0; i < a->n_services && !what; i++)
		what = service_reshaped(&a->services[i], &b->services[i]);
	if (what) return what;
	if (a->n_clients != b->n_clients) return "the clients";
	for (size_t i = 0; i < a->n_clients && !what; i++)
		what = client_reshaped(&a->clients[i], &b->clients[i]);
	if (what) return what;
	if (a->has_dns_automation != b->has_dns_automation) return "whether there is a DNS automation";
	if (!same_text(a->dns_automation.service, b->dns_automation.service))
		return "whose names the DNS automation keeps";
	if (a->dns_automation.accounts != b->dns_automation.accounts)
		return "the endpoints of the DNS automation";
	if (a->n_faults != b->n_faults) return "the list of faults";
	for (size_t i = 0; i < a->n_faults; i++)
		if (!same_text(a->faults[i].name, b->faults[i].name)) return "the list of faults";
	return NULL;
}

/* The scenario is being played, and what is expected of it was fixed before. */
static const char *played(const char *const *sets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strncmp(sets[i], "scenario", 8) == 0) return "the scenario";
		if (strncmp(sets[i], "expect", 6) == 0) return "what is expected";
	}
	return NULL;
}

/* A fault can be aimed at a node that the topology could have and the lab doesn't. */
static int aim_faults(const struct lab *lab, const struct topology *next, struct topology_error *error)
{
	cleanup_free struct fault_rule *rule = calloc(1, sizeof(*rule));
	int result = rule ? 0 : -ENOMEM;

	for (size_t i = 0; i < next->n_faults && result == 0; i++)
		result = fault_rule_resolve(&next->faults[i], lab->plan, rule, error);
	return result;
}

int knobs_check(const struct lab *lab, const char *const *sets, size_t n, struct topology **ret,
                struct topology_error *error)
{
	struct topology *next;
	int result = topology_with_all(lab->topology, sets, n, &next, error);

	if (result < 0) return result;
	const char *fixed = reshaped(lab->topology, next);
	if (!fixed) fixed = played(sets, n);
	if (fixed) {
		snprintf(error->text, sizeof(error->text),
		         "a running lab can't change %s: set it for a new run", fixed);
		result = -EINVAL;
	} else {
		result = aim_faults(lab, next, error);
	}
	if (result < 0)
		topology_free(next);
	else
		*ret = next;
	return result;
}

int knobs_turn(struct lab *lab, struct topology *next, const char *const *sets, size_t n, uint64_t cause)
{
	struct topology *before = lab->topology;
	int result = 0;

	lab->topology = next;
	lab->plan->topology = next;
	for (size_t i = 0; i < n; i++)
		lab_event(lab, "knob.set", cause, NULL, NULL, json_pack("{s:s}", "knob", sets[i]));
	for (size_t i = 0; i < next->n_faults && result == 0; i++)
		result = lab_set_fault(lab, i);
	lab_reconfigure(lab);
	topology_free(before);
	return result;
}
