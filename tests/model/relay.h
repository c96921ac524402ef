/* relay.h - stands between one enactor and the DNS server, and holds each of its messages until its turn.
 *
 * A message that comes again while it is held is the same one; one that was answered gets the same answer
 * again. Everything runs on the caller's event loop. Failing to set up ends the program. */
#ifndef AZLAB_RELAY_H
#define AZLAB_RELAY_H
#include "common/mono.h"
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct relay;
struct relay_message;

/* Listens at address, port 53, of the namespace that the calling thread is in; the server is there too. */
struct relay *relay_new(struct event_base *base, const char *address, const char *server);
void relay_free(struct relay *r);
/* Lets all pass from now on, and what is held. */
void relay_open(struct relay *r);

/* The oldest message that is held, or the one after it; NULL: no more. */
struct relay_message *relay_held(struct relay *r, const struct relay_message *after);
bool relay_is_update(const struct relay_message *m);
/* Is it a question for that name and type; an update that adds, or that deletes, at that name? Type NULL:
 * any. */
bool relay_asks(const struct relay_message *m, const char *owner, const char *type);
bool relay_adds(const struct relay_message *m, const char *owner);
bool relay_deletes(const struct relay_message *m, const char *owner);
/* What it is, for a person; static. */
const char *relay_text(const struct relay_message *m);
mono_ns relay_arrived(const struct relay_message *m);
/* Sends it on; it is no longer held. relay_answer() tells what became of the last one that was sent: the
 * answer's rcode, -1 while there is none. */
void relay_release(struct relay *r, struct relay_message *m);
int relay_answer(const struct relay *r);
#endif
