/* fleet.h - the droplets of a zone: whose each one is and for how long, the highest epoch that it has seen,
 * its slots and instances. Pure: time is passed in.
 *
 * A droplet obeys the newest holder only. It remembers the highest epoch that any grant or order came with,
 * and refuses what comes with an older one; and it refuses every order once the granted time has run out on
 * its own clock. So a holder that was paused, cut off or replaced can do no harm, whatever it believes.
 *
 * A repetition of a launch may come late, when the first one was refused, or its instance has been ended, and
 * whoever sent it has gone on: it is refused, too.
 *
 * Ownership: instances belong to the fleet. Errors are -errno. */
#ifndef AZLAB_DROPLETS_FLEET_H
#define AZLAB_DROPLETS_FLEET_H
#include "common/mono.h"
#include "proto/lease.h"

/* A launch that nothing may come of any more. */
struct fleet_settled {
	uint64_t request;
	enum lease_refusal why;
};
enum { FLEET_SETTLED = 4 };
struct fleet_droplet {
	uint64_t epoch; /* the highest seen */
	mono_ns until;  /* of the grant; 0: none yet */
	uint32_t used, n_settled;
	struct fleet_settled settled[FLEET_SETTLED]; /* the last ones */
	char holder[LEASE_NAME_MAX];
};
struct fleet_instance {
	char name[LEASE_INSTANCE_MAX];
	uint32_t droplet;
	bool real, running;          /* not running: being launched */
	uint64_t launched, rebooted; /* by which request, last */
	void *launch;                /* the caller's, while it is being launched */
};

enum fleet_verdict {
	FLEET_DONE,        /* carried out now */
	FLEET_DONE_BEFORE, /* ... before: the answer got lost */
	FLEET_BEGUN,       /* a launch that is to be carried out now; then fleet_launched() */
	FLEET_IN_HAND,     /* a launch that goes on already */
	FLEET_REFUSED
};

struct fleet;
struct fleet *fleet_new(uint32_t first, uint32_t count, uint32_t slots);
void fleet_free(struct fleet *f);
/* NULL if this zone has no such droplet. */
const struct fleet_droplet *fleet_droplet(const struct fleet *f, uint32_t droplet);

/* Takes a grant that arrived at that time, if it isn't an older holder's; the answer is STATE either way. */
void fleet_grant(struct fleet *f, const struct lease_message *grant, mono_ns arrived);
/* Judges an order; *ret_why is set if it is refused, *ret_instance (which may be NULL after a termination or
 * a refusal) else. A terminated instance is gone when this returns. */
enum fleet_verdict fleet_order(struct fleet *f, const struct lease_message *order, mono_ns now,
                               enum lease_refusal *ret_why, struct fleet_instance **ret_instance);
struct fleet_instance *fleet_find(const struct fleet *f, const char *instance);
/* The launch has ended; one that failed gives its slot back, and the instance is gone. */
void fleet_launched(struct fleet *f, struct fleet_instance *instance, bool ok);

struct fleet_counts {
	uint32_t leased, used, slots;
};
struct fleet_counts fleet_counts(const struct fleet *f, mono_ns now);
/* The answer to a CHECK or a GRANT. */
struct lease_message fleet_state(const struct fleet *f, const struct lease_message *question);
#endif
