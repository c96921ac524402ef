#include "common/stub.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include <errno.h>
#include <event2/util.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum { QUESTIONS = 2, READ_BATCH = 16 };

struct question {
	int family;
	uint16_t id;
	bool open;
};
struct stub_query {
	LIST_ENTRY(stub_query) link;
	struct stub *stub;
	char *name;
	struct question questions[QUESTIONS];
	unsigned attempts;
	struct event *retry;
	struct stub_answer answer; /* of both, as they come */
	stub_done *done;
	void *arg;
};
struct stub {
	int fd;
	struct event_base *base;
	struct event *readable;
	LIST_HEAD(, stub_query) queries;
};

static void free_query(struct stub_query *q)
{
	LIST_REMOVE(q, link);
	event_free(q->retry);
	free(q->name);
	free(q);
}

static void finish(struct stub_query *q)
{
	stub_done *done = q->done;
	void *arg = q->arg;
	struct stub_answer answer = q->answer;

	free_query(q);
	done(&answer, arg);
}

/* --- out --------------------------------------------------------------------------------------------- */

static void send_open(struct stub_query *q)
{
	uint8_t buf[STUB_DATAGRAM_MAX];

	q->attempts++;
	for (struct question *one = q->questions; one < q->questions + QUESTIONS; one++) {
		if (!one->open) continue;
		int len = stub_question(buf, sizeof(buf), one->id, q->name, one->family);
		/* what can't be sent is asked again like what got lost */
		if (len > 0) send(q->stub->fd, buf, (size_t)len, MSG_NOSIGNAL);
	}
	timer_after(q->retry, STUB_RETRY_MS * NS_PER_MS);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct stub_query *q = arg;

	(void)fd, (void)what;
	if (q->attempts < STUB_ATTEMPTS) {
		send_open(q);
		return;
	}
	if (q->answer.outcome != STUB_OK) q->answer.outcome = STUB_TIMED_OUT;
	finish(q);
}

static void open_question(struct question *q, int family)
{
	q->family = family;
	q->open = true;
	evutil_secure_rng_get_bytes(&q->id, sizeof(q->id));
}

int stub_ask(struct stub *s, const char *name, int family, stub_done *done, void *arg)
{
	cleanup_free struct stub_query *q = calloc(1, sizeof(*q));
	cleanup_free char *copy = strdup(name);
	uint8_t buf[STUB_DATAGRAM_MAX];
	int len = stub_question(buf, sizeof(buf), 0, name, AF_INET);

	if (len < 0) return len;
	if (!q || !copy || !(q->retry = evtimer_new(s->base, on_retry, q))) return -ENOMEM;
	q->stub = s;
	q->name = take_ptr(copy);
	q->done = done;
	q->arg = arg;
	q->answer.outcome = STUB_NO_DATA;
	if (family != 6) open_question(&q->questions[0], AF_INET);
	if (family != 4) open_question(&q->questions[1], AF_INET6);
	LIST_INSERT_HEAD(&s->queries, q, link);
	send_open(q);
	(void)take_ptr(q);
	return 0;
}

/* --- in ---------------------------------------------------------------------------------------------- */

/* Adds one family's answer: addresses of either make it good; else what went wrong worst is told. */
static void merge(struct stub_answer *to, const struct stub_answer *from)
{
	if (from->outcome == STUB_OK) {
		to->ttl_s = to->outcome == STUB_OK && to->ttl_s < from->ttl_s ? to->ttl_s : from->ttl_s;
		to->outcome = STUB_OK;
	} else if (to->outcome != STUB_OK && to->outcome != STUB_FAILED && from->outcome != STUB_NO_DATA) {
		to->outcome = from->outcome;
	}
	for (size_t i = 0; i < from->n && to->n < STUB_ADDRESSES_MAX; i++)
		to->addresses[to->n++] = from->addresses[i];
}

/* True if the datagram answers this question; *ret_over if it was the query's last one. */
static bool take_answer(struct stub_query *q, const uint8_t *datagram, size_t len, bool *ret_over)
{
	static struct stub_answer answer;
	bool taken = false;

	*ret_over = true;
	for (struct question *one = q->questions; one < q->questions + QUESTIONS; one++) {
		if (one->open && !taken &&
		    stub_parse(datagram, len, one->id, q->name, one->family, &answer) == 0) {
			merge(&q->answer, &answer);
			one->open = false;
			taken = true;
		}
		if (one->open) *ret_over = false;
	}
	return taken;
}

static void dispatch(struct stub *s, const uint8_t *datagram, size_t len)
{
	struct stub_query *q;
	bool over;

	LIST_FOREACH (q, &s->queries, link) {
		if (!take_answer(q, datagram, len, &over)) continue;
		if (over) finish(q);
		return;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	uint8_t buf[STUB_DATAGRAM_MAX];

	(void)what;
	for (int i = 0; i < READ_BATCH; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN) return;
		/* an error is an ICMP message about a question, told once: the retry asks again */
		if (n > 0) dispatch(arg, buf, (size_t)n);
	}
}

/* --- life -------------------------------------------------------------------------------------------- */

static int open_socket(const char *server, uint16_t port, int *ret)
{
	union probe_address to;
	int result = probe_address(server, port, &to);

	if (result < 0) return result;
	bool v4 = to.any.sa_family == AF_INET;
	cleanup_close int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &to.any, v4 ? sizeof(to.v4) : sizeof(to.v6)) < 0) return -errno;
	*ret = take_fd(&fd);
	return 0;
}

int stub_new(struct event_base *base, const char *server, uint16_t port, struct stub **ret)
{
	cleanup_free struct stub *s = calloc(1, sizeof(*s));
	cleanup_close int fd = -1;
	int result = s ? open_socket(server, port, &fd) : -ENOMEM;

	if (result < 0) return result;
	s->base = base;
	LIST_INIT(&s->queries);
	if (!(s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s))) return -ENOMEM;
	event_add(s->readable, NULL);
	s->fd = take_fd(&fd);
	*ret = take_ptr(s);
	return 0;
}

void stub_free(struct stub *s)
{
	if (!s) return;
	while (!LIST_EMPTY(&s->queries))
		free_query(LIST_FIRST(&s->queries));
	event_free(s->readable);
	close(s->fd);
	free(s);
}
