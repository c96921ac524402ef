/* load.h - open-loop requests: each arrives when the schedule says, whatever became of the others; an attempt
 * is one connection to one address of the name, and a failed one may be tried again.
 *
 * timeout bounds an attempt, its wait for an address included; a request so ends after (1 + retries) of them.
 * Latency counts from the arrival on schedule, so that a slow service cannot hide behind a slow client. */
#ifndef AZLAB_CLIENT_LOAD_H
#define AZLAB_CLIENT_LOAD_H
#include "common/resolve.h"
#include "client/tally.h"
#include "common/arrivals.h"

enum { LOAD_REQUEST_MAX = 2048 };

struct load_request;
struct load_knobs {
	double rate; /* per second */
	bool poisson;
	mono_ns timeout;
	unsigned retries;
};
struct load {
	struct event_base *base;
	struct load_knobs knobs;
	struct arrivals arrivals;
	struct resolve resolve;
	struct tally tally;
	char request[LOAD_REQUEST_MAX];
	size_t request_len;
	mono_ns t0; /* 0: not begun */
	struct event *timer;
	SLIST_HEAD(, load_request) idle; /* kept for the next ones */
};

/* resolve and request are the caller's to fill in. 0 or -ENOMEM. */
int load_init(struct load *l, struct event_base *base, const struct load_knobs *knobs, uint64_t seed,
              const char *name);
void load_begin(struct load *l, mono_ns t0);
/* From now on. */
void load_turn(struct load *l, const struct load_knobs *knobs);
/* Sends what has arrived by now; afterwards tally_pop() for now is right. */
void load_run(struct load *l, mono_ns now);
#endif
