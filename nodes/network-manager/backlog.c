#include "network-manager/backlog.h"
#include "common/cleanup.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>

/* With retransmit >= 1 ms the 13th doubling is beyond 5 s: the last list holds everything that has reached
 * it. */
enum { DELAYS = 14 };

TAILQ_HEAD(message_list, backlog_message);

struct worker {
	bool busy;
	struct backlog_message *message; /* NULL while busy: acknowledged meanwhile, the work is in vain */
	mono_ns done_at;
};

struct backlog {
	struct backlog_config config;
	unsigned agents;
	backlog_send *send;
	void *arg;
	void *changes;                    /* tsearch tree, by address */
	struct message_list first, again; /* queues: first sendings, retransmissions */
	/* awaiting[n] holds messages sent n + 1 times, the longest ago first. They all have the same delay,
	 * so each list is in the order in which they fall due, also after the delay was changed. */
	struct message_list awaiting[DELAYS];
	struct worker workers[BACKLOG_WORKERS_MAX];
	struct backlog_counts counts;
};

static int compare_changes(const void *a, const void *b)
{
	const struct backlog_change *x = a, *y = b;
	return route_address_compare(&x->update.address, &y->update.address);
}

static bool config_valid(const struct backlog_config *c)
{
	return c->workers >= 1 && c->workers <= BACKLOG_WORKERS_MAX && c->update_time >= 0 &&
	       c->retransmit >= NS_PER_MS;
}

int backlog_configure(struct backlog *b, const struct backlog_config *config)
{
	if (!config_valid(config)) return -EINVAL;
	b->config = *config;
	return 0;
}

struct backlog *backlog_new(unsigned agents, const struct backlog_config *config, backlog_send *send,
                            void *arg)
{
	struct backlog *b = calloc(1, sizeof(*b));

	if (!b) return NULL;
	*b = (struct backlog){ .config = *config, .agents = agents, .send = send, .arg = arg };
	TAILQ_INIT(&b->first);
	TAILQ_INIT(&b->again);
	for (size_t i = 0; i < DELAYS; i++)
		TAILQ_INIT(&b->awaiting[i]);
	return b;
}

void backlog_free(struct backlog *b)
{
	if (!b) return;
	tdestroy(b->changes, free);
	free(b);
}

/* --- the way of a message ---------------------------------------------------------------------------- */

static size_t delay_index(const struct backlog_message *m)
{
	return m->attempts < DELAYS ? m->attempts - 1 : DELAYS - 1;
}

static mono_ns delay(const struct backlog *b, size_t index)
{
	mono_ns base = b->config.retransmit;

	if (base >= BACKLOG_RETRANSMIT_MAX) return base; /* as configured: never sooner */
	return base > BACKLOG_RETRANSMIT_MAX >> index ? BACKLOG_RETRANSMIT_MAX : base << index;
}

static struct message_list *queue_of(struct backlog *b, const struct backlog_message *m)
{
	return m->attempts ? &b->again : &b->first;
}

static void let_go(struct backlog *b, const struct backlog_message *m)
{
	for (size_t i = 0; i < BACKLOG_WORKERS_MAX; i++) {
		if (b->workers[i].message == m) b->workers[i].message = NULL;
	}
}

/* Takes the message out of where it is: to be put elsewhere, or done. */
static void take_out(struct backlog *b, struct backlog_message *m)
{
	if (m->state == BACKLOG_QUEUED) TAILQ_REMOVE(queue_of(b, m), m, link);
	if (m->state == BACKLOG_AWAITING) TAILQ_REMOVE(&b->awaiting[delay_index(m)], m, link);
	if (m->state == BACKLOG_IN_WORK) let_go(b, m);
	if (m->state == BACKLOG_QUEUED || m->state == BACKLOG_IN_WORK) b->counts.queued--;
	if (m->state != BACKLOG_DONE && m->attempts) b->counts.unacknowledged--;
	m->state = BACKLOG_DONE;
}

static void enqueue(struct backlog *b, struct backlog_message *m, mono_ns now)
{
	m->state = BACKLOG_QUEUED;
	m->since = now;
	TAILQ_INSERT_TAIL(queue_of(b, m), m, link);
	b->counts.queued++;
	if (m->attempts) b->counts.unacknowledged++;
}

/* Queues the message as if never sent. One that has not been sent yet keeps its place. */
static void begin_anew(struct backlog *b, struct backlog_message *m, mono_ns now)
{
	if (m->state != BACKLOG_DONE && m->attempts == 0) return;
	take_out(b, m);
	m->attempts = 0;
	m->event = 0;
	enqueue(b, m, now);
}

static void await_answer(struct backlog *b, struct backlog_message *m, mono_ns now)
{
	if (m->attempts++) {
		b->counts.resent++;
	} else {
		b->counts.sent++;
		b->counts.unacknowledged++;
	}
	b->counts.queued--;
	m->state = BACKLOG_AWAITING;
	m->since = now;
	TAILQ_INSERT_TAIL(&b->awaiting[delay_index(m)], m, link);
}

/* --- changes and their acknowledgement --------------------------------------------------------------- */

static struct backlog_change *find(const struct backlog *b, const struct route_address *address)
{
	struct backlog_change key = { .update.address = *address };
	struct backlog_change **found = tfind(&key, &b->changes, compare_changes);
	return found ? *found : NULL;
}

