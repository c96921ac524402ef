/* plane.h - the load balancer's data plane as its daemon holds it: the tc program, attached, and its tables,
 * mapped into memory, so that the daemon changes and reads them without privileges or system calls.
 *
 * Errors are -errno, with what was tried and what is missing in struct plane_error. The program stays
 * attached when the process ends; it goes with the interface. */
#ifndef AZLAB_NLB_PLANE_H
#define AZLAB_NLB_PLANE_H
#include "nlb.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plane_params {
	const char *ifname;
	struct nlb_addr own4, own6; /* the balancer's own addresses, which targets see */
	uint64_t seed;
	bool via_peer; /* straight into the peer's receive path; see docs/nlb.md */
	const struct nlb_service *services;
	size_t n_services; /* 1..NLB_SERVICES_MAX */
};
struct plane_error {
	char text[512];
};
struct plane;

/* Loads and attaches. Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, which may go afterwards. */
int plane_open(const struct plane_params *p, struct plane **ret, struct plane_error *error);
/* Loads without attaching, for tests by bpf_prog_test_run. */
int plane_load(const struct plane_params *p, struct plane **ret, struct plane_error *error);
/* Gives a service new targets for new flows (n may be 0), with a lookup table over them (NLB_TABLE_SIZE
 * entries, ignored when n is 0). Flows see either the old table or the new one. */
void plane_set_table(struct plane *p, size_t service, const struct nlb_target *targets, size_t n,
                     const uint16_t *entry);
/* The slot table, NLB_PORTS sets. */
struct nlb_set *plane_slots(struct plane *p);
/* Totals since the start, by enum nlb_counter. 0 or -errno. */
int plane_counters(struct plane *p, uint64_t total[NLB_COUNTERS]);
int plane_program(const struct plane *p);
/* Closes what this process holds; NULL is fine. */
void plane_close(struct plane *p);
#endif
