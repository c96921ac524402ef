#include "dynamodb/service.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include "dynamodb/engine.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

enum {
	BODY_MAX = 16 << 20, /* the real service's limit for a request */
	CONNECTIONS_MAX = 10000,
	HELD_MAX = 256, /* requests in one commit */
	HELD_MS = 5,    /* whatever else there is to be done */
	KEEP_BYTES = 65536,
	PRIORITY_COMMIT = 2, /* below all others: when nothing else is to be done */
	PRIORITIES
};

/* A request until it is answered. */
struct pending {
	struct work work;
	TAILQ_ENTRY(pending) link;
	struct http_request *request;
	struct answer answer;
};
TAILQ_HEAD(pending_list, pending);

struct service {
	struct store *store;
	struct engine *engine;
	struct http_server *http;
	struct capacity capacity;
	struct event *timer, *commit, *commit_at_last;
	struct pending_list held, spare;
	unsigned n_held;
	mono_ns held_since, commit_took; /* the first of those held; the last commit */
	uint64_t n_requests;
	int store_error; /* of the last write */
	service_store_event *store_event;
	void *arg;
	struct service_figures figures;
};

/* --- figures ----------------------------------------------------------------------------------------- */

static void count(struct service_counts *counts, const char *name)
{
	size_t i = 0;

	while (i < SERVICE_COUNTS_MAX - 2 && counts[i].name && counts[i].name != name)
		i++;
	counts[i].name = name;
	counts[i].n++;
}

void service_figures(const struct service *s, struct service_figures *ret)
{
	*ret = s->figures;
	ret->in_work = s->capacity.busy + s->n_held;
	ret->queued = s->capacity.queued;
	ret->connections = http_server_connections(s->http);
}

static void note_write(struct service *s, int error)
{
	if (error != s->store_error) s->store_event(error, s->arg);
	s->store_error = error;
}

/* --- answers ----------------------------------------------------------------------------------------- */

static struct pending *pending_new(struct service *s, struct http_request *r)
{
	struct pending *p = TAILQ_FIRST(&s->spare);

	if (p)
		TAILQ_REMOVE(&s->spare, p, link);
	else if (!(p = calloc(1, sizeof(*p))))
		abort();
	p->request = r;
	return p;
}

static void reply(struct service *s, struct pending *p)
{
	const struct answer *a = &p->answer;
	char headers[192];

	snprintf(headers, sizeof(headers),
	         "Content-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: %032" PRIX64 "\r\n"
	         "x-amz-crc32: %lu\r\n",
	         ++s->n_requests, crc32(0, (const Bytef *)a->body.bytes, (uInt)a->body.len));
	count(s->figures.operations, a->operation);
	if (a->code != ERROR_NONE) count(s->figures.errors, error_name(a->code));
	http_answer(p->request, error_status(a->code), headers, a->body.bytes, a->body.len);
	if (p->answer.body.size > KEEP_BYTES) text_free(&p->answer.body);
	TAILQ_INSERT_HEAD(&s->spare, p, link);
}

static void run(struct service *s, struct pending *p)
{
	const struct http_request *r = p->request;
	engine_run(s->engine, http_header(r, "x-amz-target"), r->body, r->body_len, &p->answer);
}

/* --- commits ----------------------------------------------------------------------------------------- */

static void refuse_write(struct pending *p, int error)
{
	struct fault fault;

	refuse(&fault, ERROR_INTERNAL, "%s", error == -ENOSPC ? "The store is full" : strerror(-error));
	answer_fault(&p->answer, &fault);
}

static void run_alone(struct service *s, struct pending *p)
{
	run(s, p);
	int error = p->answer.store_error;
	if (error) {
		store_abort(s->store);
	} else if (store_in_batch(s->store) && (error = store_commit(s->store)) < 0) {
		refuse_write(p, error);
	}
	note_write(s, error);
	reply(s, p);
}

static void stop_waiting(struct service *s)
{
	event_del(s->commit);
	evtimer_del(s->commit_at_last);
}

/* Something in the batch could not be written. */
static void run_held_alone(struct service *s)
{
	struct pending *p;

	stop_waiting(s);
	while ((p = TAILQ_FIRST(&s->held))) {
		TAILQ_REMOVE(&s->held, p, link);
		s->n_held--;
		run_alone(s, p);
	}
}

static void commit(struct service *s)
{
	struct pending *p;
	mono_ns begun = mono_now();

	stop_waiting(s);
	if (store_commit(s->store) < 0) {
		run_held_alone(s);
		return;
	}
	s->commit_took = mono_now() - begun;
	s->figures.commits++;
	note_write(s, 0);
	while ((p = TAILQ_FIRST(&s->held))) {
		TAILQ_REMOVE(&s->held, p, link);
		s->n_held--;
		reply(s, p);
	}
}

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	commit(arg);
}

/* Callers who have just been answered are about to ask again: without them, they and those who came during
 * a commit take turns, with half of them in each. So a commit waits for company, as long as more keeps coming
 * within a sixteenth of what the last one took, and no longer than a quarter of that. */
static void await_company(struct service *s, mono_ns now)
{
	mono_ns left = s->held_since + s->commit_took / 4 - now;
	mono_ns wait = left < s->commit_took / 16 ? left : s->commit_took / 16;

	if (wait > NS_PER_US)
		timer_after(s->commit, wait);
	else
		event_active(s->commit, EV_TIMEOUT, 1);
}

