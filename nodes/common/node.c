#include "common/node.h"
#include "common/caps.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum {
	LATENESS_PERIOD_MS = 50,
	LATENESS_BATCH = 20, /* one report a second */
};

struct node_runtime {
	struct node node;
	const struct node_ops *ops;
	struct event *management, *lateness_timer;
	uint32_t last_event;
	uint64_t lost; /* messages that the orchestrator was too slow to take */
	mono_ns lateness_due;
	json_t *lateness; /* the batch being filled, microseconds */
	int exit_status;
};

static struct node_runtime *runtime_of(struct node *n)
{
	return container_of(n, struct node_runtime, node);
}

static int set_t0(struct node *n, json_t *body)
{
	json_t *t0 = json_object_get(body, "t0_ns");
	if (!json_is_integer(t0)) return -EBADMSG;
	n->t0 = json_integer_value(t0);
	return 0;
}

/* --- towards the orchestrator ------------------------------------------------------------------------ */

static void send_message(struct node_runtime *r, json_t *message)
{
	if (r->lost && !json_object_get(message, "lost")) {
		json_object_set_new(message, "lost", json_integer((json_int_t)r->lost));
	}
	cleanup_free char *text = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!text) return;
	/* never blocks: a stuck orchestrator must not disturb the wire; what is lost is counted and told */
	if (send(NODE_MANAGEMENT_FD, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		r->lost++;
	} else {
		r->lost = 0;
	}
}

uint64_t node_event_id(struct node *n)
{
	return (uint64_t)n->number << 32 | ++runtime_of(n)->last_event;
}

void node_event_as(struct node *n, uint64_t id, const char *event, uint64_t cause, json_t *fields)
{
	json_t *message =
	    json_pack("{s:s, s:s, s:I, s:I, s:I}", "type", "event", "event", event, "id", (json_int_t)id,
	              "cause", (json_int_t)cause, "at_ns", (json_int_t)mono_now());
	if (fields) {
		json_object_set_new(message, "fields", fields);
	}
	send_message(runtime_of(n), message);
}

uint64_t node_event(struct node *n, const char *event, uint64_t cause, json_t *fields)
{
	uint64_t id = node_event_id(n);
	node_event_as(n, id, event, cause, fields);
	return id;
}

void node_sample(struct node *n, const char *kind, json_t *fields)
{
	json_t *message =
	    json_pack("{s:s, s:s, s:I}", "type", "sample", "kind", kind, "at_ns", (json_int_t)mono_now());
	if (fields) {
		json_object_update_missing(message, fields);
		json_decref(fields);
	}
	send_message(runtime_of(n), message);
}

/* --- how late the loop runs -------------------------------------------------------------------------- */

static void arm_lateness(struct node_runtime *r)
{
	timer_at(r->lateness_timer, r->lateness_due, mono_now());
}

static void on_lateness(evutil_socket_t fd, short what, void *arg)
{
	struct node_runtime *r = arg;
	mono_ns late = mono_now() - r->lateness_due;

	(void)fd, (void)what;
	json_array_append_new(r->lateness, json_integer(late > 0 ? late / NS_PER_US : 0));
	if (json_array_size(r->lateness) == LATENESS_BATCH) {
		node_sample(&r->node, "loop", json_pack("{s:o}", "late_us", r->lateness));
		r->lateness = json_array();
	}
	/* absolute deadlines; those that passed while the loop stood still are one late firing, not many */
	do
		r->lateness_due += LATENESS_PERIOD_MS * NS_PER_MS;
	while (r->lateness_due <= mono_now());
	arm_lateness(r);
}

/* --- from the orchestrator --------------------------------------------------------------------------- */

static json_t *receive_message(struct node_runtime *r, int *error)
{
	static char text[NODE_MESSAGE_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(r->node.fds))];
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t len = recvmsg(NODE_MANAGEMENT_FD, &msg, MSG_CMSG_CLOEXEC);
	json_error_t why;

	*error = len < 0 ? -errno : 0;
	if (len <= 0) return NULL;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_type == SCM_RIGHTS) memcpy(r->node.fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	}
	json_t *message = json_loadb(text, (size_t)len, 0, &why);
	if (!message) {
		log_line("bad management message: %s", why.text);
		*error = -EBADMSG;
	}
	return message;
}

