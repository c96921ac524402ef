/* launch.h - one RunInstances: its instances, each a part that goes its own way, and those who wait for it.
 *
 * A launch has succeeded when MinCount instances were started; what came up beyond that is a gain. It is
 * answered when every one that was started is running, or when the time for a request is over: those that
 * have no network by then are pending, and go on. It has failed when fewer were started: these are ended
 * again, and its token is free.
 *
 * A launch lives until no part has anything left to do and nobody waits. */
#ifndef AZLAB_EC2_API_LAUNCH_H
#define AZLAB_EC2_API_LAUNCH_H
#include "ec2-api/api.h"
#include "ec2-api/request.h"
#include "ec2-api/rows.h"
#include "ec2-api/upstream.h"

enum part_step {
	PART_STARTING, /* its row is being written, or DWFM looks for a droplet */
	PART_STARTED,  /* it has a droplet; its network is on the way */
	PART_RUNNING,  /* ... is there; over */
	PART_ENDED,    /* terminated meanwhile; over */
	PART_FAILED    /* over */
};
struct part {
	struct launch *launch;
	struct instance row;
	enum part_step step;
	bool pinned;           /* to its zone by the request */
	unsigned zones_tried;  /* without capacity */
	enum api_code failure; /* of PART_FAILED */
	bool in_doubt;         /* a first write of the row may still be carried out */
	mono_ns since;         /* the current stage's begin */
	struct event *retry;
	mono_ns pause; /* before the next try of what must succeed in the end */
};

struct waiter {
	LIST_ENTRY(waiter) link;
	struct launch *launch;
	struct call *call;
	struct event *deadline;
};

struct launch {
	LIST_ENTRY(launch) link;
	struct api *api;
	struct token_row token;      /* token.token may be empty: without idempotency */
	unsigned min, n, unfinished; /* parts; those with something left to do */
	uint64_t event;              /* launch.asked */
	mono_ns received;            /* the first request */
	mono_ns until;               /* for DWFM */
	bool begun, decided, failed;
	struct api_error failure; /* why nothing could be started; code API_OK: look at the parts */
	LIST_HEAD(, waiter) waiters;
	struct part *parts;
};

/* token.c. The token is claimed, and launch_start() called; or all who wait get the earlier launch's answer
 * or an error. */
void token_claim(struct launch *l);
/* The launch has failed: a repetition may try anew. Then launch_fail_waiters(). */
void token_free(struct launch *l);

/* launch.c, for the other two. */
void launch_start(struct launch *l);
/* Something has happened to a part: decides, answers, ends. The launch may be gone afterwards. */
void launch_look(struct launch *l);
void launch_fail(struct launch *l, enum api_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Answers everyone with these instances, and forgets them. */
void launch_answer(struct launch *l, const char *reservation, const struct instance *const *rows, size_t n);

/* A launch of an earlier API, of which this started instance was left without its network. -1: no memory. */
int launch_adopt(struct api *api, const struct instance *row);

/* part.c */
int part_init(struct part *p, struct launch *l, const struct run_request *r, unsigned index);
int part_adopt(struct part *p, struct launch *l, struct api *api, const struct instance *row);
void part_release(struct part *p);
void part_start(struct part *p);
/* Gives a started instance its network and writes it down as running, however often it takes. */
void part_connect(struct part *p);

#endif
