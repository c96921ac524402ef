/* instances.c - instances of services while the lab runs. */
#include "common/cleanup.h"
#include "common/log.h"
#include "orchestrator/lab/lab.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct plan_node *node_of(const struct lab *lab, const struct instance *i)
{
	return &lab->plan->nodes[i->node];
}

struct instance *instance_of_node(struct lab *lab, size_t node)
{
	for (size_t i = 0; i < lab->n_instances; i++)
		if (lab->instances[i].node == node) return &lab->instances[i];
	return NULL;
}

struct instance *instance_find(struct lab *lab, const char *name)
{
	int node = plan_find(lab->plan, name);
	return node < 0 ? NULL : instance_of_node(lab, (size_t)node);
}

/* --- telling the lab's nodes ------------------------------------------------------------------------- */

int lab_tell(struct lab *lab, const char *node, json_t *message)
{
	struct station *s = lab_station(lab, node);
	int result = s ? station_send(s, message, NULL, 0) : -ENOENT;

	if (result == 0) return 0;
	if (!s) json_decref(message);
	/* a full channel means a node that doesn't read: paused, or starved; the run then can't be trusted */
	lab_event(lab, "management.lost", 0, node, NULL, NULL);
	return log_errno(result, "cannot tell %s", node);
}

/* The network manager learns of a new address, or that one is gone; each change has a higher generation. */
static void tell_manager(struct lab *lab, struct instance *i, const char *type, uint64_t cause)
{
	json_t *message = node_config_attachment(lab->plan, i->node);

	json_object_set_new(message, "type", json_string(type));
	json_object_set_new(message, "generation", json_integer((json_int_t)++i->generation));
	json_object_set_new(message, "cause", json_integer((json_int_t)cause));
	if (*i->ec2) json_object_set_new(message, "ec2", json_string(i->ec2));
	lab_tell(lab, "region.network-manager", message);
}

/* The load balancer and the checker of a zone get the table of a service's registered targets, whole. */
static void tell_targets(struct lab *lab, int service, int zone)
{
	json_t *targets = json_array();
	char name[PLAN_NAME_MAX];
	static const char *const roles[] = { "nlb", "checker" };

	for (size_t i = 0; i < lab->n_instances; i++) {
		struct instance *inst = &lab->instances[i];
		if (inst->service == service && inst->zone == zone && inst->registered)
			json_array_append_new(targets,
			                      node_config_target(lab->plan, inst->node, inst->launched));
	}
	json_t *message =
	    json_pack("{s:s, s:i, s:o}", "type", "targets", "service", service, "targets", targets);
	for (size_t r = 0; r < 2; r++) {
		snprintf(name, sizeof(name), "%s.%s", plan_zone_name(lab->plan, zone), roles[r]);
		lab_tell(lab, name, json_incref(message));
	}
	json_decref(message);
}

/* --- the instances of the plan ----------------------------------------------------------------------- */

static struct instance *add_instance(struct lab *lab, size_t node)
{
	struct instance *grown = realloc(lab->instances, (lab->n_instances + 1) * sizeof(*grown));
	if (!grown) return NULL;
	lab->instances = grown;
	struct instance *i = &grown[lab->n_instances++];
	const struct plan_node *n = &lab->plan->nodes[node];
	*i = (struct instance){ .node = node, .service = n->service, .zone = n->zone };
	i->healthy = lab->topology->services[n->service].health_check.init_state == INIT_UP;
	return truth_add(lab->truth, node, &n->addr) < 0 ? NULL : i;
}

int instances_adopt(struct lab *lab)
{
	for (size_t n = 0; n < lab->plan->n_nodes; n++)
		if (lab->plan->nodes[n].kind == PLAN_INSTANCE && !add_instance(lab, n)) return -ENOMEM;
	return 0;
}

