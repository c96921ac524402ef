/* figures_dns.h - what became of a DNS automation, as numbers: docs/figures.md defines each. Pure. */
#ifndef AZLAB_FIGURES_DNS_H
#define AZLAB_FIGURES_DNS_H
#include "orchestrator/verdict/figures.h"

struct dns_figures {
	unsigned plans, stale_writes;
	unsigned emptied;     /* endpoints that lost their addresses, each counted once */
	double empty_seconds; /* of the service's own name */
	bool stuck;
	double repaired_s;      /* NAN: no operator has */
	double negative_tail_s; /* NAN: the name was never empty, or not restored */
};

/* The service is the automation's, dns_name its name. */
void dns_figures_of(const struct record *r, struct span span, const char *service, const char *dns_name,
                    struct dns_figures *ret);
/* {"plans": 0, ...} with null for NAN; NULL without memory. */
json_t *dns_figures_json(const struct dns_figures *f);

/* A stretch of time in which one endpoint had no address. */
struct dns_outage {
	double from, to; /* to: INFINITY while it lasts */
	double stuck_at; /* a plan made since was aborted; INFINITY: none */
	double repaired; /* an operator's repair ended it, then; NAN: none */
};
/* True if an event is about the service's own name: "dynamodb", or whole. */
bool dns_is_own(const struct record_event *e, const char *dns_name);
/* The outages of the service's own name, in order; the caller frees *ret. 0 or -ENOMEM. */
int dns_outages(const struct record *r, const char *dns_name, struct dns_outage **ret, size_t *ret_n);
#endif
