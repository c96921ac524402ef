/* lab_state.c - the state of services and zones: truth beside belief, as metrics and for `azlab status`. */
#include "common/node.h"
#include "orchestrator/lab/lab.h"
#include <math.h>
#include <string.h>

bool lab_instance_well(const struct lab *lab, const struct instance *i)
{
	return !i->gone && lab_runs(lab, i->node) && truth_routed(lab->truth, i->node);
}

struct zone_state lab_zone_state(const struct lab *lab, int service, int zone)
{
	struct zone_state st = { .in_answer = lab->answer[service] >> zone & 1,
		                 .held = lab->held[service] >> zone & 1 };
	unsigned well_but_left_out = 0;

	for (size_t k = 0; k < lab->n_instances; k++) {
		const struct instance *i = &lab->instances[k];
		if (i->service != service || i->zone != zone || !i->registered) continue;
		bool well = lab_instance_well(lab, i);
		st.of++;
		st.healthy += i->healthy;
		st.well += well;
		st.overloaded += well && i->overloaded;
		well_but_left_out += well && !i->healthy;
	}
	/* with none healthy the load balancer sends to all of them: nothing is left out */
	if (!st.in_answer)
		st.capacity_lost = st.well;
	else if (st.healthy > 0)
		st.capacity_lost = well_but_left_out;
	return st;
}

static void record_state(struct lab *lab, double t, int service, int zone, const struct zone_state *st)
{
	const char *z = lab->topology->zones[zone], *s = lab->topology->services[service].name;

	record_metric(lab->record, t, z, z, s, "healthy", st->healthy);
	record_metric(lab->record, t, z, z, s, "well", st->well);
	record_metric(lab->record, t, z, z, s, "overloaded", st->overloaded);
	record_metric(lab->record, t, z, z, s, "of", st->of);
	record_metric(lab->record, t, z, z, s, "in_answer", st->in_answer);
	record_metric(lab->record, t, z, z, s, "held", st->held);
}

static bool same(const struct zone_state *a, const struct zone_state *b)
{
	return a->of == b->of && a->healthy == b->healthy && a->well == b->well &&
	       a->overloaded == b->overloaded && a->capacity_lost == b->capacity_lost &&
	       a->in_answer == b->in_answer && a->held == b->held;
}

void lab_observe(struct lab *lab, bool all)
{
	double t = lab_time(lab, mono_now());
	unsigned lost = 0;
	bool moved = all;

	if (!lab->t0) return;
	for (size_t s = 0; s < lab->topology->n_services; s++) {
		for (size_t z = 0; z < lab->topology->n_zones; z++) {
			struct zone_state now = lab_zone_state(lab, (int)s, (int)z);
			lost += now.capacity_lost;
			if (!all && same(&now, &lab->states[s][z])) continue;
			lab->states[s][z] = now;
			record_state(lab, t, (int)s, (int)z, &now);
			moved = true;
		}
	}
	if (moved) record_metric(lab->record, t, "", "", "", "capacity_lost", lost);
}

/* --- azlab status ------------------------------------------------------------------------------------ */

static json_t *status_of_targets(const struct lab *lab, int service, int zone)
{
	json_t *targets = json_array();

	for (size_t k = 0; k < lab->n_instances; k++) {
		const struct instance *i = &lab->instances[k];
		if (i->service != service || i->zone != zone || i->gone) continue;
		json_array_append_new(
		    targets, json_pack("{s:s, s:b, s:b, s:b, s:b}", "node", lab->plan->nodes[i->node].name,
		                       "healthy", i->healthy, "well", lab_instance_well(lab, i), "overloaded",
		                       i->overloaded, "registered", i->registered));
	}
	return targets;
}

static json_t *status_of_zone(const struct lab *lab, int service, int zone)
{
	struct zone_state st = lab_zone_state(lab, service, zone);

	return json_pack("{s:s, s:b, s:b, s:i, s:i, s:i, s:i, s:o}", "zone", lab->topology->zones[zone],
	                 "in_answer", st.in_answer, "held", st.held, "healthy", st.healthy, "well", st.well,
	                 "overloaded", st.overloaded, "of", st.of, "targets",
	                 status_of_targets(lab, service, zone));
}

static json_t *status_of_service(const struct lab *lab, int service)
{
	const struct service_config *s = &lab->topology->services[service];
	json_t *zones = json_array();

	for (size_t z = 0; z < lab->topology->n_zones; z++)
		json_array_append_new(zones, status_of_zone(lab, service, (int)z));
	return json_pack("{s:s, s:s, s:b, s:b, s:o}", "service", s->name, "dns", s->dns_name,
	                 "failover_enabled", s->failover.enabled, "rate_limit", s->failover.rate_limit,
	                 "zones", zones);
}

