/* azlab-autoscaler: customers' capacity. Keeps groups of instances at their size through the EC2 API, over
 * the wire, and retries as the AWS clients do. */
#include "autoscaler/ec2.h"
#include "autoscaler/group.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/timer.h"
#include "proto/classes.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { GROUPS_MAX = 64, CONNECTIONS = 256 };

struct scaler {
	struct node *node;
	struct ec2 *ec2;
	struct random random;
	size_t n;
	struct group groups[GROUPS_MAX];
	struct reply_instance *seen; /* by the question under way, page by page */
	size_t n_seen;
	mono_ns asked; /* when it was put; 0: none is under way */
	mono_ns interval;
	struct event *due, *sample;
};
/* A call that changes a group, and what for. */
struct change {
	struct scaler *scaler;
	struct group *group;
};

/* --- what is to be done ------------------------------------------------------------------------------ */

static void on_changed(const struct reply *reply, void *arg)
{
	cleanup_free struct change *c = arg;

	(void)reply; /* whatever came of it shows in the next answer */
	c->group->changing = false;
	c->group->changed = mono_now();
}

static void change_group(struct scaler *s, struct group *g, struct evbuffer *form)
{
	struct change *c = malloc(sizeof(*c));

	if (!c || !form) {
		if (form) evbuffer_free(form);
		free(c);
		return;
	}
	*c = (struct change){ s, g };
	g->changing = true;
	if (ec2_call(s->ec2, form, on_changed, c) == 0) return;
	g->changing = false;
	free(c);
}

static void add_tag(struct evbuffer *form, int number, const char *key, const char *value)
{
	ec2_add(form, key, "TagSpecification.1.Tag.%d.Key", number);
	ec2_add(form, value, "TagSpecification.1.Tag.%d.Value", number);
}

/* One token a call, which its retries repeat: none of them launches twice. */
static void launch(struct scaler *s, struct group *g, int n)
{
	struct evbuffer *form = ec2_form("RunInstances");
	char token[40], count[16];
	int tags = 1;

	if (!form) return;
	snprintf(token, sizeof(token), "%016" PRIx64 "%016" PRIx64, random_next(&s->random),
	         random_next(&s->random));
	snprintf(count, sizeof(count), "%d", n);
	ec2_add(form, "ami-00000000", "ImageId");
	ec2_add(form, "1", "MinCount");
	ec2_add(form, count, "MaxCount");
	ec2_add(form, token, "ClientToken");
	if (g->zone[0]) ec2_add(form, g->zone, "Placement.AvailabilityZone");
	ec2_add(form, "instance", "TagSpecification.1.ResourceType");
	add_tag(form, tags++, EC2_GROUP_TAG, g->name);
	if (g->real) add_tag(form, tags++, "azlab:real", "true");
	if (g->service[0]) add_tag(form, tags++, "azlab:service", g->service);
	change_group(s, g, form);
}

static void terminate(struct scaler *s, struct group *g, size_t n)
{
	const struct reply_instance *picked[GROUP_STEP_MAX];
	struct evbuffer *form = ec2_form("TerminateInstances");

	if (!form) return;
	n = group_pick(g, s->seen, s->n_seen, picked, n);
	for (size_t i = 0; i < n; i++)
		ec2_add(form, picked[i]->id, "InstanceId.%zu", i + 1);
	change_group(s, g, form);
}

static void judge(struct scaler *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct group *g = &s->groups[i];
		int missing = group_judge(g, s->seen, s->n_seen, s->asked);
		if (missing > 0) launch(s, g, missing);
		if (missing < 0) terminate(s, g, (size_t)-missing);
	}
}

/* --- what there is ----------------------------------------------------------------------------------- */

static void end_question(struct scaler *s)
{
	free(take_ptr(s->seen));
	s->n_seen = 0;
	s->asked = 0;
}

static bool remember(struct scaler *s, const struct reply *reply)
{
	struct reply_instance *more = reallocarray(s->seen, s->n_seen + reply->n + 1, sizeof(*more));

	if (!more) return false;
	s->seen = more;
	if (reply->n) memcpy(s->seen + s->n_seen, reply->instances, reply->n * sizeof(*more));
	s->n_seen += reply->n;
	return true;
}

static void ask(struct scaler *s, const char *next_token);

static void on_page(const struct reply *reply, void *arg)
{
	struct scaler *s = arg;

	if (!reply || !remember(s, reply)) {
		end_question(s);
	} else if (reply->next_token[0]) {
		ask(s, reply->next_token);
	} else {
		judge(s);
		end_question(s);
	}
}

static void ask(struct scaler *s, const char *next_token)
{
	struct evbuffer *form = ec2_form("DescribeInstances");

	if (form) {
		ec2_add(form, "instance-state-name", "Filter.1.Name");
		ec2_add(form, "pending", "Filter.1.Value.1");
		ec2_add(form, "running", "Filter.1.Value.2");
		ec2_add(form, "tag:" EC2_GROUP_TAG, "Filter.2.Name");
		for (size_t i = 0; i < s->n; i++)
			ec2_add(form, s->groups[i].name, "Filter.2.Value.%zu", i + 1);
		if (next_token) ec2_add(form, next_token, "NextToken");
	}
	if (!form || ec2_call(s->ec2, form, on_page, s) < 0) end_question(s);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct scaler *s = arg;

	(void)fd, (void)what;
	timer_after(s->due, s->interval);
	if (s->asked || s->n == 0) return;
	s->asked = mono_now();
	ask(s, NULL);
}

/* --- configuration ----------------------------------------------------------------------------------- */

