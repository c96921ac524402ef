#include "common/cleanup.h"
#include "ec2-api/ending.h"
#include "ec2-api/gather.h"
#include "ec2-api/rows.h"

/* The whole request succeeds or fails before the first "shutting-down" is written. From there on every
 * instance is ended, also when its caller is told that a write got no answer: what may be written must not be
 * left. */
struct termination {
	struct call *call;
	uint64_t event;
	size_t n, left;
	enum api_code code;
	struct instance *rows;
	enum instance_state *previous;
};

static bool is_ending(enum instance_state state)
{
	return state == INSTANCE_SHUTTING_DOWN || state == INSTANCE_TERMINATED;
}

static void termination_free(struct termination *t)
{
	for (size_t i = 0; i < t->n; i++)
		instance_release(&t->rows[i]);
	free(t->rows);
	free(t->previous);
	free(t);
}

static void answer(struct termination *t)
{
	cleanup_free struct state_change *changes = calloc(t->n, sizeof(*changes));
	struct answer a;

	for (size_t i = 0; changes && i < t->n; i++)
		changes[i] = (struct state_change){ t->rows[i].id, t->previous[i], t->rows[i].state };
	call_begin(t->call, &a);
	answer_changes(&a, changes, changes ? t->n : 0);
	call_answer(t->call, &a);
}

static void finish(struct termination *t)
{
	struct api *api = t->call->api;

	if (t->code == API_OK)
		answer(t);
	else
		call_fail(t->call, t->code, "The service's state can't be reached. Try again.");
	for (size_t i = 0; i < t->n; i++) {
		if (!is_ending(t->previous[i]))
			ending_begin(api, &t->rows[i], t->code == API_OK ? ENDING_ORDER : ENDING_MARK,
			             t->event);
	}
	termination_free(t);
}

static void part_in(struct termination *t)
{
	if (--t->left == 0) finish(t);
}

static void on_marked(const struct dynamo_reply *reply, void *arg)
{
	struct termination *t = arg;

	if (reply->outcome != DYNAMO_OK) t->code = api_code_of(reply->outcome);
	part_in(t);
}

static void mark_all(struct termination *t)
{
	t->left = t->n + 1;
	for (size_t i = 0; i < t->n; i++) {
		struct instance *row = &t->rows[i];
		t->previous[i] = row->state;
		if (is_ending(row->state)) {
			t->left--;
			continue;
		}
		row->state = INSTANCE_SHUTTING_DOWN;
		api_store(t->call->api, "UpdateItem", row_save(row), on_marked, t);
	}
	part_in(t); /* this function's own */
}

static struct termination *termination_new(struct call *c, const struct gathered *g)
{
	struct termination *t = calloc(1, sizeof(*t));

	if (!t) return NULL;
	t->call = c;
	t->rows = calloc(g->n, sizeof(*t->rows));
	t->previous = calloc(g->n, sizeof(*t->previous));
	if (!t->rows || !t->previous) {
		termination_free(t);
		return NULL;
	}
	for (; t->n < g->n; t->n++) {
		t->rows[t->n] = g->rows[t->n];
		json_incref(t->rows[t->n].tags);
	}
	return t;
}

/* One that DWFM is still looking for a droplet for: where it will be is not known yet. */
static bool has_no_droplet(const struct instance *i)
{
	return !is_ending(i->state) && !i->droplet[0];
}

static void on_rows(const struct gathered *g, void *arg)
{
	struct call *c = arg;
	const struct instance *early;
	struct termination *t;

	if (!gathered_all(g, c)) return;
	if ((early = gathered_first(g, has_no_droplet))) {
		call_fail(c, API_STATE, "The instance '%s' is still being launched", early->id);
	} else if (!(t = termination_new(c, g))) {
		call_fail(c, API_INTERNAL, "Out of memory");
	} else {
		t->event =
		    node_event(c->api->node, "termination.asked", 0, json_pack("{s:i}", "count", (int)t->n));
		mark_all(t);
	}
}

void terminate_call(struct call *c)
{
	gather_named(c, on_rows);
}
