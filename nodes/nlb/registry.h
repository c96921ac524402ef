/* registry.h - which targets a service has in this zone, and which of them get new flows. Registration comes
 * from management, health from the zone's checker on the wire. Pure.
 *
 * Ownership: the caller embeds struct registry, zeroed; registry_release() frees what hangs on it. */
#ifndef AZLAB_NLB_REGISTRY_H
#define AZLAB_NLB_REGISTRY_H
#include "nlb.h"
#include "proto/health.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum registry_health {
	REGISTRY_UNKNOWN, /* never reported on: counts as healthy */
	REGISTRY_HEALTHY,
	REGISTRY_UNHEALTHY,
};
struct registry_target {
	uint32_t id;
	struct nlb_target at;
	enum registry_health health;
};
struct registry {
	struct registry_target *targets; /* by id */
	size_t n;
	uint64_t cause; /* id of the event behind the last change */
	bool heard;     /* a report has come; the following are the newest one's */
	uint32_t epoch, sequence;
	uint64_t parts_seen; /* bit per part */
};

/* Replaces the registered targets; those that stay keep their health. Sorts targets. 0, -ENOMEM, -EEXIST for
 * an id given twice; a failure changes nothing. */
int registry_set(struct registry *r, struct registry_target *targets, size_t n, uint64_t cause);
/* Takes a part of a health report. 1 if a target's health changed, 0 if not, -ESTALE if the report is older
 * than one taken before. Targets that aren't registered here are passed over: the report will be repeated. */
int registry_report(struct registry *r, const struct health_report *report);
/* Targets that count as healthy. */
size_t registry_healthy(const struct registry *r);
/* No registered target is healthy, so all get new flows. */
bool registry_fails_open(const struct registry *r);
/* True if the i-th target gets new flows. */
bool registry_eligible(const struct registry *r, size_t i);
void registry_release(struct registry *r);
#endif
