/* tally.h - a client's books: what became of its requests, in buckets of 100 ms by their arrival, and when an
 * episode of errors begins and ends. Pure. Offsets are ns since the start of the scenario.
 *
 * Ownership: a bucket belongs to the tally until tally_pop() hands it out; tally_bucket_free() ends it. */
#ifndef AZLAB_CLIENT_TALLY_H
#define AZLAB_CLIENT_TALLY_H
#include "common/mono.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define TALLY_BUCKET (100 * NS_PER_MS)
enum { EPISODE_BUCKETS = 10 };

/* How a request ended: the class of its last attempt. */
enum tally_class {
	TALLY_OK,
	TALLY_NO_ADDRESS,
	TALLY_UNREACHABLE,
	TALLY_REFUSED,
	TALLY_RESET, /* also: closed before the answer's end */
	TALLY_TIMED_OUT,
	TALLY_HTTP, /* an error status, or an answer that is not HTTP */
	TALLY_LAB,  /* the lab's own shortage, no error of the service */
	TALLY_CLASSES
};

struct tally_bucket {
	TAILQ_ENTRY(tally_bucket) link;
	mono_ns from;
	unsigned requests, open, attempts;
	unsigned by_class[TALLY_CLASSES];
	uint32_t *latencies_us; /* of those that went well */
	size_t n_latencies, room;
};
TAILQ_HEAD(tally_buckets, tally_bucket);

struct tally {
	struct tally_buckets buckets; /* without gaps */
	mono_ns next;                 /* where the next new bucket begins */
};

void tally_init(struct tally *t);
/* A request has arrived; its bucket, or NULL when memory is short. Arrivals are in order of time. */
struct tally_bucket *tally_arrive(struct tally *t, mono_ns offset);
void tally_attempt(struct tally_bucket *b);
void tally_decide(struct tally_bucket *b, enum tally_class class, mono_ns latency);
/* The oldest bucket if its 100 ms have passed by now and all its requests are decided; else NULL. */
struct tally_bucket *tally_pop(struct tally *t, mono_ns now);
void tally_bucket_free(struct tally_bucket *b);
/* Requests that failed, the lab's own errors not among them. */
unsigned tally_errors(const struct tally_bucket *b);
/* The latency that a fraction of the good requests did not exceed, in ms (nearest rank); -1 if none. */
double tally_percentile(struct tally_bucket *b, double fraction);

/* An episode of errors begins when 1 % of the last second's requests fail, and ends when none does. */
struct episode {
	bool on;
	unsigned at;
	unsigned requests[EPISODE_BUCKETS], errors[EPISODE_BUCKETS];
};
/* Takes in the next bucket's numbers; true if an episode began or ended, with the last second's error rate.
 */
bool episode_feed(struct episode *e, unsigned requests, unsigned errors, double *ret_rate);
#endif
