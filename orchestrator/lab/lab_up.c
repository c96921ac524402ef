/* lab_up.c - a lab comes up: each thing after what it needs. */
#include "orchestrator/lab/lab_dns.h"
#include "common/cleanup.h"
#include <errno.h>
#include <string.h>

enum { UP_TIMEOUT_S = 60 };

static int build_network(struct lab *lab)
{
	struct build_error why;
	int result = build_up(lab->plan, lab->name, &lab->build, &why);
	return result < 0 ? lab_fail(lab, result, "%s", why.text) : 0;
}

static int start_processes(struct lab *lab)
{
	int result = spawner_start(&lab->spawner);
	if (result < 0) return lab_fail(lab, result, "cannot make a PID namespace: %s", strerror(-result));
	return lab_start_nodes(lab);
}

struct watch_request {
	struct lab *lab;
	int zone;
};

static int watch_here(void *arg)
{
	struct watch_request *r = arg;
	return truth_watch(r->lab->truth, r->zone);
}

static void on_truth_changed(void *arg, size_t instance, int zone)
{
	struct lab *lab = arg;
	(void)instance, (void)zone;
	lab_observe(lab, false);
}

static int watch_routes(struct lab *lab)
{
	int result = truth_open(lab->base, on_truth_changed, lab, &lab->truth);

	for (int z = 0; result == 0 && z < (int)lab->topology->n_zones; z++) {
		struct watch_request r = { lab, z };
		result = build_in_netns(lab->build, (size_t)plan_find(lab->plan, lab->topology->zones[z]),
		                        watch_here, &r);
	}
	if (result == 0) result = instances_adopt(lab);
	return result < 0 ? lab_fail(lab, result, "cannot watch the routers' routes: %s", strerror(-result))
	                  : 0;
}

static bool all_ready(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_stations; i++)
		if (lab->stations[i] && !lab->stations[i]->ready) return false;
	return true;
}

static int await(struct lab *lab, bool (*done)(struct lab *), const char *what)
{
	int result = lab_wait(lab, done, mono_now() + UP_TIMEOUT_S * NS_PER_S);
	return result == -ETIMEDOUT ? lab_fail(lab, result, "gave up after %d s: %s", UP_TIMEOUT_S, what)
	                            : result;
}

static int await_ready(struct lab *lab)
{
	return await(lab, all_ready, "not every node became ready; their logs are in the run folder");
}

/* In the authoritative answer, as those who keep it have read it. */
static bool all_answered(struct lab *lab)
{
	struct station *s = lab_station(lab, "region.az-failover");
	bool automated = lab->topology->has_dns_automation;

	if (automated && !lab_dns_answered(lab)) return false;
	if (lab->topology->n_services == automated) return true; /* az-failover has none to read */
	return s && json_object_get(s->samples, "answer");
}

static int await_dns(struct lab *lab)
{
	uint64_t all =
	    lab->topology->n_zones == 64 ? ~UINT64_C(0) : (UINT64_C(1) << lab->topology->n_zones) - 1;

	for (size_t s = 0; s < lab->topology->n_services; s++)
		lab->answer[s] = all;
	return await(lab, all_answered,
	             "who keeps the services' names has not read the answer from Route 53");
}

static bool all_connected(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_instances; i++)
		if (!lab->instances[i].connected || !truth_routed(lab->truth, lab->instances[i].node))
			return false;
	return true;
}

static int connect_instances(struct lab *lab)
{
	instances_attach(lab);
	return await(lab, all_connected, "not every agent has acknowledged the routes to every instance");
}

static bool all_passing(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_instances; i++) {
		const struct instance *inst = &lab->instances[i];
		if (inst->passes < lab->topology->services[inst->service].health_check.rise) return false;
	}
	return true;
}

static int register_targets(struct lab *lab)
{
	instances_register(lab);
	return await(lab, all_passing, "not every target has passed its checks");
}

static int lease_droplets(struct lab *lab)
{
	return await(lab, lab_ec2_all_leased, "not every droplet has got a lease (azlab dwfm status)");
}

static const struct {
	const char *what;
	int (*run)(struct lab *);
	bool ec2; /* only with EC2 */
} steps[] = {
	{ "building the network", build_network, false },
	{ "placing the fault programs", lab_place_faults, false },
	{ "watching the routers' routes", watch_routes, false },
	{ "starting the nodes", start_processes, false },
	{ "waiting until every node is ready", await_ready, false },
	{ "waiting for DNS", await_dns, false },
	{ "connecting the instances", connect_instances, false },
	{ "waiting until every target passes its checks", register_targets, false },
	{ "waiting until every droplet is leased", lease_droplets, true },
};

int lab_up(struct lab *lab)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i].ec2 && !lab->topology->has_ec2) continue;
		if (lab->on_step) lab->on_step(lab->show_arg, steps[i].what);
		int result = lab->stopping ? -EINTR : steps[i].run(lab);
		if (result < 0) return result;
	}
	return 0;
}
