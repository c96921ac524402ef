#include "common/cleanup.h"
#include "dwfm/workflow_parts.h"
#include <string.h>

static void answer(struct workflow *f, unsigned status, json_t *body)
{
	cleanup_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	evtimer_del(&f->deadline);
	if (!f->request || !text) return;
	http_answer(f->request, status, "Content-Type: application/json\r\n", text, strlen(text));
	f->request = NULL;
}

static void tell_launch(struct workflow *f, bool ok)
{
	mono_ns now = mono_now(), taken = f->taken ? f->taken : now, ordered = f->ordered ? f->ordered : now,
	        done = f->done ? f->done : now;

	if (f->kind != LEASE_LAUNCH) return;
	node_event(f->dwfm->node, "launch.done", f->cause,
	           json_pack("{s:s, s:b, s:{s:f, s:f, s:f, s:f}}", "instance", f->instance, "ok", ok,
	                     "stages_ms", "queue", mono_ms(taken - f->queued), "record",
	                     mono_ms(ordered - taken), "droplet", mono_ms(done - ordered), "confirm",
	                     mono_ms(now - done)));
}

void workflow_answer_error(struct workflow *f, const char *error)
{
	if (!f->abandoned) f->dwfm->counts.ops_failed++;
	if (f->request) tell_launch(f, false);
	answer(f, strcmp(error, "unknown") ? 503 : 404, json_pack("{s:s}", "error", error));
}

void workflow_answer_ok(struct workflow *f)
{
	char name[DROPLET_NAME_MAX];

	droplet_name(f->droplet, name);
	f->dwfm->counts.ops_done++;
	tell_launch(f, true);
	answer(f, 200,
	       json_pack("{s:s, s:s, s:I}", "instance", f->instance, "droplet", name, "epoch",
	                 (json_int_t)f->droplet->lease.epoch));
}
