/* topology.h - what a topology file says, checked, with every default filled in.
 *
 * Units: mono_ns for durations, per second for rates, 0..1 for fractions. Ownership: topology_free()
 * releases everything that hangs on it. docs/topology.md is the reference for users, made from the same
 * schema tables. */
#ifndef AZLAB_TOPOLOGY_H
#define AZLAB_TOPOLOGY_H
#include "common/mono.h"
#include "policy/stage.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	TOPOLOGY_ZONES_MAX = STAGE_ZONES_MAX,
	TOPOLOGY_SERVICES_MAX = 64,
	TOPOLOGY_TARGETS_MAX = 1000, /* of a service in a zone */
	TOPOLOGY_STAGES_MAX = 8,
};

enum init_state { INIT_UP, INIT_DOWN, INIT_PENDING };
enum check_protocol { CHECK_TCP, CHECK_HTTP };
enum distribution { DIST_UNIFORM, DIST_FIXED, DIST_EXPONENTIAL };
enum target_program { PROGRAM_BACKEND, PROGRAM_DYNAMODB };

struct targets_config {
	enum target_program program;
	unsigned per_zone, concurrency, queue;
	mono_ns service_time, max_connection_age;
	enum distribution distribution;
	bool serve_abandoned;
};
struct health_check_config {
	enum check_protocol protocol;
	const char *path;
	mono_ns interval, timeout;
	unsigned rise, fall;
	unsigned concurrency; /* checks at once in a zone's checker, 0: unlimited */
	enum init_state init_state;
	int family; /* 4 or 6 */
};
struct stage_config {
	const struct stage_type *type;
	double params[STAGE_PARAMS_MAX]; /* in the order of type->params */
};
struct failover_config {
	bool enabled;
	bool rate_limit;
	double min_healthy;
	size_t n_stages;
	struct stage_config stages[TOPOLOGY_STAGES_MAX];
};
struct service_config {
	const char *name;
	uint16_t port;
	struct targets_config targets;
	struct health_check_config health_check;
	const char *dns_name;
	mono_ns dns_ttl;
	mono_ns dns_negative_ttl;
	struct failover_config failover;
};
struct client_config {
	const char *from; /* "internet" or a zone */
	const char *to;   /* a service */
	double rate;      /* requests per second */
	mono_ns timeout;
	unsigned retries;
	int family; /* 4, 6, 0: any */
	bool poisson;
	const char *path;
};
struct network_config {
	unsigned workers;
	mono_ns update_time, retransmit;
};

/* EC2 as docs/ec2.md has it: droplets, the manager of their leases, the API, who calls it. */
enum register_when { REGISTER_AT_LAUNCH, REGISTER_WHEN_PROPAGATED };
enum queue_discipline { QUEUE_FIFO, QUEUE_LIFO, QUEUE_CODEL };
struct droplets_config {
	unsigned per_zone, slots;
	mono_ns launch_time;
};
struct dwfm_config {
	unsigned hosts, workers, admission;
	mono_ns work_time, timeout, lease, renew_every;
	enum queue_discipline discipline;
	bool deadlines, jitter, spread, renewals_first, start_at_once;
	mono_ns backoff, backoff_max;
	double retry_budget;
};
struct ec2_api_config {
	double rate; /* calls per second, 0: not throttled */
	unsigned burst;
	mono_ns timeout;
};
/* How the region's own services call DynamoDB. */
struct dynamo_client_config {
	unsigned attempts;
	mono_ns timeout, pause, max_connection_age;
	bool jitter;
};
struct group_config {
	const char *name, *zone;
	unsigned size;
	bool real; /* instances of ec2.service; else bookkeeping */
};
struct autoscaler_config {
	size_t n_groups;
	struct group_config *groups;
	unsigned attempts;
	mono_ns pause, interval;
	bool jitter;
};
struct ec2_config {
	const char *dynamodb; /* a service */
	const char *service;  /* whose instances real launches are; NULL: there are none */
	enum register_when register_when;
	struct droplets_config droplets;
	struct dwfm_config dwfm;
	struct ec2_api_config api;
	struct dynamo_client_config client;
	struct autoscaler_config autoscaler;
};

