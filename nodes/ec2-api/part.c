#include "ec2-api/launch.h"
#include "ec2-api/ending.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include <string.h>

#define PAUSE_MIN (500 * NS_PER_MS)
#define PAUSE_MAX (8 * NS_PER_S)

static void on_retry(evutil_socket_t fd, short what, void *arg);

int part_init(struct part *p, struct launch *l, const struct run_request *r, unsigned index)
{
	struct api *api = l->api;
	/* all of a launch go to one zone, as EC2 does it, as far as there is room */
	const char *zone =
	    r->zone ? r->zone : api->zones[(index ? api->next_zone : ++api->next_zone) % api->n_zones];

	p->launch = l;
	p->pinned = r->zone != NULL;
	p->pause = PAUSE_MIN;
	if (!(p->retry = evtimer_new(api->node->base, on_retry, p))) return -1;
	p->row = (struct instance){ .index = index,
		                    .state = INSTANCE_PENDING,
		                    .launched_ms = wall_ms(),
		                    .real = r->real,
		                    .stage_us = { -1, -1, -1 },
		                    .tags = json_incref(r->tags) };
	instance_id(p->row.id, 'i', random_next(&api->random), random_next(&api->random));
	memcpy(p->row.reservation, l->token.reservation, sizeof(p->row.reservation));
	memcpy(p->row.token, l->token.token, sizeof(p->row.token));
	snprintf(p->row.zone, sizeof(p->row.zone), "%s", zone);
	snprintf(p->row.image, sizeof(p->row.image), "%s", r->image);
	snprintf(p->row.type, sizeof(p->row.type), "%s", r->type);
	return 0;
}

int part_adopt(struct part *p, struct launch *l, struct api *api, const struct instance *row)
{
	*p = (struct part){ .launch = l, .step = PART_STARTED, .pause = PAUSE_MIN, .since = mono_now() };
	if (!(p->retry = evtimer_new(api->node->base, on_retry, p))) return -1;
	p->row = *row;
	json_incref(p->row.tags);
	return 0;
}

void part_release(struct part *p)
{
	if (p->retry) event_free(p->retry);
	instance_release(&p->row);
}

/* --- its end ----------------------------------------------------------------------------------------- */

static void over(struct part *p, enum part_step step)
{
	struct launch *l = p->launch;

	p->step = step;
	l->unfinished--;
	launch_look(l);
}

static void fail(struct part *p, enum api_code code)
{
	p->failure = code;
	p->launch->api->stats.failed++;
	ending_begin(p->launch->api, &p->row, p->in_doubt ? ENDING_RECORD : ENDING_FORGET, p->launch->event);
	over(p, PART_FAILED);
}

static void again_later(struct part *p)
{
	timer_after(p->retry, p->pause);
	p->pause = p->pause * 2 < PAUSE_MAX ? p->pause * 2 : PAUSE_MAX;
}

static void end_stage(struct part *p, enum stage stage)
{
	mono_ns now = mono_now();

	p->row.stage_us[stage] = (now - p->since) / NS_PER_US;
	p->since = now;
}

/* --- its network ------------------------------------------------------------------------------------- */

static void report_running(struct part *p)
{
	const int64_t *us = p->row.stage_us;

	stats_launched(&p->launch->api->stats, us);
	node_event(p->launch->api->node, "instance.running", p->launch->event,
	           json_pack("{s:s, s:s, s:{s:f, s:f, s:f}}", "instance", p->row.id, "zone", p->row.zone,
	                     "stages_ms", stage_text(STAGE_API), (double)us[STAGE_API] / 1000,
	                     stage_text(STAGE_DROPLET), (double)us[STAGE_DROPLET] / 1000,
	                     stage_text(STAGE_NETWORK), (double)us[STAGE_NETWORK] / 1000));
}

