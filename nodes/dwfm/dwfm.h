/* dwfm.h - a DWFM host, in parts:
 *
 *   droplets.c   its share of the droplets; a timer each says when one's lease needs something
 *   queue.h      what waits: attempts at leases, lifecycle operations
 *   workers.c    take it from there, a bounded number at once
 *   attempt.c    an attempt at a lease in a worker's hands: state check, conditional write, grant
 *   workflow.c   a lifecycle operation, from the API's request to its answer, surviving a restart
 *   store.c      what it keeps in DynamoDB
 *   api.c        HTTP: /launch, /terminate, /reboot, /capacity, /health
 *
 * A host begins by reading what operations it has left, and takes leases when it has read them.
 *
 * No part knows how the whole is doing: there are bounded workers, a queue, a time-out for each piece of
 * work, and retries. Ownership: struct dwfm lives as long as the process. */
#ifndef AZLAB_DWFM_H
#define AZLAB_DWFM_H
#include "common/dynamo_client.h"
#include "common/node.h"
#include "dwfm/ask.h"
#include "dwfm/knobs.h"
#include "dwfm/lease.h"
#include "dwfm/queue.h"

enum { DWFM_SHARES_MAX = 64, DWFM_DROPLETS_MAX = 100000, DROPLET_NAME_MAX = 64 };

/* Droplets of one zone. */
struct share {
	char zone[LEASE_NAME_MAX];
	struct sockaddr_in6 address; /* of the process that stands for them */
	uint32_t first, count;       /* their numbers */
	uint32_t base;               /* index of the first one in dwfm.droplets */
	uint32_t next;               /* where the search for a free one goes on */
	uint32_t taken, lost;        /* leases, not told yet */
};

struct droplet {
	struct dwfm *dwfm;
	struct share *share;
	uint32_t number;
	struct lease lease;
	struct event timer;
	mono_ns written_until; /* the latest end that a write of ours may have put into the table */
	uint32_t slots, used;  /* as it said itself last; launches ordered since are in `used` */
};

enum worker_step { WORKER_IDLE, WORKER_CHECKING, WORKER_WRITING, WORKER_GRANTING, WORKER_ON_OP };

struct worker {
	struct dwfm *dwfm;
	enum worker_step step;
	struct queue_item item;
	struct question question;
	struct event work; /* ends with work_time */
	bool worked;       /* it has */
	bool answered;     /* the droplet has answered the check */
	bool renewing;     /* the write is for a lease that is held, under its epoch */
	mono_ns until;     /* of the lease being written, on our own clock */
};

/* Since the start; sampled. */
enum work_failure { FAILED_DROPLET, FAILED_STORE, FAILED_HELD_BY_OTHER, FAILED_GRANT, WORK_FAILURES };
struct work_counts {
	uint64_t offered, done, stale, dropped, refused, failed[WORK_FAILURES];
	uint64_t ops_offered, ops_done, ops_failed;
};

struct http_server;
struct workflow;
LIST_HEAD(workflows, workflow);

struct dwfm {
	struct node *node;
	const char *holder;
	struct dwfm_knobs knobs;
	struct retry retry;
	struct queue *queue;
	struct asker asker;
	struct dynamo_client *store;
	struct http_server *api;
	unsigned n_shares;
	struct share shares[DWFM_SHARES_MAX];
	uint32_t n_droplets;
	struct droplet *droplets;
	struct worker workers[DWFM_WORKERS_MAX];
	struct workflows workflows;
	struct work_counts counts, sampled; /* now, and at the sample before */
	mono_ns sampled_at;
	struct event *sample;
	struct event resume; /* looks for operations left by an earlier incarnation */
};

/* --- droplets.c --------------------------------------------------------------------------------------- */

/* Reads the shares. */
int droplets_read(struct dwfm *d, const json_t *shares);
/* Starts every droplet's timer, the first attempts spread over knobs.start_over. */
void droplets_begin(struct dwfm *d);
/* Its state has changed: does what is due, and sets its timer anew. */
void droplet_turn(struct droplet *p);
void droplet_name(const struct droplet *p, char name[static DROPLET_NAME_MAX]);
/* "az1-00042"; NULL if it isn't of this host. */
struct droplet *droplet_find(struct dwfm *d, const char *name);
/* One with a lease and a free slot, in that zone; NULL if there is none. */
struct droplet *droplet_pick(struct dwfm *d, const char *zone);
/* Its lease was taken by somebody else, or came under a newer epoch. retry_at_once: it may be ours all the
 * same. */
void droplet_usurped(struct droplet *p, bool retry_at_once);

/* --- workers.c ---------------------------------------------------------------------------------------- */

int workers_init(struct dwfm *d);
/* Queues a piece of work; -EAGAIN if admission refuses it. */
int work_offer(struct dwfm *d, const struct queue_item *item);
/* Gives waiting work to idle workers. */
void workers_pump(struct dwfm *d);
/* The worker is free again. */
void worker_end(struct worker *w);

/* --- attempt.c ---------------------------------------------------------------------------------------- */

void attempt_begin(struct worker *w);
/* work_time is over. */
void attempt_worked(struct worker *w);

/* --- api.c -------------------------------------------------------------------------------------------- */

int api_start(struct dwfm *d, uint16_t port);

/* --- samples.c ---------------------------------------------------------------------------------------- */

int samples_start(struct dwfm *d, mono_ns period);
#endif
