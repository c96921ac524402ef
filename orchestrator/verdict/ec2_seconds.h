/* ec2_seconds.h - what EC2's nodes told each second, as one row a second, all hosts together: what the
 * figures and the report's charts are made from. Pure.
 *
 * A host tells once a second, and not on the second's beat: where a second has no sample of it, its last one
 * counts for EC2_TOLD_S; then it does nothing and holds nothing, but its droplets are still there. What is
 * counted (API errors, launches) is of its own second only. */
#ifndef AZLAB_EC2_SECONDS_H
#define AZLAB_EC2_SECONDS_H
#include "orchestrator/verdict/figures.h"

enum { EC2_TOLD_S = 3 };

struct ec2_second {
	double droplets, held, queued, oldest_ms;
	double offered, good, stale, dropped; /* per second */
	double api_calls, api_errors, launches, launches_failed;
	double launch_api_ms, launch_droplet_ms, launch_network_ms; /* 99th percentiles; 0: no launch */
	double backlog;                                             /* Network Manager's */
	double store, store_well; /* targets of DynamoDB, and how many of them are well */
	bool store_lost;          /* its name had no address for some of the second */
};
struct ec2_seconds {
	struct ec2_second *rows;
	size_t n;
	double from;
};

struct ec2_store {
	const char *service, *dns_name; /* DynamoDB's; "": unknown */
};

/* The seconds that begin in the span; one cut short at its end is one, too. 0 or -ENOMEM. */
int ec2_seconds_of(const struct record *r, struct span span, const struct ec2_store *store,
                   struct ec2_seconds *ret);
void ec2_seconds_release(struct ec2_seconds *s);

/* One metric of one node by second: NAN where it wasn't told. held_s is how long a value holds on; without,
 * values of one second add up. rows has room for n. */
void ec2_series_by_second(const struct record *r, uint32_t series, struct span span, double held_s,
                          double *rows, size_t n);
#endif
