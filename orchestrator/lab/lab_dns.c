#include "orchestrator/lab/lab_dns.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "orchestrator/lab/dns_automation.h"
#include <arpa/inet.h>
#include <string.h>

static const char console[] = "region.dns-operator";

/* --- truth ------------------------------------------------------------------------------------------- */

/* The zone of which an address is the service's zonal one, as a bit. */
static uint64_t zone_at(const struct lab *lab, size_t service, const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	bool is4 = inet_pton(AF_INET, address, &v4) == 1;

	if (!is4 && inet_pton(AF_INET6, address, &v6) != 1) return 0;
	for (size_t i = 0; i < lab->plan->n_nodes; i++) {
		const struct plan_node *n = &lab->plan->nodes[i];
		if (service >= n->n_zonal) continue;
		const struct plan_addr *a = &n->zonal[service];
		if (is4 ? a->v4.s_addr == v4.s_addr : !memcmp(&a->v6, &v6, sizeof(v6)))
			return UINT64_C(1) << n->zone;
	}
	return 0;
}

static uint64_t zones_at(const struct lab *lab, size_t service, const json_t *addresses)
{
	uint64_t zones = 0;
	json_t *address;
	size_t i;

	json_array_foreach (addresses, i, address)
		if (json_is_string(address)) zones |= zone_at(lab, service, json_string_value(address));
	return zones;
}

/* An endpoint by its name below the zone. */
static bool is_own(const struct lab *lab, const char *endpoint)
{
	const char *name = lab->topology->services[dns_automation_service(lab->topology)].dns_name;
	size_t label = strcspn(name, ".");

	return strlen(endpoint) == label && !strncmp(endpoint, name, label);
}

static void record_plan(struct lab *lab, struct station *s, const json_t *endpoint, double t)
{
	const json_t *plan = json_object_get(endpoint, "plan");

	if (!lab->t0 || !json_is_number(plan)) return;
	record_metric(lab->record, t, s->name, "region", node_string(endpoint, "name", ""), "dns.plan",
	              json_number_value(plan));
}

void lab_dns_take_endpoints(struct lab *lab, struct station *s, const json_t *sample)
{
	double t = lab_time(lab, json_integer_value(json_object_get(sample, "at_ns")));
	size_t service = dns_automation_service(lab->topology), i;
	json_t *endpoint;

	json_array_foreach (json_object_get(sample, "endpoints"), i, endpoint) {
		record_plan(lab, s, endpoint, t);
		if (is_own(lab, node_string(endpoint, "name", "")))
			lab->answer[service] = zones_at(lab, service, json_object_get(endpoint, "addresses"));
	}
	if (lab->answer[service]) lab->last_dns_answer = lab->answer[service];
	lab_observe(lab, false);
}

void lab_dns_learn(struct lab *lab, const char *event, const json_t *fields)
{
	if (!lab->topology->has_dns_automation || !is_own(lab, node_string(fields, "endpoint", ""))) return;
	size_t service = dns_automation_service(lab->topology);
	/* what the restored name leads to the next sample tells; until then, what it led to before */
	lab->answer[service] = strcmp(event, "endpoint.empty") == 0 ? 0 : lab->last_dns_answer;
}

bool lab_dns_answered(const struct lab *lab)
{
	struct station *s = lab_station(lab, console);
	return s && json_object_get(s->samples, "endpoints");
}

/* --- azlab dns --------------------------------------------------------------------------------------- */

static json_t *last_sample(const struct lab *lab, const char *node, const char *kind)
{
	struct station *s = lab_station(lab, node);
	json_t *sample = s ? json_object_get(s->samples, kind) : NULL;

	return sample ? json_incref(sample) : json_null();
}

static json_t *enactors_status(const struct lab *lab)
{
	json_t *enactors = json_array();
	char name[PLAN_NAME_MAX];

	for (size_t z = 0; z < lab->topology->n_zones; z++) {
		snprintf(name, sizeof(name), "%s.dns-enactor", lab->topology->zones[z]);
		json_t *sample = last_sample(lab, name, "enactor");
		json_t *entry = json_is_object(sample) ? json_copy(sample) : json_object();
		json_decref(sample);
		json_object_set_new(entry, "zone", json_string(lab->topology->zones[z]));
		json_array_append_new(enactors, entry);
	}
	return enactors;
}

json_t *lab_dns_status(const struct lab *lab)
{
	json_t *seen = last_sample(lab, console, "endpoints");
	json_t *status = json_pack(
	    "{s:s, s:s, s:o, s:o, s:O?, s:O?}", "service", lab->topology->dns_automation.service, "zone",
	    dns_automation_zone(lab->topology), "planner", last_sample(lab, "region.dns-planner", "plans"),
	    "enactors", enactors_status(lab), "endpoints", json_object_get(seen, "endpoints"), "trees",
	    json_object_get(seen, "trees"));

	json_decref(seen);
	return status;
}

/* What tells a person's story of the zone: not each lock. */
static bool is_history(const char *event)
{
	static const char *const events[] = { "plan.applied", "plan.stale",        "plan.aborted",
		                              "plan.cleaned", "plan.refused",      "endpoint.empty",
		                              "dns.repaired", "endpoint.restored", "dns.waiting",
		                              "plan.made" };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (!strcmp(event, events[i])) return true;
	return false;
}

json_t *lab_dns_history(const struct lab *lab, size_t n)
{
	const struct record *r = lab->record;
	json_t *history = json_array();
	size_t from = r->n_events, found = 0;

	while (from > 0 && found < n)
		found += is_history(r->events[--from].event);
	for (size_t i = from; i < r->n_events; i++)
		if (is_history(r->events[i].event)) json_array_append(history, r->events[i].json);
	return history;
}
