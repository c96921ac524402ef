#include "orchestrator/lab/commands.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "orchestrator/lab/command_call.h"
#include "orchestrator/topology/actions.h"
#include "orchestrator/topology/topology_schema.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { SET_LENGTH_MAX = 1024 };

static int refuse(const struct call *c, int status, const char *message)
{
	fprintf(c->out, "azlab %s: %s\n", c->argv[0], message);
	return status;
}

void call_print_json(const struct call *c, const json_t *value)
{
	json_dumpf(value, c->out, JSON_INDENT(2));
	fputc('\n', c->out);
}

static bool word(const struct call *c, size_t i, const char *text)
{
	return i < c->argc && strcmp(c->argv[i], text) == 0;
}

void call_begin(struct call *c)
{
	char action[1024] = "";

	for (size_t i = 0; i < c->argc; i++) {
		size_t used = strlen(action);
		snprintf(action + used, sizeof(action) - used, "%s%s", i ? " " : "", c->argv[i]);
	}
	c->step = lab_event(c->lab, "step", 0, NULL, NULL, json_pack("{s:s}", "action", action));
}

/* Knobs turned as one; wrong ones are no step. */
int call_set(struct call *c, const char *const *sets, size_t n)
{
	struct topology_error why;
	struct topology *next;

	if (knobs_check(c->lab, sets, n, &next, &why) < 0) return refuse(c, STATUS_USAGE, why.text);
	call_begin(c);
	int result = knobs_turn(c->lab, next, sets, n, c->step);
	return result < 0 ? refuse(c, STATUS_FAILED, strerror(-result)) : STATUS_OK;
}

int call_set_below(struct call *c, const char *above, size_t first)
{
	char texts[ACTION_WORDS_MAX][SET_LENGTH_MAX];
	const char *sets[ACTION_WORDS_MAX];
	size_t n = c->argc - first;

	for (size_t i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s.%s", above, c->argv[first + i]);
		sets[i] = texts[i];
	}
	return call_set(c, sets, n);
}

int call_tell(struct call *c, const char *node, json_t *message)
{
	json_object_set_new(message, "cause", json_integer((json_int_t)c->step));
	if (lab_tell(c->lab, node, message) == 0) return STATUS_OK;
	fprintf(c->out, "azlab %s: %s does not hear: it has ended, is paused or starved\n", c->argv[0], node);
	return STATUS_FAILED;
}

int call_show(struct call *c, json_t *value, void (*print)(const json_t *, FILE *))
{
	if (c->json)
		call_print_json(c, value);
	else
		print(value, c->out);
	json_decref(value);
	return STATUS_OK;
}

/* --- fault ------------------------------------------------------------------------------------------- */

static int fault_list(struct call *c)
{
	json_t *status = lab_status(c->lab), *fault, *faults = json_object_get(status, "faults");
	size_t i;

	if (c->json)
		call_print_json(c, faults);
	else
		json_array_foreach (faults, i, fault)
			fprintf(c->out, "%-20s %-3s  matched %8.0f  dropped %8.0f  delayed %8.0f\n",
			        node_string(fault, "fault", ""), node_bool(fault, "on", false) ? "on" : "off",
			        node_number(fault, "matched", 0), node_number(fault, "dropped", 0),
			        node_number(fault, "delayed", 0));
	json_decref(status);
	return STATUS_OK;
}

static int fault_switch(struct call *c, int fault, bool on)
{
	struct lab *lab = c->lab;

	call_begin(c);
	int result = fault_plane_switch(lab->faults, (unsigned)fault, on);
	if (result < 0) return refuse(c, STATUS_FAILED, strerror(-result));
	lab->fault_on[fault] = on;
	uint64_t id = lab_event(lab, on ? "fault.on" : "fault.off", c->step, NULL, NULL,
	                        json_pack("{s:s}", "fault", lab->topology->faults[fault].name));
	if (on) lab->fault_event[fault] = id;
	return STATUS_OK;
}

