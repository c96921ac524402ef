/* dns_plan.h - a plan of the DNS automation: read, written, checked, and expanded to the records of its
 * tree. docs/dns-automation.md describes both. Pure but for the stream that a plan is written to.
 *
 * Ownership: the arrays of a plan are its own; dns_plan_release() frees them. A plan that its maker fills in
 * itself has them from malloc(). */
#ifndef AZLAB_PROTO_DNS_PLAN_H
#define AZLAB_PROTO_DNS_PLAN_H
#include "proto/dns_names.h"
#include <netinet/in.h>
#include <stdio.h>

enum {
	DNS_PLAN_TEXT_MAX = 32 << 20, /* bytes of a plan as JSON */
	DNS_PLAN_AHEAD_MS = 5000, /* a plan made later than the reader's clock by more is from the future */
	DNS_PLAN_WHY_MAX = 160,
	DNS_ENDPOINTS_MAX = 10000,
	DNS_BALANCERS_MAX = 100000,
	DNS_TOP_BALANCERS = 8, /* a top's load balancers */
	DNS_WEIGHTS_SET = 64,  /* leaves in one set of weights */
};

enum dns_plan_kind { DNS_PLAN_CAPACITY, DNS_PLAN_EVACUATE };
const char *dns_plan_kind_text(enum dns_plan_kind k);

struct dns_endpoint {
	char name[DNS_LABELS_MAX]; /* below the zone: "dynamodb", "000000000001.ddb" */
	enum dns_variant variant;
};
struct dns_balancer {
	char name[DNS_LABELS_MAX];
	uint16_t weight; /* at least 1: one without capacity isn't in the plan */
	struct in_addr addr4;
	struct in6_addr addr6;
};
struct dns_plan {
	uint64_t number;
	char tree[DNS_TREE_LEN + 1];
	int64_t made_ms; /* wall clock */
	enum dns_plan_kind kind;
	char service[DNS_LABELS_MAX], zone[DNS_ZONE_MAX];
	uint32_t ttl_s;
	uint64_t event; /* the plan.made behind it, 0 if unknown */
	size_t n_endpoints;
	struct dns_endpoint *endpoints; /* the first is the service's own name */
	size_t n_balancers;
	struct dns_balancer *balancers; /* may be none: then the tops are empty */
};

/* Reads a whole plan. 0, *ret being the caller's to release; -EBADMSG for what is none, or not all of one;
 * -ETIME for one from the future; -ENOMEM. Untouched on failure, and why says what is wrong, for a person. */
int dns_plan_read(const char *text, size_t len, int64_t now_ms, struct dns_plan *ret,
                  char why[DNS_PLAN_WHY_MAX]);
/* Writes it as compact JSON, bit by bit, and flushes the stream. 0 or -errno. */
int dns_plan_write(const struct dns_plan *p, FILE *out);
/* Is it one that a reader would take (but for the time)? 0 or -EINVAL and why. */
int dns_plan_check(const struct dns_plan *p, char why[DNS_PLAN_WHY_MAX]);
void dns_plan_release(struct dns_plan *p);

/* --- expansion --------------------------------------------------------------------------------------- */

/* In the order in which they are made. What is deleted goes leaves and weights first, the rest together in
 * one last message: a name of a tree half gone would not be below the wildcard. */
enum dns_part {
	DNS_PART_INDEX, /* first, so that a tree left half is found by the clean-up */
	DNS_PART_LEAF,
	DNS_PART_WEIGHTS,
	DNS_PART_TOP,
	DNS_PART_MARK, /* last, alone: in the message that completes the tree */
};
struct dns_record {
	enum dns_part part;
	struct dns_name owner;
	const char *type;
	uint32_t ttl_s;
	char rdata[DNS_NAME_TEXT_MAX + 32];
};
struct dns_plan_walk {
	const struct dns_plan *plan;
	enum dns_part part;
	size_t at; /* within the part */
	unsigned n_drawn;
	uint32_t drawn[DNS_VARIANTS][DNS_TOP_BALANCERS]; /* the tops' load balancers */
	bool variants[DNS_VARIANTS];                     /* those that an endpoint has */
};
/* The plan must outlive the walk. The same plan gives the same records in the same order everywhere; records
 * of one owner and type come one after another. */
void dns_plan_walk(struct dns_plan_walk *w, const struct dns_plan *p);
/* The next record; false after the last. */
bool dns_plan_next(struct dns_plan_walk *w, struct dns_record *ret);
/* How many there are, without walking. */
size_t dns_plan_records(const struct dns_plan *p);
#endif
