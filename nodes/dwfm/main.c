/* azlab-dwfm: a host of the DropletWorkflow Manager. It keeps the leases of its share of the droplets, and
 * carries out what the EC2 API wants on them. */
#include "common/log.h"
#include "common/rlimit.h"
#include "dwfm/dwfm.h"
#include "dwfm/workflow.h"
#include "proto/classes.h"
#include <errno.h>
#include <event2/util.h>
#include <string.h>

static int read_knobs(const json_t *config, struct dwfm_knobs *ret)
{
	const char *member;
	int r = dwfm_knobs_read(config, ret, &member);

	return r < 0 ? log_errno(r, "%s is not valid", member) : 0;
}

static int on_set(struct node *n, json_t *body)
{
	struct dwfm *d = n->self;
	const json_t *config = json_object_get(body, "config");
	struct http_client_config http = { 0 };
	struct dynamo_retries retries;
	struct dwfm_knobs knobs;
	int r;

	if ((r = read_knobs(config, &knobs)) < 0 ||
	    (r = dynamo_client_config(json_object_get(config, "dynamodb"), &http, &retries)) < 0)
		return r;
	d->knobs = knobs;
	dynamo_client_set(d->store, &retries, http.max_connection_age);
	workers_pump(d); /* there may be more of them */
	return 0;
}

static int on_clear_queue(struct node *n, json_t *body)
{
	struct dwfm *d = n->self;
	uint64_t cause = (uint64_t)json_integer_value(json_object_get(body, "cause"));
	size_t dropped = queue_clear(d->queue);

	node_event(n, "dwfm.cleared", cause, json_pack("{s:I}", "dropped", (json_int_t)dropped));
	return 0;
}

static int open_store(struct dwfm *d, const json_t *config)
{
	struct http_client_config http = { .resolver = node_string(config, "resolver", NULL),
		                           .seed = d->node->seed };
	struct dynamo_retries retries;
	int r = dynamo_client_config(json_object_get(config, "dynamodb"), &http, &retries);

	if (r < 0) return log_errno(r, "dynamodb is not valid");
	/* a worker has at most one write in flight, and a lifecycle operation one more */
	if (!http.max_connections) http.max_connections = 2 * DWFM_WORKERS_MAX;
	r = dynamo_client_new(d->node->base, &http, &retries, &d->store);
	return r < 0 ? log_errno(r, "cannot use '%s' by the resolver '%s'", http.host, http.resolver) : 0;
}

static int start(struct node *n, json_t *config)
{
	static struct dwfm dwfm;
	struct dwfm *d = n->self = &dwfm;
	double sample_ms = node_number(config, "sample_ms", 1000);
	uint32_t incarnation;
	int r;

	if (!(sample_ms >= 10 && sample_ms <= 60000)) return log_errno(-ERANGE, "sample_ms");
	d->node = n;
	d->holder = node_string(config, "holder", "");
	if (!*d->holder || strlen(d->holder) >= LEASE_NAME_MAX) return log_errno(-EINVAL, "no holder");
	retry_init(&d->retry, n->seed, n->name);
	evutil_secure_rng_get_bytes(&incarnation, sizeof(incarnation));
	if ((r = rlimit_raise_files()) < 0) return log_errno(r, "cannot raise the limit of open files");
	if ((r = read_knobs(config, &d->knobs)) < 0 || (r = open_store(d, config)) < 0 ||
	    (r = asker_init(&d->asker, n->base, (uint64_t)incarnation << 32)) < 0 ||
	    (r = workers_init(d)) < 0)
		return r;
	if ((r = droplets_read(d, json_object_get(config, "droplets"))) < 0) return r;
	if ((r = api_start(d, (uint16_t)node_number(config, "port", PORT_DWFM))) < 0)
		return log_errno(r, "cannot open the API's port");
	workflows_resume(d);
	return samples_start(d, (mono_ns)(sample_ms * (double)NS_PER_MS));
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set },
		                                        { "clear-queue", on_clear_queue },
		                                        { 0 } };
	static const struct node_ops ops = { .daemon = "dwfm", .start = start, .messages = messages };

	return node_run(&ops);
}
