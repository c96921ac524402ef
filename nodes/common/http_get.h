/* http_get.h - fetches a document from one HTTP server, one at a time, on the caller's event loop, on
 * libevent's client. */
#ifndef AZLAB_HTTP_GET_H
#define AZLAB_HTTP_GET_H
#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_GET_TIMEOUT_S = 5 };

struct http_get;
/* status is HTTP's own; 0: there was no answer, or one longer than allowed. body is borrowed. */
typedef void http_get_done(int status, const char *body, size_t len, void *arg);

/* address is numeric. 0 or -ENOMEM. */
int http_get_new(struct event_base *base, const char *address, uint16_t port, size_t longest,
                 struct http_get **ret);
/* Forgets what is under way without calling back. */
void http_get_free(struct http_get *h);
/* unless, if not NULL, is sent as If-None-Match: a server that knows it answers 304 for what is known. done
 * comes from the loop. 0; -EBUSY while one is under way; -ENOMEM. */
int http_get(struct http_get *h, const char *path, const char *unless, http_get_done *done, void *arg);
#endif
