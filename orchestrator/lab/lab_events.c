/* lab_events.c - what the nodes say: facts are recorded, beliefs kept, and causes found by evidence. */
#include "common/cleanup.h"
#include "common/node.h"
#include "orchestrator/lab/lab_dns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

double lab_time(const struct lab *lab, mono_ns at)
{
	return (double)(at - lab->t0) / NS_PER_S;
}

/* --- recording --------------------------------------------------------------------------------------- */

static void record_now(struct lab *lab, mono_ns at, uint64_t id, uint64_t cause, const char *node,
                       const char *zone, const char *event, json_t *fields)
{
	double t = lab_time(lab, at);

	if (lab->on_event) lab->on_event(lab->show_arg, t, node, event, fields);
	record_event(lab->record, t, id, cause, node, zone, event, fields);
	if (!lab->on_recorded || !lab->record->n_events) return;
	cleanup_free char *line = json_dumps(lab->record->events[lab->record->n_events - 1].json,
	                                     JSON_COMPACT | JSON_REAL_PRECISION(12));
	if (line) lab->on_recorded(lab->show_arg, line);
}

/* Until the scenario starts nobody knows what t an event has: it waits. */
static void record_at(struct lab *lab, mono_ns at, uint64_t id, uint64_t cause, const char *node,
                      const char *zone, const char *event, json_t *fields)
{
	if (lab->t0) {
		record_now(lab, at, id, cause, node, zone, event, fields);
		return;
	}
	json_t *held =
	    json_pack("{s:I, s:I, s:I, s:s, s:s, s:s}", "at", (json_int_t)at, "id", (json_int_t)id, "cause",
	              (json_int_t)cause, "node", node ? node : "", "zone", zone ? zone : "", "event", event);
	if (fields) json_object_set_new(held, "fields", fields);
	json_array_append_new(lab->early, held);
}

void lab_flush_early(struct lab *lab)
{
	size_t i;
	json_t *held;

	json_array_foreach (lab->early, i, held) {
		record_now(lab, json_integer_value(json_object_get(held, "at")),
		           (uint64_t)json_integer_value(json_object_get(held, "id")),
		           (uint64_t)json_integer_value(json_object_get(held, "cause")),
		           node_string(held, "node", ""), node_string(held, "zone", ""),
		           node_string(held, "event", ""), json_incref(json_object_get(held, "fields")));
	}
	json_array_clear(lab->early);
}

uint64_t lab_event(struct lab *lab, const char *event, uint64_t cause, const char *node, const char *zone,
                   json_t *fields)
{
	uint64_t id = record_id(lab->record);
	record_at(lab, mono_now(), id, cause, node, zone, event, fields);
	return id;
}

/* --- causes ------------------------------------------------------------------------------------------ */

/* The fault rule that touched the check's flow, or -ENOENT. */
static int guilty_rule(const struct lab *lab, const struct instance *i, const json_t *json)
{
	const char *src = node_string(json, "src", ""), *dst = node_string(json, "dst", "");
	struct fault_flow flow = { .family = strchr(src, ':') ? AF_INET6 : AF_INET, .protocol = IPPROTO_TCP };

	flow.sport = (uint16_t)node_number(json, "sport", 0);
	flow.dport = (uint16_t)node_number(json, "dport", 0);
	/* ports come again: what was done to an older flow with the same ones does not count */
	flow.since = mono_now() - 2 * lab->topology->services[i->service].health_check.interval;
	if (inet_pton(flow.family, src, &flow.src) != 1 || inet_pton(flow.family, dst, &flow.dst) != 1)
		return -ENOENT;
	return fault_plane_blame(lab->faults, &flow);
}

/* Why a check failed, by evidence: the fault rule that counted its flow, else a route that its own router
 * lacks, else the target's overload during the checks that the verdict rests on. *ret_cause is the event that
 * stands for it. */
