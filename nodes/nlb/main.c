/* azlab-nlb: a zone's network load balancer. The data plane is bpf/nlb.bpf.c; docs/nlb.md tells how it works.
 */
#include "nlb/balancer.h"

static const struct node_message messages[] = {
	{ "targets", balancer_targets },
	{ "set", balancer_set },
	{ 0 },
};
static const struct node_ops ops = { .daemon = "nlb", .start = balancer_start, .messages = messages };

int main(void)
{
	return node_run(&ops);
}
