/* actions_dns.c - commands to a DNS automation, checked. */
#include "orchestrator/topology/actions_verbs.h"
#include "orchestrator/topology/schema.h"
#include <string.h>

static int pause_or_resume(const struct action *a)
{
	return a->argc == 1 && (!strcmp(a->argv[0], "pause") || !strcmp(a->argv[0], "resume"))
	           ? 0
	           : ACTION_MISUSED;
}

static int zone(const struct action *a, const char *name)
{
	return topology_zone(a->t, name) >= 0 ? 0 : action_refuse(a, "no zone '%.60s'", name);
}

static int enactor(const struct action *a)
{
	const struct action rest = { a->t, a->argc - 1, a->argv + 1, a->error, a->size };

	if (a->argc != 2 || pause_or_resume(&rest) < 0) return ACTION_MISUSED;
	return zone(a, a->argv[0]);
}

static int repair(const struct action *a)
{
	if (a->argc == 0) return 0;
	return a->argc == 2 && !strcmp(a->argv[0], "enactor") ? zone(a, a->argv[1]) : ACTION_MISUSED;
}

static int pin(const struct action *a)
{
	uint64_t plan;

	if (a->argc != 1) return ACTION_MISUSED;
	if (schema_count(a->argv[0], &plan) && plan >= 1 && plan <= UINT32_MAX) return 0;
	return action_refuse(a, "expected a plan's number, found '%.60s'", a->argv[0]);
}

int action_dns(const struct action *a)
{
	static const struct action_verb verbs[] = {
		{ "status", "dns status", action_no_words },
		{ "plans", "dns plans", action_no_words },
		{ "history", "dns history", action_no_words },
		{ "repair", "dns repair [enactor ZONE]", repair },
		{ "break", "dns break", action_no_words },
		{ "pin", "dns pin PLAN", pin },
		{ "unpin", "dns unpin", action_no_words },
		{ "planner", "dns planner pause|resume", pause_or_resume },
		{ "enactor", "dns enactor ZONE pause|resume", enactor },
		{ "freeze", "dns freeze", action_no_words },
		{ "unfreeze", "dns unfreeze", action_no_words },
		{ 0 },
	};
	if (!a->t->has_dns_automation)
		return action_refuse(a, "this topology has no dns_automation, so no planner and no enactors");
	return action_verb(a, verbs, "dns command");
}
