/* A topology's EC2: its tables, one row a key, and what they can't see. */
#include "orchestrator/topology/topology_schema.h"
#include <errno.h>
#include <string.h>

#define AT(type, member) .offset = offsetof(struct type, member)
#define MS(n) ((n)*1e6)
#define SECONDS(n) ((n)*1e9)
#define DAY SECONDS(86400)

static const struct schema_choice when[] = {
	{ "at-launch", REGISTER_AT_LAUNCH },
	{ "when-propagated", REGISTER_WHEN_PROPAGATED },
	{ 0 },
};
static const struct schema_choice disciplines[] = {
	{ "fifo", QUEUE_FIFO },
	{ "lifo", QUEUE_LIFO },
	{ "codel", QUEUE_CODEL },
	{ 0 },
};
static const struct schema_choice jitters[] = { { "off", false }, { "full", true }, { 0 } };
static const struct schema_choice priorities[] = { { "none", false }, { "renewals", true }, { 0 } };
static const struct schema_choice starts[] = { { "spread", false }, { "at-once", true }, { 0 } };
static const struct schema_choice off[] = { { "off", 0 }, { 0 } };

static const struct schema_field droplets_fields[] = {
	{ .key = "per_zone",
	  .kind = FIELD_COUNT,
	  AT(droplets_config, per_zone),
	  .fallback = "100",
	  .min = 1,
	  .max = 20000,
	  .help = "physical hosts in each zone" },
	{ .key = "slots",
	  .kind = FIELD_COUNT,
	  AT(droplets_config, slots),
	  .fallback = "8",
	  .min = 1,
	  .max = 1000,
	  .help = "instances that fit on one" },
	{ .key = "launch_time",
	  .kind = FIELD_DURATION,
	  AT(droplets_config, launch_time),
	  .fallback = "100ms",
	  .min = 0,
	  .max = SECONDS(600),
	  .help = "from the order to a running instance" },
	{ 0 },
};
static const struct schema droplets_schema = {
	.title = "The physical hosts (droplets) of each zone.",
	.size = sizeof(struct droplets_config),
	.fields = droplets_fields,
};

