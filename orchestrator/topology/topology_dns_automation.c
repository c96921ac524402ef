/* The table of `dns_automation`, and what must fit together in it. */
#include "orchestrator/topology/topology_schema.h"
#include <errno.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct dns_automation_config, member)
#define MS(n) ((n)*1e6)
#define SECONDS(n) ((n)*1e9)

static const struct schema_choice freshnesses[] = {
	{ "once", FRESHNESS_ONCE },
	{ "per-write", FRESHNESS_PER_WRITE },
	{ "compare-and-set", FRESHNESS_COMPARE_AND_SET },
	{ 0 },
};
static const struct schema_choice cleanups[] = {
	{ "by-age", CLEANUP_BY_AGE },
	{ "never-active", CLEANUP_NEVER_ACTIVE },
	{ 0 },
};
static const struct schema_choice walks[] = { { "random", false }, { "plan", true }, { 0 } };
static const struct schema_choice aborts[] = { { "plan", false }, { "endpoint", true }, { 0 } };
static const struct schema_choice lanes[] = { { "one", false }, { "fast-slow", true }, { 0 } };
static const struct schema_choice leaders[] = { { "off", false }, { "lease", true }, { 0 } };

static const struct schema_field fields[] = {
	{ .key = "service",
	  .kind = FIELD_NAME,
	  AT(service),
	  .max = 32,
	  .help = "the service whose names it keeps; az-failover leaves that name alone" },
	{ .key = "accounts",
	  .kind = FIELD_COUNT,
	  AT(accounts),
	  .fallback = "17",
	  .min = 0,
	  .max = 1000,
	  .help = "account-scoped endpoints besides the service's own three" },
	{ .key = "plan_interval",
	  .kind = FIELD_DURATION,
	  AT(plan_interval),
	  .fallback = "500ms",
	  .min = MS(10),
	  .max = SECONDS(3600),
	  .help = "between two plans; one comes at once when a load balancer comes or goes" },
	{ .key = "slow_interval",
	  .kind = FIELD_DURATION,
	  AT(slow_interval),
	  .fallback = "5s",
	  .min = MS(10),
	  .max = SECONDS(3600),
	  .help = "instead, with `lanes: fast-slow`, between plans that only follow capacity" },
	{ .key = "poll",
	  .kind = FIELD_DURATION,
	  AT(poll),
	  .fallback = "100ms",
	  .min = MS(10),
	  .max = SECONDS(3600),
	  .help = "how often an enactor asks the plan store" },
	{ .key = "lock",
	  .kind = FIELD_DURATION,
	  AT(lock),
	  .fallback = "300ms",
	  .min = MS(10),
	  .max = SECONDS(3600),
	  .help = "how long an enactor's lock of an endpoint lasts" },
	{ .key = "backoff",
	  .kind = FIELD_DURATION,
	  AT(backoff),
	  .fallback = "100ms",
	  .min = MS(1),
	  .max = SECONDS(3600),
	  .help = "first wait after a lock was lost; doubles, with full jitter" },
	{ .key = "backoff_max",
	  .kind = FIELD_DURATION,
	  AT(backoff_max),
	  .fallback = "10s",
	  .min = MS(1),
	  .max = SECONDS(3600),
	  .help = "the longest such wait" },
	{ .key = "walk",
	  .kind = FIELD_SWITCH,
	  AT(in_plan_order),
	  .fallback = "random",
	  .choices = walks,
	  .help =
	      "the order in which an enactor turns endpoints: one drawn for each plan, or the plan's, the "
	      "service's own name first" },
	{ .key = "aborts",
	  .kind = FIELD_SWITCH,
	  AT(skip_endpoint),
	  .fallback = "plan",
	  .choices = aborts,
	  .help =
	      "what an enactor gives up when an endpoint can't take a plan: the rest of the plan, or that "
	      "endpoint" },
	{ .key = "keep",
	  .kind = FIELD_COUNT,
	  AT(keep),
	  .fallback = "4",
	  .min = 0,
	  .max = 10000,
	  .help = "an enactor deletes trees of plans older than its own by more than so many" },
	{ .key = "freshness",
	  .kind = FIELD_CHOICE,
	  AT(freshness),
	  .fallback = "once",
	  .choices = freshnesses,
	  .help = "when a plan is checked to be newer than the one in force: at pick-up, before every "
	          "transaction, or by the server as part of it" },
	{ .key = "cleanup",
	  .kind = FIELD_CHOICE,
	  AT(cleanup),
	  .fallback = "by-age",
	  .choices = cleanups,
	  .help = "never-active: a deletion's condition is that no root points to the tree" },
	{ .key = "alias_check",
	  .kind = FIELD_SWITCH,
	  AT(alias_check),
	  .fallback = "on",
	  .help = "a root can't be turned to a tree that isn't there" },
	{ .key = "refuse_empty",
	  .kind = FIELD_SWITCH,
	  AT(refuse_empty),
	  .fallback = "off",
	  .help = "nor to one without an address" },
	{ .key = "auto_rollback",
	  .kind = FIELD_SWITCH,
	  AT(auto_rollback),
	  .fallback = "off",
	  .help =
	      "an enactor that finds the tree in force gone goes back to the one before, if that is there" },
	{ .key = "lanes",
	  .kind = FIELD_SWITCH,
	  AT(fast_slow),
	  .fallback = "one",
	  .choices = lanes,
	  .help = "fast-slow: only plans that evacuate something come quickly" },
	{ .key = "leader",
	  .kind = FIELD_SWITCH,
	  AT(leader),
	  .fallback = "off",
	  .choices = leaders,
	  .help = "lease: only the enactor that holds a lease applies plans" },
	{ .key = "leader_time",
	  .kind = FIELD_DURATION,
	  AT(leader_time),
	  .fallback = "5s",
	  .min = MS(10),
	  .max = SECONDS(3600),
	  .help = "how long that lease lasts" },
	{ .key = "watch",
	  .kind = FIELD_DURATION,
	  AT(watch),
	  .fallback = "100ms",
	  .min = MS(10),
	  .max = SECONDS(60),
	  .help = "how often the operator's console asks for every endpoint" },
	{ 0 },
};
const struct schema topology_dns_automation_schema = {
	.title =
	    "A planner that writes numbered plans and, in each zone, an enactor that applies them "
	    "([dns-automation.md](dns-automation.md)). The defaults are as that day's system was. All but "
	    "`service` and `accounts` can be set while the lab runs.",
	.size = sizeof(struct dns_automation_config),
	.fields = fields,
};

