/* az-failover: turns the checkers' reports into zones in and out of DNS, through the policy chain.
 * config.h what it is told; common/health_inbox.h the reports; policy/verdicts.h the decisions; answer.h the
 * DNS server; service.h ties them together for one service. Here: the socket and the messages. */
#include "az-failover/config.h"
#include "az-failover/service.h"
#include "common/health_inbox.h"
#include "common/health_rx.h"
#include "common/log.h"
#include "common/timer.h"
#include "proto/classes.h"
#include <errno.h>
#include <string.h>

struct failover {
	struct azf_config config;
	struct dns_client *client;
	struct health_inbox *inbox;
	struct azf_service *services[AZF_SERVICES_MAX]; /* NULL: its reports are only acknowledged */
	struct event *silence_timer, *second_timer;
};

/* --- silent checkers --------------------------------------------------------------------------------- */

static void tell_checkers(struct node *n, zone_set zones, const char *event, const char *text)
{
	struct failover *f = n->self;

	for (unsigned z = 0; z < f->config.n_zones; z++) {
		if (!(zones >> z & 1)) continue;
		log_line("%s: its checker %s", f->config.zones[z], text);
		node_event(n, event, 0, json_pack("{s:s}", "zone", f->config.zones[z]));
	}
}

static void arm_silence(struct failover *f)
{
	timer_at(f->silence_timer, health_inbox_deadline(f->inbox), mono_now());
}

static void on_silence(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	struct failover *f = n->self;

	(void)fd, (void)what;
	tell_checkers(n, health_inbox_fell_silent(f->inbox, mono_now()), "checker.silent",
	              "is silent: its targets' state is unknown, the last one is kept");
	arm_silence(f);
}

/* --- reports ----------------------------------------------------------------------------------------- */

static bool on_report(const struct health_report *report, void *arg)
{
	struct node *n = arg;
	struct failover *f = n->self;
	struct health_count health;
	int r = health_inbox_take(f->inbox, report, mono_now(), &health);

	if (r < 0) return false;
	tell_checkers(n, health_inbox_heard_again(f->inbox), "checker.heard", "is heard again");
	if (r == 1 && f->services[report->service])
		azf_service_report(f->services[report->service], report->zone, &health);
	return true;
}

static void on_reports_done(void *arg)
{
	struct node *n = arg;

	arm_silence(n->self);
}

static int open_reports(struct node *n)
{
	struct health_rx_ops ops = { .report = on_report, .drained = on_reports_done, .arg = n };
	struct in_addr any = { .s_addr = INADDR_ANY };

	return health_rx_open(n->base, any, any, &ops);
}

/* --- management -------------------------------------------------------------------------------------- */

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct failover *f = arg;

	(void)fd, (void)what;
	for (size_t i = 0; i < f->config.n_services; i++)
		if (f->services[i]) azf_service_sample(f->services[i]);
}

static int open_timers(struct node *n)
{
	struct failover *f = n->self;

	f->silence_timer = evtimer_new(n->base, on_silence, n);
	f->second_timer = event_new(n->base, -1, EV_PERSIST, on_second, f);
	if (!f->silence_timer || !f->second_timer) return -ENOMEM;
	return event_add(f->second_timer, &(struct timeval){ .tv_sec = 1 }) < 0 ? -ENOMEM : 0;
}

static int start(struct node *n, json_t *config)
{
	struct failover *f = calloc(1, sizeof(*f));
	char why[WHY_MAX];
	int r;

	if (!f) return -ENOMEM;
	n->self = f;
	if ((r = azf_config_read(config, &f->config, why)) < 0)
		return log_errno(r, "bad configuration: %s", why);
	r = dns_client_new(n->base, f->config.server, PORT_DNS, &f->config.key, &f->client);
	if (r < 0) return log_errno(r, "cannot reach the DNS server at '%s'", f->config.server);
	r = health_inbox_new((unsigned)f->config.n_zones, (unsigned)f->config.n_services, &f->inbox);
	for (size_t i = 0; i < f->config.n_services && r == 0; i++)
		if (!f->config.services[i].automated)
			r = azf_service_new(n, f->client, &f->config.services[i], f->config.zones,
			                    &f->services[i]);
	if (r == 0) r = open_timers(n);
	return r == 0 ? open_reports(n) : r;
}

/* From the scenario's start on, a checker that was never heard is missed. */
static int on_start(struct node *n, json_t *body)
{
	struct failover *f = n->self;

	(void)body;
	health_inbox_begin(f->inbox, mono_now());
	arm_silence(f);
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct failover *f = n->self;
	struct azf_config next;
	char why[WHY_MAX];
	int r = azf_config_read(json_object_get(body, "config"), &next, why);

	if (r < 0) return log_errno(r, "bad configuration: %s", why);
	if (next.n_zones != f->config.n_zones || next.n_services != f->config.n_services) {
		azf_config_release(&next);
		return -EINVAL;
	}
	uint64_t cause = (uint64_t)json_integer_value(json_object_get(body, "cause"));
	for (size_t i = 0; i < next.n_services && r == 0; i++)
		if (f->services[i]) r = azf_service_configure(f->services[i], &next.services[i], cause);
	azf_config_release(&next);
	return r;
}

int main(void)
{
	static const struct node_message messages[] = { { "start", on_start }, { "set", on_set }, { 0 } };
	static const struct node_ops ops = { .daemon = "az-failover", .start = start, .messages = messages };

	return node_run(&ops);
}
