/* commands_ec2.c - `azlab ec2` and `azlab dwfm`: what an operator sees of EC2, and his hand on it. */
#include "common/node.h"
#include "orchestrator/lab/command_call.h"
#include "orchestrator/topology/actions.h"
#include <string.h>

enum { KNOB_MAX = 1024 };

/* --- status ------------------------------------------------------------------------------------------ */

/* The last sample of that kind of a node, whole; {} before the first. */
static json_t *sample_of(const struct lab *lab, const char *node, const char *kind)
{
	const struct station *s = lab_station(lab, node);
	json_t *sample = s ? json_object_get(s->samples, kind) : NULL;
	json_t *copy = sample ? json_copy(sample) : json_object();

	json_object_del(copy, "type");
	json_object_del(copy, "kind");
	json_object_set_new(copy, "node", json_string(node));
	json_object_set_new(copy, "running", json_boolean(s && s->alive && !s->stopped));
	return copy;
}

static json_t *dwfm_status(const struct lab *lab)
{
	json_t *hosts = json_array(), *zones = json_array();
	char node[PLAN_NAME_MAX];

	for (unsigned i = 1; i <= lab->topology->ec2.dwfm.hosts; i++) {
		snprintf(node, sizeof(node), "region.dwfm-%u", i);
		json_array_append_new(hosts, sample_of(lab, node, "work"));
	}
	for (size_t z = 0; z < lab->topology->n_zones; z++) {
		snprintf(node, sizeof(node), "%s.droplets", lab->topology->zones[z]);
		json_array_append_new(zones, sample_of(lab, node, "droplets"));
	}
	return json_pack("{s:o, s:o}", "hosts", hosts, "droplets", zones);
}

static json_t *ec2_status(const struct lab *lab)
{
	return json_pack("{s:o, s:o, s:f}", "api", sample_of(lab, "region.ec2-api", "api"), "autoscaler",
	                 sample_of(lab, "region.autoscaler", "groups"), "rate_per_s",
	                 lab->topology->ec2.api.rate);
}

static void print_dwfm(const json_t *status, FILE *out)
{
	json_t *host, *zone;
	size_t i;

	fprintf(out, "%-16s %9s %9s %8s %8s %9s %8s %8s %8s\n", "host", "leases", "expired", "in work",
	        "queued", "oldest", "good/s", "offered/s", "stale/s");
	json_array_foreach (json_object_get(status, "hosts"), i, host)
		fprintf(out, "%-16s %4.0f/%-4.0f %9.0f %8.0f %8.0f %7.0fms %8.0f %8.0f %8.0f%s\n",
		        node_string(host, "node", ""), node_number(host, "held", 0),
		        node_number(host, "droplets", 0), node_number(host, "expired", 0),
		        node_number(host, "in_work", 0), node_number(host, "queued", 0),
		        node_number(host, "oldest_ms", 0), node_number(host, "good_per_s", 0),
		        node_number(host, "offered_per_s", 0), node_number(host, "stale_per_s", 0),
		        node_bool(host, "running", false) ? "" : "  not running");
	json_array_foreach (json_object_get(status, "droplets"), i, zone)
		fprintf(out, "%-16s %6.0f droplets with a lease, %.0f of %.0f slots used\n",
		        node_string(zone, "node", ""), node_number(zone, "leased", 0),
		        node_number(zone, "used", 0), node_number(zone, "slots", 0));
}

static void print_counts(const char *what, const json_t *counts, FILE *out)
{
	const char *key;
	json_t *value;

	fprintf(out, "%-10s", what);
	json_object_foreach ((json_t *)counts, key, value)
		if (json_number_value(value) > 0) fprintf(out, " %s %.0f", key, json_number_value(value));
	fputc('\n', out);
}

static void print_ec2(const json_t *status, FILE *out)
{
	const json_t *api = json_object_get(status, "api");
	json_t *group, *groups = json_object_get(json_object_get(status, "autoscaler"), "groups");
	double rate = node_number(status, "rate_per_s", 0);
	size_t i;

	if (rate > 0)
		fprintf(out, "throttle   %g calls/s\n", rate);
	else
		fprintf(out, "throttle   off\n");
	print_counts("requests/s", json_object_get(api, "requests"), out);
	print_counts("errors/s", json_object_get(api, "errors"), out);
	json_array_foreach (groups, i, group)
		fprintf(out, "group %-16s %.0f of %.0f running, %.0f pending\n",
		        node_string(group, "name", ""), node_number(group, "running", 0),
		        node_number(group, "size", 0), node_number(group, "pending", 0));
}

/* --- the operator's hand ----------------------------------------------------------------------------- */

static int throttle(struct call *c)
{
	char knob[KNOB_MAX];
	const char *sets[] = { knob };

	snprintf(knob, sizeof(knob), "ec2.api.rate=%s", strcmp(c->argv[2], "off") ? c->argv[2] : "0/s");
	return call_set(c, sets, 1);
}

/* Calls one() for the host that the words name, or for each. */
static int each_host(struct call *c, int (*one)(struct call *c, const char *node))
{
	char node[PLAN_NAME_MAX], why[256];
	unsigned host, last = c->lab->topology->ec2.dwfm.hosts;
	int status = STATUS_OK;

	if (action_dwfm_host(c->lab->topology, c->argc > 2 ? c->argv[2] : NULL, &host, why, sizeof(why)) < 0)
		return STATUS_USAGE; /* its words were checked */
	call_begin(c);
	for (unsigned i = host ? host : 1; i <= (host ? host : last); i++) {
		snprintf(node, sizeof(node), "region.dwfm-%u", i);
		int r = one(c, node);
		if (r != STATUS_OK) status = r;
	}
	return status;
}

static int restart(struct call *c, const char *node)
{
	struct station *s = lab_station(c->lab, node);

	if (s && lab_restart_node(c->lab, s) == 0) return STATUS_OK;
	fprintf(c->out, "azlab dwfm: cannot start %s again\n", node);
	return STATUS_FAILED;
}

static int clear_queue(struct call *c, const char *node)
{
	return call_tell(c, node, json_pack("{s:s}", "type", "clear-queue"));
}

int command_ec2(struct call *c)
{
	return strcmp(c->argv[1], "status") ? throttle(c) : call_show(c, ec2_status(c->lab), print_ec2);
}

int command_dwfm(struct call *c)
{
	const char *verb = c->argv[1];

	if (!strcmp(verb, "status")) return call_show(c, dwfm_status(c->lab), print_dwfm);
	if (!strcmp(verb, "throttle")) return throttle(c);
	if (!strcmp(verb, "restart")) return each_host(c, restart);
	return strcmp(verb, "set") ? each_host(c, clear_queue) : call_set_below(c, "ec2.dwfm", 2);
}
