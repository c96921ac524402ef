/* lab.h - a lab while it runs: its network, its nodes, what is true in it and what its nodes believe.
 *
 * lab.c         its loop, its start and its end
 * lab_up.c      coming up, in the order of what needs what
 * lab_faults.c  the fault program on the lab's links
 * lab_nodes.c   starting and configuring the nodes
 * lab_exec.c    commands of the user's own that a scenario runs on nodes
 * lab_events.c  what the nodes say: causes found, facts recorded, beliefs kept
 * lab_samples.c the figures that they send
 * lab_state.c   the state of services and zones, as metrics and as text
 * lab_ec2.c     instances of the lab that EC2's droplets launch
 * lab_dns.c     the DNS automation: its answer, its state
 * instances.c   launch, replace, terminate, kill, pause
 * knobs.c       what can be turned while it runs
 *
 * One thread, one event loop. Errors are -errno, with a line for people in lab->error. */
#ifndef AZLAB_LAB_H
#define AZLAB_LAB_H
#include "common/dns_update.h"
#include "orchestrator/network/build.h"
#include "orchestrator/faults/fault_plane.h"
#include "orchestrator/verdict/fidelity.h"
#include "orchestrator/lab/node_config.h"
#include "orchestrator/plan/plan.h"
#include "orchestrator/verdict/record.h"
#include "orchestrator/verdict/rundir.h"
#include "orchestrator/lab/spawn.h"
#include "orchestrator/lab/station.h"
#include "orchestrator/topology/topology.h"
#include "orchestrator/lab/truth.h"
#include <sys/queue.h>

/* An instance of a service, from its launch on; it stays in the table when it is gone. */
struct instance {
	size_t node; /* index in plan and stations */
	int service, zone;
	char ec2[24];                            /* its id at the EC2 API, "" if it wasn't launched there */
	bool awaits_routes;                      /* it is registered when every agent has acknowledged them */
	bool registered;                         /* with its zone's load balancer and checker */
	bool gone;                               /* terminated: no namespace any more */
	bool healthy, overloaded;                /* belief of the checker; word of the instance itself */
	unsigned passes;                         /* checks passed in a row, as the checker last told */
	mono_ns was_overloaded;                  /* when it last recovered; 0: never */
	bool connected;                          /* every agent has acknowledged its routes */
	uint64_t generation;                     /* of its latest route change */
	uint64_t launched;                       /* event ids: what brought it, */
	uint64_t terminated;                     /* what ended it, */
	uint64_t overloaded_by;                  /* what overloaded it last, */
	uint64_t route_sent[TOPOLOGY_ZONES_MAX]; /* its latest update towards each zone */
};

/* A service in a zone, as seen from above. */
struct zone_state {
	unsigned of, healthy, well, overloaded, capacity_lost; /* targets */
	bool in_answer;
	bool held; /* its removal is proposed and held back, or it fails open */
};

struct lab {
	const char *name;
	uint64_t seed;
	struct topology *topology;
	struct plan *plan;
	struct build *build;
	struct fault_plane *faults;
	bool fault_on[FAULT_RULES_MAX];
	uint64_t fault_event[FAULT_RULES_MAX]; /* the fault.on of each rule, the latest */
	struct truth *truth;
	struct spawner spawner;
	struct event_base *base;
	struct dns_key key;

	struct rundir *rundir;
	struct record *record;
	struct fidelity *fidelity;
	json_t *early; /* events from before t0, until it is known */
	mono_ns t0;    /* the scenario's start; 0: not yet */

	size_t n_stations, n_instances;
	struct station **stations; /* by index in plan->nodes; NULL for nodes without a process */
	struct instance *instances;
	struct station_handlers handlers;

	uint64_t answer[TOPOLOGY_SERVICES_MAX]; /* zones in the authoritative answer, a bit each */
	uint64_t last_dns_answer; /* of the DNS automation's service: the last that wasn't empty */
	uint64_t held[TOPOLOGY_SERVICES_MAX]; /* zones in it whose removal is proposed */
	struct zone_state states[TOPOLOGY_SERVICES_MAX][TOPOLOGY_ZONES_MAX]; /* as last recorded */
	uint64_t requests, errors, lab_errors;                               /* by the clients, so far */
	double recent_error_rate; /* of the last second; NAN before the first */
	uint64_t recent_requests, recent_errors, fault_lost;

	struct event *second, *child_changed, *interrupted[3];
	LIST_HEAD(, lab_exec) execs; /* running; lab_exec.c's own */
	bool stopping;               /* someone asked for the end: Ctrl-C, `azlab down` */
	bool broken;                 /* the lab can't go on */
	char error[1024];            /* why it could not be built or broke down */
	/* whoever shows the lab's life; any of them may be NULL */
	void (*on_step)(void *arg, const char *what);
	void (*on_event)(void *arg, double t, const char *node, const char *event, const json_t *fields);
	void (*on_second)(void *arg, struct lab *lab);
	void (*on_recorded)(void *arg, const char *line); /* an event as events.jsonl has it */
	void *show_arg;
};

/* --- lab.c --- */
/* Makes the lab's books; takes the topology over. rundir and record may be NULL no longer than this call. */
int lab_new(struct topology *t, const char *name, struct rundir *dir, struct record *record,
            struct lab **ret);
