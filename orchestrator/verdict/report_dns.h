/* report_dns.h - the report's section about a DNS automation: who applied which plan, and, if a name lost its
 * addresses, how that came about. Bounded in size whatever the number of events. */
#ifndef AZLAB_REPORT_DNS_H
#define AZLAB_REPORT_DNS_H
#include "orchestrator/verdict/record.h"
#include <stdio.h>

/* Nothing without a "dns" in the summary. */
void report_dns(FILE *out, const struct record *r, const json_t *summary);
/* The plans over time for the chart; JSON null without a "dns". */
json_t *report_dns_data(const struct record *r, const json_t *summary);
/* What tells the story of an emptied endpoint; members are NULL where there is none. */
struct dns_story {
	const struct record_event *picked;  /* the plan that was going to be stale */
	const struct record_event *lost;    /* the first lock that its enactor lost since */
	unsigned n_lost;                    /* how many */
	const struct record_event *applied; /* the newer plan whose enactor cleaned up */
	const struct record_event *stale;   /* the stale write */
	const struct record_event *cleaned; /* the deletion of the tree in force */
	const struct record_event *empty;   /* no address any more */
	const struct record_event *aborted; /* the first plan that could not be applied since */
	unsigned n_aborted;
	const struct record_event *repaired, *restored;
};
/* Of the service's own name, or of the first endpoint that was emptied. False if none ever was. */
bool dns_story_of(const struct record *r, const char *dns_name, struct dns_story *ret);
#endif
