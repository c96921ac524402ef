/* lab_ec2.c - instances of the lab that EC2's droplets launch: what a hypervisor is to a physical host, the
 * orchestrator is to a droplet. */
#include "common/log.h"
#include "common/node.h"
#include "orchestrator/lab/lab.h"
#include <string.h>

bool lab_ec2_all_leased(struct lab *lab)
{
	char name[PLAN_NAME_MAX];

	for (unsigned i = 0; i < lab->topology->ec2.dwfm.hosts; i++) {
		snprintf(name, sizeof(name), "region.dwfm-%u", i + 1);
		const struct station *s = lab_station(lab, name);
		const json_t *work = s ? json_object_get(s->samples, "work") : NULL;
		double droplets = node_number(work, "droplets", 0);
		if (droplets == 0 || node_number(work, "held", 0) < droplets) return false;
	}
	return true;
}

void lab_on_droplet_launch(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	const char *instance = node_string(fields, "instance", "");
	int zone = lab->plan->nodes[s->node].zone;
	char why[512] = "the topology names no service whose instances they are (ec2.service)";
	size_t node = 0;
	int result = -EINVAL;

	(void)cause;
	if (lab->topology->ec2.service && zone >= 0)
		result = instance_launch_ec2(lab, zone, instance, id, &node, why, sizeof(why));
	if (result < 0) {
		log_line("cannot launch %s on %s: %s", instance, node_string(fields, "droplet", "?"), why);
		json_object_set_new(fields, "failed", json_string(why));
	} else {
		json_object_set_new(fields, "as", json_string(lab->plan->nodes[node].name));
	}
	lab_tell(lab, s->name,
	         json_pack("{s:s, s:s, s:b, s:s*}", "type", "launched", "instance", instance, "ok",
	                   result == 0, "node", result < 0 ? NULL : lab->plan->nodes[node].name));
}

void lab_on_droplet_terminate(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause,
                              json_t *fields)
{
	struct instance *i = instance_of_ec2(lab, node_string(fields, "instance", ""));
	char why[256];

	(void)s, (void)cause;
	if (i && !i->gone) instance_terminate(lab, i, id, why, sizeof(why));
}

void lab_on_droplet_reboot(struct lab *lab, struct station *s, uint64_t id, uint64_t *cause, json_t *fields)
{
	const struct instance *i = instance_of_ec2(lab, node_string(fields, "instance", ""));
	struct station *rebooted = i && !i->gone ? lab_station_of(lab, i->node) : NULL;

	(void)s, (void)id, (void)cause;
	if (rebooted) lab_restart_node(lab, rebooted); /* what fails there ends the lab, and says why */
}
