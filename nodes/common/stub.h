/* stub.h - a DNS stub resolver that tells how long an answer holds: ldns messages over one connected,
 * non-blocking UDP socket. It caches nothing, and asks for both families at once like getaddrinfo().
 *
 * A question without an answer is sent again after 1 s, as Chromium's built-in stub resolver does, three
 * times in all (c-ares's number of tries); resolv.conf's 5 s would outlast every fault that is worth
 * watching. Truncated answers count with the addresses they hold: there is no TCP fall-back.
 *
 * Ownership: stub_free() ends all questions without calling back. Errors are -errno. */
#ifndef AZLAB_STUB_H
#define AZLAB_STUB_H
#include "common/probe.h"

enum { STUB_ADDRESSES_MAX = 128, STUB_DATAGRAM_MAX = 4096, STUB_ATTEMPTS = 3, STUB_RETRY_MS = 1000 };

enum stub_outcome {
	STUB_OK,
	STUB_NO_NAME,   /* NXDOMAIN */
	STUB_NO_DATA,   /* NOERROR without an address */
	STUB_FAILED,    /* SERVFAIL, REFUSED, ... */
	STUB_TIMED_OUT, /* nobody answered */
};
struct stub_answer {
	enum stub_outcome outcome;
	uint32_t ttl_s; /* the smallest of all records that led here */
	size_t n;
	union probe_address addresses[STUB_ADDRESSES_MAX]; /* port 0 */
};

struct stub;
typedef void stub_done(const struct stub_answer *answer, void *arg);

int stub_new(struct event_base *base, const char *server, uint16_t port, struct stub **ret);
void stub_free(struct stub *s);
/* Asks for addresses of a family (4, 6; 0: both, done when both questions are). done() comes once, later,
 * from the loop. -EINVAL for what is no domain name. */
int stub_ask(struct stub *s, const char *name, int family, stub_done *done, void *arg);

/* Pure: reads a datagram as the answer to a question (AF_INET: A, AF_INET6: AAAA). 0 with *ret filled in,
 * -EBADMSG for what is malformed or answers something else. */
int stub_parse(const uint8_t *datagram, size_t len, uint16_t id, const char *name, int family,
               struct stub_answer *ret);
/* Pure: writes a question; its length or -errno. */
int stub_question(uint8_t *buf, size_t size, uint16_t id, const char *name, int family);
#endif
