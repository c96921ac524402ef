/* lab_faults.c - the topology's faults on the lab's links: where the fault program stands, what its rules
 * say, and what they have done. */
#include "orchestrator/lab/lab.h"
#include "common/cleanup.h"
#include "orchestrator/faults/fault_rules.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The decision stands at the egress of the last link before a destination: at the parent's end of every
 * link. Where the far end is a router it decides only about what is addressed to the router itself; what
 * the router forwards meets its decision at the router's own links. */
int lab_attach_faults(struct lab *lab, size_t node)
{
	const struct plan_node *n = &lab->plan->nodes[node];

	if (n->parent < 0 || !n->ifname[0]) return 0;
	int result =
	    fault_plane_attach(lab->faults, build_netns_fd(lab->build, (size_t)n->parent),
	                       (unsigned)n->parent, n->ifname, n->kind == PLAN_ROUTER ? &n->addr : NULL);
	if (result == 0) return 0;
	return lab_fail(
	    lab, result,
	    "cannot attach the fault program to %s in %s: %s; `azlab check --host` says what is missing",
	    n->ifname, lab->plan->nodes[n->parent].name, strerror(-result));
}

int lab_set_fault(struct lab *lab, size_t fault)
{
	struct topology_error why;
	cleanup_free struct fault_rule *rule = calloc(1, sizeof(*rule));
	int result =
	    rule ? fault_rule_resolve(&lab->topology->faults[fault], lab->plan, rule, &why) : -ENOMEM;

	if (result == -EINVAL) return lab_fail(lab, result, "%s", why.text);
	return result < 0 ? result : fault_plane_rule(lab->faults, (unsigned)fault, rule);
}

int lab_place_faults(struct lab *lab)
{
	char why[512];
	int result = fault_plane_open(lab->seed, &lab->faults, why, sizeof(why));

	if (result < 0) return lab_fail(lab, result, "%s", why);
	for (size_t i = 0; result == 0 && i < lab->topology->n_faults; i++)
		result = lab_set_fault(lab, i);
	for (size_t n = 0; result == 0 && n < lab->plan->n_nodes; n++)
		result = lab_attach_faults(lab, n);
	return result;
}

/* --- what they have done ----------------------------------------------------------------------------- */

static void record_counters(struct lab *lab, double t)
{
	char name[128];

	for (size_t i = 0; i < lab->topology->n_faults; i++) {
		struct fault_counters c;
		if (fault_plane_counters(lab->faults, (unsigned)i, &c) < 0) continue;
		const struct {
			const char *name;
			uint64_t value;
		} counts[] = { { "matched", c.matched }, { "dropped", c.dropped }, { "delayed", c.delayed } };
		for (size_t k = 0; k < ARRAY_SIZE(counts); k++) {
			snprintf(name, sizeof(name), "fault.%s.%s", lab->topology->faults[i].name,
			         counts[k].name);
			record_metric(lab->record, t, "", "", "", name, (double)counts[k].value);
		}
	}
}

/* Packets that did not meet the fate that their rule had for them: lost on the way to the delay line, or let
 * through because it was dead. */
static uint64_t misdealt(const struct lab *lab)
{
	uint64_t n = fault_plane_lost(lab->faults);

	for (size_t i = 0; i < lab->topology->n_faults; i++) {
		struct fault_counters c;
		if (fault_plane_counters(lab->faults, (unsigned)i, &c) == 0) n += c.bypassed;
	}
	return n;
}

static void note_lost(struct lab *lab)
{
	uint64_t lost = misdealt(lab);

	if (lost <= lab->fault_lost) return;
	lab_event(lab, "fault.lost", 0, NULL, NULL,
	          json_pack("{s:I}", "packets", (json_int_t)(lost - lab->fault_lost)));
	fidelity_fault_lost(lab->fidelity, lost - lab->fault_lost);
	lab->fault_lost = lost;
}

void lab_record_faults(struct lab *lab)
{
	record_counters(lab, lab_time(lab, mono_now()));
	note_lost(lab);
}
