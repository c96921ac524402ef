#include "tests/model/trail.h"
#include "common/cleanup.h"
#include <errno.h>
#include <string.h>

static void read_settings(const char *line, struct trail *t)
{
	sscanf(line,
	       "settings: freshness %u cleanup %u alias_check %u refuse_empty %u auto_rollback %u keep %u"
	       " tree_messages %u plans %u",
	       &t->freshness, &t->cleanup, &t->alias_check, &t->refuse_empty, &t->auto_rollback, &t->keep,
	       &t->tree_messages, &t->plans);
}

/* spin closes with the values of the arrays: "root[0] = 1". */
static void read_value(const char *line, struct trail *t)
{
	const struct {
		const char *name;
		unsigned *to;
		unsigned n;
	} arrays[] = {
		{ "root", t->root, TRAIL_ENDPOINTS },       { "generation", t->generation, TRAIL_ENDPOINTS },
		{ "mark", t->mark, TRAIL_PLANS_MAX + 1 },   { "top", t->top, TRAIL_PLANS_MAX + 1 },
		{ "plan", t->handled, TRAIL_ENACTORS + 1 }, { "idle", t->idle, TRAIL_ENACTORS + 1 },
	};
	char name[32];
	unsigned i, value;

	if (sscanf(line, "%31[a-z][%u] = %u", name, &i, &value) != 3) return;
	for (size_t k = 0; k < ARRAY_SIZE(arrays); k++)
		if (strcmp(arrays[k].name, name) == 0 && i < arrays[k].n) arrays[k].to[i] = value;
}

static bool sound(const struct trail_step *s, const struct trail *t)
{
	return s->enactor <= TRAIL_ENACTORS && s->plan <= t->plans &&
	       (s->endpoint < TRAIL_ENDPOINTS || s->endpoint == TRAIL_NONE);
}

static int read_line(const char *line, struct trail *t)
{
	struct trail_step s = { 0 };
	unsigned endpoint, value;

	read_settings(line, t);
	read_value(line, t);
	if (sscanf(line, "rollback: %u %u", &endpoint, &value) == 2 && endpoint < TRAIL_ENDPOINTS)
		t->rollback[endpoint] = value;
	if (sscanf(line, "lock: %u %u", &endpoint, &value) == 2 && endpoint < TRAIL_ENDPOINTS)
		t->holder[endpoint] = value;
	if (sscanf(line, "step: %15s %u %u %u", s.name, &s.enactor, &s.plan, &s.endpoint) != 4) return 0;
	if (t->n == TRAIL_STEPS_MAX || !sound(&s, t)) return -EBADMSG;
	t->steps[t->n++] = s;
	return 0;
}

int trail_read(FILE *in, struct trail *ret)
{
	char line[512];

	*ret = (struct trail){ .rollback = { TRAIL_NONE, TRAIL_NONE } };
	while (fgets(line, sizeof(line), in))
		if (read_line(line + strspn(line, " \t"), ret) < 0) return -EBADMSG;
	return ret->n > 0 && ret->plans > 0 && ret->plans <= TRAIL_PLANS_MAX ? 0 : -EBADMSG;
}

bool trail_quiet(const struct trail *t)
{
	for (unsigned i = 1; i <= TRAIL_ENACTORS; i++)
		if (!t->idle[i] || t->handled[i] != t->plans) return false;
	return true;
}