static const struct schema_field dwfm_fields[] = {
	{ .key = "hosts",
	  .kind = FIELD_COUNT,
	  AT(dwfm_config, hosts),
	  .fallback = "2",
	  .min = 1,
	  .max = 16,
	  .help = "each owns an equal share of the droplets" },
	{ .key = "workers",
	  .kind = FIELD_COUNT,
	  AT(dwfm_config, workers),
	  .fallback = "4",
	  .min = 1,
	  .max = 256,
	  .help = "pieces of work at once, in each host" },
	{ .key = "work_time",
	  .kind = FIELD_DURATION,
	  AT(dwfm_config, work_time),
	  .fallback = "4ms",
	  .min = 0,
	  .max = SECONDS(60),
	  .help = "how long a piece keeps its worker at least" },
	{ .key = "timeout",
	  .kind = FIELD_DURATION,
	  AT(dwfm_config, timeout),
	  .fallback = "2s",
	  .min = MS(1),
	  .max = SECONDS(3600),
	  .help = "a piece not done so long after it was queued is given up, and queued again" },
	{ .key = "lease",
	  .kind = FIELD_DURATION,
	  AT(dwfm_config, lease),
	  .fallback = "60s",
	  .min = MS(10),
	  .max = DAY,
	  .help = "how long a lease on a droplet lasts" },
	{ .key = "renew_every",
	  .kind = FIELD_DURATION,
	  AT(dwfm_config, renew_every),
	  .fallback = "20s",
	  .min = MS(1),
	  .max = DAY,
	  .help = "pause between two renewals" },
	{ .key = "start",
	  .kind = FIELD_SWITCH,
	  AT(dwfm_config, start_at_once),
	  .fallback = "spread",
	  .choices = starts,
	  .help = "the first pieces of a host that starts: spread over `renew_every`, or all at once" },
	{ .key = "discipline",
	  .kind = FIELD_CHOICE,
	  AT(dwfm_config, discipline),
	  .fallback = "fifo",
	  .choices = disciplines,
	  .help = "which piece is next: the oldest, the newest, or the oldest as CoDel lets it (RFC 8289)" },
	{ .key = "admission",
	  .kind = FIELD_COUNT,
	  AT(dwfm_config, admission),
	  .fallback = "off",
	  .min = 1,
	  .max = 10000000,
	  .choices = off,
	  .help = "pieces waiting, past which no more are taken" },
	{ .key = "deadlines",
	  .kind = FIELD_SWITCH,
	  AT(dwfm_config, deadlines),
	  .fallback = "off",
	  .help = "a piece that can't be done in time any more is dropped before it costs anything" },
	{ .key = "backoff",
	  .kind = FIELD_DURATION,
	  AT(dwfm_config, backoff),
	  .fallback = "0s",
	  .min = 0,
	  .max = SECONDS(3600),
	  .help = "pause before a piece is queued again, doubling; 0s: none" },
	{ .key = "backoff_max",
	  .kind = FIELD_DURATION,
	  AT(dwfm_config, backoff_max),
	  .fallback = "15s",
	  .min = 0,
	  .max = SECONDS(3600),
	  .help = "the longest such pause" },
	{ .key = "jitter",
	  .kind = FIELD_SWITCH,
	  AT(dwfm_config, jitter),
	  .fallback = "off",
	  .choices = jitters,
	  .help = "full: any part of the pause, by chance" },
	{ .key = "retry_budget",
	  .kind = FIELD_FRACTION,
	  AT(dwfm_config, retry_budget),
	  .fallback = "0%",
	  .min = 0,
	  .max = 1,
	  .help = "pieces queued again, as a part of those queued for the first time; 0%: unlimited" },
	{ .key = "spread",
	  .kind = FIELD_SWITCH,
	  AT(dwfm_config, spread),
	  .fallback = "off",
	  .help = "lease times differ, so that they don't all end at once" },
	{ .key = "priority",
	  .kind = FIELD_SWITCH,
	  AT(dwfm_config, renewals_first),
	  .fallback = "none",
	  .choices = priorities,
	  .help = "`renewals` go before launches" },
	{ 0 },
};
static const struct schema dwfm_schema = {
	.title = "The droplets' lease manager (DropletWorkflow Manager).",
	.size = sizeof(struct dwfm_config),
	.fields = dwfm_fields,
};

static const struct schema_field api_fields[] = {
	{ .key = "rate",
	  .kind = FIELD_RATE,
	  AT(ec2_api_config, rate),
	  .fallback = "0/s",
	  .min = 0,
	  .max = 1e6,
	  .help = "calls that it takes, past which it answers RequestLimitExceeded; 0/s: all" },
	{ .key = "burst",
	  .kind = FIELD_COUNT,
	  AT(ec2_api_config, burst),
	  .fallback = "20",
	  .min = 1,
	  .max = 1000000,
	  .help = "calls at once while unused" },
	{ .key = "timeout",
	  .kind = FIELD_DURATION,
	  AT(ec2_api_config, timeout),
	  .fallback = "10s",
	  .min = MS(1),
	  .max = SECONDS(3600),
	  .help = "of a launch" },
	{ 0 },
};
static const struct schema api_schema = {
	.title = "The EC2 API.",
	.size = sizeof(struct ec2_api_config),
	.fields = api_fields,
};