enum fault_class {
	CLASS_ANY,
	CLASS_ROUTE_UPDATE,
	CLASS_HEALTH_CHECK,
	CLASS_CONTROL,
	CLASS_DNS,
	CLASS_LEASE,
	CLASS_USER
};
enum fault_per { PER_DEFAULT, PER_FLOW, PER_PACKET };
struct fault_config {
	const char *name;
	enum fault_class class;
	const char *from, *to;   /* a zone, a node, "internet", "region"; NULL: anywhere */
	double drop;             /* probability; 0: no drop */
	unsigned drop_every;     /* every n-th; 0: by probability */
	mono_ns on_for, off_for; /* duty cycle; 0: always on */
	enum fault_per per;
	mono_ns delay, jitter; /* 0: no delay */
	double rate;           /* packets per second through a slow queue; 0: none */
	double duplicate, reorder, corrupt;
	bool reject;
};

enum dns_freshness { FRESHNESS_ONCE, FRESHNESS_PER_WRITE, FRESHNESS_COMPARE_AND_SET };
enum dns_cleanup { CLEANUP_BY_AGE, CLEANUP_NEVER_ACTIVE };
/* The planner, the enactors and their guards: docs/dns-automation.md. */
struct dns_automation_config {
	const char *service; /* whose name they keep; NULL: there are none */
	unsigned accounts;   /* account-scoped names besides the three of the service itself */
	mono_ns plan_interval, slow_interval, poll;
	mono_ns lock, backoff, backoff_max;
	unsigned keep; /* plans behind the newest whose trees stay */
	enum dns_freshness freshness;
	enum dns_cleanup cleanup;
	bool alias_check, refuse_empty, auto_rollback;
	bool skip_endpoint; /* aborts */
	bool in_plan_order; /* walk */
	bool fast_slow;     /* lanes */
	bool leader;
	mono_ns leader_time;
	mono_ns watch;
};

/* One line of the scenario. Actions are commands as a user types them, less "azlab" and the lab's name. */
struct phase_config {
	const char *name;
	mono_ns at;
	size_t n_actions;
	const char **actions;
	int line; /* where it stands in the file */
};

struct bound {
	const char *figure; /* "zone_removals", or a dotted path below a summary object */
	bool has_min, has_max, has_equals;
	double min, max;
	const char *equals; /* for figures that are not numbers: "true", "null", "pass" */
};
struct expect_config {
	const char *phase; /* NULL: the whole run */
	size_t n_bounds;
	struct bound *bounds;
	int line;
};

struct topology {
	const char *file;
	const char *region;
	uint64_t seed;
	size_t n_zones, n_services, n_clients, n_faults, n_phases, n_expects;
	const char *zones[TOPOLOGY_ZONES_MAX];
	struct service_config *services;
	struct client_config *clients;
	struct network_config network;
	size_t has_ec2; /* 0 or 1 */
	struct ec2_config ec2;
	size_t has_dns_automation; /* 0 or 1 */
	struct dns_automation_config dns_automation;
	struct fault_config *faults;
	struct phase_config *phases; /* in order of time; the last one only ends the run */
	struct expect_config *expects;
	void *document; /* the YAML behind it, for topology_set() and topology_print() */
};

/* A mistake in a topology or a command: "FILE:LINE:COLUMN: message". */
struct topology_error {
	char text[1024];
};

/* Reads and checks a file, after setting PATH=VALUE for each of the n sets ("services.shop.targets.queue=32",
 * list elements by number). 0, or -EINVAL with *error filled in, or -errno if the file can't be read (also
 * in *error). Warnings, such as a velocity smaller than one zone, are appended to warnings if not NULL. */
int topology_load(const char *file, const char *const *sets, size_t n, struct topology **ret, char **warnings,
                  struct topology_error *error);
/* The topology with one more PATH=VALUE set; t itself stays as it is. */
int topology_with(const struct topology *t, const char *set, struct topology **ret,
                  struct topology_error *error);
/* With n of them at once: only the whole has to be valid ("on_for=1s off_for=2s" of a fault). */
int topology_with_all(const struct topology *t, const char *const *sets, size_t n, struct topology **ret,
                      struct topology_error *error);
/* Writes it as YAML with all defaults filled in, which loads to the same topology again. */
int topology_print(const struct topology *t, FILE *out);
/* Writes docs/topology.md. */
void topology_reference(FILE *out);
void topology_free(struct topology *t);

/* Index of a zone, service or fault by name, or -ENOENT. */
int topology_zone(const struct topology *t, const char *name);
int topology_service(const struct topology *t, const char *name);
int topology_fault(const struct topology *t, const char *name);
/* True if that service's name is kept by the DNS automation, so that az-failover leaves it alone. */
bool topology_automated(const struct topology *t, size_t service);
#endif
