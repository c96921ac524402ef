#include "health-checker/checker.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include "proto/classes.h"
#include "proto/health.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A change is sent again after 100, 200 and 400 ms; then the report of each second takes over. */
enum { RESEND_FIRST_MS = 100, RESENDS_MAX = 3, REPEAT_S = 1 };
/* Receivers call a checker unknown after 3 s of silence; no use in holding a slot for longer. */
#define REPORTS_GIVE_UP (3 * NS_PER_S)

/* --- out --------------------------------------------------------------------------------------------- */

static bool reported(const struct checker_target *t)
{
	return t->health.state != TARGET_PENDING;
}

static uint16_t count_reported(const struct checker_service *s)
{
	const struct checker_target *t;
	uint16_t n = 0;

	LIST_FOREACH (t, &s->targets, link)
		n += reported(t);
	return n;
}

static void send_part(const struct checker_service *s, const struct health_report *report)
{
	const struct checker *c = s->checker;
	uint8_t datagram[HEALTH_DATAGRAM_MAX];
	int len = health_report_encode(report, datagram, sizeof(datagram));

	/* what can't be sent now (no route yet) is sent again like what gets lost on the way */
	for (unsigned r = 0; len > 0 && r < c->n_receivers; r++) {
		if (outbox_lacks(&s->outbox, r, report->part))
			sendto(c->socket, datagram, (size_t)len, 0, (const struct sockaddr *)&c->receivers[r],
			       sizeof(c->receivers[r]));
	}
}

/* Sends the last report begun, each part to those who lack it. */
static void send_report(const struct checker_service *s)
{
	struct health_report report = { .zone = s->checker->zone,
		                        .service = s->index,
		                        .epoch = s->checker->epoch,
		                        .sequence = s->outbox.sequence,
		                        .parts = (uint16_t)s->outbox.parts,
		                        .total = count_reported(s) };
	const struct checker_target *t;

	LIST_FOREACH (t, &s->targets, link) {
		if (!reported(t)) continue;
		if (report.n == HEALTH_TARGETS_PER_PART) {
			send_part(s, &report);
			report.part++;
			report.n = 0;
		}
		report.targets[report.n++] =
		    (struct health_target){ t->id, t->health.state == TARGET_UP, t->event };
	}
	send_part(s, &report);
}

static void begin_report(struct checker_service *s)
{
	unsigned n = count_reported(s), parts = (n + HEALTH_TARGETS_PER_PART - 1) / HEALTH_TARGETS_PER_PART;

	outbox_begin(&s->outbox, parts ? parts : 1);
	send_report(s);
}

static void arm_resend(struct checker_service *s)
{
	if (s->resends < RESENDS_MAX)
		timer_after(s->resend_timer, ((mono_ns)RESEND_FIRST_MS << s->resends) * NS_PER_MS);
}

static void on_resend(evutil_socket_t fd, short what, void *arg)
{
	struct checker_service *s = arg;

	(void)fd, (void)what;
	if (outbox_settled(&s->outbox) == s->outbox.sequence) return;
	send_report(s);
	s->resends++;
	arm_resend(s);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct checker *c = arg;

	(void)fd, (void)what;
	for (struct checker_service *s = c->services; s < c->services + c->n_services; s++) {
		if (!s->dirty) continue;
		s->dirty = false;
		begin_report(s);
		s->resends = 0;
		arm_resend(s);
	}
}

void reports_changed(struct checker_service *s)
{
	s->dirty = true;
	/* changes of one turn of the loop share a report */
	event_active(s->checker->flush_event, EV_WRITE, 0);
}

/* --- slots that changes hold ------------------------------------------------------------------------- */

void reports_push(struct checker_target *t)
{
	struct checker_service *s = t->service;

	if (s->checker->n_receivers == 0) return;
	if (t->push_since)
		TAILQ_REMOVE(&s->pushes, t, push_link);
	else
		schedule_occupy(&s->checker->schedule);
	t->push_since = mono_now();
	t->push_sequence = s->outbox.sequence + 1; /* the report that the flush is going to begin */
	TAILQ_INSERT_TAIL(&s->pushes, t, push_link);
}

void reports_forget(struct checker_target *t)
{
	if (!t->push_since) return;
	TAILQ_REMOVE(&t->service->pushes, t, push_link);
	t->push_since = 0;
	schedule_release(&t->service->checker->schedule);
}

