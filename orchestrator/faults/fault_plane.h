/* fault_plane.h - the lab's faults: one loaded BPF program, its rules, and the devices it stands on.
 *
 * docs/faults.md says where the devices are and what rules do. Nothing is pinned: the program, its maps and
 * the rules live as long as the plane and, inert, as long as the attachments, which go with their namespaces.
 * Errors: -errno; a failure changes nothing but what it says. Not for use by two threads at once. */
#ifndef AZLAB_FAULT_PLANE_H
#define AZLAB_FAULT_PLANE_H
#include "fault.h"
#include "orchestrator/plan/plan.h"

struct fault_plane;

/* Loads the program. Needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN (to enter namespaces). On failure error
 * says what was refused. */
int fault_plane_open(uint64_t seed, struct fault_plane **ret, char *error, size_t size);
void fault_plane_close(struct fault_plane *f);

/* Attaches the program to the egress of one end of a link, the last one before a destination: device ifname
 * in the namespace netns, whose number is the caller's choice, the same at every call. own: the far end is a
 * router; only packets to this address of it are decided about. The first call for a namespace opens its
 * packet socket, so each must have had one before fault_plane_delay_fds(). The calling thread visits netns
 * and is home again when this returns. -ENOSPC beyond FAULT_SITES_MAX namespaces, -ENODEV, -EEXIST. */
int fault_plane_attach(struct fault_plane *f, int netns, unsigned number, const char *ifname,
                       const struct plan_addr *own);
enum { FAULT_SITES_MAX = TOPOLOGY_ZONES_MAX + 1 };

/* The n descriptors that the delay line wants, in its order; they stay the plane's. */
const int *fault_plane_delay_fds(struct fault_plane *f, size_t *n);

/* Defines or redefines rule index (< FAULT_RULES_MAX); it stays on or off as it was. Packets see the old
 * rule or the new one, never a mixture. */
int fault_plane_rule(struct fault_plane *f, unsigned index, const struct fault_rule *r);
/* Switches a defined rule. Packets already held keep their due time. */
int fault_plane_switch(struct fault_plane *f, unsigned index, bool on);

/* Counts since the plane was opened. */
int fault_plane_counters(const struct fault_plane *f, unsigned index, struct fault_counters *ret);
/* Packets that a full ring or the delay line lost, beyond what rules dropped; any makes a run untrusted. */
uint64_t fault_plane_lost(const struct fault_plane *f);

struct fault_flow {
	int family;       /* AF_INET or AF_INET6 */
	uint8_t protocol; /* IPPROTO_* */
	uint16_t sport, dport;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} src, dst;
	mono_ns since; /* what was done before does not count; 0: ever */
};
/* The rule that dropped, refused, delayed or otherwise touched this flow, in either direction; one that
 * dropped goes before others. -ENOENT if none did. */
int fault_plane_blame(const struct fault_plane *f, const struct fault_flow *flow);
#endif