static void hold(struct service *s, struct pending *p)
{
	mono_ns now = mono_now();

	TAILQ_INSERT_TAIL(&s->held, p, link);
	if (s->n_held++ == 0) {
		s->held_since = now;
		timer_after(s->commit_at_last, HELD_MS * NS_PER_MS);
	}
	await_company(s, now);
}

static void execute(struct service *s, struct pending *p)
{
	run(s, p);
	if (p->answer.store_error) {
		hold(s, p);
		store_abort(s->store);
		run_held_alone(s);
	} else if (!store_in_batch(s->store)) {
		reply(s, p);
	} else {
		hold(s, p);
		if (s->n_held == HELD_MAX) commit(s);
	}
}

/* --- capacity ---------------------------------------------------------------------------------------- */

static void finish_due(struct service *s, mono_ns now)
{
	struct work *w;

	while ((w = capacity_next(&s->capacity, now)))
		execute(s, container_of(w, struct pending, work));
}

static void settle(struct service *s, mono_ns now)
{
	finish_due(s, now);
	timer_at(s->timer, capacity_due(&s->capacity), now);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	settle(arg, mono_now());
}

static void throttle(struct service *s, struct pending *p)
{
	struct fault fault;

	refuse(
	    &fault, ERROR_THROTTLED,
	    "The level of configured provisioned throughput for the table was exceeded. Consider increasing "
	    "your provisioning level with the UpdateTable API.");
	p->answer.operation = "throttled";
	answer_fault(&p->answer, &fault);
	reply(s, p);
}

static void submit(struct service *s, struct pending *p)
{
	mono_ns now = mono_now();

	finish_due(s, now);
	if (!capacity_submit(&s->capacity, &p->work, now)) throttle(s, p);
	settle(s, now);
}

static bool is_unlimited(const struct capacity *c)
{
	return c->config.concurrency == UINT_MAX && c->config.service_time == 0 && c->busy + c->queued == 0;
}

/* --- requests ---------------------------------------------------------------------------------------- */

static void on_request(struct http_request *r, void *arg)
{
	struct service *s = arg;

	if (strcmp(r->method, "GET") == 0 && strcmp(r->path, "/health") == 0) {
		http_answer(r, 200, "Content-Type: text/plain\r\n", "ok", 2);
		return;
	}
	if (strcmp(r->method, "POST") != 0) {
		http_answer(r, 405, "Allow: POST\r\n", "", 0);
		return;
	}
	struct pending *p = pending_new(s, r);
	if (is_unlimited(&s->capacity))
		execute(s, p);
	else
		submit(s, p);
}

enum error_code service_run(struct service *s, const char *target, const json_t *request)
{
	cleanup_free char *body = json_dumps(request, JSON_COMPACT);
	struct answer a = { 0 };
	enum error_code code;

	if (!body) return ERROR_INTERNAL;
	engine_run(s->engine, target, body, strlen(body), &a);
	code = a.code;
	if (a.store_error)
		store_abort(s->store);
	else if (store_in_batch(s->store) && store_commit(s->store) < 0)
		code = ERROR_INTERNAL;
	text_free(&a.body);
	return code;
}

/* --- life -------------------------------------------------------------------------------------------- */

static struct capacity_config capacity_of(const struct service_config *config)
{
	return (struct capacity_config){ .concurrency = config->concurrency ? config->concurrency : UINT_MAX,
		                         .queue = config->queue,
		                         .service_time = config->service_time,
		                         .distribution = SERVICE_FIXED,
		                         .overload_after = MONO_NEVER / 2 /* a sum, somewhere */ };
}

static struct http_config http_of(const struct service_config *config)
{
	return (struct http_config){ .max_body = BODY_MAX,
		                     .max_connections = CONNECTIONS_MAX,
		                     .max_connection_age = config->max_connection_age };
}

void service_configure(struct service *s, const struct service_config *config)
{
	struct capacity_config capacity = capacity_of(config);
	struct http_config http = http_of(config);
	mono_ns now = mono_now();

	http_server_configure(s->http, &http);
	finish_due(s, now);
	capacity_configure(&s->capacity, &capacity, now);
	settle(s, now);
}

static int make_events(struct service *s, struct event_base *base)
{
	if (event_base_priority_init(base, PRIORITIES) < 0) return -EBUSY;
	s->timer = evtimer_new(base, on_timer, s);
	s->commit = event_new(base, -1, 0, on_commit, s);
	s->commit_at_last = evtimer_new(base, on_commit, s);
	if (!s->timer || !s->commit || !s->commit_at_last) return -ENOMEM;
	event_priority_set(s->commit, PRIORITY_COMMIT);
	return 0;
}

int service_start(struct event_base *base, const struct service_config *config, struct store *store,
                  service_store_event *event, void *arg, struct service **ret)
{
	struct service *s = calloc(1, sizeof(*s));
	struct capacity_config capacity = capacity_of(config);
	struct http_config http = http_of(config);
	int result;

	if (!s) return -ENOMEM;
	*s = (struct service){ .store = store, .store_event = event, .arg = arg };
	TAILQ_INIT(&s->held);
	TAILQ_INIT(&s->spare);
	capacity_init(&s->capacity, &capacity, (struct random){ 0 });
	if ((result = engine_new(store, &s->engine)) < 0) return result;
	if ((result = make_events(s, base)) < 0) return result;
	if ((result = http_server_new(base, &http, on_request, s, &s->http)) < 0) return result;
	if ((result = http_server_listen(s->http, config->port)) < 0) return result;
	*ret = s;
	return 0;
}
