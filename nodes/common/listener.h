/* listener.h - a TCP port that accepts connections of both families for a daemon's event loop.
 *
 * Out of descriptors it says so once a pause and tries again; paused by its owner, connections wait in the
 * kernel's backlog. Errors are -errno. */
#ifndef AZLAB_LISTENER_H
#define AZLAB_LISTENER_H
#include <event2/event.h>
#include <stdint.h>

struct listener;

/* Takes over a connected, non-blocking socket, TCP_NODELAY set. */
typedef void listener_accept(int fd, void *arg);

int listener_open(struct event_base *base, uint16_t port, listener_accept *accepted, void *arg,
                  struct listener **ret);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
void listener_free(struct listener *l); /* NULL is fine */
#endif
