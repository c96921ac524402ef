/* store.h - what a DWFM host keeps in DynamoDB: the tables of docs/ec2.md. Each call's end comes later, from
 * the loop. Errors are -errno. */
#ifndef AZLAB_DWFM_STORE_H
#define AZLAB_DWFM_STORE_H
#include "dwfm/dwfm.h"

enum store_outcome { STORE_OK, STORE_CONDITION_FAILED, STORE_FAILED };

/* STORE_CONDITION_FAILED: somebody else holds it. */
typedef void store_lease_done(enum store_outcome outcome, uint64_t epoch, void *arg);
/* Renews the lease that is held under an epoch, or (epoch 0) takes it under a new one, for so long from now.
 * A write that comes late can't make a lease shorter than a later one has made it. */
int store_write_lease(struct dwfm *d, const char *droplet, uint64_t epoch, mono_ns length,
                      store_lease_done *done, void *arg);

enum { STORE_WORKFLOW_ID_MAX = LEASE_INSTANCE_MAX + 16 };

/* A lifecycle operation's row: what a host that is started anew goes on with. */
struct store_workflow {
	const char *id; /* "i-0123.../launch" */
	enum lease_order kind;
	const char *instance, *droplet, *service;
	bool real;
	uint64_t cause;
};
typedef void store_done(bool ok, void *arg);
int store_put_workflow(struct dwfm *d, const struct store_workflow *row, store_done *done, void *arg);
int store_forget_workflow(struct dwfm *d, const char *id, store_done *done, void *arg);
/* The instance is on that droplet, launched under that epoch. STORE_CONDITION_FAILED: it isn't wanted any
 * more, its row is gone or says that it ends. */
typedef void store_placed(enum store_outcome outcome, void *arg);
int store_place_instance(struct dwfm *d, const char *instance, const struct droplet *p, uint64_t epoch,
                         store_placed *placed, void *arg);
/* Hands over every operation of this host's that has not come to its end, then calls done(). */
typedef void store_found(const struct store_workflow *row, void *arg);
int store_find_workflows(struct dwfm *d, store_found *found, store_done *done, void *arg);
#endif
