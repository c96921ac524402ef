#include "ec2-api/launch.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include "ec2-api/ending.h"
#include <inttypes.h>
#include <string.h>

/* --- who waits --------------------------------------------------------------------------------------- */

/* Takes the waiter's call out, to be answered. */
static struct call *waiter_end(struct waiter *w)
{
	struct call *c = w->call;

	LIST_REMOVE(w, link);
	event_free(w->deadline);
	free(w);
	return c;
}

void launch_fail(struct launch *l, enum api_code code, const char *format, ...)
{
	struct api_error e;
	struct waiter *w;
	va_list args;

	va_start(args, format);
	api_vfail(&e, code, format, args);
	va_end(args);
	while ((w = LIST_FIRST(&l->waiters)))
		call_error(waiter_end(w), &e);
}

static void answer_call(struct call *c, const char *reservation, const struct instance *const *rows, size_t n)
{
	struct answer a;

	call_begin(c, &a);
	answer_launched(&a, reservation, rows, n);
	call_answer(c, &a);
}

void launch_answer(struct launch *l, const char *reservation, const struct instance *const *rows, size_t n)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&l->waiters)))
		answer_call(waiter_end(w), reservation, rows, n);
}

/* What was started, as it is now. The caller's. */
static const struct instance **started_rows(const struct launch *l, size_t *ret_n)
{
	const struct instance **rows = calloc(l->n, sizeof(struct instance *));
	size_t n = 0;

	for (unsigned i = 0; rows && i < l->n; i++) {
		if (l->parts[i].step != PART_STARTING && l->parts[i].step != PART_FAILED)
			rows[n++] = &l->parts[i].row;
	}
	*ret_n = n;
	return rows;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;
	struct launch *l = w->launch;
	bool started = l->decided && !l->failed;
	struct call *c = waiter_end(w);

	(void)fd, (void)what;
	if (started) {
		size_t n;
		cleanup_free const struct instance **rows = started_rows(l, &n);
		answer_call(c, l->token.reservation, rows, rows ? n : 0);
	} else {
		call_fail(c, API_UNAVAILABLE, "The launch has not come to an end in time. Try again.");
	}
	launch_look(l);
}

static bool join(struct launch *l, struct call *c)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w || !(w->deadline = evtimer_new(c->api->node->base, on_deadline, w))) {
		free(w);
		return false;
	}
	w->launch = l;
	w->call = c;
	LIST_INSERT_HEAD(&l->waiters, w, link);
	timer_at(w->deadline, c->received + c->api->timeout, mono_now());
	return true;
}

/* --- how it goes ------------------------------------------------------------------------------------- */

struct count {
	unsigned starting, started, connecting;
};

static struct count count_parts(const struct launch *l)
{
	struct count n = { 0 };

	for (unsigned i = 0; i < l->n; i++) {
		enum part_step step = l->parts[i].step;
		n.starting += step == PART_STARTING;
		n.started += step != PART_STARTING && step != PART_FAILED;
		n.connecting += step == PART_STARTED;
	}
	return n;
}

/* Why a launch failed, if its parts failed for different reasons: a lack of room is the answer only when
 * nothing else stood in the way. */
static enum api_code failure_of(const struct launch *l)
{
	static const enum api_code order[] = { API_THROTTLED, API_UNAVAILABLE, API_INTERNAL };

	for (size_t k = 0; k < ARRAY_SIZE(order); k++) {
		for (unsigned i = 0; i < l->n; i++) {
			if (l->parts[i].step == PART_FAILED && l->parts[i].failure == order[k])
				return order[k];
		}
	}
	return API_CAPACITY;
}

static void describe_failure(struct launch *l, unsigned started)
{
	enum api_code code = failure_of(l);
	const char *zone = l->parts[0].pinned ? l->parts[0].row.zone : "any Availability Zone";

	if (code == API_CAPACITY)
		api_fail(&l->failure, code,
		         "We currently do not have sufficient capacity in %s: %u of at least %u instances",
		         zone, started, l->min);
	else
		api_fail(&l->failure, code, "%u of at least %u instances could be started. Try again.",
		         started, l->min);
}

/* What has started ends again; then the token is free, and then whoever waits is told. */
static void give_up(struct launch *l, unsigned started)
{
	l->failed = true;
	describe_failure(l, started);
	for (unsigned i = 0; i < l->n; i++) {
		struct part *p = &l->parts[i];
		if (p->step == PART_STARTED || p->step == PART_RUNNING)
			ending_begin(l->api, &p->row, ENDING_MARK, l->event);
	}
	token_free(l);
}

static void launch_free(struct launch *l)
{
	LIST_REMOVE(l, link);
	for (unsigned i = 0; i < l->n; i++)
		part_release(&l->parts[i]);
	free(l->parts);
	free(l);
}

