/* arrivals.h - when an open-loop client's requests arrive: Poisson or evenly spaced, from the seed alone, so
 * that a schedule holds an exact number of requests. Pure; shared by the client, which makes them, and the
 * orchestrator, which knows how many there must be. Offsets are ns since the start of the scenario. */
#ifndef AZLAB_ARRIVALS_H
#define AZLAB_ARRIVALS_H
#include "common/mono.h"
#include "common/random.h"
#include <stdbool.h>

struct arrivals {
	struct random random;
	bool poisson;
	double rate;  /* per second; 0: none */
	double since; /* offset from which on this rate counts, or of the last arrival */
	double gap;   /* left from there to the next arrival, in mean gaps */
};

/* name is the client's node name; every client has a schedule of its own. */
void arrivals_init(struct arrivals *a, uint64_t seed, const char *name, double rate, bool poisson);
/* Offset of the next arrival. */
mono_ns arrivals_next(const struct arrivals *a);
/* The next arrival has come: go on to the one behind it. */
void arrivals_take(struct arrivals *a);
/* Another rate from the offset now on: the wait that goes on is scaled, no arrival is drawn anew. */
void arrivals_set_rate(struct arrivals *a, double rate, mono_ns now);
/* How many arrivals an unchanged rate has in [0, span). */
uint64_t arrivals_count(uint64_t seed, const char *name, double rate, bool poisson, mono_ns span);
#endif