static const char *blame(struct lab *lab, const struct instance *i, const json_t *fields, uint64_t *ret_cause)
{
	const struct health_check_config *check = &lab->topology->services[i->service].health_check;
	int rule = guilty_rule(lab, i, json_object_get(fields, "flow"));

	if (rule >= 0) {
		*ret_cause = lab->fault_event[rule];
		return "fault";
	}
	if (i->gone || !lab_runs(lab, i->node)) {
		*ret_cause = i->launched;
		return "target";
	}
	if (!truth_routed_from(lab->truth, i->node, i->zone)) {
		*ret_cause = i->route_sent[i->zone] ? i->route_sent[i->zone] : i->launched;
		return "route";
	}
	if (i->overloaded || i->was_overloaded > mono_now() - check->fall * check->interval) {
		*ret_cause = i->overloaded_by;
		return "overload";
	}
	*ret_cause = 0;
	return "unknown";
}

/* --- beliefs ----------------------------------------------------------------------------------------- */

static struct instance *target_of(struct lab *lab, const json_t *fields, const char *key)
{
	return instance_find(lab, node_string(fields, key, ""));
}

static void on_unhealthy(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	struct instance *i = target_of(lab, fields, "target");

	(void)s, (void)id;
	if (!i) return;
	i->healthy = false;
	json_object_set_new(fields, "because", json_string(blame(lab, i, fields, cause)));
	json_object_set_new(fields, "well", json_boolean(lab_instance_well(lab, i)));
}

static void on_healthy(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	struct instance *i = target_of(lab, fields, "target");
	(void)s, (void)id, (void)cause;
	if (i) i->healthy = true;
}

static void on_overloaded(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	struct instance *i = instance_of_node(lab, s->node);
	(void)cause, (void)fields;
	if (!i) return;
	i->overloaded = true;
	i->overloaded_by = id;
}

static void on_recovered(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	struct instance *i = instance_of_node(lab, s->node);
	(void)id, (void)fields;
	if (!i) return;
	if (!*cause) *cause = i->overloaded_by;
	i->overloaded = false;
	i->was_overloaded = mono_now();
}

static void on_route_sent(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	struct instance *i = target_of(lab, fields, "instance");
	int zone = topology_zone(lab->topology, node_string(fields, "to", ""));
	(void)s, (void)cause;
	if (i && zone >= 0) i->route_sent[zone] = id;
}

static void on_connected(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	struct instance *i = target_of(lab, fields, "instance");
	(void)s, (void)id, (void)cause;
	if (i) instance_connected(lab, i);
}

static int service_of(const struct lab *lab, const json_t *fields)
{
	return topology_service(lab->topology, node_string(fields, "service", ""));
}

/* A zone left or entered the answer: how its targets really were at that moment tells whether that was right.
 */
static void on_zone_moved(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	int service = service_of(lab, fields),
	    zone = topology_zone(lab->topology, node_string(fields, "zone", ""));

	(void)s, (void)id, (void)cause;
	if (service < 0 || zone < 0) return;
	struct zone_state st = lab_zone_state(lab, service, zone);
	json_object_set_new(fields, "healthy", json_integer(st.healthy));
	json_object_set_new(fields, "well", json_integer(st.well));
	json_object_set_new(fields, "overloaded", json_integer(st.overloaded));
	json_object_set_new(fields, "of", json_integer(st.of));
	json_object_set_new(fields, "min_healthy",
	                    json_real(lab->topology->services[service].failover.min_healthy));
}

/* One transaction replaces the whole answer: it is taken over whole. Put together from the zones that left
 * and came it would pass through answers that never were, empty ones among them. */
static void on_dns_updated(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	int service = service_of(lab, fields);
	(void)s, (void)id, (void)cause;
	if (service >= 0) lab->answer[service] = lab_zones_of(lab, json_object_get(fields, "answer"));
}

static void on_endpoint_empty(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause,
                              json_t *fields)
{
	(void)s, (void)id, (void)cause;
	lab_dns_learn(lab, "endpoint.empty", fields);
}

