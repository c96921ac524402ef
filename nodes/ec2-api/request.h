/* request.h - a query as what is asked for: parameters checked, defaults filled in. Pure.
 * Strings are borrowed from the query. Functions return false with the error filled in. */
#ifndef AZLAB_EC2_API_REQUEST_H
#define AZLAB_EC2_API_REQUEST_H
#include "ec2-api/api_error.h"
#include "ec2-api/instance.h"
#include "ec2-api/query.h"
#include <stddef.h>

/* EC2's own limits, but for the first, which is ours for one call. */
enum {
	REQUEST_COUNT_MAX = 1000,
	REQUEST_IDS_MAX = 1000,
	REQUEST_TAGS_MAX = 50,
	REQUEST_FILTERS_MAX = 50,
	REQUEST_VALUES_MAX = 200,
	REQUEST_PAGE_MAX = 1000
};

struct run_request {
	unsigned min, max; /* 1 <= min <= max */
	const char *image, *type;
	const char *zone;  /* NULL: any */
	const char *token; /* NULL: none */
	json_t *tags;      /* {key: value}; owned */
	bool real;         /* tag azlab:real=true: a namespace with a process; else bookkeeping */
};

struct filter {
	const char *name;
	size_t n;
	const char *values[REQUEST_VALUES_MAX];
};
struct describe_request {
	size_t n_ids, n_filters;
	const char *ids[REQUEST_IDS_MAX];
	struct filter filters[REQUEST_FILTERS_MAX];
	unsigned max_results; /* of a page; 0: not given */
	const char *after;    /* the page begins behind this instance; NULL: at the beginning */
	bool all_states;      /* DescribeInstanceStatus: not only running ones */
};

struct ids_request {
	size_t n;
	const char *ids[REQUEST_IDS_MAX];
};

bool request_run(const struct query *q, struct run_request *ret, struct api_error *e);
void run_request_release(struct run_request *r);
/* Of the parameters that a repeated ClientToken must repeat as well. */
uint64_t run_request_hash(const struct run_request *r);

/* DescribeInstances and DescribeInstanceStatus. */
bool request_describe(const struct query *q, struct describe_request *ret, struct api_error *e);
/* TerminateInstances and RebootInstances: at least one, each once. */
bool request_ids(const struct query *q, struct ids_request *ret, struct api_error *e);
/* DryRun=true. */
bool request_is_dry(const struct query *q);

/* Whether the instance passes every filter: any of a filter's values, `*` and `?` in it being wildcards. */
bool request_matches(const struct describe_request *r, const struct instance *i);
#endif