static const struct schema_field client_fields[] = {
	{ .key = "attempts",
	  .kind = FIELD_COUNT,
	  AT(dynamo_client_config, attempts),
	  .fallback = "1",
	  .min = 1,
	  .max = 100,
	  .help = "of a call; the AWS CLI makes 3, boto3 10" },
	{ .key = "timeout",
	  .kind = FIELD_DURATION,
	  AT(dynamo_client_config, timeout),
	  .fallback = "1s",
	  .min = MS(1),
	  .max = SECONDS(600),
	  .help = "of an attempt" },
	{ .key = "pause",
	  .kind = FIELD_DURATION,
	  AT(dynamo_client_config, pause),
	  .fallback = "50ms",
	  .min = 0,
	  .max = SECONDS(600),
	  .help = "before the second attempt, doubling" },
	{ .key = "jitter",
	  .kind = FIELD_SWITCH,
	  AT(dynamo_client_config, jitter),
	  .fallback = "off",
	  .choices = jitters,
	  .help = "full: any part of the pause, by chance" },
	{ .key = "max_connection_age",
	  .kind = FIELD_DURATION,
	  AT(dynamo_client_config, max_connection_age),
	  .fallback = "2s",
	  .min = MS(1),
	  .max = DAY,
	  .help = "an open connection hides any change of DNS: it is closed at this age" },
	{ 0 },
};
static const struct schema client_schema = {
	.title = "How DWFM and the API call DynamoDB.",
	.size = sizeof(struct dynamo_client_config),
	.fields = client_fields,
};

static const struct schema_field group_fields[] = {
	{ .key = "name", .kind = FIELD_NAME, AT(group_config, name), .max = 32, .help = "its name" },
	{ .key = "zone", .kind = FIELD_NAME, AT(group_config, zone), .max = 15, .help = "where" },
	{ .key = "size",
	  .kind = FIELD_COUNT,
	  AT(group_config, size),
	  .fallback = "1",
	  .min = 0,
	  .max = 100000,
	  .help = "instances that it keeps running" },
	{ .key = "real",
	  .kind = FIELD_SWITCH,
	  AT(group_config, real),
	  .fallback = "off",
	  .help = "instances of `ec2.service`, with namespace and process; off: bookkeeping only" },
	{ 0 },
};
static const struct schema group_schema = {
	.title = "A group of instances that is kept at its size.",
	.size = sizeof(struct group_config),
	.fields = group_fields,
};
static const struct schema_field autoscaler_fields[] = {
	{ .key = "groups",
	  .kind = FIELD_LIST,
	  AT(autoscaler_config, groups),
	  .count_offset = offsetof(struct autoscaler_config, n_groups),
	  .otherwise = "none",
	  .min = 0,
	  .max = 64,
	  .schema = &group_schema,
	  .help = "what it keeps" },
	{ .key = "attempts",
	  .kind = FIELD_COUNT,
	  AT(autoscaler_config, attempts),
	  .fallback = "3",
	  .min = 1,
	  .max = 100,
	  .help = "of a call, as the AWS CLI makes them" },
	{ .key = "pause",
	  .kind = FIELD_DURATION,
	  AT(autoscaler_config, pause),
	  .fallback = "1s",
	  .min = 0,
	  .max = SECONDS(600),
	  .help = "before the second attempt, doubling up to 20 s" },
	{ .key = "jitter",
	  .kind = FIELD_SWITCH,
	  AT(autoscaler_config, jitter),
	  .fallback = "full",
	  .choices = jitters,
	  .help = "full: any part of the pause, by chance" },
	{ .key = "interval",
	  .kind = FIELD_DURATION,
	  AT(autoscaler_config, interval),
	  .fallback = "1s",
	  .min = MS(10),
	  .max = SECONDS(3600),
	  .help = "between two looks at a group" },
	{ 0 },
};
static const struct schema autoscaler_schema = {
	.title = "The customers: groups kept at their size through the API.",
	.size = sizeof(struct autoscaler_config),
	.fields = autoscaler_fields,
};

