/* service.h - requests from the network to the engine and back: capacity in front of it, commits behind it.
 *
 *   HTTP -> [ capacity: slots and a queue ] -> engine -> [ held until the commit ] -> HTTP
 *
 * What comes in together goes to the disk in one commit, and only then are its answers sent. If it can't go
 * there as a whole, it is run again one by one, so that what fits is written, and who asked for the rest is
 * told. Errors are -errno. */
#ifndef AZLAB_DYNAMODB_SERVICE_H
#define AZLAB_DYNAMODB_SERVICE_H
#include "common/capacity.h"
#include "common/http_server.h"
#include "dynamodb/store.h"

struct service;
struct service_config {
	uint16_t port;
	unsigned concurrency; /* 0: unlimited */
	unsigned queue;       /* requests that may wait for a slot */
	mono_ns service_time;
	mono_ns max_connection_age; /* 0: unlimited */
};

struct service_counts { /* since the start, by pointers to names that stay */
	const char *name;
	uint64_t n;
};
enum { SERVICE_COUNTS_MAX = 24 };
struct service_figures {
	struct service_counts operations[SERVICE_COUNTS_MAX],
	    errors[SERVICE_COUNTS_MAX]; /* until a name is NULL */
	uint64_t commits;
	unsigned in_work, queued, connections;
};

/* error: of a write, -errno; 0 when writing works again. Told when that changes. */
typedef void service_store_event(int error, void *arg);

/* Calls event_base_priority_init(): before other events of the daemon's own are made. */
int service_start(struct event_base *base, const struct service_config *config, struct store *store,
                  service_store_event *event, void *arg, struct service **ret);
/* Takes all but the port. */
void service_configure(struct service *s, const struct service_config *config);
void service_figures(const struct service *s, struct service_figures *ret);
/* Runs a request of our own, to its commit; the answer's code. */
enum error_code service_run(struct service *s, const char *target, const json_t *request);
#endif
