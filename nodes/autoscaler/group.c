#include "autoscaler/group.h"
#include <stdlib.h>
#include <string.h>

static bool lives(const struct group *g, const struct reply_instance *i)
{
	return strcmp(i->group, g->name) == 0 &&
	       (strcmp(i->state, "running") == 0 || strcmp(i->state, "pending") == 0);
}

int group_judge(struct group *g, const struct reply_instance *instances, size_t n, mono_ns asked)
{
	g->running = g->pending = 0;
	for (size_t i = 0; i < n; i++) {
		if (!lives(g, &instances[i])) continue;
		if (strcmp(instances[i].state, "running") == 0)
			g->running++;
		else
			g->pending++;
	}
	if (g->changing || asked <= g->changed) return 0;
	int missing = (int)g->size - (int)(g->running + g->pending);
	if (missing > GROUP_STEP_MAX) return GROUP_STEP_MAX;
	return missing < -GROUP_STEP_MAX ? -GROUP_STEP_MAX : missing;
}

static int youngest_first(const void *a, const void *b)
{
	const struct reply_instance *const *x = a, *const *y = b;
	int order = strcmp((*y)->launched, (*x)->launched);

	return order ? order : strcmp((*x)->id, (*y)->id);
}

size_t group_pick(const struct group *g, const struct reply_instance *instances, size_t n_instances,
                  const struct reply_instance **ret, size_t n)
{
	const struct reply_instance **all = calloc(n_instances + 1, sizeof(struct reply_instance *));
	size_t found = 0, picked = 0;

	for (size_t i = 0; all && i < n_instances; i++) {
		if (lives(g, &instances[i])) all[found++] = &instances[i];
	}
	if (found) qsort(all, found, sizeof(struct reply_instance *), youngest_first);
	while (picked < n && picked < found) {
		ret[picked] = all[picked];
		picked++;
	}
	free(all);
	return picked;
}