static int fault_set(struct call *c)
{
	char above[SET_LENGTH_MAX];

	snprintf(above, sizeof(above), "faults.%s", c->argv[2]);
	return call_set_below(c, above, 3);
}

static int command_fault(struct call *c)
{
	if (word(c, 1, "list")) return fault_list(c);
	if (word(c, 1, "set")) return fault_set(c);
	return fault_switch(c, topology_fault(c->lab->topology, c->argv[2]), word(c, 1, "on"));
}

/* --- failover ---------------------------------------------------------------------------------------- */

/* The same member of every service's failover: the whole region has one switch, as that day's engineers had.
 */
static int failover_set(struct call *c, const char *member, const char *value)
{
	char texts[TOPOLOGY_SERVICES_MAX][SET_LENGTH_MAX];
	const char *sets[TOPOLOGY_SERVICES_MAX];
	const struct topology *t = c->lab->topology;

	for (size_t i = 0; i < t->n_services; i++) {
		snprintf(texts[i], sizeof(texts[i]), "services.%s.failover.%s=%s", t->services[i].name,
		         member, value);
		sets[i] = texts[i];
	}
	return call_set(c, sets, t->n_services);
}

static int failover_policy(struct call *c)
{
	struct stage_config stages[TOPOLOGY_STAGES_MAX];
	cleanup_free char *chain = NULL;
	char why[512];
	size_t n, size = 0;

	if (action_policy(c->argc - 2, c->argv + 2, stages, &n, why, sizeof(why)) < 0)
		return refuse(c, STATUS_USAGE, why);
	FILE *out = open_memstream(&chain, &size);
	if (!out) return refuse(c, STATUS_FAILED, strerror(errno));
	topology_stages_print(stages, n, out);
	fclose(out);
	return failover_set(c, "stages", chain);
}

static int failover_status(struct call *c)
{
	json_t *status = lab_status(c->lab), *service, *zone, *services = json_object_get(status, "services");
	size_t i, k;

	if (c->json) {
		call_print_json(c, services);
	} else {
		json_array_foreach (services, i, service) {
			const struct failover_config *f = &c->lab->topology->services[i].failover;
			fprintf(c->out, "%s: automatic failover %s, rate limit %s, stages:",
			        node_string(service, "service", ""), f->enabled ? "on" : "off",
			        f->rate_limit ? "on" : "off");
			for (size_t s = 0; s < f->n_stages; s++)
				fprintf(c->out, " %s", f->stages[s].type->name);
			fprintf(c->out, "%s\n  in DNS:", f->n_stages ? "" : " none");
			json_array_foreach (json_object_get(service, "zones"), k, zone)
				if (node_bool(zone, "in_answer", false))
					fprintf(c->out, " %s", node_string(zone, "zone", ""));
			fputc('\n', c->out);
		}
	}
	json_decref(status);
	return STATUS_OK;
}

static int command_failover(struct call *c)
{
	if (word(c, 1, "status")) return failover_status(c);
	if (word(c, 1, "rate-limit")) return failover_set(c, "rate_limit", c->argv[2]);
	if (word(c, 1, "policy")) return failover_policy(c);
	return failover_set(c, "enabled", word(c, 1, "enable") ? "on" : "off");
}

/* --- instance ---------------------------------------------------------------------------------------- */

/* launch|replace [SERVICE] ZONE [N] */
static int instance_grow(struct call *c)
{
	struct action_launch what;
	char why[512];

	if (action_launch(c->lab->topology, c->argc - 2, c->argv + 2, &what, why, sizeof(why)) < 0)
		return refuse(c, STATUS_USAGE, why);
	call_begin(c);
	int result = (word(c, 1, "launch") ? instance_launch : instance_replace)(
	    c->lab, what.service, what.zone, what.n, c->step, why, sizeof(why));
	return result < 0 ? refuse(c, STATUS_FAILED, why) : STATUS_OK;
}

static const char no_such_node[] = "the lab has no such node: `azlab status --json` lists them";

