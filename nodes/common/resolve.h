/* resolve.h - the addresses of one name, asked for again when their TTL has ended. Never more than one query
 * is in flight; attempts that need an address meanwhile wait for its answer. An answer with TTL 0 serves
 * those that wait and no others. Failures are not cached: the next attempt asks again.
 *
 * Ownership: the caller embeds both structs; a waiter may go (resolve_leave) at any time. */
#ifndef AZLAB_RESOLVE_H
#define AZLAB_RESOLVE_H
#include "common/probe.h"
#include "common/random.h"
#include "common/stub.h"
#include <sys/queue.h>

/* Gets an address, or NULL if there is none. */
typedef void resolve_ready(void *arg, const union probe_address *address);
struct resolve_waiter {
	TAILQ_ENTRY(resolve_waiter) link;
	bool waiting;
	resolve_ready *ready;
	void *arg;
};
TAILQ_HEAD(resolve_waiters, resolve_waiter);

struct resolve {
	struct stub *stub;
	const char *name;
	int family; /* 4, 6; 0: both */
	uint16_t port;
	struct random random; /* which address an attempt takes */
	bool asking;
	struct stub_answer answer;
	mono_ns expires; /* of answer */
	struct resolve_waiters waiters;
};

/* stub and name are borrowed. */
void resolve_init(struct resolve *r, struct stub *stub, const char *name, int family, uint16_t port,
                  struct random random);
/* Calls ready() with one of the addresses, each as likely: at once if the answer still holds, else once there
 * is one. */
void resolve_get(struct resolve *r, struct resolve_waiter *w, resolve_ready *ready, void *arg, mono_ns now);
void resolve_leave(struct resolve *r, struct resolve_waiter *w);
#endif
