#include "az-failover/service.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct azf_service {
	struct node *node;
	const char (*zones)[AZF_NAME_MAX];
	char name[AZF_NAME_MAX];
	struct verdicts verdicts;
	struct azf_answer *answer;
	struct event *retry_timer;
	/* the last removal and the last restore of each zone: the next may be decided before one is
	 * acknowledged */
	struct happening decided[2][STAGE_ZONES_MAX];
	uint64_t cause; /* of the newest change of the wish */
};

static const char *const event_names[] = {
	[ZONE_REMOVED] = "zone.removed", [ZONE_RESTORED] = "zone.restored", [ZONE_HELD] = "zone.held",
	[FAILOPEN_ON] = "failopen.on",   [FAILOPEN_OFF] = "failopen.off",
};

static json_t *names_of(const struct azf_service *s, zone_set zones)
{
	json_t *names = json_array();

	for (unsigned z = 0; z < s->verdicts.config.zones; z++)
		if (zones >> z & 1) json_array_append_new(names, json_string(s->zones[z]));
	return names;
}

void azf_service_sample(struct azf_service *s)
{
	if (!azf_answer_known(s->answer)) return;
	zone_set in = azf_answer_current(s->answer);

	node_sample(s->node, "answer",
	            json_pack("{s:s, s:o, s:o}", "service", s->name, "in", names_of(s, in), "proposed_out",
	                      names_of(s, verdicts_proposed_out(&s->verdicts))));
}

static void tell_zone(struct azf_service *s, const struct happening *h)
{
	node_event(s->node, event_names[h->kind], h->cause,
	           json_pack("{s:s, s:s, s:i, s:i, s:s}", "service", s->name, "zone", s->zones[h->zone],
	                     "healthy", (int)h->healthy, "of", (int)h->of, "reason", h->reason));
}

static void tell_fail_open(struct azf_service *s, const struct happening *h)
{
	node_event(s->node, event_names[h->kind], h->cause,
	           json_pack("{s:s, s:s}", "scope", "zones", "service", s->name));
}

/* What is decided about the answer is told when it is so; what stays as it is, at once. */
static void handle(struct azf_service *s, const struct happening *h)
{
	switch (h->kind) {
	case ZONE_REMOVED:
	case ZONE_RESTORED:
		s->decided[h->kind][h->zone] = *h;
		s->cause = h->cause;
		break;
	case ZONE_HELD:
		tell_zone(s, h);
		break;
	case FAILOPEN_ON:
	case FAILOPEN_OFF:
		tell_fail_open(s, h);
		break;
	}
}

static void arm_retry(struct azf_service *s, mono_ns now)
{
	timer_at(s->retry_timer, verdicts_retry(&s->verdicts), now);
}

static void carry_out(struct azf_service *s, const struct happenings *h, mono_ns now)
{
	for (size_t i = 0; i < h->n; i++)
		handle(s, &h->list[i]);
	arm_retry(s, now);
	azf_answer_wish(s->answer, s->verdicts.answer, now);
	if (h->n) azf_service_sample(s);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct azf_service *s = arg;
	static struct happenings h;
	mono_ns now = mono_now();

	(void)fd, (void)what;
	verdicts_tick(&s->verdicts, now, &h);
	carry_out(s, &h, now);
}

/* The decision behind it is told along, unless there was none: at first the server may hold anything. */
static void tell_zone_changed(struct azf_service *s, unsigned zone, enum happening_kind kind)
{
	const struct zone_verdict *now = &s->verdicts.zones[zone];
	struct happening h = s->decided[kind][zone];

	if (!h.reason[0]) {
		h = (struct happening){ .kind = kind, .zone = zone, .healthy = now->healthy, .of = now->of };
		strcpy(h.reason, "the DNS server held another answer");
	}
	tell_zone(s, &h);
}

static void on_changed(void *arg, zone_set before, zone_set after, mono_ns took)
{
	struct azf_service *s = arg;

	node_event(s->node, "dns.updated", s->cause,
	           json_pack("{s:s, s:o, s:f}", "service", s->name, "answer", names_of(s, after), "took_ms",
	                     mono_ms(took)));
	for (unsigned z = 0; z < s->verdicts.config.zones; z++) {
		if ((before ^ after) >> z & 1)
			tell_zone_changed(s, z, before >> z & 1 ? ZONE_REMOVED : ZONE_RESTORED);
	}
	azf_service_sample(s);
}

void azf_service_report(struct azf_service *s, unsigned zone, const struct health_count *health)
{
	static struct happenings h;
	mono_ns now = mono_now();

	verdicts_feed(&s->verdicts, zone, health->healthy, health->of, health->cause, now, &h);
	carry_out(s, &h, now);
}

int azf_service_configure(struct azf_service *s, const struct azf_service_config *config, uint64_t cause)
{
	static struct happenings h;
	mono_ns now = mono_now();
	int r = verdicts_configure(&s->verdicts, &config->policy, cause, now, &h);

	if (r < 0) return r;
	azf_answer_set_ttl(s->answer, config->ttl_s);
	carry_out(s, &h, now);
	return 0;
}

int azf_service_new(struct node *n, struct dns_client *client, const struct azf_service_config *config,
                    const char (*zones)[AZF_NAME_MAX], struct azf_service **ret)
{
	struct azf_service *s = calloc(1, sizeof(*s));
	int r;

	if (!s) return -ENOMEM;
	s->node = n;
	s->zones = zones;
	strcpy(s->name, config->name);
	s->retry_timer = evtimer_new(n->base, on_retry, s);
	r = s->retry_timer ? verdicts_init(&s->verdicts, &config->policy) : -ENOMEM;
	if (r == 0) r = azf_answer_new(n->base, client, config, on_changed, s, &s->answer);
	if (r < 0)
		azf_service_free(s);
	else
		*ret = s;
	return r;
}

void azf_service_free(struct azf_service *s)
{
	if (!s) return;
	if (s->retry_timer) event_free(s->retry_timer);
	azf_answer_free(s->answer);
	free(s);
}