static uint64_t report_launch(struct lab *lab, struct instance *i, uint64_t cause)
{
	const struct plan_node *n = node_of(lab, i);
	i->launched = lab_event(lab, "instance.launched", cause, n->name, plan_zone_name(lab->plan, n->zone),
	                        json_pack("{s:s}", "service", lab->topology->services[i->service].name));
	return i->launched;
}

void instances_attach(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_instances; i++)
		tell_manager(lab, &lab->instances[i], "attach", report_launch(lab, &lab->instances[i], 0));
}

void instances_register(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_instances; i++)
		lab->instances[i].registered = true;
	for (size_t s = 0; s < lab->topology->n_services; s++)
		for (size_t z = 0; z < lab->topology->n_zones; z++)
			tell_targets(lab, (int)s, (int)z);
}

/* --- launch, replace, terminate ---------------------------------------------------------------------- */

/* The place of a new instance: its namespace and links. It has no process yet and nobody knows it. */
static int build_one(struct lab *lab, int service, int zone, char *error, size_t size)
{
	struct build_error why;
	size_t node;
	int result;

	if ((result = plan_launch(lab->plan, service, zone, &node)) < 0) {
		snprintf(error, size, "zone %s has no address left for another instance",
		         lab->topology->zones[zone]);
		return result;
	}
	if ((result = build_launch(lab->build, lab->plan, node, &why)) < 0) {
		snprintf(error, size, "%s", why.text);
		return result;
	}
	if ((result = lab_attach_faults(lab, node)) < 0) {
		snprintf(error, size, "%s", lab->error);
		return result;
	}
	return add_instance(lab, node) ? 0 : -ENOMEM;
}

/* Builds the places of n instances; the first of them is lab->instances[*ret_first]. */
static int build_some(struct lab *lab, int service, int zone, unsigned n, size_t *ret_first, char *error,
                      size_t size)
{
	int result = 0;

	*ret_first = lab->n_instances;
	for (unsigned k = 0; k < n && result == 0; k++)
		result = build_one(lab, service, zone, error, size);
	return result;
}

static int start_from(struct lab *lab, size_t first, char *error, size_t size)
{
	for (size_t i = first; i < lab->n_instances; i++) {
		size_t node = lab->instances[i].node;
		int result = lab_start_node(lab, node);
		if (result == 0) continue;
		snprintf(error, size, "cannot start %s: %s", lab->plan->nodes[node].name, strerror(-result));
		return result;
	}
	return 0;
}

/* Known to the region from here on, and registered at once, in init_state, before any route is acknowledged:
 * as the incident's launches were. Those of the EC2 API can be told to wait. */
static void introduce_from(struct lab *lab, size_t first, uint64_t cause)
{
	if (first == lab->n_instances) return;
	for (size_t i = first; i < lab->n_instances; i++) {
		struct instance *inst = &lab->instances[i];
		tell_manager(lab, inst, "attach", report_launch(lab, inst, cause));
		inst->registered = !inst->awaits_routes;
	}
	tell_targets(lab, lab->instances[first].service, lab->instances[first].zone);
}

int instance_launch(struct lab *lab, int service, int zone, unsigned n, uint64_t cause, char *error,
                    size_t size)
{
	size_t first;
	int result = build_some(lab, service, zone, n, &first, error, size);

	if (result == 0) result = start_from(lab, first, error, size);
	introduce_from(lab, first, cause);
	lab_observe(lab, false);
	return result;
}

int instance_launch_ec2(struct lab *lab, int zone, const char *ec2, uint64_t cause, size_t *ret_node,
                        char *error, size_t size)
{
	int service = topology_service(lab->topology, lab->topology->ec2.service);
	size_t first;
	int result = build_some(lab, service, zone, 1, &first, error, size);

	if (result == 0) result = start_from(lab, first, error, size);
	if (first < lab->n_instances) {
		struct instance *i = &lab->instances[first];
		snprintf(i->ec2, sizeof(i->ec2), "%s", ec2);
		i->awaits_routes = lab->topology->ec2.register_when == REGISTER_WHEN_PROPAGATED;
		*ret_node = i->node;
	}
	introduce_from(lab, first, cause);
	lab_observe(lab, false);
	return result;
}

