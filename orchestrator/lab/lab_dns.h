/* lab_dns.h - the DNS automation while the lab runs: what the operator's console has seen of the zone, kept
 * for the answer that counts as truth, for the metrics and for `azlab dns`. */
#ifndef AZLAB_LAB_DNS_H
#define AZLAB_LAB_DNS_H
#include "orchestrator/lab/lab.h"

/* The console's "endpoints" sample: which zones the service's own name leads to, and each endpoint's plan. */
void lab_dns_take_endpoints(struct lab *lab, struct station *s, const json_t *sample);
/* endpoint.empty and endpoint.restored of the service's own name change the answer at once. */
void lab_dns_learn(struct lab *lab, const char *event, const json_t *fields);
/* True once the console has read the zone. */
bool lab_dns_answered(const struct lab *lab);

/* {"service", "zone", "planner", "enactors": [], "endpoints": [], "trees": []}; {"plans": []} as the store
 * has them; what has happened, newest last, at most n events. The caller owns them. */
json_t *lab_dns_status(const struct lab *lab);
json_t *lab_dns_plans(const struct lab *lab);
json_t *lab_dns_history(const struct lab *lab, size_t n);
void lab_dns_print_status(const json_t *status, FILE *out);
void lab_dns_print_plans(const json_t *plans, FILE *out);
void lab_dns_print_history(const json_t *history, FILE *out);
#endif
