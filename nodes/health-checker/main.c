/* health-checker - checks its own zone's targets and reports their state to nlb and az-failover. */
#include "health-checker/checker.h"
#include "common/log.h"
#include "common/rlimit.h"
#include <errno.h>

static int start(struct node *n, json_t *config)
{
	static struct checker c;
	double zone = node_number(config, "zone_index", -1);
	int result;

	n->self = &c;
	c.node = n;
	if (!(zone >= 0 && zone <= UINT16_MAX)) {
		log_line("zone_index out of range");
		return -EINVAL;
	}
	c.zone = (uint16_t)zone;
	schedule_init(&c.schedule, 0);
	if ((result = rlimit_raise_files()) < 0)
		return log_errno(result, "cannot raise the limit of open files");
	if ((result = checks_open(&c)) < 0 || (result = checker_read_receivers(&c, config)) < 0 ||
	    (result = checker_configure(&c, config)) < 0)
		return result;
	if ((result = reports_open(&c)) < 0) return log_errno(result, "cannot open the socket for reports");
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	return checker_configure(n->self, json_object_get(body, "config"));
}

static int on_targets(struct node *n, json_t *body)
{
	return checker_take_targets(n->self, body);
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set }, { "targets", on_targets }, { 0 } };
	static const struct node_ops ops = { .daemon = "health-checker",
		                             .start = start,
		                             .messages = messages };

	return node_run(&ops);
}
