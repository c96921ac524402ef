/* connection.h - one accepted connection: reads requests, hands each over as work, writes the answers.
 * A connection owns itself: it frees itself once its socket is closed and its work has come back. */
#ifndef AZLAB_BACKEND_CONNECTION_H
#define AZLAB_BACKEND_CONNECTION_H
#include "common/capacity.h"
#include <event2/event.h>

/* A request is complete: take its work, to be given back through connection_work_done(), or refuse it with
 * false, which the caller reads as 503. */
typedef bool connection_request(struct work *w, void *arg);

/* Takes over the non-blocking socket; body is the JSON of plain answers and must stay. 0 or -ENOMEM, the
 * socket then still being the caller's. */
int connection_open(struct event_base *base, int fd, const char *body, connection_request *request,
                    void *arg);
/* The work was served, and its answer goes out; or it was skipped, and the connection is closed. */
void connection_work_done(struct work *w);
#endif
