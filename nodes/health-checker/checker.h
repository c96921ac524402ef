/* checker.h - a zone's health checker: the services and targets it knows, and what ties them together.
 *
 *   table.c   configuration and target tables -> struct checker_service, struct checker_target
 *   checks.c  schedule.h and probe.h -> results -> target.h -> events
 *   reports.c changes of state, and every second all states -> the wire; a change holds a slot until then
 *
 * Ownership: the checker lives as long as the process; a target until it leaves its table. */
#ifndef AZLAB_CHECKER_CHECKER_H
#define AZLAB_CHECKER_CHECKER_H
#include "common/node.h"
#include "common/probe.h"
#include "common/random.h"
#include "health-checker/outbox.h"
#include "health-checker/schedule.h"
#include "health-checker/target.h"

enum { CHECKER_NAME_MAX = 64, CHECKER_REQUEST_MAX = 1024 };

struct checker_service;
struct checker_target {
	LIST_ENTRY(checker_target) link;
	TAILQ_ENTRY(checker_target) push_link;
	struct checker_service *service;
	uint32_t id;
	char name[CHECKER_NAME_MAX];
	struct target health;
	uint64_t event; /* that made it so */
	uint64_t checks;
	struct schedule_entry turn;
	struct probe probe;
	struct probe_spec spec;
	uint32_t push_sequence; /* the report that carries its last change; its slot is held until settled */
	mono_ns push_since;     /* 0: holds no slot */
	bool listed;            /* while a new table is read */
};
LIST_HEAD(checker_targets, checker_target);
TAILQ_HEAD(checker_pushes, checker_target);

struct checker_service {
	uint16_t index; /* in the topology */
	char name[CHECKER_NAME_MAX];
	uint16_t port;
	char request[CHECKER_REQUEST_MAX];
	size_t request_len; /* 0: TCP */
	int family;
	mono_ns interval, timeout;
	struct target_policy policy;
	enum target_state first;
	struct checker_targets targets;
	struct outbox outbox;
	struct checker_pushes pushes; /* changes that hold a slot, oldest first */
	bool dirty;                   /* changed since the last report */
	unsigned resends;             /* of the last change */
	struct event *resend_timer;
	struct checker *checker;
};

struct checker {
	struct node *node;
	struct schedule schedule;
	struct event *turn_timer, *report_timer, *flush_event, *ack_event;
	mono_ns armed; /* what turn_timer waits for; MONO_NEVER: nothing */
	struct checker_service *services;
	size_t n_services;
	uint16_t zone;
	uint32_t epoch;
	int socket;
	struct sockaddr_in receivers[OUTBOX_RECEIVERS_MAX];
	unsigned n_receivers;
	unsigned in_flight;
	uint64_t made, failed, late; /* since the last sample */
	mono_ns last_late;           /* when a check last started late; 0: never */
};

/* table.c: reads the whole configuration, the first time or for a knob; nothing changes if it is bad. */
int checker_configure(struct checker *c, const json_t *config);
/* Takes a service's whole table; targets that left it are no longer checked or reported from now on. */
int checker_take_targets(struct checker *c, const json_t *message);
/* Reads "report_to". */
int checker_read_receivers(struct checker *c, const json_t *config);

/* checks.c */
int checks_open(struct checker *c);
/* Starts what is due and arms the timer for the rest. */
void checks_run(struct checker *c);
void checks_stop(struct checker_target *t);

/* reports.c: errors are -errno. */
int reports_open(struct checker *c);
/* The states changed: report them at the end of this turn of the loop. */
void reports_changed(struct checker_service *s);
/* This target's change takes a slot until all receivers have acknowledged it, or for REPORTS_GIVE_UP. */
void reports_push(struct checker_target *t);
void reports_forget(struct checker_target *t);
#endif