static void on_endpoint_restored(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause,
                                 json_t *fields)
{
	(void)s, (void)id, (void)cause;
	lab_dns_learn(lab, "endpoint.restored", fields);
}

static const struct {
	const char *event;
	learn *learn;
} lessons[] = {
	{ "target.unhealthy", on_unhealthy },
	{ "target.healthy", on_healthy },
	{ "target.overloaded", on_overloaded },
	{ "target.recovered", on_recovered },
	{ "route.sent", on_route_sent },
	{ "route.resent", on_route_sent },
	{ "instance.connected", on_connected },
	{ "dns.updated", on_dns_updated },
	{ "zone.removed", on_zone_moved },
	{ "zone.restored", on_zone_moved },
	{ "zone.held", on_zone_moved },
	{ "droplet.launch", lab_on_droplet_launch },
	{ "droplet.terminate", lab_on_droplet_terminate },
	{ "droplet.reboot", lab_on_droplet_reboot },
	{ "endpoint.empty", on_endpoint_empty },
	{ "endpoint.restored", on_endpoint_restored },
};

static void take_event(struct lab *lab, struct station *s, json_t *message)
{
	const char *event = node_string(message, "event", "?");
	uint64_t id = (uint64_t)json_integer_value(json_object_get(message, "id"));
	uint64_t cause = (uint64_t)json_integer_value(json_object_get(message, "cause"));
	json_t *fields = json_object_get(message, "fields");

	fields = fields ? json_incref(fields) : json_object();
	for (size_t i = 0; i < ARRAY_SIZE(lessons); i++)
		if (strcmp(event, lessons[i].event) == 0) lessons[i].learn(lab, s, id, &cause, fields);
	record_at(lab, json_integer_value(json_object_get(message, "at_ns")), id, cause, s->name,
	          plan_zone_name(lab->plan, lab->plan->nodes[s->node].zone), event, fields);
	lab_observe(lab, false);
}

/* --- messages ----------------------------------------------------------------------------------------- */

void lab_on_message(void *arg, struct station *s, json_t *message)
{
	const char *type = node_string(message, "type", "");

	if (strcmp(type, "event") == 0)
		take_event(arg, s, message);
	else if (strcmp(type, "sample") == 0)
		lab_take_sample(arg, s, message);
}

/* --- processes --------------------------------------------------------------------------------------- */

/* A user may kill any node from outside: that is an experiment. A node that gives up by itself is not. */
static bool gave_up(int status)
{
	if (WIFEXITED(status)) return WEXITSTATUS(status) != 0;
	return WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM;
}

static void say_how(int status, char *text, size_t size)
{
	if (WIFEXITED(status))
		snprintf(text, size, "exit status %d", WEXITSTATUS(status));
	else
		snprintf(text, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

void lab_on_ended(void *arg, struct station *s)
{
	struct lab *lab = arg;
	struct instance *i = instance_of_node(lab, s->node);
	char how[96];

	say_how(s->status, how, sizeof(how));
	if (!lab->stopping || !s->ending)
		lab_event(lab, "node.exited", i ? i->terminated : 0, s->name,
		          plan_zone_name(lab->plan, lab->plan->nodes[s->node].zone),
		          json_pack("{s:s, s:b}", "how", how, "expected", s->ending));
	if (i && i->gone) build_remove(lab->build, i->node);
	if (!s->ending && gave_up(s->status))
		lab_fail(lab, -EPIPE, "%s ended by itself (%s); logs/%s.log in the run folder says why",
		         s->name, how, s->name);
	if (s->restart && !lab->stopping) lab_start_node(lab, s->node); /* s is no more */
	lab_observe(lab, false);
}

void lab_on_stopped(void *arg, struct station *s)
{
	struct lab *lab = arg;
	lab_event(lab, s->stopped ? "node.paused" : "node.resumed", 0, s->name,
	          plan_zone_name(lab->plan, lab->plan->nodes[s->node].zone), NULL);
	lab_observe(lab, false);
}
