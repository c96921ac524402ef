/* config.h - what the orchestrator tells an enactor; docs/management.md lists the members. */
#ifndef AZLAB_DNE_CONFIG_H
#define AZLAB_DNE_CONFIG_H
#include "common/dns_peer.h"
#include "proto/dns_names.h"
#include <jansson.h>

enum dne_freshness {
	FRESH_ONCE,            /* newer than what is in force at pick-up, and never checked again */
	FRESH_PER_WRITE,       /* read before each transaction: a check, but not by it */
	FRESH_COMPARE_AND_SET, /* a prerequisite of each transaction: fencing */
};
enum dne_cleanup {
	DNE_CLEANUP_BY_AGE,
	DNE_CLEANUP_NEVER_ACTIVE, /* that no root points to the tree is a prerequisite of its deletion */
};

/* docs/dns-automation.md explains the guards. */
struct dne_knobs {
	mono_ns poll, lock, backoff, backoff_max, leader_lease;
	uint64_t keep; /* plans by which a tree may be older than what was just applied */
	enum dne_freshness freshness;
	enum dne_cleanup cleanup;
	bool alias_check, refuse_empty, auto_rollback, leader;
	bool skip_endpoint; /* what can't take a plan is left out of it, instead of ending it */
	bool in_plan_order; /* the walk: else in one drawn anew */
};
struct dne_config {
	char holder[DNS_HOLDER_MAX];
	struct dns_peers peers;
	char zone[DNS_ZONE_MAX], service_endpoint[DNS_LABELS_MAX];
	struct dne_knobs knobs;
};

/* 0, or -EINVAL and why; *ret is untouched then. */
int dne_config_read(const json_t *config, struct dne_config *ret, char why[WHY_MAX]);
#endif
