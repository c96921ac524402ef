#include "health-checker/target.h"

void target_init(struct target *t, enum target_state first)
{
	*t = (struct target){ .state = first };
}

bool target_feed(struct target *t, const struct target_policy *policy, bool ok)
{
	enum target_state now = ok ? TARGET_UP : TARGET_DOWN, before = t->state;

	t->streak = t->streak > 0 && t->last_ok == ok ? t->streak + 1 : 1;
	t->last_ok = ok;
	if (t->streak < (ok ? policy->rise : policy->fall)) return false;
	t->confirmed = true;
	t->state = now;
	return now != before;
}
