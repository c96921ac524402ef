#include "ec2-api/ending.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include "ec2-api/rows.h"
#include "ec2-api/upstream.h"

#define ORDER_TIMEOUT (10 * NS_PER_S)
#define PAUSE_MIN (500 * NS_PER_MS)
#define PAUSE_MAX (8 * NS_PER_S)
/* EC2 shows terminated instances for about an hour; the waiter that looks for one looks every 15 s */
#define LINGER (5 * 60 * NS_PER_S)

struct ending {
	struct api *api;
	struct instance row;
	enum ending_step step;
	uint64_t cause;
	struct event *timer;
	mono_ns pause;
};

static void take_step(struct ending *e);

static void ending_free(struct ending *e)
{
	if (e->timer) event_free(e->timer);
	instance_release(&e->row);
	free(e);
}

static void later(struct ending *e, mono_ns pause)
{
	timer_after(e->timer, pause);
}

static void step_done(struct ending *e, enum ending_step next)
{
	e->step = next;
	e->pause = PAUSE_MIN;
	if (next == ENDING_LINGER)
		later(e, LINGER);
	else
		take_step(e);
}

static void step_failed(struct ending *e)
{
	later(e, e->pause);
	e->pause = e->pause * 2 < PAUSE_MAX ? e->pause * 2 : PAUSE_MAX;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ending *e = arg;

	(void)fd, (void)what;
	if (e->step == ENDING_LINGER) e->step = ENDING_FORGET;
	take_step(e);
}

static void on_found(const struct dynamo_reply *reply, void *arg)
{
	struct ending *e = arg;
	const json_t *item = json_object_get(reply->body, "Item");
	struct instance row;

	if (reply->outcome != DYNAMO_OK || instance_from_item(&row, item) < 0) {
		step_failed(e);
		return;
	}
	instance_release(&e->row);
	e->row = row;
	step_done(e, ENDING_MARK);
}

static void on_written(struct ending *e, enum dynamo_outcome outcome, enum ending_step next)
{
	if (outcome == DYNAMO_OK)
		step_done(e, next);
	else if (outcome == DYNAMO_CONDITION_FAILED) /* it has a droplet after all */
		api_store(e->api, "GetItem", row_get(e->row.id), on_found, e);
	else
		step_failed(e);
}

static void on_marked(const struct dynamo_reply *reply, void *arg)
{
	on_written(arg, reply->outcome, ENDING_ORDER);
}

static void on_ordered(const struct dwfm_reply *reply, void *arg)
{
	struct ending *e = arg;

	if (reply->outcome == DWFM_DONE || reply->outcome == DWFM_UNKNOWN)
		step_done(e, ENDING_DETACH);
	else
		step_failed(e);
}

static void on_detached(enum network_outcome outcome, const char *address, void *arg)
{
	struct ending *e = arg;

	(void)address;
	if (outcome == NETWORK_DONE)
		step_done(e, ENDING_RECORD);
	else
		step_failed(e);
}

static void on_recorded(const struct dynamo_reply *reply, void *arg)
{
	on_written(arg, reply->outcome, ENDING_LINGER);
}

static void on_forgotten(const struct dynamo_reply *reply, void *arg)
{
	if (reply->outcome == DYNAMO_OK)
		ending_free(arg);
	else
		on_written(arg, reply->outcome, ENDING_FORGET);
}

static void write_row(struct ending *e, const char *operation, json_t *request, dynamo_done *done)
{
	api_store(e->api, operation, e->row.droplet[0] ? request : row_if_unplaced(request), done, e);
}

static void write_state(struct ending *e, enum instance_state state, dynamo_done *done)
{
	e->row.state = state;
	if (state == INSTANCE_TERMINATED && !e->row.ended_ms) e->row.ended_ms = wall_ms();
	write_row(e, "UpdateItem", row_save(&e->row), done);
}

static void take_step(struct ending *e)
{
	switch (e->step) {
	case ENDING_MARK:
		write_state(e, INSTANCE_SHUTTING_DOWN, on_marked);
		break;
	case ENDING_ORDER:
		dwfm_order(e->api, "terminate", &e->row, e->cause, mono_now() + ORDER_TIMEOUT, on_ordered, e);
		break;
	case ENDING_DETACH:
		network_detach(e->api, &e->row, e->cause, on_detached, e);
		break;
	case ENDING_RECORD:
		write_state(e, INSTANCE_TERMINATED, on_recorded);
		break;
	case ENDING_LINGER:
		later(e, LINGER);
		break;
	case ENDING_FORGET:
		write_row(e, "DeleteItem", row_delete(e->row.id), on_forgotten);
		break;
	}
}

void ending_begin(struct api *api, const struct instance *i, enum ending_step step, uint64_t cause)
{
	struct ending *e = calloc(1, sizeof(*e));

	if (!e || !(e->timer = evtimer_new(api->node->base, on_timer, e))) {
		log_line("no memory to end '%s': it stays as it is until the API is restarted", i->id);
		free(e);
		return;
	}
	e->api = api;
	e->row = *i;
	json_incref(e->row.tags);
	e->cause = cause;
	e->pause = PAUSE_MIN;
	e->step = i->droplet[0] || step >= ENDING_RECORD ? step : ENDING_FORGET;
	take_step(e);
}
