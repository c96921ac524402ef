/* sweep.h - the clean-up after a plan was applied: every tree of the index whose plan is older than the own
 * by more than `keep` is deleted, one tree after another: leaves and weights first, then tops, mark and index
 * entry together in the last message. */
#ifndef AZLAB_DNE_SWEEP_H
#define AZLAB_DNE_SWEEP_H
#include "dns-enactor/config.h"
#include "dns-enactor/fell.h"

struct dne_sweep;
struct dne_sweep_calls {
	void (*cleaned)(const struct dne_victim *victim, void *arg);
	void (*done)(void *arg); /* the sweep is over and freed */
	void *arg;
};
/* config and plan must stay until done() is called; knobs may change meanwhile. 0 or -ENOMEM. */
int dne_sweep(struct dns_talk *t, const struct dne_config *config, const struct dns_plan *own,
              const struct dne_sweep_calls *calls);
#endif
