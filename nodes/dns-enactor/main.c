/* dns-enactor: applies the newest plan of the store to the zone, alone but for the lock in the zone.
 * docs/dns-automation.md tells what it does; enactor.h where. */
#include "common/log.h"
#include "dns-enactor/enactor.h"
#include <errno.h>

static uint64_t integer(const json_t *body, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(body, key));
}

static int start(struct node *n, json_t *body)
{
	struct dne_config config;
	char why[WHY_MAX];
	int r = dne_config_read(body, &config, why);

	if (r < 0) return log_errno(r, "bad configuration: %s", why);
	return dne_new(n, &config, (struct dne **)&n->self);
}

/* Knobs only: places and names are for life. */
static int on_set(struct node *n, json_t *body)
{
	struct dne *d = n->self;
	struct dne_config config;
	char why[WHY_MAX];
	int r = dne_config_read(json_object_get(body, "config"), &config, why);

	if (r < 0) return log_errno(r, "bad configuration: %s", why);
	d->config.knobs = config.knobs;
	return 0;
}

static int on_pause(struct node *n, json_t *body)
{
	struct dne *d = n->self;

	(void)body;
	d->paused = true;
	return 0;
}

static int on_resume(struct node *n, json_t *body)
{
	struct dne *d = n->self;

	(void)body;
	if (!d->paused) return 0;
	d->paused = false;
	if (d->next) dne_go_on_after(d, 0, d->next);
	return 0;
}

/* Idle enactors look at once. */
static void hurry(struct dne *d)
{
	if (d->doing == DNE_IDLE && !d->paused) dne_go_on_after(d, 0, dne_pick);
}

static int on_pin(struct node *n, json_t *body)
{
	struct dne *d = n->self;

	if (!json_is_integer(json_object_get(body, "plan"))) return -EINVAL;
	d->pinned = integer(body, "plan");
	d->pin_done = false;
	d->refused_sum = 0;
	hurry(d);
	return 0;
}

static int on_repair(struct node *n, json_t *body)
{
	struct dne *d = n->self;

	if (d->repairing) return -EALREADY;
	d->repairing = true;
	d->repair_cause = integer(body, "cause");
	d->repair_begun = mono_now();
	hurry(d);
	return 0;
}

int main(void)
{
	static const struct node_message messages[] = {
		{ "set", on_set }, { "pause", on_pause },   { "resume", on_resume },
		{ "pin", on_pin }, { "repair", on_repair }, { 0 },
	};
	static const struct node_ops ops = { .daemon = "dns-enactor", .start = start, .messages = messages };

	return node_run(&ops);
}
