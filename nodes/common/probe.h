/* probe.h - one HTTP GET, or one TCP connect, over one new connection, with a deadline.
 *
 * What it costs matters, since a zone's checker makes thousands a second. A probe that closes by RST keeps
 * its socket, options and registration with epoll for the next connection: a TCP check is three system calls
 * (connect, a look, the RST). The look comes at once: over a few veths the SYN's answer is there when
 * connect() returns, and only who has to wait for it asks epoll. Nothing is allocated.
 *
 * Ownership: the caller embeds struct probe (zeroed), and may start it anew from done() on; before it goes,
 * probe_cancel(), which closes what was kept. */
#ifndef AZLAB_PROBE_H
#define AZLAB_PROBE_H
#include "common/mono.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <http_parser.h>
#include <netinet/in.h>
#include <stdbool.h>

enum probe_outcome {
	PROBE_OK,
	PROBE_HTTP_STATUS, /* a whole answer, but neither 2xx nor 3xx */
	PROBE_REFUSED,     /* RST to the SYN */
	PROBE_UNREACHABLE, /* no route, here or (ICMP) on the way */
	PROBE_RESET,       /* RST later */
	PROBE_TIMED_OUT,
	PROBE_CLOSED_EARLY, /* the end came before the answer's end */
	PROBE_MALFORMED,    /* an answer that is not HTTP */
	PROBE_LAB_ERROR,    /* this machine's own limits: no local port, descriptor or memory */
	PROBE_OUTCOMES
};

union probe_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct probe_spec {
	union probe_address to;
	const char *request; /* from probe_request(); NULL: only connect. Must stay until done() */
	size_t request_len;
	uint8_t dscp;
	/* Close by RST, as HAProxy's checks do: no TIME_WAIT on either end, and a check that only connects
	 * takes one packet less, as the handshake's last ACK is never sent. `reset`, `dscp` and the family of
	 * `to` are the same each time that a probe is started. */
	bool reset;
	mono_ns timeout;
};

struct probe_result {
	enum probe_outcome outcome;
	int error;       /* errno behind it, 0 if none */
	unsigned status; /* HTTP status, 0 if none came */
	union probe_address
	    source; /* ours, if the probe failed; AF_UNSPEC if none was given, or after PROBE_OK */
};

struct probe;
typedef void probe_done(struct probe *p, const struct probe_result *result, void *arg);
struct probe {
	int fd; /* if open */
	bool open, watched /* by the loop */;
	bool active;
	const struct probe_spec *spec;
	probe_done *done;
	void *arg;
	struct event event, deadline;
	http_parser parser;
	bool sent, complete;
	bool decided; /* in probe_start(): the loop has only to tell */
	struct probe_result result;
};

/* Begins; done() comes later from the loop, never from here, also if it fails at once. The spec is borrowed
 * until then. */
void probe_start(struct probe *p, struct event_base *base, const struct probe_spec *spec, probe_done *done,
                 void *arg);
/* Ends it without a call of done(), and closes what it keeps; harmless on an idle (zeroed) one. */
void probe_cancel(struct probe *p);

/* "timed out"; never NULL. */
const char *probe_outcome_text(enum probe_outcome outcome);
/* "HTTP status 503", "timed out", "lab error: Too many open files". */
void probe_result_text(const struct probe_result *result, char *buf, size_t size);
/* What an errno of connect, send or recv means. */
enum probe_outcome probe_outcome_of(int error);

/* Reads an address in text, either family. 0 or -EINVAL. */
int probe_address(const char *text, uint16_t port, union probe_address *ret);
/* Writes it as text ("" for none) and returns its port. */
in_port_t probe_address_text(const union probe_address *address, char text[static INET6_ADDRSTRLEN]);
/* Writes a GET request; returns its length, or -EMSGSIZE. */
int probe_request(char *buf, size_t size, const char *host, const char *path);
#endif
