/* fidelity.h - whether a run can be believed: how late the loops of its processes ran, what was lost, and
 * what the machine did meanwhile.
 *
 * Units: microseconds of lateness; t in seconds since the scenario's start. Limit: a tenth of the shortest
 * health-check time-out, since a check decided by the machine and not by the network must be rare.
 * Ownership: names are copied. Errors are -errno. */
#ifndef AZLAB_FIDELITY_H
#define AZLAB_FIDELITY_H
#include "orchestrator/verdict/figures.h"

/* The machine's state at one instant. */
struct fidelity_probe {
	mono_ns mono, boot;   /* CLOCK_MONOTONIC, CLOCK_BOOTTIME: they part while the machine is suspended */
	int64_t cpu_stall_us; /* how long some task waited for a CPU (/proc/pressure/cpu), -1 where unknown */
};
struct fidelity_probe fidelity_probe_now(void);

/* The shortest check time-out of a topology's services. */
mono_ns fidelity_timeout(const struct topology *t);

struct fidelity;
struct fidelity *fidelity_new(mono_ns shortest_timeout);
void fidelity_free(struct fidelity *f);
/* A node's "loop" sample: n firings of its 50 ms timer, the last of them at t. Those before the scenario only
 * count as evidence against removals. */
int fidelity_lateness(struct fidelity *f, const char *node, double t, const uint32_t *late_us, size_t n);
/* Events that never reached the record, packets that the fault plane lost; both add up. */
void fidelity_lost_events(struct fidelity *f, uint64_t n);
void fidelity_fault_lost(struct fidelity *f, uint64_t n);
/* The machine at the scenario's start and at its end. */
void fidelity_machine(struct fidelity *f, const struct fidelity_probe *start,
                      const struct fidelity_probe *end);
/* Any other reason not to believe the run: a lab that broke down, a disk that was full. */
int fidelity_doubt(struct fidelity *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* {"worst_node", "late_p99_ms", "limit_ms", "lost_events", "fault_lost", "cpu_pressure", "clock_jump_s",
 * "reasons": [text, ...]}: the run is to be believed if there are no reasons. What is unknown is null. The
 * record's zone.removed events of the run are looked at one by one. NULL without memory. */
json_t *fidelity_judge(const struct fidelity *f, const struct record *r, struct span run);
#endif