/* Builds everything and waits until every node is ready, every route is acknowledged and every target has
 * passed `rise` checks. On failure lab->error says what and why; call lab_down() all the same. */
int lab_up(struct lab *lab);
/* The scenario begins: t is 0, clients start. */
void lab_start(struct lab *lab);
/* Tells fidelity what messages have not arrived, since the last call. */
void lab_count_lost(struct lab *lab);
/* Takes everything down. Idempotent. */
void lab_down(struct lab *lab);
void lab_free(struct lab *lab);
/* Runs the loop until done(lab) or the deadline; 0, -ETIMEDOUT, -EINTR (stopping) or -EPIPE (broken). */
int lab_wait(struct lab *lab, bool (*done)(struct lab *), mono_ns deadline);
/* Remembers why the lab can't go on; the first reason stays. Returns error. */
int lab_fail(struct lab *lab, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
double lab_time(const struct lab *lab, mono_ns at);

/* --- lab_faults.c --- */
/* Loads the fault program, with the topology's rules, and places it on every link. */
int lab_place_faults(struct lab *lab);
/* Places it on the link to one more node; writes a fault's rule as the topology has it. */
int lab_attach_faults(struct lab *lab, size_t node);
int lab_set_fault(struct lab *lab, size_t fault);
/* What each rule has done goes to the metrics; what met no rule's fate makes the run untrusted. */
void lab_record_faults(struct lab *lab);

/* --- lab_nodes.c --- */
/* Starts the process of a node and sends its configuration. */
int lab_start_node(struct lab *lab, size_t node);
int lab_start_nodes(struct lab *lab);
/* Kills the node's process; when it has ended it is started again, with its configuration and, where it keeps
 * something, what it kept. An ended one is started at once. 0 or -errno. */
int lab_restart_node(struct lab *lab, struct station *s);
/* Sends the new configuration to each node whose configuration the topology in force makes different. */
void lab_reconfigure(struct lab *lab);
/* The station of a node by name, or NULL. */
struct station *lab_station(const struct lab *lab, const char *node);
/* The same by index in the plan: an instance whose process has not started yet has none. */
struct station *lab_station_of(const struct lab *lab, size_t node);
/* Sends one message, which is consumed, to a node by its name. What can't be told is an event of the record.
 */
int lab_tell(struct lab *lab, const char *node, json_t *message);
/* True while the node's process lives and is not stopped. */
bool lab_runs(const struct lab *lab, size_t node);

/* --- lab_exec.c --- */
/* Starts a command on a node, argv being "--" and its words; how it ends will be an event. */
int lab_exec(struct lab *lab, size_t node, size_t argc, const char *const *argv, uint64_t cause);
void lab_end_execs(struct lab *lab);

/* --- lab_events.c --- */
/* Records an event of the orchestrator's own and returns its id. */
uint64_t lab_event(struct lab *lab, const char *event, uint64_t cause, const char *node, const char *zone,
                   json_t *fields);
void lab_on_message(void *arg, struct station *s, json_t *message);
void lab_on_ended(void *arg, struct station *s);
void lab_on_stopped(void *arg, struct station *s);
/* Records what was held back until t0 was known. */
void lab_flush_early(struct lab *lab);

/* What an event means for the books; may add fields and find the cause. */
typedef void learn(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields);

/* --- lab_ec2.c --- */
/* A droplet starts, ends or reboots an instance that is one of the lab. */
learn lab_on_droplet_launch, lab_on_droplet_terminate, lab_on_droplet_reboot;
bool lab_ec2_all_leased(struct lab *lab);

/* --- lab_samples.c --- */
void lab_take_sample(struct lab *lab, struct station *s, json_t *message);
/* The zones of an array of names, a bit each. */
uint64_t lab_zones_of(const struct lab *lab, const json_t *names);

/* --- lab_state.c --- */
/* Recomputes the state of every service and zone; what has changed, or all of it, goes to the metrics. */
void lab_observe(struct lab *lab, bool all);
struct zone_state lab_zone_state(const struct lab *lab, int service, int zone);
bool lab_instance_well(const struct lab *lab, const struct instance *i);
json_t *lab_status(const struct lab *lab);
void lab_print_status(const json_t *status, FILE *out);

/* --- instances.c --- */
/* Each returns 0 or -errno with a message in error. cause is the event behind it. */
/* One new instance for the EC2 API, under its id. */
int instance_launch_ec2(struct lab *lab, int zone, const char *ec2, uint64_t cause, size_t *ret_node,
                        char *error, size_t size);
/* All routes of an instance are acknowledged: it is registered now, if it waited for that. */
void instance_connected(struct lab *lab, struct instance *i);
struct instance *instance_of_ec2(struct lab *lab, const char *ec2);
int instance_launch(struct lab *lab, int service, int zone, unsigned n, uint64_t cause, char *error,
                    size_t size);
int instance_replace(struct lab *lab, int service, int zone, unsigned n, uint64_t cause, char *error,
                     size_t size);
int instance_terminate(struct lab *lab, struct instance *i, uint64_t cause, char *error, size_t size);
struct instance *instance_find(struct lab *lab, const char *name);
struct instance *instance_of_node(struct lab *lab, size_t node);
/* Enters the instances of the plan into the books; attaches and registers them, in this order, at bring-up.
 */
int instances_adopt(struct lab *lab);
void instances_attach(struct lab *lab);
void instances_register(struct lab *lab);
#endif