static struct backlog_change *add(struct backlog *b, const struct route_address *address)
{
	struct backlog_change *c = calloc(1, sizeof(*c) + b->agents * sizeof(c->messages[0]));

	if (!c) return NULL;
	c->update.address = *address;
	if (!tsearch(c, &b->changes, compare_changes)) {
		free(c);
		return NULL;
	}
	for (unsigned i = 0; i < b->agents; i++) {
		c->messages[i] = (struct backlog_message){ .change = c, .agent = i, .state = BACKLOG_DONE };
	}
	return c;
}

int backlog_put(struct backlog *b, const struct route_update *update, uint64_t cause, mono_ns now)
{
	struct backlog_change *c = find(b, &update->address);

	if (c && c->update.generation >= update->generation) return 0;
	if (!c && !(c = add(b, &update->address))) return -ENOMEM;
	c->update = *update;
	c->cause = cause;
	c->completed = false;
	c->pending = b->agents;
	for (unsigned i = 0; i < b->agents; i++)
		begin_anew(b, &c->messages[i], now);
	return 1;
}

const struct backlog_change *backlog_acknowledge(struct backlog *b, unsigned agent,
                                                 const struct route_address *address, uint32_t generation)
{
	struct backlog_change *c = agent < b->agents ? find(b, address) : NULL;

	if (!c || c->update.generation != generation || c->messages[agent].state == BACKLOG_DONE) return NULL;
	take_out(b, &c->messages[agent]);
	if (--c->pending || c->completed) return NULL;
	c->completed = true;
	return c;
}

bool backlog_forget(struct backlog *b, const struct route_address *address)
{
	struct backlog_change *c = find(b, address);

	if (!c || c->pending) return false;
	tdelete(c, &b->changes, compare_changes);
	free(c);
	return true;
}

struct replay {
	struct backlog *backlog;
	unsigned agent;
	mono_ns now;
};

static void replay_one(const void *node, VISIT which, void *arg)
{
	struct replay *r = arg;
	struct backlog_change *c = *(struct backlog_change *const *)node;

	if (which != postorder && which != leaf) return; /* once each, in order */
	if (c->messages[r->agent].state == BACKLOG_DONE) c->pending++;
	begin_anew(r->backlog, &c->messages[r->agent], r->now);
}

void backlog_replay(struct backlog *b, unsigned agent, mono_ns now)
{
	twalk_r(b->changes, replay_one, &(struct replay){ b, agent, now });
}

/* --- workers ----------------------------------------------------------------------------------------- */

static void queue_retransmissions(struct backlog *b, mono_ns now)
{
	for (size_t i = 0; i < DELAYS; i++) {
		struct backlog_message *m;
		while ((m = TAILQ_FIRST(&b->awaiting[i])) && m->since + delay(b, i) <= now) {
			mono_ns due = m->since + delay(b, i);
			take_out(b, m);
			enqueue(b, m, due);
		}
	}
}

/* Gives an idle worker its next message, if there is one. It begins when both are there: a worker that is
 * seen to be done late has not lost the time since. */
static bool take_up(struct backlog *b, struct worker *w, mono_ns idle_since)
{
	struct backlog_message *m = TAILQ_FIRST(&b->first) ? TAILQ_FIRST(&b->first) : TAILQ_FIRST(&b->again);

	if (!m || w >= b->workers + b->config.workers) return false;
	TAILQ_REMOVE(queue_of(b, m), m, link);
	m->state = BACKLOG_IN_WORK;
	mono_ns begin = m->since > idle_since ? m->since : idle_since;
	*w = (struct worker){ .busy = true, .message = m, .done_at = begin + b->config.update_time };
	return true;
}

static struct worker *first_done(struct backlog *b)
{
	struct worker *first = NULL;

	for (size_t i = 0; i < BACKLOG_WORKERS_MAX; i++) {
		struct worker *w = &b->workers[i];
		if (w->busy && (!first || w->done_at < first->done_at)) first = w;
	}
	return first;
}

static void finish(struct backlog *b, struct worker *w, mono_ns now)
{
	struct backlog_message *m = w->message;
	mono_ns done_at = w->done_at;

	*w = (struct worker){ 0 };
	if (m) {
		await_answer(b, m, now);
		b->send(b->arg, m);
	}
	take_up(b, w, done_at);
}

static bool employ_idle(struct backlog *b, mono_ns now)
{
	bool any = false;

	for (size_t i = 0; i < b->config.workers; i++) {
		if (!b->workers[i].busy) any |= take_up(b, &b->workers[i], now);
	}
	return any;
}

mono_ns backlog_run(struct backlog *b, mono_ns now)
{
	mono_ns next = MONO_NEVER;
	struct worker *w;

	queue_retransmissions(b, now);
	do {
		while ((w = first_done(b)) && w->done_at <= now)
			finish(b, w, now);
	} while (employ_idle(b, now));
	if (w) next = w->done_at;
	for (size_t i = 0; i < DELAYS; i++) {
		struct backlog_message *m = TAILQ_FIRST(&b->awaiting[i]);
		if (m && m->since + delay(b, i) < next) next = m->since + delay(b, i);
	}
	return next;
}

struct backlog_counts backlog_counts(const struct backlog *b)
{
	return b->counts;
}