/* Gives back the slots of changes that all receivers know, or that nobody will hear of any more. */
static void release_settled(struct checker_service *s, mono_ns now)
{
	struct checker_target *oldest;
	uint32_t settled = outbox_settled(&s->outbox);

	while ((oldest = TAILQ_FIRST(&s->pushes)) &&
	       (oldest->push_sequence <= settled || now - oldest->push_since >= REPORTS_GIVE_UP))
		reports_forget(oldest);
}

/* --- in ---------------------------------------------------------------------------------------------- */

static int receiver_of(const struct checker *c, const struct sockaddr_in *from)
{
	for (unsigned r = 0; r < c->n_receivers; r++)
		if (c->receivers[r].sin_addr.s_addr == from->sin_addr.s_addr) return (int)r;
	return -ENOENT;
}

static void take_ack(struct checker *c, const struct health_ack *ack, unsigned receiver)
{
	if (ack->zone != c->zone || ack->epoch != c->epoch) return;
	for (struct checker_service *s = c->services; s < c->services + c->n_services; s++) {
		if (s->index != ack->service) continue;
		outbox_ack(&s->outbox, receiver, ack->sequence, ack->part);
		release_settled(s, mono_now());
	}
}

static void on_ack(evutil_socket_t fd, short what, void *arg)
{
	struct checker *c = arg;
	struct sockaddr_in from;
	struct health_ack ack;
	uint8_t datagram[HEALTH_DATAGRAM_MAX];

	(void)what;
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, &len);
		if (n < 0) break;
		int receiver = receiver_of(c, &from);
		if (receiver >= 0 && health_ack_decode(&ack, datagram, (size_t)n) == 0)
			take_ack(c, &ack, (unsigned)receiver);
	}
	checks_run(c); /* slots may have come free */
}

static json_t *describe_targets(const struct checker *c)
{
	json_t *targets = json_array();
	const struct checker_target *t;

	for (const struct checker_service *s = c->services; s < c->services + c->n_services; s++) {
		LIST_FOREACH (t, &s->targets, link) {
			if (!reported(t)) continue;
			json_array_append_new(targets,
			                      json_pack("{s:I, s:b, s:I}", "id", (json_int_t)t->id, "healthy",
			                                t->health.state == TARGET_UP, "passes",
			                                (json_int_t)target_passes(&t->health)));
		}
	}
	return targets;
}

static void sample(struct checker *c)
{
	node_sample(c->node, "checks",
	            json_pack("{s:I, s:I, s:I, s:i, s:o}", "made", (json_int_t)c->made, "failed",
	                      (json_int_t)c->failed, "late", (json_int_t)c->late, "in_flight",
	                      (int)c->in_flight, "targets", describe_targets(c)));
	c->made = c->failed = c->late = 0;
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct checker *c = arg;
	mono_ns now = mono_now();

	(void)fd, (void)what;
	for (struct checker_service *s = c->services; s < c->services + c->n_services; s++) {
		if (!s->dirty) begin_report(s); /* else the flush is about to */
		release_settled(s, now);
	}
	sample(c);
	checks_run(c);
}

/* --- opening ----------------------------------------------------------------------------------------- */

static int open_socket(int *ret)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT_HEALTH_CHECKER) };
	int tos = TOS_OF_DSCP(DSCP_CS6);

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

int reports_open(struct checker *c)
{
	struct event_base *base = c->node->base;
	struct timeval second = { .tv_sec = REPEAT_S };
	int result = open_socket(&c->socket);

	if (result < 0) return result;
	/* a restarted checker begins a higher epoch: hundredths of a second fit 497 days of uptime */
	c->epoch = (uint32_t)(mono_now() / (10 * NS_PER_MS));
	c->ack_event = event_new(base, c->socket, EV_READ | EV_PERSIST, on_ack, c);
	c->flush_event = event_new(base, -1, 0, on_flush, c);
	c->report_timer = event_new(base, -1, EV_PERSIST, on_second, c);
	if (!c->ack_event || !c->flush_event || !c->report_timer) return -ENOMEM;
	for (struct checker_service *s = c->services; s < c->services + c->n_services; s++) {
		if (!(s->resend_timer = evtimer_new(base, on_resend, s))) return -ENOMEM;
	}
	event_add(c->ack_event, NULL);
	event_add(c->report_timer, &second);
	return 0;
}
