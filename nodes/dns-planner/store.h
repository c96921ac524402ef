/* store.h - the plan store: a folder of files plan-N.json, each renamed into place when it is whole. What is
 * there is read from the folder itself, so that whatever else happens to it is seen. Errors are -errno. */
#ifndef AZLAB_DNS_PLANNER_STORE_H
#define AZLAB_DNS_PLANNER_STORE_H
#include "proto/dns_plan.h"

enum { PLAN_STORE_KEPT = 64, PLAN_STORE_MAX = 4096 };

struct plan_store {
	int folder;
	uint64_t in_force; /* never deleted; UINT64_MAX: unknown */
};
struct plan_store_list {
	size_t n;
	uint64_t numbers[PLAN_STORE_MAX]; /* rising: the newest, if there are more */
};

/* The descriptor stays the caller's. */
void plan_store_init(struct plan_store *s, int folder);
int plan_store_list(const struct plan_store *s, struct plan_store_list *ret);
/* Writes a plan, then deletes what has become too old: the newest are kept, and what is in force. */
int store_put_plan(struct plan_store *s, const struct dns_plan *p);
/* Opens a plan's file for reading: the caller's. -ENOENT. */
int store_open_plan(const struct plan_store *s, uint64_t number);
/* Reads the newest plan that is one. -ENOENT if there is none. */
int plan_store_newest(const struct plan_store *s, int64_t now_ms, struct dns_plan *ret);
#endif
