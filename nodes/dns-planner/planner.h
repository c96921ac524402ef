/* planner.h - which load balancers serve the endpoints, with which weights, and when that is a new plan.
 * Pure: time, reports and the seed are passed in.
 *
 * A source is where load balancers come from: one zone, whose checker reports how many targets are well. A
 * source whose reports haven't come yet is as the newest plan has it. */
#ifndef AZLAB_DNS_PLANNER_H
#define AZLAB_DNS_PLANNER_H
#include "common/health_inbox.h"
#include "common/mono.h"
#include "proto/dns_plan.h"
#include <stdbool.h>

struct planner_source {
	char name[DNS_LABELS_MAX]; /* of its load balancer; of the first, if it has several */
	struct in_addr addr4;
	struct in6_addr addr6;
	unsigned capacity; /* what one healthy target adds to the weight */
	size_t count;      /* load balancers, at consecutive addresses */
};
struct planner_config {
	char service[DNS_LABELS_MAX], zone[DNS_ZONE_MAX];
	uint32_t ttl_s;
	size_t n_endpoints, n_sources;
	struct dns_endpoint *endpoints;
	struct planner_source *sources; /* by the zone's index */
	mono_ns interval, slow_interval;
	bool slow_lane; /* plans that only follow capacity take the slow interval */
};
void planner_config_release(struct planner_config *c);

struct planner {
	const struct planner_config *config;
	uint64_t next; /* number of the next plan */
	bool begun, paused;
	mono_ns due;   /* of the next plan that only follows capacity */
	mono_ns retry; /* what couldn't be stored isn't tried before */
	struct {
		bool known, planned; /* planned: the newest plan has it */
		unsigned healthy;
		uint64_t cause; /* the event behind its last change */
	} sources[HEALTH_ZONES_MAX];
};

/* next: the number of the first plan; newest: the newest plan in the store, NULL if there is none: then all
 * load balancers are taken to be in the one in force. */
void planner_init(struct planner *p, const struct planner_config *config, uint64_t next,
                  const struct dns_plan *newest);
/* Plans are made from here on. */
void planner_begin(struct planner *p, mono_ns now);
/* The configuration's intervals or lanes have changed. */
void planner_retime(struct planner *p, mono_ns now);
void planner_pause(struct planner *p);
void planner_resume(struct planner *p, mono_ns now);
void planner_report(struct planner *p, unsigned source, const struct health_count *h);

/* When a plan is to be made: now or earlier if at once, MONO_NEVER if there is nothing to wait for. */
mono_ns planner_due(const struct planner *p);
/* Fills in the plan that the load balancers make now; borrows the configuration's endpoints: free only the
 * balancers. ret_cause: the event behind it. 0 or -ENOMEM. */
int planner_fill(const struct planner *p, uint64_t seed, int64_t now_ms, struct dns_plan *ret,
                 uint64_t *ret_cause);
/* It is in the store. */
void planner_made(struct planner *p, mono_ns now);
/* It isn't, and is to be tried again. */
void planner_failed(struct planner *p, mono_ns now);
#endif