static void on_running_written(const struct dynamo_reply *reply, void *arg)
{
	struct part *p = arg;

	if (reply->outcome == DYNAMO_OK) {
		report_running(p);
		over(p, PART_RUNNING);
	} else if (reply->outcome == DYNAMO_CONDITION_FAILED) {
		over(p, PART_ENDED);
	} else {
		again_later(p);
	}
}

static void write_running(struct part *p)
{
	api_store(p->launch->api, "UpdateItem", row_save_if(&p->row, INSTANCE_PENDING), on_running_written,
	          p);
}

static void on_attached(enum network_outcome outcome, const char *address, void *arg)
{
	struct part *p = arg;

	switch (outcome) {
	case NETWORK_DONE:
		end_stage(p, STAGE_NETWORK);
		snprintf(p->row.address, sizeof(p->row.address), "%s", address);
		p->row.state = INSTANCE_RUNNING;
		write_running(p);
		break;
	case NETWORK_DETACHED:
		over(p, PART_ENDED);
		break;
	case NETWORK_FAILED:
		again_later(p);
		break;
	}
}

void part_connect(struct part *p)
{
	network_attach(p->launch->api, &p->row, p->launch->event, on_attached, p);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct part *p = arg;

	(void)fd, (void)what;
	if (p->row.state == INSTANCE_RUNNING)
		write_running(p);
	else
		part_connect(p);
}

/* --- its droplet ------------------------------------------------------------------------------------- */

static void on_droplet_written(const struct dynamo_reply *reply, void *arg)
{
	struct part *p = arg;

	/* if it could not be written, it will be together with what comes next */
	if (reply->outcome == DYNAMO_CONDITION_FAILED)
		over(p, PART_ENDED);
	else
		part_connect(p);
}

static void take_droplet(struct part *p, const struct dwfm_reply *reply)
{
	end_stage(p, STAGE_DROPLET);
	snprintf(p->row.droplet, sizeof(p->row.droplet), "%s", reply->droplet);
	p->row.epoch = reply->epoch;
	p->row.host = reply->host;
	p->step = PART_STARTED;
	launch_look(p->launch); /* still there afterwards: this part isn't over */
	api_store(p->launch->api, "UpdateItem", row_save_if(&p->row, INSTANCE_PENDING), on_droplet_written,
	          p);
}

static bool has_other_zone(const struct part *p)
{
	return !p->pinned && p->zones_tried + 1 < p->launch->api->n_zones;
}

static void ask_dwfm(struct part *p);

static void try_next_zone(struct part *p)
{
	const struct api *api = p->launch->api;
	unsigned zone = 0;

	while (zone + 1 < api->n_zones && strcmp(api->zones[zone], p->row.zone))
		zone++;
	p->zones_tried++;
	snprintf(p->row.zone, sizeof(p->row.zone), "%s", api->zones[(zone + 1) % api->n_zones]);
	ask_dwfm(p);
}

static void on_dwfm(const struct dwfm_reply *reply, void *arg)
{
	struct part *p = arg;

	if (reply->outcome == DWFM_DONE)
		take_droplet(p, reply);
	else if (reply->outcome == DWFM_NO_CAPACITY && has_other_zone(p))
		try_next_zone(p);
	else
		fail(p, reply->outcome == DWFM_UNKNOWN ? API_INTERNAL : dwfm_code(reply->outcome));
}

static void ask_dwfm(struct part *p)
{
	dwfm_launch(p->launch->api, &p->row, p->launch->event, p->launch->until, on_dwfm, p);
}

static void on_written(const struct dynamo_reply *reply, void *arg)
{
	struct part *p = arg;

	end_stage(p, STAGE_API);
	p->in_doubt = reply->outcome != DYNAMO_OK || reply->attempts > 1;
	if (reply->outcome == DYNAMO_OK)
		ask_dwfm(p);
	else
		fail(p, api_code_of(reply->outcome));
}

void part_start(struct part *p)
{
	p->since = p->launch->received;
	api_store(p->launch->api, "UpdateItem", row_create(&p->row), on_written, p);
}