static int instance_signal(struct call *c, int signal)
{
	struct station *s = lab_station(c->lab, c->argv[2]);

	if (!s || !s->alive)
		return refuse(c, STATUS_FAILED,
		              "no process runs there: `azlab status --json` lists those that do");
	call_begin(c);
	if (signal == SIGKILL) s->ending = true;
	station_signal(s, signal);
	return STATUS_OK;
}

static int instance_restart(struct call *c)
{
	struct station *s = lab_station(c->lab, c->argv[2]);

	if (!s) return refuse(c, STATUS_FAILED, "no process was ever started there");
	call_begin(c);
	return lab_restart_node(c->lab, s) < 0 ? refuse(c, STATUS_FAILED, c->lab->error) : STATUS_OK;
}

static int instance_end(struct call *c)
{
	struct instance *i = instance_find(c->lab, c->argv[2]);
	char why[512];

	call_begin(c);
	return instance_terminate(c->lab, i, c->step, why, sizeof(why)) < 0 ? refuse(c, STATUS_FAILED, why)
	                                                                    : STATUS_OK;
}

static int command_instance(struct call *c)
{
	if (word(c, 1, "launch") || word(c, 1, "replace")) return instance_grow(c);
	if (plan_find(c->lab->plan, c->argv[2]) < 0) return refuse(c, STATUS_USAGE, no_such_node);
	if (word(c, 1, "kill")) return instance_signal(c, SIGKILL);
	if (word(c, 1, "pause")) return instance_signal(c, SIGSTOP);
	if (word(c, 1, "resume")) return instance_signal(c, SIGCONT);
	if (word(c, 1, "restart")) return instance_restart(c);
	return instance_end(c);
}

/* --- the rest ---------------------------------------------------------------------------------------- */

static int command_set(struct call *c)
{
	return call_set(c, (const char *const *)c->argv + 1, c->argc - 1);
}

static int command_exec(struct call *c)
{
	int node = plan_find(c->lab->plan, c->argv[1]);

	if (node < 0) return refuse(c, STATUS_USAGE, no_such_node);
	call_begin(c);
	int result = lab_exec(c->lab, (size_t)node, c->argc - 2, (const char *const *)c->argv + 2, c->step);
	return result < 0 ? refuse(c, STATUS_FAILED, strerror(-result)) : STATUS_OK;
}

static int command_status(struct call *c)
{
	json_t *status = lab_status(c->lab);

	if (c->json)
		call_print_json(c, status);
	else
		lab_print_status(status, c->out);
	json_decref(status);
	return STATUS_OK;
}

static int command_down(struct call *c)
{
	call_begin(c);
	c->lab->stopping = true;
	event_base_loopbreak(c->lab->base);
	return STATUS_OK;
}

static const struct {
	const char *verb;
	int (*run)(struct call *);
	bool action; /* a scenario could do it too: its words are checked in one place */
} verbs[] = {
	{ "fault", command_fault, true },       { "failover", command_failover, true },
	{ "instance", command_instance, true }, { "set", command_set, true },
	{ "exec", command_exec, true },         { "status", command_status, false },
	{ "down", command_down, false },        { "dns", command_dns, true },
	{ "ec2", command_ec2, true },           { "dwfm", command_dwfm, true },
};

int lab_command(struct lab *lab, size_t argc, const char *const *argv, bool json, FILE *out)
{
	/* nothing here writes to the words */
	struct call c = { .lab = lab, .argc = argc, .argv = (char *const *)argv, .json = json, .out = out };
	char why[1024];

	for (size_t i = 0; argc > 0 && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[0], verbs[i].verb)) continue;
		if (verbs[i].action && action_check_words(lab->topology, argc, c.argv, why, sizeof(why)) < 0)
			return refuse(&c, STATUS_USAGE, why);
		if (!verbs[i].action && argc > 1) {
			snprintf(why, sizeof(why), "no lab is called '%s', and it takes no other word",
			         argv[1]);
			return refuse(&c, STATUS_USAGE, why);
		}
		return verbs[i].run(&c);
	}
	fprintf(out, "azlab: a running lab knows no command '%s'\n", argc > 0 ? argv[0] : "");
	return STATUS_USAGE;
}
