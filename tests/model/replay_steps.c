#include "common/cleanup.h"
#include "tests/model/replay_wait.h"
#include <string.h>
#include <time.h>

enum { PER_WRITE = 1 };

/* --- which messages ---------------------------------------------------------------------------------- */

static bool asks_generation(const struct step *s, const struct relay_message *m)
{
	return relay_asks(m, dns_name_generation(s->endpoint ? s->endpoint : "dynamodb", s->plan->zone).text,
	                  "TXT");
}
static bool asks_lock(const struct step *s, const struct relay_message *m)
{
	return relay_asks(m, dns_name_lock(s->endpoint, s->plan->zone).text, "TXT");
}
static bool asks_root(const struct step *s, const struct relay_message *m)
{
	return relay_asks(m, dns_name_endpoint(s->endpoint, s->plan->zone).text, "CNAME");
}
static bool asks_mark(const struct step *s, const struct relay_message *m)
{
	return relay_asks(m, dns_name_mark(s->plan->tree, s->plan->zone).text, "TXT");
}
static bool asks_index(const struct step *s, const struct relay_message *m)
{
	return relay_asks(m, dns_name_index(s->plan->zone).text, "TXT");
}
static bool is_question(const struct step *s, const struct relay_message *m)
{
	(void)s;
	return !relay_is_update(m);
}
static bool is_update(const struct step *s, const struct relay_message *m)
{
	(void)s;
	return relay_is_update(m);
}
static bool makes_mark(const struct step *s, const struct relay_message *m)
{
	return relay_adds(m, dns_name_mark(s->plan->tree, s->plan->zone).text);
}
static bool turns(const struct step *s, const struct relay_message *m)
{
	return relay_adds(m, dns_name_generation(s->endpoint, s->plan->zone).text);
}

static bool has_generation(const struct step *s)
{
	return step_held(s, asks_generation);
}
static bool has_lock(const struct step *s)
{
	return step_held(s, asks_lock);
}
static bool has_root(const struct step *s)
{
	return step_held(s, asks_root);
}
static bool has_mark(const struct step *s)
{
	return step_held(s, asks_mark);
}
static bool has_index(const struct step *s)
{
	return step_held(s, asks_index);
}
static bool has_question(const struct step *s)
{
	return step_held(s, is_question);
}
static bool has_update(const struct step *s)
{
	return step_held(s, is_update);
}
static bool has_mark_made(const struct step *s)
{
	return step_held(s, makes_mark);
}
static bool has_turn(const struct step *s)
{
	return step_held(s, turns);
}

/* --- steps: before a plan is walked ------------------------------------------------------------------- */

static void publish(const struct step *s)
{
	(void)s;
}

static void fetch(const struct step *s)
{
	s->e->serve = s->plan->number;
	step_await(s, has_generation, "question for what is in force");
	step_await(s, has_mark, "question for the tree's mark");
	s->e->serve = 0;
}

static void probe(const struct step *s)
{
	step_release(s, step_held(s, asks_mark));
}

static void pick(const struct step *s)
{
	step_release(s, step_held(s, asks_generation));
}

static void stale(const struct step *s)
{
	step_release(s, step_held(s, asks_generation));
	if (has_mark(s)) step_release(s, step_held(s, asks_mark));
	step_expect_event(s, "plan.stale");
}

static void tree_begin(const struct step *s)
{
	step_await(s, has_update, "message of the tree");
	do {
		if (has_mark_made(s)) replay_differs(s->r, "its first message has the mark already");
		step_expect_answer(s, step_release(s, step_held(s, is_update)), true);
		step_await(s, has_update, "message of the tree");
	} while (!has_mark_made(s));
}

static void tree(const struct step *s)
{
	step_await(s, has_mark_made, "mark of the tree");
	step_expect_answer(s, step_release(s, step_held(s, makes_mark)), true);
}

static void tree_lost(const struct step *s)
{
	step_await(s, has_mark_made, "mark of the tree");
	step_expect_answer(s, step_release(s, step_held(s, makes_mark)), false);
}

/* --- steps: an endpoint ------------------------------------------------------------------------------- */

static bool locks_have_expired(const struct step *s)
{
	return wall_ms() > s->r->locks_end_ms;
}

static void age(const struct step *s)
{
	step_await(s, has_generation, "question for the generation");
	step_release(s, step_held(s, asks_generation));
}

static void look(const struct step *s)
{
	step_await(s, has_lock, "question for the lock");
	step_await(s, has_root, "question for the root");
	if (s->r->trail.freshness != PER_WRITE) step_await(s, has_generation, "question for the generation");
	step_await(s, locks_have_expired, "end of a lock");
	step_release(s, step_held(s, asks_lock));
	step_release(s, step_held(s, asks_root));
	if (has_generation(s))
		step_release(s, step_held(s, asks_generation)); /* else it was read at step "age" */
}

