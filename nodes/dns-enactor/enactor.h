/* enactor.h - one enactor: what it has in hand, and the parts that carry a plan from the store into the zone.
 * Each part ends by handing on to the next; only one is at work at a time.
 *
 *   pick.c    polls the store, reads a plan, checks once that it is newer than what is in force
 *   apply.c   plants its tree, then walks the endpoints: lock, flip, back-off
 *   sweep.h   cleans up
 *   lead.c    leadership, if wanted
 *   tell.c    events
 *
 * A pause takes effect between two steps: what is under way is finished, and nothing is begun. */
#ifndef AZLAB_DNE_ENACTOR_H
#define AZLAB_DNE_ENACTOR_H
#include "common/dns_talk.h"
#include "common/http_get.h"
#include "common/node.h"
#include "dns-enactor/config.h"
#include "dns-enactor/transaction.h"
#include "dns-enactor/walk.h"
#include "proto/dns_plan.h"

enum dne_doing { DNE_IDLE, DNE_PICKING, DNE_PLANTING, DNE_WALKING, DNE_CLEANING, DNE_DOINGS };

struct dne;
typedef void dne_step(struct dne *d);

struct dne {
	struct node *node;
	struct dne_config config;
	struct dns_talk *talk;
	struct http_get *store;
	struct event *timer, *second; /* the next step; samples */
	struct random random;
	enum dne_doing doing;
	dne_step *next; /* when the timer fires, or when the pause is over */
	bool paused;

	/* what an operator wants */
	uint64_t pinned; /* 0: none */
	bool pin_done;
	bool repairing;
	uint64_t repair_cause;
	mono_ns repair_begun;

	/* the store */
	uint64_t handled;     /* the newest plan that was looked at */
	uint32_t refused_sum; /* of the last document that was refused: each is told once */
	bool store_missing;   /* told */

	/* in hand */
	bool has_plan, forced;
	struct dns_plan plan;
	uint64_t picked; /* the event */
	uint64_t in_force;
	bool planted; /* its tree was there already */

	/* the walk */
	struct dne_walk walk;
	struct dne_view view, close;
	bool refused; /* why the close view is wanted: a prerequisite failed, else there was no answer */
	int64_t last_until_ms;
	mono_ns rollback_begun;

	uint64_t applied, lost; /* for the sample */
};

int dne_new(struct node *n, const struct dne_config *config, struct dne **ret);
/* Goes on with a step: now, unless paused; or after a while. */
void dne_go_on(struct dne *d, dne_step *step);
void dne_go_on_after(struct dne *d, mono_ns span, dne_step *step);
/* Paused, and what was under way has ended: from now on it changes nothing. */
bool dne_stands_still(const struct dne *d);
/* Something couldn't be begun for want of memory: logs, and begins anew after a while with what the store
 * has then. */
void dne_stumble(struct dne *d, int error);

dne_step dne_pick;  /* polls the store */
dne_step dne_apply; /* the plan in hand */
/* The plan in hand is done with, well (reason NULL) or not; puts it down and goes on to the next. */
void dne_put_down(struct dne *d, const char *reason);

/* Goes on with the step if this enactor leads, or needn't; takes or renews leadership if it can. Else goes on
 * with otherwise. */
void dne_lead_then(struct dne *d, dne_step *step, dne_step *otherwise);

/* The end of a lock taken now, unlike any before. */
int64_t dne_until_ms(struct dne *d, mono_ns span);
#endif
