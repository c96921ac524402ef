#include "health-checker/checker.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "proto/classes.h"
#include "proto/health.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TARGETS_MAX = OUTBOX_PARTS_MAX * HEALTH_TARGETS_PER_PART };
#define DURATION_MS_MAX 1e9

/* --- configuration ----------------------------------------------------------------------------------- */

static int read_first_state(const char *name, enum target_state *ret)
{
	static const char *const names[] = {
		[TARGET_UP] = "up", [TARGET_DOWN] = "down", [TARGET_PENDING] = "pending"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name)) continue;
		*ret = (enum target_state)i;
		return 0;
	}
	return -EINVAL;
}

static bool in_range(double value, double min, double max)
{
	return value >= min && value <= max; /* false for NaN */
}

static int read_request(struct checker_service *s, const json_t *config)
{
	const char *protocol = node_string(config, "protocol", "http");

	s->request_len = 0;
	if (strcmp(protocol, "tcp") == 0) return 0;
	if (strcmp(protocol, "http")) return -EINVAL;
	int len = probe_request(s->request, sizeof(s->request), s->name, node_string(config, "path", "/"));
	if (len < 0) return len;
	s->request_len = (size_t)len;
	return 0;
}

static int read_service(struct checker_service *s, const json_t *config)
{
	double index = node_number(config, "service", -1), port = node_number(config, "port", 0);
	double interval = node_number(config, "interval_ms", 0),
	       timeout = node_number(config, "timeout_ms", interval);
	double rise = node_number(config, "rise", 2), fall = node_number(config, "fall", 3);

	snprintf(s->name, sizeof(s->name), "%s", node_string(config, "name", ""));
	s->family = (int)node_number(config, "family", 4);
	if (!in_range(index, 0, UINT16_MAX) || !in_range(port, 1, UINT16_MAX) || !in_range(rise, 1, 1e6) ||
	    !in_range(fall, 1, 1e6) || !in_range(interval, 1, DURATION_MS_MAX) ||
	    !in_range(timeout, 1, DURATION_MS_MAX) || (s->family != 4 && s->family != 6) ||
	    read_first_state(node_string(config, "init_state", "up"), &s->first) < 0 ||
	    read_request(s, config) < 0) {
		log_line("bad health check of service '%s'", s->name);
		return -EINVAL;
	}
	s->index = (uint16_t)index;
	s->port = (uint16_t)port;
	s->policy = (struct target_policy){ .rise = (unsigned)rise, .fall = (unsigned)fall };
	s->interval = (mono_ns)(interval * NS_PER_MS);
	s->timeout = (mono_ns)(timeout * NS_PER_MS);
	return 0;
}

static int read_services(const json_t *config, struct checker_service **ret, size_t *ret_n)
{
	const json_t *list = json_object_get(config, "services"), *one;
	size_t i;
	cleanup_free struct checker_service *services = calloc(json_array_size(list) + 1, sizeof(*services));

	if (!services) return -ENOMEM;
	json_array_foreach (list, i, one) {
		int result = read_service(&services[i], one);
		if (result < 0) return result;
	}
	*ret = take_ptr(services);
	*ret_n = json_array_size(list);
	return 0;
}

int checker_read_receivers(struct checker *c, const json_t *config)
{
	const json_t *list = json_object_get(config, "report_to"), *one;
	size_t i;

	if (json_array_size(list) > OUTBOX_RECEIVERS_MAX) return -E2BIG;
	json_array_foreach (list, i, one) {
		union probe_address address;
		const char *text = json_string_value(one);
		if (!text || probe_address(text, PORT_HEALTH_REPORT, &address) < 0 ||
		    address.any.sa_family != AF_INET) {
			log_line("bad address '%s' in report_to", text ? text : "");
			return -EINVAL;
		}
		c->receivers[i] = address.v4;
	}
	c->n_receivers = (unsigned)json_array_size(list);
	return 0;
}

/* How the service's checks are made, as against what it holds. */
static void take_knobs(struct checker_service *s, const struct checker_service *from)
{
	memcpy(s->request, from->request, sizeof(s->request));
	s->request_len = from->request_len;
	s->interval = from->interval;
	s->timeout = from->timeout;
	s->policy = from->policy;
	s->first = from->first;
}

static void point_spec(struct checker_target *t)
{
	t->spec.request = t->service->request_len ? t->service->request : NULL;
	t->spec.request_len = t->service->request_len;
	t->spec.timeout = t->service->timeout;
}