struct instance *instance_of_ec2(struct lab *lab, const char *ec2)
{
	for (size_t i = 0; *ec2 && i < lab->n_instances; i++)
		if (strcmp(lab->instances[i].ec2, ec2) == 0) return &lab->instances[i];
	return NULL;
}

void instance_connected(struct lab *lab, struct instance *i)
{
	i->connected = true;
	if (!i->awaits_routes || i->gone) return;
	i->awaits_routes = false;
	i->registered = true;
	tell_targets(lab, i->service, i->zone);
}

static void deregister(struct instance *i)
{
	i->registered = false;
	i->gone = true;
}

/* Its address goes and its process dies; the namespace follows when the process is gone. */
static void kill_instance(struct lab *lab, struct instance *i, uint64_t cause)
{
	struct station *s = lab_station_of(lab, i->node);
	const struct plan_node *n = node_of(lab, i);

	i->terminated =
	    lab_event(lab, "instance.terminated", cause, n->name, plan_zone_name(lab->plan, n->zone),
	              json_pack("{s:s}", "service", lab->topology->services[i->service].name));
	tell_manager(lab, i, "detach", i->terminated);
	truth_remove(lab->truth, i->node);
	if (s && s->alive) {
		s->ending = true;
		station_signal(s, SIGKILL);
	} else {
		build_remove(lab->build, i->node);
	}
}

int instance_terminate(struct lab *lab, struct instance *i, uint64_t cause, char *error, size_t size)
{
	if (i->gone) {
		snprintf(error, size, "%s is terminated already", node_of(lab, i)->name);
		return -EALREADY;
	}
	deregister(i);
	tell_targets(lab, i->service, i->zone);
	kill_instance(lab, i, cause);
	lab_observe(lab, false);
	return 0;
}

/* The oldest instance that lives there, or NULL. */
static struct instance *oldest(struct lab *lab, int service, int zone)
{
	for (size_t i = 0; i < lab->n_instances; i++) {
		struct instance *inst = &lab->instances[i];
		if (inst->service == service && inst->zone == zone && !inst->gone) return inst;
	}
	return NULL;
}

static unsigned count_alive(const struct lab *lab, int service, int zone)
{
	unsigned alive = 0;

	for (size_t i = 0; i < lab->n_instances; i++)
		alive += lab->instances[i].service == service && lab->instances[i].zone == zone &&
		         !lab->instances[i].gone;
	return alive;
}

/* The n oldest go and n with new names come in the same instant; nothing waits for anything. The load
 * balancer forgets the old ones before they die, so what they were serving finds a living target again. */
int instance_replace(struct lab *lab, int service, int zone, unsigned n, uint64_t cause, char *error,
                     size_t size)
{
	unsigned alive = count_alive(lab, service, zone);
	cleanup_free size_t *old = calloc(n, sizeof(*old));
	size_t first;

	if (!old) return -ENOMEM;
	if (n > alive) {
		snprintf(error, size, "%s has %u instance%s of %s to replace, not %u",
		         lab->topology->zones[zone], alive, alive == 1 ? "" : "s",
		         lab->topology->services[service].name, n);
		return -EINVAL;
	}
	for (unsigned k = 0; k < n; k++) {
		struct instance *i = oldest(lab, service, zone);
		deregister(i);
		old[k] = (size_t)(i - lab->instances);
	}
	tell_targets(lab, service, zone);
	int result = build_some(lab, service, zone, n, &first, error, size);
	for (unsigned k = 0; k < n; k++)
		kill_instance(lab, &lab->instances[old[k]], cause);
	if (result == 0) result = start_from(lab, first, error, size);
	introduce_from(lab, first, cause);
	lab_observe(lab, false);
	return result;
}