static void already(const struct step *s)
{
	step_await(s, has_generation, "question for the generation");
	look(s);
}

static void outdated(const struct step *s)
{
	already(s);
	step_expect_event(s, "plan.stale");
}

/* An enactor doesn't take two locks with the same end: a lock may end some milliseconds later than it lasts.
 */
static void note_locks(const struct step *s)
{
	s->r->locks_end_ms = wall_ms() + 10;
}

static void turn(const struct step *s)
{
	step_await(s, has_turn, "transaction");
	step_expect_answer(s, step_release(s, step_held(s, turns)), true);
	note_locks(s);
	step_expect_event(s, "lock.taken");
}

static void refused(const struct step *s)
{
	step_await(s, has_turn, "transaction");
	step_expect_answer(s, step_release(s, step_held(s, turns)), false);
}

static bool has_more(const struct step *s)
{
	return step_has_event(s) || has_question(s) || has_update(s);
}

/* It reads what there is to know of the endpoint, and concludes: an event, or another transaction. */
static void conclude(const struct step *s)
{
	for (;;) {
		step_await(s, has_more, "question why");
		if (step_has_event(s) || has_update(s)) return;
		step_release(s, step_held(s, is_question));
	}
}

static void lost(const struct step *s)
{
	conclude(s);
	if (has_update(s)) step_expect_answer(s, step_release(s, step_held(s, is_update)), false);
	step_expect_event(s, "lock.lost");
}

static void gone(const struct step *s)
{
	conclude(s);
	step_expect_event(s, "plan.aborted");
}

static void to_back(const struct step *s)
{
	conclude(s);
	if (!has_turn(s)) replay_differs(s->r, "it doesn't turn the root back");
}

static void back(const struct step *s)
{
	step_expect_answer(s, step_release(s, step_held(s, turns)), true);
	note_locks(s);
	step_expect_event(s, "dns.repaired");
}

/* --- steps: the clean-up ------------------------------------------------------------------------------ */

static void applied(const struct step *s)
{
	step_expect_event(s, "plan.applied");
	step_await(s, has_index, "question for the index");
	step_release(s, step_held(s, asks_index));
}

/* All that it asks and sends until it tells that the tree is deleted. */
static void clean(const struct step *s)
{
	for (;;) {
		step_await(s, has_more, "deletion");
		if (step_has_event(s)) break;
		struct relay_message *m = relay_held(s->e->relay, NULL);
		bool update = relay_is_update(m);
		int rcode = step_release(s, m);
		if (update) step_expect_answer(s, rcode, true);
	}
	step_expect_event(s, "plan.cleaned");
}

static bool asks_root_of(const struct dns_plan *p, size_t endpoint, const struct relay_message *m)
{
	return relay_asks(m, dns_name_endpoint(p->endpoints[endpoint].name, p->zone).text, "CNAME");
}

/* It asks how large the tree is, then for all roots, and leaves it. */
static void keep(const struct step *s)
{
	for (size_t roots = 0; roots < s->plan->n_endpoints;) {
		step_await(s, has_question, "question before a deletion");
		struct relay_message *m = step_held(s, is_question);
		for (size_t i = 0; i < s->plan->n_endpoints; i++)
			roots += asks_root_of(s->plan, i, m);
		step_release(s, m);
	}
}

static const struct {
	const char *name;
	void (*play)(const struct step *s);
} verbs[] = {
	{ "publish", publish }, { "fetch", fetch },         { "probe", probe },
	{ "pick", pick },       { "stale", stale },         { "tree_begin", tree_begin },
	{ "tree", tree },       { "tree_lost", tree_lost }, { "age", age },
	{ "look", look },       { "already", already },     { "outdated", outdated },
	{ "turn", turn },       { "refused", refused },     { "lost", lost },
	{ "gone", gone },       { "own_gone", gone },       { "to_back", to_back },
	{ "back", back },       { "applied", applied },     { "clean", clean },
	{ "keep", keep },       { "cleaned", publish },
};

static void play(struct replay *r, const struct trail_step *s)
{
	const struct dns_plan *p = &r->plans[s->plan];
	const struct step step = { .r = r,
		                   .e = &r->enactors[s->enactor],
		                   .s = s,
		                   .plan = p,
		                   .endpoint =
		                       s->endpoint == TRAIL_NONE ? NULL : p->endpoints[s->endpoint].name };

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, s->name)) continue;
		verbs[i].play(&step);
		return;
	}
	replay_differs(r, "no such step");
}

void replay_steps(struct replay *r)
{
	for (r->at = 0; r->at < r->trail.n; r->at++)
		play(r, &r->trail.steps[r->at]);
}