static void dispatch(struct node_runtime *r, json_t *message)
{
	const char *type = node_string(message, "type", "");
	int result = strcmp(type, "start") ? 0 : set_t0(&r->node, message);
	bool known = strcmp(type, "start") == 0; /* every node takes it; the daemon may want it as well */

	for (const struct node_message *m = r->ops->messages; result == 0 && m && m->type; m++) {
		if (strcmp(m->type, type)) continue;
		result = m->handle(&r->node, message);
		known = true;
	}
	if (!known) log_line("unknown management message '%s', ignoring", type);
	if (result < 0) log_errno(result, "cannot carry out management message '%s', ignoring", type);
}

static void on_management(evutil_socket_t fd, short what, void *arg)
{
	struct node_runtime *r = arg;
	int error;
	json_t *message = receive_message(r, &error);

	(void)fd, (void)what;
	if (message) {
		dispatch(r, message);
		json_decref(message);
	} else if (error != -EAGAIN && error != -EINTR && error != -EBADMSG) {
		event_base_loopbreak(r->node.base); /* the orchestrator is gone: so are we */
	}
}

static void on_terminate(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(arg);
}

/* --- life -------------------------------------------------------------------------------------------- */

/* Waits for the configuration, which is the first message. */
static json_t *read_config(struct node_runtime *r)
{
	int error;
	json_t *message = receive_message(r, &error);

	if (!message) return NULL;
	if (strcmp(node_string(message, "type", ""), "config")) {
		json_decref(message);
		return NULL;
	}
	r->node.name = node_string(message, "node", "?");
	r->node.zone = node_string(message, "zone", "?");
	r->node.number = (uint32_t)node_number(message, "number", 0);
	r->node.seed = (uint64_t)json_integer_value(json_object_get(message, "seed"));
	return message;
}

static int open_loop(struct node_runtime *r)
{
	struct event_config *config = event_config_new();
	if (!config) return -ENOMEM;
	/* timerfd instead of epoll_wait's whole milliseconds */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	r->node.base = event_base_new_with_config(config);
	event_config_free(config);
	if (!r->node.base) return -ENOMEM;
	r->management = event_new(r->node.base, NODE_MANAGEMENT_FD, EV_READ | EV_PERSIST, on_management, r);
	r->lateness_timer = evtimer_new(r->node.base, on_lateness, r);
	struct event *term = evsignal_new(r->node.base, SIGTERM, on_terminate, r->node.base);
	if (!r->management || !r->lateness_timer || !term) return -ENOMEM;
	event_add(r->management, NULL);
	event_add(term, NULL);
	return 0;
}

int node_run(const struct node_ops *ops)
{
	struct node_runtime *r = calloc(1, sizeof(*r));
	int result;

	if (!r) return NODE_EXIT_SYSTEM;
	r->ops = ops;
	for (size_t i = 0; i < ARRAY_SIZE(r->node.fds); i++)
		r->node.fds[i] = -1;
	log_init(ops->daemon, NULL);
	signal(SIGPIPE, SIG_IGN);
	json_t *message = read_config(r);
	if (!message) {
		log_line(
		    "started by hand: azlab starts this program, with its configuration on descriptor 3");
		return NODE_EXIT_USAGE;
	}
	log_init(ops->daemon, r->node.name);
	prctl(PR_SET_NAME, r->node.name);
	if ((result = open_loop(r)) == 0) result = ops->start(&r->node, json_object_get(message, "config"));
	if (result == 0 && !ops->keep_capabilities) result = caps_drop_all();
	if (result < 0) {
		log_errno(result, "cannot start");
		json_decref(message);
		return NODE_EXIT_SYSTEM;
	}
	r->lateness = json_array();
	r->lateness_due = mono_now() + LATENESS_PERIOD_MS * NS_PER_MS;
	arm_lateness(r);
	node_sample(&r->node, "ready", NULL);
	event_base_dispatch(r->node.base);
	json_decref(message);
	return 0;
}

/* --- configuration ----------------------------------------------------------------------------------- */

const char *node_string(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : fallback;
}

double node_number(const json_t *object, const char *key, double fallback)
{
	json_t *value = json_object_get(object, key);
	return json_is_number(value) ? json_number_value(value) : fallback;
}

bool node_bool(const json_t *object, const char *key, bool fallback)
{
	json_t *value = json_object_get(object, key);
	return json_is_boolean(value) ? json_is_true(value) : fallback;
}
