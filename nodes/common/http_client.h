/* http_client.h - asynchronous HTTP/1.1 calls to one service, over kept connections.
 *
 * The service is found as its users find it: by its name, which the lab's resolver is asked for each time
 * that a connection is opened and the last answer's TTL has ended. What is open already goes on whatever the
 * name says, until the server closes it or it is max_connection_age old: a fault of DNS so shows within
 * seconds of the TTL, as in AWS, and not at the next restart.
 *
 * A connection carries one call at a time. Past max_connections calls wait for one, in their order; past
 * max_waiting a call ends at once as CALL_OVERLOADED. A call's time-out counts from http_client_call(), with
 * all waiting in it; a call that timed out costs its connection, on which the answer may still come. Nothing
 * is sent twice: who wants a retry knows best whether it is harmless.
 *
 * Ownership: everything handed in is copied. A call is the client's, and ends with done() or
 * http_call_cancel(), never called from within it; http_client_free() ends all calls without calling back.
 * Errors are -errno. */
#ifndef AZLAB_HTTP_CLIENT_H
#define AZLAB_HTTP_CLIENT_H
#include "common/mono.h"
#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

struct http_client_config {
	const char *host; /* a name, or an IPv4 or IPv6 address; also the Host header */
	uint16_t port;
	const char *resolver;       /* its address; unused if host is an address */
	int family;                 /* 4, 6; 0: any */
	uint8_t dscp;               /* of what is sent: a traffic class */
	unsigned max_connections;   /* 0: 16 */
	unsigned max_waiting;       /* 0: unlimited */
	mono_ns max_connection_age; /* 0: unlimited */
	size_t max_body;            /* of an answer; 0: 1 MB */
	uint64_t seed;              /* which of several addresses a connection takes */
};

/* What became of a call; ANSWERED is any whole answer, whatever its status. */
enum call_outcome {
	CALL_ANSWERED,
	CALL_NO_ADDRESS,  /* the name has none, or nobody answered for it */
	CALL_UNREACHABLE, /* no route, here or (ICMP) on the way */
	CALL_REFUSED,     /* RST to the SYN */
	CALL_RESET,       /* RST later, or an end before the answer's end */
	CALL_TIMED_OUT,
	CALL_MALFORMED,  /* no HTTP, or an answer larger than max_body */
	CALL_OVERLOADED, /* too many calls wait already: nothing was sent */
	CALL_LAB_ERROR,  /* this machine's own limits: no local port, descriptor or memory */
	CALL_OUTCOMES
};
/* "timed out"; never NULL. */
const char *call_outcome_text(enum call_outcome outcome);

struct http_reply {
	enum call_outcome outcome;
	unsigned status;  /* 0 unless answered */
	const char *body; /* body_len bytes and a '\0' behind them */
	size_t body_len;
	mono_ns took;
	const char *headers; /* "name: value\n" each, names in lower case; "" unless answered */
};

struct http_client;
struct http_call;
typedef void http_done(const struct http_reply *reply, void *arg);

struct http_call_spec {
	const char *method, *path; /* "POST", "/launch" */
	const char *headers;       /* more of them, "Name: value\r\n" each; NULL: none */
	const void *body;
	size_t body_len;
	mono_ns timeout; /* > 0 */
};

int http_client_new(struct event_base *base, const struct http_client_config *config,
                    struct http_client **ret);
/* Ends everything; NULL is fine. */
void http_client_free(struct http_client *c);
/* Begins a call; done() comes once, later, from the loop, also if it fails at once. *ret_call, if not NULL,
 * is valid until then. -ENOMEM, -EINVAL. */
int http_client_call(struct http_client *c, const struct http_call_spec *spec, http_done *done, void *arg,
                     struct http_call **ret_call);
/* Ends a call without done(). */
void http_call_cancel(struct http_call *call);
/* Open connections, those being opened included. */
unsigned http_client_connections(const struct http_client *c);
/* From now on; what is open already is held to it too. */
void http_client_set_max_age(struct http_client *c, mono_ns max_connection_age);

/* The value of a header (name in lower case) into buf, cut to its size; NULL if there is none. */
const char *http_reply_header(const struct http_reply *reply, const char *name, char *buf, size_t size);
#endif
