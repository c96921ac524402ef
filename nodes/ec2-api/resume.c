#include "ec2-api/resume.h"
#include "common/log.h"
#include "common/timer.h"
#include "ec2-api/ending.h"
#include "ec2-api/launch.h"
#include "ec2-api/rows.h"
#include <stdlib.h>

enum { SCAN_ROWS = 500 };
#define PAUSE NS_PER_S

struct resume {
	struct api *api;
	char after[INSTANCE_ID_MAX]; /* empty: at the beginning */
	unsigned taken_up;
	struct event *again;
};

/* A launch of one instance, long answered, whose network is still missing. */
static void take_up_pending(struct api *api, const struct instance *row)
{
	if (launch_adopt(api, row) < 0)
		log_line("no memory to take up '%s': it stays pending until the API is restarted", row->id);
}

static void take_up(struct resume *r, const struct instance *row)
{
	switch (row->state) {
	case INSTANCE_PENDING:
		if (row->droplet[0])
			take_up_pending(r->api, row);
		else /* whoever asked for it has had no answer, and will ask again */
			ending_begin(r->api, row, ENDING_FORGET, 0);
		break;
	case INSTANCE_SHUTTING_DOWN:
		ending_begin(r->api, row, ENDING_ORDER, 0);
		break;
	case INSTANCE_TERMINATED:
		ending_begin(r->api, row, ENDING_LINGER, 0);
		return;
	case INSTANCE_RUNNING:
		return;
	}
	r->taken_up++;
}

static void take_up_all(struct resume *r, const json_t *items)
{
	size_t i;
	json_t *item;

	json_array_foreach (items, i, item) {
		struct instance row;
		if (instance_from_item(&row, item) < 0 || row.launched_ms >= r->api->began_ms) continue;
		take_up(r, &row);
		instance_release(&row);
	}
}

static void scan(struct resume *r);

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	scan(arg);
}

static void on_scanned(const struct dynamo_reply *reply, void *arg)
{
	struct resume *r = arg;
	const char *after = dynamo_get_s(json_object_get(reply->body, "LastEvaluatedKey"), "instance", "");

	if (reply->outcome != DYNAMO_OK) {
		timer_after(r->again, PAUSE);
		return;
	}
	take_up_all(r, json_object_get(reply->body, "Items"));
	snprintf(r->after, sizeof(r->after), "%s", after);
	if (r->after[0]) {
		scan(r);
		return;
	}
	if (r->taken_up) log_line("taken up again: %u instances", r->taken_up);
	event_free(r->again);
	free(r);
}

static void scan(struct resume *r)
{
	api_store(r->api, "Scan", row_scan(r->after[0] ? r->after : NULL, SCAN_ROWS), on_scanned, r);
}

int resume_begin(struct api *api)
{
	struct resume *r = calloc(1, sizeof(*r));

	if (!r || !(r->again = evtimer_new(api->node->base, on_again, r))) {
		free(r);
		return -1;
	}
	r->api = api;
	scan(r);
	return 0;
}
