/* commands_dns.c - `azlab dns`: the operator's hand on planner, enactors and zone. */
#include "orchestrator/lab/command_call.h"
#include "orchestrator/lab/lab_dns.h"
#include <string.h>

enum { HISTORY_SHOWN = 60, HISTORY_JSON = 100000 };

static json_t *plain(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static int tell_enactor(struct call *c, const char *zone, json_t *message)
{
	char node[PLAN_NAME_MAX];

	snprintf(node, sizeof(node), "%s.dns-enactor", zone);
	return call_tell(c, node, message);
}

static int tell_enactors(struct call *c, const json_t *message)
{
	int status = STATUS_OK;

	for (size_t z = 0; z < c->lab->topology->n_zones; z++) {
		int one = tell_enactor(c, c->lab->topology->zones[z], json_copy((json_t *)message));
		if (one != STATUS_OK) status = one;
	}
	return status;
}

static int pin(struct call *c, const char *plan)
{
	json_t *message =
	    json_pack("{s:s, s:I}", "type", "pin", "plan", (json_int_t)strtoull(plan, NULL, 10));
	int status = tell_enactors(c, message);

	json_decref(message);
	return status;
}

/* Planner first: an enactor that resumes finds no surprise, one that pauses has no newer plan to come. */
static int freeze(struct call *c, const char *type)
{
	json_t *message = plain(type);
	int planner = call_tell(c, "region.dns-planner", json_copy(message)),
	    enactors = tell_enactors(c, message);

	json_decref(message);
	return planner == STATUS_OK ? enactors : planner;
}

static int repair(struct call *c)
{
	if (c->argc == 2) return call_tell(c, "region.dns-operator", plain("repair"));
	return tell_enactor(c, c->argv[3], plain("repair"));
}

int command_dns(struct call *c)
{
	const char *verb = c->argv[1];

	if (!strcmp(verb, "status")) return call_show(c, lab_dns_status(c->lab), lab_dns_print_status);
	if (!strcmp(verb, "plans")) return call_show(c, lab_dns_plans(c->lab), lab_dns_print_plans);
	if (!strcmp(verb, "history"))
		return call_show(c, lab_dns_history(c->lab, c->json ? HISTORY_JSON : HISTORY_SHOWN),
		                 lab_dns_print_history);
	call_begin(c);
	if (!strcmp(verb, "repair")) return repair(c);
	if (!strcmp(verb, "break")) return call_tell(c, "region.dns-operator", plain("break"));
	if (!strcmp(verb, "pin")) return pin(c, c->argv[2]);
	if (!strcmp(verb, "unpin")) return pin(c, "0");
	if (!strcmp(verb, "planner")) return call_tell(c, "region.dns-planner", plain(c->argv[2]));
	if (!strcmp(verb, "enactor")) return tell_enactor(c, c->argv[2], plain(c->argv[3]));
	return freeze(c, !strcmp(verb, "freeze") ? "pause" : "resume");
}