/* jitter: "full" or "off", as for dwfm. */
static int read_knobs(const json_t *config, struct retry_policy *ret, mono_ns *ret_timeout,
                      mono_ns *ret_interval)
{
	double attempts = node_number(config, "attempts", 3), pause = node_number(config, "pause_ms", 1000);
	double timeout = node_number(config, "timeout_ms", 60000),
	       interval = node_number(config, "interval_ms", 5000);

	if (!(attempts >= 1 && attempts <= 1000) || !(pause >= 0 && pause < 1e9) ||
	    !(timeout >= 1 && timeout < 1e9) || !(interval >= 10 && interval < 1e9))
		return -ERANGE;
	*ret = (struct retry_policy){ .attempts = (unsigned)attempts,
		                      .pause = llround(pause * (double)NS_PER_MS),
		                      .jitter = strcmp(node_string(config, "jitter", "full"), "off") != 0 };
	*ret_timeout = llround(timeout * (double)NS_PER_MS);
	*ret_interval = llround(interval * (double)NS_PER_MS);
	return 0;
}

static int read_group(const json_t *config, struct group *ret)
{
	struct group g = { .real = node_bool(config, "real", false) };
	const char *name = node_string(config, "name", ""), *zone = node_string(config, "zone", ""),
	           *service = node_string(config, "service", "");
	double size = node_number(config, "size", 0);

	if (!name[0] || strlen(name) >= sizeof(g.name) || strlen(zone) >= sizeof(g.zone) ||
	    strlen(service) >= sizeof(g.service) || !(size >= 0 && size < 1e6))
		return -EINVAL;
	snprintf(g.name, sizeof(g.name), "%s", name);
	snprintf(g.zone, sizeof(g.zone), "%s", zone);
	snprintf(g.service, sizeof(g.service), "%s", service);
	g.size = (unsigned)size;
	*ret = g;
	return 0;
}

static int read_groups(struct scaler *s, const json_t *groups)
{
	size_t i;
	json_t *group;

	if (json_array_size(groups) > GROUPS_MAX) return log_errno(-ERANGE, "groups: at most %d", GROUPS_MAX);
	json_array_foreach (groups, i, group) {
		int r = read_group(group, &s->groups[i]);
		if (r < 0) return log_errno(r, "group %zu: name, zone, size, real, service", i);
		s->n++;
	}
	return 0;
}

/* Sizes of the groups there are; groups don't come and go. */
static void set_sizes(struct scaler *s, const json_t *groups)
{
	size_t i;
	json_t *config;

	json_array_foreach (groups, i, config) {
		struct group wanted;
		if (read_group(config, &wanted) < 0) continue;
		for (size_t k = 0; k < s->n; k++) {
			if (strcmp(s->groups[k].name, wanted.name) == 0) s->groups[k].size = wanted.size;
		}
	}
}

static int on_set(struct node *n, json_t *body)
{
	struct scaler *s = n->self;
	const json_t *config = json_object_get(body, "config");
	struct retry_policy policy;
	mono_ns timeout;
	int r = read_knobs(config, &policy, &timeout, &s->interval);

	if (r < 0) return r;
	ec2_set(s->ec2, &policy, timeout);
	set_sizes(s, json_object_get(config, "groups"));
	on_due(-1, 0, s);
	return 0;
}

/* --- figures and start ------------------------------------------------------------------------------- */

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct scaler *s = arg;
	struct ec2_counts counts = ec2_take_counts(s->ec2);
	json_t *groups = json_array();

	(void)fd, (void)what;
	for (size_t i = 0; i < s->n; i++) {
		const struct group *g = &s->groups[i];
		json_array_append_new(groups,
		                      json_pack("{s:s, s:i, s:i, s:i}", "name", g->name, "size", (int)g->size,
		                                "running", (int)g->running, "pending", (int)g->pending));
	}
	node_sample(s->node, "groups",
	            json_pack("{s:o, s:i, s:i, s:i}", "groups", groups, "calls", (int)counts.calls, "retries",
	                      (int)counts.retries, "failed", (int)counts.failed));
}

static int open_ec2(struct scaler *s, const json_t *config)
{
	const json_t *api = json_object_get(config, "api");
	double port = node_number(api, "port", PORT_EC2_API);
	struct http_client_config http = { .host = node_string(api, "name", ""),
		                           .port = (uint16_t)port,
		                           .resolver = node_string(config, "resolver", NULL),
		                           .max_connections = CONNECTIONS,
		                           .max_body = 16 << 20,
		                           .seed = s->node->seed };
	struct retry_policy policy;
	mono_ns timeout;
	int r = read_knobs(config, &policy, &timeout, &s->interval);

	if (r < 0) return log_errno(r, "attempts >= 1, pause_ms >= 0, timeout_ms >= 1, interval_ms >= 10");
	if (!http.host[0] || !(port >= 1 && port <= UINT16_MAX)) return log_errno(-EINVAL, "api: name, port");
	r = ec2_new(s->node->base, &http, &policy, timeout, &s->ec2);
	return r < 0 ? log_errno(r, "cannot open the API's client") : 0;
}

static int start(struct node *n, json_t *config)
{
	static struct scaler scaler;
	struct scaler *s = n->self = &scaler;
	int r;

	s->node = n;
	s->random = random_of(n->seed, n->name);
	if ((r = open_ec2(s, config)) < 0) return r;
	if ((r = read_groups(s, json_object_get(config, "groups"))) < 0) return r;
	s->due = evtimer_new(n->base, on_due, s);
	s->sample = event_new(n->base, -1, EV_PERSIST, on_sample, s);
	if (!s->due || !s->sample || event_add(s->sample, &(struct timeval){ .tv_sec = 1 }) < 0)
		return -ENOMEM;
	on_due(-1, 0, s);
	return 0;
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set }, { 0 } };
	static const struct node_ops ops = { .daemon = "autoscaler", .start = start, .messages = messages };

	return node_run(&ops);
}
