/* target.h - decides whether a checked target is healthy: rise successes or fall failures in a row.
 * Pure. Nothing to free. */
#ifndef AZLAB_CHECKER_TARGET_H
#define AZLAB_CHECKER_TARGET_H
#include <stdbool.h>

/* A pending target has not been decided yet: it is neither healthy nor unhealthy, and is not reported. */
enum target_state { TARGET_UP, TARGET_DOWN, TARGET_PENDING };
struct target_policy {
	unsigned rise, fall; /* consecutive checks, at least 1 */
};
struct target {
	enum target_state state;
	bool last_ok;
	unsigned streak; /* equal results in a row */
	bool confirmed;  /* its state comes from checks, no longer from its registration */
};

void target_init(struct target *t, enum target_state first);
/* Takes in one check's result; true if the state changed. */
bool target_feed(struct target *t, const struct target_policy *policy, bool ok);
/* How many checks it has passed in a row up to now. */
static inline unsigned target_passes(const struct target *t)
{
	return t->last_ok ? t->streak : 0;
}
#endif
