/* answer.h - keeps the addresses of one service at the authoritative server as they are wished: the A and
 * AAAA RRsets of its name, replaced whole in one transaction, on the condition that they are still what was
 * last seen there. When they aren't, they are read again first. One update is in flight at a time; when it is
 * answered, the newest wish is sent. A server that doesn't answer or refuses is asked again, ever less often.
 *
 * Ownership: azf_answer_free() before the client. */
#ifndef AZLAB_AZF_ANSWER_H
#define AZLAB_AZF_ANSWER_H
#include "az-failover/config.h"
#include "common/dns_client.h"

struct azf_answer;
/* The server has acknowledged another set of zones; took is from the wish to the acknowledgement. */
typedef void azf_answer_changed(void *arg, zone_set before, zone_set after, mono_ns took);

/* Begins by reading what is there; the first wish is all zones. config is borrowed for the call. 0 or
 * -ENOMEM. */
int azf_answer_new(struct event_base *base, struct dns_client *client,
                   const struct azf_service_config *config, azf_answer_changed *changed, void *arg,
                   struct azf_answer **ret);
void azf_answer_free(struct azf_answer *a);
/* The zones that shall be in the answer; never empty. */
void azf_answer_wish(struct azf_answer *a, zone_set zones, mono_ns now);
/* Another TTL, for all records from now on. */
void azf_answer_set_ttl(struct azf_answer *a, uint32_t ttl_s);
/* False until the server's answer has been read. */
bool azf_answer_known(const struct azf_answer *a);
/* The zones that the server last acknowledged or was seen to hold; all of them until it is known. */
zone_set azf_answer_current(const struct azf_answer *a);
#endif
