/* node.h - what every daemon of the lab stands on: the event loop, the management channel to the
 * orchestrator, events, samples, and the measure of how late its own loop runs.
 *
 * The orchestrator starts a node with one end of a SOCK_SEQPACKET pair as descriptor 3 and sends one JSON
 * object a packet; docs/management.md lists the messages. A node exits 0 when that channel closes. main()
 * is `return node_run(&ops);`.
 *
 * Ownership: struct node lives as long as the process. JSON handed to node_event() and node_sample() is
 * consumed; JSON handed to handlers is borrowed. Errors are -errno. */
#ifndef AZLAB_NODE_H
#define AZLAB_NODE_H
#include "common/mono.h"
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

enum {
	NODE_EXIT_USAGE = 100,
	NODE_EXIT_SYSTEM = 111,
	NODE_MANAGEMENT_FD = 3,
	NODE_MESSAGE_MAX = 256 * 1024,
	NODE_FDS_MAX = 128 /* below the kernel's SCM_MAX_FD of 253 */
};

struct node {
	struct event_base *base;
	const char *name;      /* "az1.checker" */
	const char *zone;      /* "az1", "internet" or "region" */
	uint32_t number;       /* unique in the run; the upper half of this node's event ids */
	uint64_t seed;         /* the run's seed; mix in what is your own */
	mono_ns t0;            /* the scenario's start, 0 until "start" has come */
	int fds[NODE_FDS_MAX]; /* descriptors that came with the configuration, -1 where none */
	void *self;            /* the daemon's own state */
};

/* Handles one management message; 0 or -errno, which is logged, the node going on. */
typedef int node_handler(struct node *n, json_t *body);
struct node_message {
	const char *type;
	node_handler *handle;
};

struct node_ops {
	const char *daemon;                  /* "health-checker" */
	node_handler *start;                 /* gets the "config" object; an error ends the process (111) */
	const struct node_message *messages; /* ends with an empty entry; "start", "set", "targets", ... */
	bool keep_capabilities;              /* else all go when start() has returned */
};

/* Runs a daemon to its end and returns its exit status. */
int node_run(const struct node_ops *ops);

/* Makes the id of this node's next event, for a wire message that must carry it before it is reported. */
uint64_t node_event_id(struct node *n);
/* Reports an event; cause is the id of the event that led to it, 0 if unknown. Returns its id. */
uint64_t node_event(struct node *n, const char *event, uint64_t cause, json_t *fields);
/* As node_event(), under an id taken before with node_event_id(). */
void node_event_as(struct node *n, uint64_t id, const char *event, uint64_t cause, json_t *fields);
/* Reports figures (not events): {"type":"sample","kind":kind, ...fields}. */
void node_sample(struct node *n, const char *kind, json_t *fields);

/* Typed access to configuration; a missing or ill-typed member gives the default. */
const char *node_string(const json_t *object, const char *key, const char *fallback);
double node_number(const json_t *object, const char *key, double fallback);
bool node_bool(const json_t *object, const char *key, bool fallback);
#endif
