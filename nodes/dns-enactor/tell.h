/* tell.h - the events and the sample of an enactor, as docs/management.md lists them. */
#ifndef AZLAB_DNE_TELL_H
#define AZLAB_DNE_TELL_H
#include "dns-enactor/enactor.h"
#include "dns-enactor/fell.h"

void dne_tell_picked(struct dne *d);
/* in_force is newer than the plan, or as new; written: the plan went over it all the same. */
void dne_tell_stale(struct dne *d, const char *endpoint, uint64_t in_force, bool written);
void dne_tell_refused(struct dne *d, uint64_t plan, const char *reason);
void dne_tell_taken(struct dne *d);
void dne_tell_lost(struct dne *d, const struct dne_view *view, const char *why);
void dne_tell_applied(struct dne *d);
void dne_tell_aborted(struct dne *d, const char *reason);
void dne_tell_cleaned(struct dne *d, const struct dne_victim *victim);
void dne_tell_waiting(struct dne *d, const char *whom, const char *why);
void dne_tell_repaired(struct dne *d, const char *how, uint64_t cause, mono_ns took, const char *reason);
void dne_tell_sample(struct dne *d);
#endif
