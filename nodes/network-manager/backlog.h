/* backlog.h - the network manager's work: which route updates wait, are being made, or await an answer.
 * Pure: time is passed in, sending is a callback.
 *
 * A change is the wanted state of one address. For each agent it is one message, which goes the way
 *
 *     queued -> in work -> awaiting -> done        acknowledged: done, from wherever it is
 *        ^                    |
 *        +--- retransmission -+
 *
 * A worker is busy with a message for update_time, sends it at the end and takes the next one; it never waits
 * for an answer. Workers take first sendings before retransmissions, so that an agent that doesn't answer
 * costs the others nothing. An unanswered message is sent again after retransmit, then after twice that, and
 * so on up to 5 s. A newer change of an address takes the place of the older one in all its messages.
 *
 * Ownership: changes belong to the backlog and stay in it for good, but for those that it is told to forget:
 * a deleted address keeps its generation, and an agent that restarts needs the state of all. */
#ifndef AZLAB_NETWORK_MANAGER_BACKLOG_H
#define AZLAB_NETWORK_MANAGER_BACKLOG_H
#include "common/mono.h"
#include "proto/route.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum { BACKLOG_WORKERS_MAX = 256, BACKLOG_AGENTS_MAX = 64 };
#define BACKLOG_RETRANSMIT_MAX (5 * NS_PER_S)

struct backlog_config {
	unsigned workers;    /* 1..BACKLOG_WORKERS_MAX */
	mono_ns update_time; /* >= 0 */
	mono_ns retransmit;  /* >= 1 ms */
};

enum backlog_state { BACKLOG_DONE, BACKLOG_QUEUED, BACKLOG_IN_WORK, BACKLOG_AWAITING };

struct backlog_message {
	struct backlog_change *change;
	unsigned agent; /* index */
	enum backlog_state state;
	unsigned attempts; /* how often this change was sent to this agent */
	mono_ns since;     /* when it came into its state */
	uint64_t event;    /* the sender's: id of the first sending */
	TAILQ_ENTRY(backlog_message) link;
};
struct backlog_change {
	struct route_update update;        /* without event: that is each message's own */
	uint64_t cause;                    /* event that led to the change */
	unsigned pending;                  /* agents that have not acknowledged it */
	bool completed;                    /* all have, once */
	struct backlog_message messages[]; /* one an agent */
};
struct backlog_counts {
	size_t queued;         /* messages waiting for a worker or in work */
	size_t unacknowledged; /* messages sent at least once whose answer is missing */
	uint64_t sent, resent; /* in all */
};

/* Called at the end of the work on a message; m->attempts counts this sending already. */
typedef void backlog_send(void *arg, struct backlog_message *m);

struct backlog;
/* NULL without memory. The configuration must be valid. */
struct backlog *backlog_new(unsigned agents, const struct backlog_config *config, backlog_send *send,
                            void *arg);
void backlog_free(struct backlog *b);
/* -EINVAL if a value is out of its range; else it holds from now on, for what awaits answers too. */
int backlog_configure(struct backlog *b, const struct backlog_config *config);

/* Takes a change in. 1 if it is new, 0 if the address has that generation or a newer one already, or -ENOMEM.
 */
int backlog_put(struct backlog *b, const struct route_update *update, uint64_t cause, mono_ns now);
/* An agent has acknowledged a generation. Returns the change if that was the last agent that it waited for,
 * the first time; else NULL. */
const struct backlog_change *backlog_acknowledge(struct backlog *b, unsigned agent,
                                                 const struct route_address *address, uint32_t generation);
/* Forgets an address that will never be used again, if every agent has acknowledged its last change. True if
 * it is gone. */
bool backlog_forget(struct backlog *b, const struct route_address *address);
/* The agent has forgotten all: every change is queued for it again. */
void backlog_replay(struct backlog *b, unsigned agent, mono_ns now);

/* Does everything that is due. Returns when to call again, or MONO_NEVER; call also after backlog_put(),
 * backlog_replay() and backlog_configure(). */
mono_ns backlog_run(struct backlog *b, mono_ns now);
struct backlog_counts backlog_counts(const struct backlog *b);
#endif
