/* lab_samples.c - the figures that nodes send: requests, checks, lateness, and whatever else has a number. */
#include "orchestrator/lab/lab_dns.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <errno.h>
#include <string.h>

static void metric(struct lab *lab, double t, const struct station *s, const char *service, const char *name,
                   double value)
{
	record_metric(lab->record, t, s->name, plan_zone_name(lab->plan, lab->plan->nodes[s->node].zone),
	              service, name, value);
}

/* A client's bucket of arrivals, all decided: its t is that of the arrivals. */
static void take_requests(struct lab *lab, struct station *s, const json_t *m)
{
	double t = node_number(m, "from_ms", 0) / 1000;
	const char *service = lab->topology->clients[lab->plan->nodes[s->node].client].to;
	static const char *const counts[] = { "requests", "errors", "attempts", "lab_errors" };
	const char *key;
	json_t *value;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		metric(lab, t, s, service, counts[i], node_number(m, counts[i], 0));
	json_object_foreach (json_object_get(m, "by_class"), key, value)
		if (json_number_value(value) > 0) metric(lab, t, s, service, key, json_number_value(value));
	json_t *latency = json_object_get(m, "latency_ms");
	if (json_is_number(json_object_get(latency, "p50")))
		metric(lab, t, s, service, "latency_p50_ms", node_number(latency, "p50", 0));
	if (json_is_number(json_object_get(latency, "p99")))
		metric(lab, t, s, service, "latency_p99_ms", node_number(latency, "p99", 0));
	uint64_t requests = (uint64_t)node_number(m, "requests", 0),
	         errors = (uint64_t)node_number(m, "errors", 0);
	lab->requests += requests, lab->errors += errors;
	lab->recent_requests += requests, lab->recent_errors += errors;
	lab->lab_errors += (uint64_t)node_number(m, "lab_errors", 0);
}

static void take_lateness(struct lab *lab, struct station *s, const json_t *m)
{
	double t = lab_time(lab, json_integer_value(json_object_get(m, "at_ns")));
	uint32_t late_us[64], worst = 0;
	json_t *late, *all = json_object_get(m, "late_us");
	size_t i, n = 0;

	json_array_foreach (all, i, late) {
		if (n == ARRAY_SIZE(late_us)) break;
		late_us[n] = (uint32_t)json_integer_value(late);
		if (late_us[n] > worst) worst = late_us[n];
		n++;
	}
	fidelity_lateness(lab->fidelity, s->name, t, late_us, n);
	metric(lab, t, s, NULL, "late_max_us", worst);
}

/* The checker's own word on each target: also how many checks it has passed in a row. */
static void take_checks(struct lab *lab, const json_t *m)
{
	json_t *target;
	size_t k;

	json_array_foreach (json_object_get(m, "targets"), k, target) {
		uint32_t id = (uint32_t)node_number(target, "id", 0);
		for (size_t i = 0; i < lab->n_instances; i++)
			if (lab->plan->nodes[lab->instances[i].node].number == id)
				lab->instances[i].passes = (unsigned)node_number(target, "passes", 0);
	}
}

uint64_t lab_zones_of(const struct lab *lab, const json_t *names)
{
	uint64_t zones = 0;
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		int zone =
		    json_is_string(name) ? topology_zone(lab->topology, json_string_value(name)) : -ENOENT;
		if (zone >= 0) zones |= UINT64_C(1) << zone;
	}
	return zones;
}

/* A zone is held while it is in the answer and proposed to leave it. */
static void take_answer(struct lab *lab, const json_t *m)
{
	int service = topology_service(lab->topology, node_string(m, "service", ""));

	if (service < 0) return;
	lab->held[service] = lab_zones_of(lab, json_object_get(m, "in")) &
	                     lab_zones_of(lab, json_object_get(m, "proposed_out"));
	lab_observe(lab, false);
}

/* Numbers below a name: "KIND.MEMBER", and of objects in it "KIND.MEMBER.MEMBER". */
static void take_numbers(struct lab *lab, struct station *s, double t, const char *above, json_t *m)
{
	char name[96];
	const char *key;
	json_t *value;

	json_object_foreach (m, key, value) {
		if (strcmp(key, "at_ns") == 0) continue;
		snprintf(name, sizeof(name), "%s.%s", above, key);
		if (json_is_number(value)) metric(lab, t, s, NULL, name, json_number_value(value));
		if (json_is_object(value)) take_numbers(lab, s, t, name, value);
	}
}

void lab_take_sample(struct lab *lab, struct station *s, json_t *m)
{
	const char *kind = node_string(m, "kind", "?");

	if (strcmp(kind, "checks") == 0) take_checks(lab, m);
	if (strcmp(kind, "answer") == 0) take_answer(lab, m);
	if (strcmp(kind, "endpoints") == 0) lab_dns_take_endpoints(lab, s, m);
	if (!lab->t0 || strcmp(kind, "ready") == 0) return; /* figures begin with the scenario */
	if (strcmp(kind, "requests") == 0)
		take_requests(lab, s, m);
	else if (strcmp(kind, "loop") == 0)
		take_lateness(lab, s, m);
	else
		take_numbers(lab, s, lab_time(lab, json_integer_value(json_object_get(m, "at_ns"))), kind, m);
}
