#include "tests/model/replay_wait.h"
#include "common/cleanup.h"
#include "common/mono.h"
#include <stdarg.h>
#include <string.h>

enum { WAIT_S = 30, OK = 0, YXRRSET = 7, NXRRSET = 8 };
/* within the 3 s that an enactor waits for the answer to a transaction */
static const mono_ns PATIENCE = 2800 * NS_PER_MS;

/* --- messages ---------------------------------------------------------------------------------------- */

void replay_differs(const struct replay *r, const char *format, ...)
{
	va_list args;

	if (r->at < r->trail.n) {
		const struct trail_step *s = &r->trail.steps[r->at];
		fprintf(stderr, "step %zu, %s of enactor %u, plan %u, endpoint %u: ", r->at + 1, s->name,
		        s->enactor, s->plan, s->endpoint);
	}
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(REPLAY_DIFFERS);
}

static void tell_held(const struct step *s)
{
	struct relay_message *m = NULL;

	while ((m = relay_held(s->e->relay, m)))
		fprintf(stderr, "held: %s\n", relay_text(m));
}

/* An update that has waited for longer than its sender does is one that the sender has given up. */
static void check_pace(const struct replay *r)
{
	for (unsigned i = 1; i <= TRAIL_ENACTORS; i++) {
		struct relay_message *m = NULL;
		while ((m = relay_held(r->enactors[i].relay, m)))
			if (relay_is_update(m) && mono_now() - relay_arrived(m) > PATIENCE)
				exit(REPLAY_TOO_SLOW);
	}
}

void replay_pump(struct replay *r)
{
	event_base_loop(r->base, EVLOOP_ONCE); /* a timer of 2 ms ticks */
	for (unsigned i = 1; i <= TRAIL_ENACTORS; i++)
		testnode_messages(r->enactors[i].node);
	check_pace(r);
}

void step_await(const struct step *s, step_check *check, const char *what)
{
	mono_ns until = mono_now() + WAIT_S * NS_PER_S;

	while (!check(s)) {
		replay_pump(s->r);
		if (mono_now() < until) continue;
		tell_held(s);
		replay_differs(s->r, "there was no %s", what);
	}
}

struct relay_message *step_held(const struct step *s, message_check *check)
{
	struct relay_message *m = NULL;

	while ((m = relay_held(s->e->relay, m)))
		if (check(s, m)) return m;
	return NULL;
}

static bool answered(const struct step *s)
{
	return relay_answer(s->e->relay) >= 0;
}

int step_release(const struct step *s, struct relay_message *m)
{
	relay_release(s->e->relay, m);
	step_await(s, answered, "answer of the server");
	return relay_answer(s->e->relay);
}

/* --- events ------------------------------------------------------------------------------------------ */

static bool comes_of_itself(const char *event, const json_t *fields)
{
	return strcmp(event, "plan.picked") == 0 ||
	       (strcmp(event, "plan.stale") == 0 && json_is_true(json_object_get(fields, "written")));
}

const json_t *replay_event(struct replay *r, struct replay_enactor *e)
{
	const json_t *all = testnode_messages(e->node);

	(void)r;
	for (; e->events < json_array_size(all); e->events++) {
		const json_t *m = json_array_get(all, e->events);
		const char *event = json_string_value(json_object_get(m, "event"));
		if (event && !comes_of_itself(event, json_object_get(m, "fields"))) return m;
	}
	return NULL;
}

void replay_noted(struct replay_enactor *e)
{
	e->events++;
}

bool step_has_event(const struct step *s)
{
	return replay_event(s->r, s->e);
}

void step_expect_event(const struct step *s, const char *event)
{
	step_await(s, step_has_event, event);
	const json_t *m = replay_event(s->r, s->e), *fields = json_object_get(m, "fields");
	const char *told = json_string_value(json_object_get(m, "event"));
	const json_t *plan = json_object_get(fields, "plan");

	if (strcmp(told, event)) {
		cleanup_free char *text = json_dumps(m, JSON_COMPACT);
		replay_differs(s->r, "instead of %s it told %s", event, text);
	}
	if (plan && json_integer_value(plan) != (json_int_t)s->plan->number)
		replay_differs(s->r, "%s is about plan %d", event, (int)json_integer_value(plan));
	replay_noted(s->e);
}

void step_expect_answer(const struct step *s, int rcode, bool accepted)
{
	if (accepted ? rcode == OK : rcode == YXRRSET || rcode == NXRRSET) return;
	replay_differs(s->r, "the server answered with rcode %d", rcode);
}
