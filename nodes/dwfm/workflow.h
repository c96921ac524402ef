/* workflow.h - lifecycle operations: launch, terminate, reboot of an instance on a droplet.
 *
 *   queued -> in a worker's hands: a droplet is found, the row written -> ordered -> confirmed -> forgotten
 *                                                                           |
 *                                     nobody waits any more: undone <------+
 *
 * From the row on an operation is carried through, however long that takes: its droplet may be silent, its
 * lease lost for a while, DynamoDB gone, this process started anew. A launch whose caller was told that it
 * failed is undone when it has succeeded after all. Orders are carried out once, so that each step may be
 * repeated.
 *
 * Ownership: an operation owns itself. */
#ifndef AZLAB_DWFM_WORKFLOW_H
#define AZLAB_DWFM_WORKFLOW_H
#include "common/http_server.h"
#include "dwfm/dwfm.h"

struct workflow_spec {
	enum lease_order kind;
	const char *instance;
	const char *zone;        /* of a launch */
	struct droplet *droplet; /* of the others */
	const char *service;     /* "" for none */
	bool real;
	uint64_t cause;
	mono_ns timeout;
};

/* Takes an operation in, and answers the request when it is over. */
void workflow_start(struct dwfm *d, const struct workflow_spec *spec, struct http_request *request);
/* Begins: goes on with what an earlier incarnation of this host has left, and then takes leases. */
void workflows_resume(struct dwfm *d);

/* A worker has taken it; the work_time is over; the queue has dropped it. */
void workflow_begin(struct workflow *f, struct worker *w);
void workflow_worked(struct workflow *f, struct worker *w);
void workflow_dropped(struct workflow *f);
#endif
