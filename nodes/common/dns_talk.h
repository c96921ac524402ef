/* dns_talk.h - a patient conversation with one DNS server, on top of dns_client.h: reads several RRsets at
 * once, sends transactions; any number may wait, 64 are in flight.
 *
 * A server that refuses, fails, truncates or keeps silent is asked again, ever less often, and what is waited
 * for is told once an episode. All callbacks come from the event loop, never from within a call. */
#ifndef AZLAB_DNS_TALK_H
#define AZLAB_DNS_TALK_H
#include "common/dns_client.h"
#include "proto/dns_names.h"

struct dns_talk;
/* An episode of waiting begins: what it waits for; or ends: NULL. */
typedef void dns_talk_waits(const char *what, void *arg);

/* The arguments as dns_client_new()'s. 0 or -errno. */
int dns_talk_new(struct event_base *base, const char *server, uint16_t port, const struct dns_key *key,
                 dns_talk_waits *waits, void *arg, struct dns_talk **ret);
/* Forgets what is under way without calling back. */
void dns_talk_free(struct dns_talk *t);

/* An RRset to read, and then what it was: n values as text, sorted; none if there is no such RRset. */
struct dns_rrset {
	struct dns_name owner;
	const char *type; /* a literal */
	size_t n;
	char **rdata;
};
/* The only value, or "" if there are none or several. */
const char *dns_rrset_value(const struct dns_rrset *set);
/* Called when all are read, in the order of the question, borrowed. They are no snapshot: each was read by a
 * query of its own. */
typedef void dns_talk_read_done(const struct dns_rrset *sets, size_t n, void *arg);
/* Reads all of them, however long it takes. 0 or -ENOMEM. */
int dns_talk_read(struct dns_talk *t, const struct dns_rrset *sets, size_t n, dns_talk_read_done *done,
                  void *arg);

enum dns_insistence {
	DNS_ONCE,   /* done gets whatever came of it; DNS_TIMED_OUT: it may have been carried out */
	DNS_INSIST, /* sent again until it is carried out or a prerequisite fails: for what may be done twice
	             */
};
typedef void dns_talk_update_done(enum dns_status status, void *arg);
/* Sends a transaction, which is the talk's from then on, also on failure. -EINVAL if u is NULL. An update
 * that can't be encoded ends with DNS_OTHER. */
int dns_talk_update(struct dns_talk *t, struct dns_update *u, enum dns_insistence insistence,
                    dns_talk_update_done *done, void *arg);
#endif
