/* actions_ec2.c - commands to EC2 and to DWFM, checked. */
#include "orchestrator/topology/actions_verbs.h"
#include "common/cleanup.h"
#include "orchestrator/topology/schema.h"
#include <string.h>

static int need_ec2(const struct action *a)
{
	return a->t->has_ec2 ? 0 : action_refuse(a, "this topology has no EC2: an `ec2` map in it makes one");
}

static int throttle(const struct action *a)
{
	double rate;

	if (a->argc != 1) return ACTION_MISUSED;
	if (!strcmp(a->argv[0], "off") || (schema_rate(a->argv[0], &rate) && rate > 0)) return need_ec2(a);
	return action_refuse(a, "expected a rate such as 5/s, or off, found '%.60s'", a->argv[0]);
}

/* [HOST]: dwfm-2, or all of them if left out. */
static int dwfm_host(const struct action *a)
{
	unsigned host;

	if (a->argc > 1) return ACTION_MISUSED;
	int r = need_ec2(a);
	return r < 0 ? r : action_dwfm_host(a->t, a->argc ? a->argv[0] : NULL, &host, a->error, a->size);
}

int action_dwfm_host(const struct topology *t, const char *word, unsigned *ret, char *error, size_t size)
{
	uint64_t n;
	const char *digits = word && !strncmp(word, "dwfm-", 5) ? word + 5 : word;

	*ret = 0;
	if (!word) return 0;
	if (!schema_count(digits, &n) || n < 1 || n > t->ec2.dwfm.hosts) {
		snprintf(error, size, "expected a host of DWFM, dwfm-1 to dwfm-%u, found '%.60s'",
		         t->ec2.dwfm.hosts, word);
		return -EINVAL;
	}
	*ret = (unsigned)n;
	return 0;
}

static int dwfm_set(const struct action *a)
{
	int r = a->argc > 0 ? need_ec2(a) : ACTION_MISUSED;

	return r < 0 ? r : action_try_sets_below(a, "ec2.dwfm", 0);
}

static int status(const struct action *a)
{
	return a->argc == 0 ? need_ec2(a) : ACTION_MISUSED;
}

int action_ec2(const struct action *a)
{
	static const struct action_verb verbs[] = {
		{ "status", "ec2 status", status },
		{ "throttle", "ec2 throttle RATE|off", throttle },
		{ 0 },
	};
	return action_verb(a, verbs, "ec2 command");
}

int action_dwfm(const struct action *a)
{
	static const struct action_verb verbs[] = {
		{ "status", "dwfm status", status },
		{ "throttle", "dwfm throttle RATE|off", throttle },
		{ "restart", "dwfm restart [HOST]", dwfm_host },
		{ "clear-queue", "dwfm clear-queue [HOST]", dwfm_host },
		{ "set", "dwfm set KEY=VALUE...", dwfm_set },
		{ 0 },
	};
	return action_verb(a, verbs, "dwfm command");
}