void launch_look(struct launch *l)
{
	struct count n = count_parts(l);

	if (l->begun && n.starting == 0 && !l->decided) {
		l->decided = true;
		if (n.started < l->min) {
			give_up(l, n.started); /* ends in another look */
			return;
		}
	}
	if (l->decided && !l->failed && n.connecting == 0 && !LIST_EMPTY(&l->waiters)) {
		size_t rows_n;
		cleanup_free const struct instance **rows = started_rows(l, &rows_n);
		launch_answer(l, l->token.reservation, rows, rows ? rows_n : 0);
	}
	if (l->unfinished == 0 && LIST_EMPTY(&l->waiters)) launch_free(l);
}

void launch_start(struct launch *l)
{
	l->begun = true;
	l->event = node_event(l->api->node, "launch.asked", 0,
	                      json_pack("{s:s, s:s, s:i}", "reservation", l->token.reservation, "zone",
	                                l->parts[0].row.zone, "count", (int)l->n));
	l->unfinished += l->n;
	for (unsigned i = 0; i < l->n; i++)
		part_start(&l->parts[i]);
	l->unfinished--; /* this function's own: parts may have ended meanwhile */
	launch_look(l);
}

/* --- RunInstances ------------------------------------------------------------------------------------ */

static struct launch *launch_new(struct call *c, const struct run_request *r)
{
	struct launch *l = calloc(1, sizeof(*l));
	struct random *random = &c->api->random;

	if (!l) return NULL;
	LIST_INIT(&l->waiters);
	LIST_INSERT_HEAD(&c->api->launches, l, link);
	l->api = c->api;
	l->min = r->min;
	l->received = c->received;
	l->until = c->received + c->api->timeout - c->api->timeout / 10; /* leaves time to write it down */
	l->unfinished = 1;                                               /* it has not been started yet */
	instance_id(l->token.reservation, 'r', random_next(random), random_next(random));
	snprintf(l->token.token, sizeof(l->token.token), "%s", r->token ? r->token : "");
	snprintf(l->token.parameters, sizeof(l->token.parameters), "%016" PRIx64, run_request_hash(r));
	if (!(l->parts = calloc(r->max, sizeof(*l->parts)))) {
		launch_free(l);
		return NULL;
	}
	for (; l->n < r->max; l->n++) {
		if (part_init(&l->parts[l->n], l, r, l->n) == 0) continue;
		launch_free(l);
		return NULL;
	}
	return l;
}

int launch_adopt(struct api *api, const struct instance *row)
{
	struct launch *l = calloc(1, sizeof(*l));
	struct part *p = calloc(1, sizeof(*p));

	if (!l || !p || part_adopt(p, l, api, row) < 0) {
		free(l);
		free(p);
		return -1;
	}
	*l = (struct launch){ .api = api, .min = 1, .n = 1, .unfinished = 1, .parts = p, .begun = true };
	l->decided = true;
	LIST_INIT(&l->waiters);
	LIST_INSERT_HEAD(&api->launches, l, link);
	part_connect(p);
	return 0;
}

static struct launch *find_launch(struct api *api, const char *token)
{
	struct launch *l;

	LIST_FOREACH (l, &api->launches, link) {
		if (!l->failed && strcmp(l->token.token, token) == 0) return l;
	}
	return NULL;
}

static void begin_launch(struct call *c, const struct run_request *r)
{
	struct launch *l = launch_new(c, r);

	if (!l || !join(l, c)) {
		if (l) launch_free(l);
		call_fail(c, API_INTERNAL, "Out of memory");
	} else if (l->token.token[0]) {
		token_claim(l);
	} else {
		launch_start(l);
	}
}

/* The first request with this token is still at work: both get its answer. */
static void repeat_launch(struct call *c, const struct run_request *r, struct launch *l)
{
	char parameters[sizeof(l->token.parameters)];

	snprintf(parameters, sizeof(parameters), "%016" PRIx64, run_request_hash(r));
	if (strcmp(parameters, l->token.parameters))
		call_fail(c, API_TOKEN_MISMATCH,
		          "Arguments on this idempotent request are inconsistent with arguments used in "
		          "previous request(s).");
	else if (!join(l, c))
		call_fail(c, API_INTERNAL, "Out of memory");
	else
		launch_look(l);
}

static bool zone_known(const struct api *api, const char *zone)
{
	for (unsigned i = 0; i < api->n_zones; i++) {
		if (strcmp(api->zones[i], zone) == 0) return true;
	}
	return false;
}

void launch_call(struct call *c)
{
	struct run_request r;
	struct api_error e = { 0 };
	struct launch *l;

	if (!request_run(&c->query, &r, &e)) {
		call_error(c, &e);
		return;
	}
	if (r.zone && !zone_known(c->api, r.zone))
		call_fail(c, API_INVALID_VALUE, "Invalid availability zone: [%s]", r.zone);
	else if (request_is_dry(&c->query))
		call_fail(c, API_DRY_RUN, "Request would have succeeded, but DryRun flag is set.");
	else if (r.token && (l = find_launch(c->api, r.token)))
		repeat_launch(c, &r, l);
	else
		begin_launch(c, &r);
	run_request_release(&r);
}
