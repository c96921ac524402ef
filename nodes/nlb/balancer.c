#include "nlb/balancer.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "nlb/config.h"
#include "common/health_rx.h"
#include "nlb/maglev.h"
#include "nlb/plane.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SWEEP_PERIOD_MS = 100,
	SWEEP_SETS = NLB_PORTS / 10, /* the whole table in about a second */
	SILENCE_S = 3,               /* reports come every second; after this their sender is silent */
};

struct balancer {
	struct node *node;
	struct nlb_config config;
	struct plane *plane;
	struct sweep sweep;
	struct registry registries[NLB_SERVICES_MAX];
	bool fail_open[NLB_SERVICES_MAX], dirty[NLB_SERVICES_MAX];
	struct event *sweep_timer, *sample_timer;
	mono_ns heard; /* when the checker's last report came; 0: none yet */
	bool silent;
};

static int find_service(const struct balancer *b, unsigned number)
{
	for (size_t i = 0; i < b->config.n_services; i++)
		if (b->config.services[i].number == number) return (int)i;
	return -ENOENT;
}

/* --- lookup tables ----------------------------------------------------------------------------------- */

/* Copies the targets that get new flows, and their keys; returns their number. */
static size_t eligible_targets(const struct registry *r, struct nlb_target *targets, uint64_t *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (!registry_eligible(r, i)) continue;
		targets[n] = r->targets[i].at;
		keys[n++] = r->targets[i].id;
	}
	return n;
}

static int rebuild(struct balancer *b, size_t service)
{
	static struct nlb_target targets[NLB_TARGETS_MAX]; /* too large for the stack */
	static uint64_t keys[NLB_TARGETS_MAX];
	static uint16_t entry[NLB_TABLE_SIZE];
	size_t n = eligible_targets(&b->registries[service], targets, keys);
	int result = n ? maglev_build(keys, n, entry, NLB_TABLE_SIZE) : 0;

	if (result == 0) plane_set_table(b->plane, service, targets, n, entry);
	return result;
}

static void tell_fail_open(struct balancer *b, size_t service)
{
	const struct registry *r = &b->registries[service];
	bool now = registry_fails_open(r);

	if (now == b->fail_open[service]) return;
	b->fail_open[service] = now;
	node_event(b->node, now ? "failopen.on" : "failopen.off", r->cause,
	           json_pack("{s:s, s:s}", "scope", "targets", "service", b->config.services[service].name));
}

static void rebuild_dirty(struct balancer *b)
{
	for (size_t i = 0; i < b->config.n_services; i++) {
		if (!b->dirty[i]) continue;
		int result = rebuild(b, i);
		if (result < 0)
			log_errno(result, "cannot rebuild the table of '%s', keeping the old one",
			          b->config.services[i].name);
		b->dirty[i] = false;
		tell_fail_open(b, i);
	}
}

/* --- health ------------------------------------------------------------------------------------------ */

static bool on_report(const struct health_report *report, void *arg)
{
	struct balancer *b = arg;
	int service = report->zone == b->config.zone ? find_service(b, report->service) : -ENOENT;

	b->heard = mono_now();
	if (b->silent) log_line("health reports come again");
	b->silent = false;
	if (service >= 0 && registry_report(&b->registries[service], report) > 0) b->dirty[service] = true;
	return true;
}

static void on_reports_done(void *arg)
{
	rebuild_dirty(arg);
}

static void watch_silence(struct balancer *b)
{
	if (!b->heard || b->silent || mono_now() - b->heard < SILENCE_S * NS_PER_S) return;
	b->silent = true;
	log_line("no health report for %d s: keeping the last known state of every target", SILENCE_S);
}

/* --- timers ------------------------------------------------------------------------------------------ */

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct balancer *b = arg;

	(void)fd, (void)what;
	sweep_step(&b->sweep, &b->config.timeouts, SWEEP_SETS, sweep_ticks(mono_now()));
}

