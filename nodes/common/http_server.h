/* http_server.h - a small HTTP/1.1 server for daemons of the lab: requests with bodies, answered now or
 * later.
 *
 *   static void on_request(struct http_request *r, void *arg)
 *   {
 *           if (strcmp(r->method, "POST")) { http_answer(r, 405, NULL, "", 0); return; }
 *           remember(arg, r);                    // and call http_answer() when the work is done
 *   }
 *
 * Connections are kept alive; requests pipelined on one are answered in their order, the next being handed
 * over once the former is answered. Bodies come whole, by Content-Length (chunked ones get 411); "Expect:
 * 100-continue" is answered. A connection older than max_connection_age has `Connection: close` on its next
 * answer, and is closed when idle: so clients look the server's name up again.
 *
 * Nobody can hold a connection for nothing: a request has to be whole within REQUEST_MS of its first byte, an
 * idle connection ends after IDLE_MS, one that takes nothing of its answer after WRITE_MS. Beyond
 * max_connections further ones wait in the kernel's backlog.
 *
 * Ownership: a request is the server's, and valid until http_answer(), which every request must get exactly
 * once, whatever has become of its client: when that has hung up, the answer goes nowhere.
 * Errors are -errno; nothing here logs but a failing accept(). */
#ifndef AZLAB_HTTP_SERVER_H
#define AZLAB_HTTP_SERVER_H
#include "common/mono.h"
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;

struct http_config {
	size_t max_body;            /* bytes; a larger one gets 413; 0: none allowed */
	unsigned max_connections;   /* 0: unlimited */
	mono_ns max_connection_age; /* 0: unlimited */
};

struct http_request {
	const char *method; /* "POST" */
	const char *path;   /* as sent, with its query */
	const char *body;   /* body_len bytes, not ended by '\0' */
	size_t body_len;
};

typedef void http_handler(struct http_request *r, void *arg);

/* A server without a port yet. */
int http_server_new(struct event_base *base, const struct http_config *config, http_handler *handler,
                    void *arg, struct http_server **ret);
/* Accepts connections on the port, both families. */
int http_server_listen(struct http_server *s, uint16_t port);
/* Takes over a connected stream socket, made non-blocking here; on failure it stays the caller's. */
int http_server_adopt(struct http_server *s, int fd);
/* Takes effect at once, on existing connections too. */
void http_server_configure(struct http_server *s, const struct http_config *config);
unsigned http_server_connections(const struct http_server *s);
/* Closes everything. No request may be without its answer. NULL is fine. */
void http_server_free(struct http_server *s);

/* The value of a header, in any case of its name; NULL if there is none. */
const char *http_header(const struct http_request *r, const char *name);
/* The client has hung up, by all that can be known: whatever is done for it is done for nothing. */
bool http_client_gone(const struct http_request *r);
/* Answers, and ends the request. headers: more of them, "Name: value\r\n" each, NULL for none. body is
 * copied.
 */
void http_answer(struct http_request *r, unsigned status, const char *headers, const void *body, size_t len);
#endif
