/* console.h - the operator's console: watches the endpoints as anyone may, and repairs them out of band,
 * with nothing that the enactors need: no lock, no rollback record, no working enactor.
 *
 *   watch.c    what is in the zone, every watch_ms; empty endpoints
 *   repair.c   turning every root to the newest tree that is there, or to a new one
 *   main.c     management */
#ifndef AZLAB_DNO_CONSOLE_H
#define AZLAB_DNO_CONSOLE_H
#include "common/dns_peer.h"
#include "common/dns_talk.h"
#include "common/http_get.h"
#include "common/node.h"
#include "proto/dns_plan.h"

enum { DNO_HISTORY_MAX = 256 };

/* One endpoint as last seen. */
struct dno_endpoint {
	struct dns_endpoint is;
	char root[DNS_NAME_TEXT_MAX], rollback[DNS_NAME_TEXT_MAX];
	char lock[DNS_VALUE_MAX];
	uint64_t plan;
	json_t *addresses;                  /* A, and once a second AAAA */
	char empty_root[DNS_NAME_TEXT_MAX]; /* where it had no address, "" if it had one */
	mono_ns empty_since;
	bool told_empty;
};
/* A root that changed, as the console saw it. */
struct dno_change {
	mono_ns at;
	uint32_t endpoint;
	char root[DNS_NAME_TEXT_MAX];
};

struct dno_watch;
struct dno_repair;
struct console {
	struct node *node;
	struct dns_peers peers;
	char zone[DNS_ZONE_MAX];
	size_t n_endpoints;
	struct dno_endpoint *endpoints;
	struct dns_talk *talk;
	struct http_get *store;
	struct dno_watch *watch;
	struct dno_repair *repair; /* NULL: none under way */
	mono_ns watch_interval;
	uint32_t ttl_s; /* of a root that is turned while no plan is there to say so */
	struct dno_change history[DNO_HISTORY_MAX];
	size_t n_changes; /* ever */
};

/* 0 or -ENOMEM; begins to watch. */
int dno_watch_new(struct console *c);
/* 0; -EALREADY while one is under way; -ENOMEM. */
int dno_repair(struct console *c, uint64_t cause);
/* Turns every root to a tree that isn't there, as the race leaves them (`dns.broken`). As dno_repair(). */
int dno_break(struct console *c, uint64_t cause);
#endif