static json_t *status_of_fault(const struct lab *lab, unsigned fault)
{
	struct fault_counters c = { 0 };

	fault_plane_counters(lab->faults, fault, &c);
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "fault",
	                 lab->topology->faults[fault].name, "on", lab->fault_on[fault], "matched",
	                 (json_int_t)c.matched, "dropped", (json_int_t)c.dropped, "rejected",
	                 (json_int_t)c.rejected, "delayed", (json_int_t)c.delayed, "duplicated",
	                 (json_int_t)c.duplicated, "reordered", (json_int_t)c.reordered, "corrupted",
	                 (json_int_t)c.corrupted);
}

static json_t *status_of_faults(const struct lab *lab)
{
	json_t *faults = json_array();

	for (size_t i = 0; i < lab->topology->n_faults; i++)
		json_array_append_new(faults, status_of_fault(lab, (unsigned)i));
	return faults;
}

static json_t *status_of_nodes(const struct lab *lab)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < lab->n_stations; i++) {
		const struct station *s = lab->stations[i];
		if (s)
			json_array_append_new(nodes, json_pack("{s:s, s:s, s:i, s:s}", "node", s->name,
			                                       "daemon", lab->plan->nodes[i].daemon, "pid",
			                                       (int)s->pid, "state",
			                                       !s->alive    ? "ended"
			                                       : s->stopped ? "paused"
			                                                    : "running"));
	}
	return nodes;
}

json_t *lab_status(const struct lab *lab)
{
	json_t *services = json_array();

	for (size_t s = 0; s < lab->topology->n_services; s++)
		json_array_append_new(services, status_of_service(lab, (int)s));
	return json_pack("{s:s, s:s, s:f, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:s}", "lab", lab->name,
	                 "topology", lab->topology->file, "t", lab->t0 ? lab_time(lab, mono_now()) : 0.0,
	                 "requests", (json_int_t)lab->requests, "errors", (json_int_t)lab->errors,
	                 "error_rate",
	                 isnan(lab->recent_error_rate) ? json_null() : json_real(lab->recent_error_rate),
	                 "services", services, "faults", status_of_faults(lab), "nodes", status_of_nodes(lab),
	                 "run_folder", lab->rundir->path, "run_folder_now", lab->rundir->temporary);
}

static void print_zone(const json_t *zone, FILE *out)
{
	size_t i;
	json_t *target;

	fprintf(out, "  %-10s %-8s %d of %d healthy, %d well%s", node_string(zone, "zone", ""),
	        node_bool(zone, "in_answer", false) ? "in DNS" : "OUT", (int)node_number(zone, "healthy", 0),
	        (int)node_number(zone, "of", 0), (int)node_number(zone, "well", 0),
	        node_number(zone, "overloaded", 0) > 0 ? ", overloaded" : "");
	json_array_foreach (json_object_get(zone, "targets"), i, target)
		fprintf(out, "%s%s%s", i ? " " : "   ", node_bool(target, "healthy", false) ? "+" : "-",
		        node_string(target, "node", ""));
	fputc('\n', out);
}

void lab_print_status(const json_t *status, FILE *out)
{
	json_t *service, *zone, *fault, *node, *rate = json_object_get(status, "error_rate");
	size_t i, k;

	fprintf(out, "%s  t %.1f s  %" JSON_INTEGER_FORMAT " requests", node_string(status, "lab", ""),
	        node_number(status, "t", 0), json_integer_value(json_object_get(status, "requests")));
	if (json_is_number(rate))
		fprintf(out, "  %.2f %% errors in the last second", 100 * json_number_value(rate));
	fprintf(out, "\n");
	json_array_foreach (json_object_get(status, "services"), i, service) {
		fprintf(out, "%s (%s): failover %s, rate limit %s\n", node_string(service, "service", ""),
		        node_string(service, "dns", ""),
		        node_bool(service, "failover_enabled", true) ? "on" : "off",
		        node_bool(service, "rate_limit", false) ? "on" : "off");
		json_array_foreach (json_object_get(service, "zones"), k, zone)
			print_zone(zone, out);
	}
	json_array_foreach (json_object_get(status, "faults"), i, fault)
		fprintf(out, "fault %-16s %-3s matched %.0f, dropped %.0f, delayed %.0f\n",
		        node_string(fault, "fault", ""), node_bool(fault, "on", false) ? "on" : "off",
		        node_number(fault, "matched", 0), node_number(fault, "dropped", 0),
		        node_number(fault, "delayed", 0));
	json_array_foreach (json_object_get(status, "nodes"), i, node)
		if (strcmp(node_string(node, "state", ""), "running"))
			fprintf(out, "%s is %s\n", node_string(node, "node", ""),
			        node_string(node, "state", ""));
	fprintf(out, "run folder: %s (until the end %s)\n", node_string(status, "run_folder", ""),
	        node_string(status, "run_folder_now", ""));
}