static void turn_knobs(struct checker *c, struct checker_service *s, const struct checker_service *from)
{
	struct checker_target *t;
	mono_ns now = mono_now();

	take_knobs(s, from);
	LIST_FOREACH (t, &s->targets, link) {
		point_spec(t); /* for a check that is under way this changes nothing any more */
		schedule_retime(&c->schedule, &t->turn, s->interval, now);
	}
}

static void adopt(struct checker *c, struct checker_service *services, size_t n)
{
	c->services = services;
	c->n_services = n;
	for (struct checker_service *s = services; s < services + n; s++) {
		s->checker = c;
		LIST_INIT(&s->targets);
		TAILQ_INIT(&s->pushes);
		outbox_init(&s->outbox, c->n_receivers);
	}
}

static struct checker_service *find_service(struct checker *c, int index)
{
	for (struct checker_service *s = c->services; s < c->services + c->n_services; s++)
		if (s->index == index) return s;
	return NULL;
}

int checker_configure(struct checker *c, const json_t *config)
{
	double concurrency = node_number(config, "concurrency", 0);
	cleanup_free struct checker_service *services = NULL;
	size_t n;
	int result = read_services(config, &services, &n);

	if (result < 0) return result;
	if (!in_range(concurrency, 0, 1e6)) return -EINVAL;
	c->schedule.limit = (unsigned)concurrency;
	if (!c->services) {
		adopt(c, take_ptr(services), n);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct checker_service *known = find_service(c, services[i].index);
		if (known) turn_knobs(c, known, &services[i]);
	}
	checks_run(c);
	return 0;
}

/* --- targets ----------------------------------------------------------------------------------------- */

static struct checker_target *find_target(struct checker_service *s, uint32_t id)
{
	struct checker_target *t;

	LIST_FOREACH (t, &s->targets, link)
		if (t->id == id) return t;
	return NULL;
}

static void remove_target(struct checker_target *t)
{
	reports_forget(t);
	checks_stop(t);
	LIST_REMOVE(t, link);
	free(t);
}

/* First checks are spread over the interval, by the seed: else all targets were checked in one instant. */
static void schedule_first(struct checker *c, struct checker_target *t)
{
	struct random random = random_of(c->node->seed ^ t->id, c->node->name);
	mono_ns offset = (mono_ns)(random_unit(&random) * (double)t->service->interval);

	schedule_add(&c->schedule, &t->turn, mono_now() + offset, t->service->interval);
}

static int add_target(struct checker *c, struct checker_service *s, const json_t *entry)
{
	cleanup_free struct checker_target *t = calloc(1, sizeof(*t));
	const char *address = node_string(entry, s->family == 4 ? "addr4" : "addr6", "");

	if (!t) return -ENOMEM;
	t->id = (uint32_t)node_number(entry, "id", 0);
	t->service = s;
	snprintf(t->name, sizeof(t->name), "%s", node_string(entry, "name", ""));
	if (probe_address(address, s->port, &t->spec.to) < 0) {
		log_line("bad address '%s' of target '%s'", address, t->name);
		return -EINVAL;
	}
	t->spec.dscp = DSCP_CS2;
	t->spec.reset = true;
	point_spec(t);
	t->event = (uint64_t)json_integer_value(json_object_get(entry, "cause"));
	target_init(&t->health, s->first);
	t->listed = true;
	LIST_INSERT_HEAD(&s->targets, t, link);
	schedule_first(c, take_ptr(t));
	return 0;
}

static int take_entry(struct checker *c, struct checker_service *s, const json_t *entry)
{
	struct checker_target *known = find_target(s, (uint32_t)node_number(entry, "id", 0));

	if (!known) return add_target(c, s, entry);
	known->listed = true;
	return 0;
}

static void remove_unlisted(struct checker_service *s)
{
	struct checker_target *t = LIST_FIRST(&s->targets), *next;

	for (; t; t = next) {
		next = LIST_NEXT(t, link);
		if (!t->listed) remove_target(t);
	}
}

int checker_take_targets(struct checker *c, const json_t *message)
{
	const json_t *list = json_object_get(message, "targets"), *entry;
	struct checker_service *s = find_service(c, (int)node_number(message, "service", -1));
	struct checker_target *t;
	int result = 0;
	size_t i;

	if (!s || !json_is_array(list)) return -EINVAL;
	if (json_array_size(list) > TARGETS_MAX) return -E2BIG;
	LIST_FOREACH (t, &s->targets, link)
		t->listed = false;
	json_array_foreach (list, i, entry) {
		int one = take_entry(c, s, entry);
		if (one < 0) result = one; /* the others are checked all the same */
	}
	remove_unlisted(s);
	reports_changed(s);
	checks_run(c);
	return result;
}
