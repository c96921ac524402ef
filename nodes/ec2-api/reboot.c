#include "ec2-api/gather.h"
#include "ec2-api/upstream.h"
#include <stdlib.h>

struct reboot {
	struct call *call;
	size_t left;
	enum api_code code;
};

static void part_in(struct reboot *r)
{
	struct call *c = r->call;
	struct answer a;

	if (--r->left > 0) return;
	if (r->code != API_OK) {
		call_fail(c, r->code, "Not every instance could be told to reboot. Try again.");
	} else {
		call_begin(c, &a);
		answer_true(&a);
		call_answer(c, &a);
	}
	free(r);
}

static void on_ordered(const struct dwfm_reply *reply, void *arg)
{
	struct reboot *r = arg;

	if (reply->outcome != DWFM_DONE) r->code = dwfm_code(reply->outcome);
	part_in(r);
}

static bool is_not_running(const struct instance *i)
{
	return i->state != INSTANCE_RUNNING;
}

static void on_rows(const struct gathered *g, void *arg)
{
	struct call *c = arg;
	const struct instance *other;
	struct reboot *r;

	if (!gathered_all(g, c)) return;
	if ((other = gathered_first(g, is_not_running))) {
		call_fail(c, API_STATE, "The instance '%s' is not in state 'running'", other->id);
		return;
	}
	if (!(r = malloc(sizeof(*r)))) {
		call_fail(c, API_INTERNAL, "Out of memory");
		return;
	}
	*r = (struct reboot){ .call = c, .left = g->n + 1 };
	for (size_t i = 0; i < g->n; i++)
		dwfm_order(c->api, "reboot", &g->rows[i], 0, c->received + c->api->timeout, on_ordered, r);
	part_in(r); /* this function's own */
}

void reboot_call(struct call *c)
{
	gather_named(c, on_rows);
}