static const struct schema_field ec2_fields[] = {
	{ .key = "dynamodb",
	  .kind = FIELD_NAME,
	  AT(ec2_config, dynamodb),
	  .max = 32,
	  .otherwise = "the service whose targets' program is dynamodb",
	  .help = "the service that keeps leases and instances" },
	{ .key = "service",
	  .kind = FIELD_NAME,
	  AT(ec2_config, service),
	  .max = 32,
	  .otherwise = "none",
	  .help = "launches with the tag `azlab:real=true` are real instances of it; all others are "
	          "bookkeeping" },
	{ .key = "register",
	  .kind = FIELD_CHOICE,
	  AT(ec2_config, register_when),
	  .fallback = "at-launch",
	  .choices = when,
	  .help = "when load balancers learn of a launched instance" },
	{ .key = "droplets",
	  .kind = FIELD_MAP,
	  AT(ec2_config, droplets),
	  .schema = &droplets_schema,
	  .help = "the hosts" },
	{ .key = "dwfm",
	  .kind = FIELD_MAP,
	  AT(ec2_config, dwfm),
	  .schema = &dwfm_schema,
	  .help = "their leases" },
	{ .key = "api",
	  .kind = FIELD_MAP,
	  AT(ec2_config, api),
	  .schema = &api_schema,
	  .help = "its throttle" },
	{ .key = "client",
	  .kind = FIELD_MAP,
	  AT(ec2_config, client),
	  .schema = &client_schema,
	  .help = "calls to DynamoDB" },
	{ .key = "autoscaler",
	  .kind = FIELD_MAP,
	  AT(ec2_config, autoscaler),
	  .schema = &autoscaler_schema,
	  .help = "who launches" },
	{ 0 },
};
const struct schema topology_ec2_schema = {
	.title = "EC2: physical hosts, their leases in DynamoDB, the API; see docs/ec2.md.",
	.size = sizeof(struct ec2_config),
	.fields = ec2_fields,
};

/* --- what the tables can't see ------------------------------------------------------------------------ */

static int check_group(const struct yaml *y, const struct yaml_node *root, const struct topology *t, size_t i)
{
	const struct group_config *g = &t->ec2.autoscaler.groups[i];
	char path[96];

	snprintf(path, sizeof(path), "ec2.autoscaler.groups.%zu", i);
	const struct yaml_node *at = yaml_nearest(root, path);
	if (topology_zone(t, g->zone) < 0) return yaml_fail(y, at, "zone: no zone '%.60s'", g->zone);
	if (g->real && !t->ec2.service)
		return yaml_fail(y, at, "real: of which service? ec2.service says it");
	for (size_t j = 0; j < i; j++)
		if (!strcmp(g->name, t->ec2.autoscaler.groups[j].name))
			return yaml_fail(y, at, "name: '%s' stands above already", g->name);
	return 0;
}

int topology_check_ec2(const struct yaml *y, const struct yaml_node *root, const struct topology *t)
{
	const struct ec2_config *e = &t->ec2;
	int keeper = t->has_ec2 && e->dynamodb ? topology_service(t, e->dynamodb) : -ENOENT;

	if (!t->has_ec2) return 0;
	if (keeper < 0 || t->services[keeper].targets.program != PROGRAM_DYNAMODB)
		return yaml_fail(
		    y, yaml_nearest(root, "ec2.dynamodb"),
		    "dynamodb: leases are kept in DynamoDB: expected a service whose targets have "
		    "`program: dynamodb`%s%.60s",
		    e->dynamodb ? ", found " : "", e->dynamodb ? e->dynamodb : "");
	if (e->service && topology_service(t, e->service) < 0)
		return yaml_fail(y, yaml_nearest(root, "ec2.service"), "service: no service '%.60s'",
		                 e->service);
	if (e->dwfm.renew_every >= e->dwfm.lease)
		return yaml_fail(y, yaml_nearest(root, "ec2.dwfm.renew_every"),
		                 "renew_every: as long as the lease or longer, it would run out each time");
	for (size_t i = 0; i < e->autoscaler.n_groups; i++) {
		int r = check_group(y, root, t, i);
		if (r < 0) return r;
	}
	return 0;
}