static void send_figures(struct balancer *b, const uint64_t total[NLB_COUNTERS])
{
	uint64_t ended = total[NLB_COUNT_CLOSED] + b->sweep.timed_out;
	json_t *registered = json_array(), *healthy = json_array(), *fail_open = json_array();

	for (size_t i = 0; i < b->config.n_services; i++) {
		json_array_append_new(registered, json_integer((json_int_t)b->registries[i].n));
		json_array_append_new(healthy, json_integer((json_int_t)registry_healthy(&b->registries[i])));
		json_array_append_new(fail_open, json_boolean(b->fail_open[i]));
	}
	/* the counters of several processors aren't read at one instant: a flow may end before it has begun
	 */
	json_int_t active = total[NLB_COUNT_NEW] > ended ? (json_int_t)(total[NLB_COUNT_NEW] - ended) : 0;
	node_sample(
	    b->node, "flows",
	    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "active",
	              active, "held", (json_int_t)b->sweep.held, "new", (json_int_t)total[NLB_COUNT_NEW],
	              "closed", (json_int_t)total[NLB_COUNT_CLOSED], "no_target",
	              (json_int_t)total[NLB_COUNT_NO_TARGET], "no_slot", (json_int_t)total[NLB_COUNT_NO_SLOT],
	              "timed_out", (json_int_t)b->sweep.timed_out, "icmp", (json_int_t)total[NLB_COUNT_ICMP],
	              "fragments", (json_int_t)total[NLB_COUNT_FRAGMENT], "malformed",
	              (json_int_t)total[NLB_COUNT_MALFORMED], "raced", (json_int_t)total[NLB_COUNT_RACED],
	              "registered", registered, "healthy", healthy, "fail_open", fail_open));
}

static void sample(struct balancer *b)
{
	uint64_t total[NLB_COUNTERS];
	int result = plane_counters(b->plane, total);

	if (result < 0)
		log_errno(result, "cannot read the data plane's counters, ignoring");
	else
		send_figures(b, total);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	watch_silence(arg);
	sample(arg);
}

static struct event *start_timer(struct balancer *b, mono_ns period, event_callback_fn on_timer)
{
	struct event *timer = event_new(b->node->base, -1, EV_PERSIST, on_timer, b);
	struct timeval tv = mono_timeval(period);

	if (timer) event_add(timer, &tv);
	return timer;
}

/* --- management -------------------------------------------------------------------------------------- */

int balancer_targets(struct node *n, json_t *body)
{
	struct balancer *b = n->self;
	int service = find_service(b, (unsigned)node_number(body, "service", -1));
	cleanup_free struct registry_target *targets = NULL;
	char why[WHY_MAX] = "";
	size_t count;
	uint64_t cause;

	if (service < 0) return service;
	int result =
	    nlb_targets_parse(body, b->config.services[service].at.port, &targets, &count, &cause, why);
	if (result == 0) result = registry_set(&b->registries[service], targets, count, cause);
	if (result < 0) {
		log_line("targets of '%s': %s", b->config.services[service].name, why);
		return result;
	}
	b->dirty[service] = true;
	rebuild_dirty(b);
	sample(b); /* at once: who registers can see that it has taken effect */
	return 0;
}

int balancer_set(struct node *n, json_t *body)
{
	struct balancer *b = n->self;
	struct nlb_config next;
	char why[WHY_MAX];
	int result = nlb_config_parse(json_object_get(body, "config"), &next, why);

	if (result < 0) {
		log_line("%s", why);
		return result;
	}
	b->config.timeouts = next.timeouts; /* all else stands from the start */
	return 0;
}

static int open_plane(struct balancer *b)
{
	struct nlb_service services[NLB_SERVICES_MAX];
	struct plane_params params = { .ifname = "eth0",
		                       .own4 = b->config.own4,
		                       .own6 = b->config.own6,
		                       .seed = b->node->seed,
		                       .via_peer = b->config.via_peer,
		                       .services = services,
		                       .n_services = b->config.n_services };
	struct plane_error error;

	for (size_t i = 0; i < b->config.n_services; i++)
		services[i] = b->config.services[i].at;
	int result = plane_open(&params, &b->plane, &error);
	if (result < 0) log_line("%s", error.text);
	return result;
}

int balancer_start(struct node *n, json_t *config)
{
	struct balancer *b = calloc(1, sizeof(*b));
	char why[WHY_MAX];
	int result;

	if (!b) return -ENOMEM;
	b->node = n;
	n->self = b;
	if ((result = nlb_config_parse(config, &b->config, why)) < 0) {
		log_line("configuration: %s", why);
		return result;
	}
	if ((result = open_plane(b)) < 0) return result;
	b->sweep.sets = plane_slots(b->plane);
	struct health_rx_ops rx = { .report = on_report, .drained = on_reports_done, .arg = b };
	if ((result = health_rx_open(n->base, b->config.address4, b->config.checker, &rx)) < 0) return result;
	b->sweep_timer = start_timer(b, SWEEP_PERIOD_MS * NS_PER_MS, on_sweep);
	b->sample_timer = start_timer(b, NS_PER_S, on_second);
	return b->sweep_timer && b->sample_timer ? 0 : -ENOMEM;
}