/* --- checks ------------------------------------------------------------------------------------------ */

static int unknown_service(const struct yaml *y, const struct yaml_node *n, const struct topology *t)
{
	const char *names[TOPOLOGY_SERVICES_MAX];
	char hint[96];

	for (size_t i = 0; i < t->n_services; i++)
		names[i] = t->services[i].name;
	schema_hint(t->dns_automation.service, names, t->n_services, hint, sizeof(hint));
	return yaml_fail(y, n, "no service '%.60s'%s", t->dns_automation.service, hint);
}

/* True if a name is the zone itself or lies below it. */
static bool lies_in(const char *name, const char *zone)
{
	size_t n = strlen(name), len = strlen(zone);

	return n >= len && !strcmp(name + n - len, zone) && (n == len || name[n - len - 1] == '.');
}

int topology_check_dns_automation(const struct yaml *y, const struct yaml_node *root,
                                  const struct topology *t)
{
	const struct dns_automation_config *a = &t->dns_automation;
	char path[160];

	if (!t->has_dns_automation) return 0;
	const struct yaml_node *at = yaml_nearest(root, "dns_automation.service");
	int service = topology_service(t, a->service);
	if (service < 0) return unknown_service(y, at, t);
	const char *name = t->services[service].dns_name, *zone = strchr(name, '.');
	if (!zone) {
		return yaml_fail(
		    y, at,
		    "service: its DNS name '%s' has no zone above it: give %s a dns.name such as %s.lab",
		    name, a->service, a->service);
	}
	for (size_t i = 0; i < t->n_services; i++) {
		if ((int)i == service || !lies_in(t->services[i].dns_name, zone + 1)) continue;
		snprintf(path, sizeof(path), "services.%s.dns.name", t->services[i].name);
		return yaml_fail(y, yaml_nearest(root, path),
		                 "name: '%s' lies in '%s', where the DNS automation of %s writes",
		                 t->services[i].dns_name, zone + 1, a->service);
	}
	if (a->backoff_max >= a->backoff) return 0;
	return yaml_fail(y, yaml_nearest(root, "dns_automation.backoff_max"),
	                 "backoff_max: is less than backoff");
}
