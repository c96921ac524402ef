/* ask.h - questions to droplets, over one UDP socket: each is repeated until its answer comes or its time is
 * over.
 *
 * Ownership: the caller embeds struct question and keeps it until its end; ask_cancel() ends it early. */
#ifndef AZLAB_DWFM_ASK_H
#define AZLAB_DWFM_ASK_H
#include "common/mono.h"
#include "proto/lease.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>

enum { ASK_REPEAT_MS = 250, ASK_BUCKETS = 256 };

struct question;
/* The answer; NULL: none came in time. */
typedef void ask_done(struct question *q, const struct lease_message *answer);

struct question {
	LIST_ENTRY(question) link;
	struct asker *asker;
	struct lease_message message;
	struct sockaddr_in6 to;
	struct event repeat;
	mono_ns until;
	ask_done *done;
	bool open;
};
LIST_HEAD(questions, question);

struct asker {
	struct event_base *base;
	int fd;
	struct event readable;
	uint64_t last_request;
	struct questions buckets[ASK_BUCKETS]; /* by request */
};

/* first_request: not what an earlier incarnation of this process used, whose answers may still come. 0 or
 * -errno. */
int asker_init(struct asker *a, struct event_base *base, uint64_t first_request);
/* Sends it; done() comes once, later, unless it is cancelled. message->request is filled in. */
void ask(struct asker *a, struct question *q, const struct sockaddr_in6 *to,
         const struct lease_message *message, mono_ns until, ask_done *done);
/* Harmless on one that is over, or zeroed. */
void ask_cancel(struct question *q);
#endif
