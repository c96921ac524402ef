/* dns_client.h - sends updates and queries to one DNS server over UDP: up to 64 in flight and some encoded
 * and signed meanwhile, retransmitted until answered or given up; a question whose answer was truncated is
 * asked again over TCP. Runs on the caller's event loop; nothing blocks.
 *
 * A retransmitted update may be carried out twice if the first answer was lost; with a prerequisite on what
 * it replaces, the second one fails with DNS_PREREQUISITE: read back before concluding that someone else won.
 */
#ifndef AZLAB_DNS_CLIENT_H
#define AZLAB_DNS_CLIENT_H
#include "common/dns_update.h"
#include <event2/event.h>

enum {
	DNS_IN_FLIGHT_MAX = 64,
	DNS_REQUESTS_MAX = 2 * DNS_IN_FLIGHT_MAX, /* with those that wait to be sent */
};

struct dns_client;
/* Called once a request, from the loop; the answer is borrowed. New requests may be made inside, or the
 * client freed. */
typedef void dns_done(const struct dns_answer *answer, void *arg);

/* server is "10.0.0.5" or an IPv6 address; key is copied, NULL sends unsigned. 0 or -errno; -EINVAL for a bad
 * address. The socket belongs to the namespace of the calling thread, one for TCP to that of the loop's. */
int dns_client_new(struct event_base *base, const char *server, uint16_t port, const struct dns_key *key,
                   struct dns_client **ret);
/* Forgets what is in flight without calling back. */
void dns_client_free(struct dns_client *c);
/* Sends, in its turn; done comes after an answer, or with DNS_TIMED_OUT when `patience` has passed since the
 * call. The update stays the caller's. 0; -EAGAIN if there are 128; the encoder's errors. */
int dns_client_update(struct dns_client *c, const struct dns_update *u, mono_ns patience, dns_done *done,
                      void *arg);
int dns_client_query(struct dns_client *c, const char *name, const char *type, mono_ns patience,
                     dns_done *done, void *arg);
#endif
