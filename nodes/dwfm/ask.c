#include "dwfm/ask.h"
#include "common/log.h"
#include "common/timer.h"
#include "proto/route_socket.h"
#include <errno.h>
#include <sys/socket.h>

enum { DATAGRAMS_A_TURN = 256, RECEIVE_BYTES = 4 << 20 };

static struct questions *bucket_of(struct asker *a, uint64_t request)
{
	return &a->buckets[request % ASK_BUCKETS];
}

static void close_question(struct question *q)
{
	LIST_REMOVE(q, link);
	evtimer_del(&q->repeat);
	q->open = false;
}

static void send_question(struct question *q)
{
	uint8_t datagram[LEASE_DATAGRAM_MAX];
	int len = lease_encode(&q->message, datagram, sizeof(datagram));
	mono_ns left = q->until - mono_now(), repeat = ASK_REPEAT_MS * NS_PER_MS;

	/* what can't be sent is asked again like what got lost */
	if (len > 0)
		(void)!sendto(q->asker->fd, datagram, (size_t)len, 0, (const struct sockaddr *)&q->to,
		              sizeof(q->to));
	timer_after(&q->repeat, left < repeat ? left : repeat);
}

static void on_repeat(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;

	(void)fd, (void)what;
	if (mono_now() < q->until) {
		send_question(q);
		return;
	}
	close_question(q);
	q->done(q, NULL);
}

void ask(struct asker *a, struct question *q, const struct sockaddr_in6 *to,
         const struct lease_message *message, mono_ns until, ask_done *done)
{
	*q = (struct question){
		.asker = a, .message = *message, .to = *to, .until = until, .done = done, .open = true
	};
	q->message.request = ++a->last_request;
	LIST_INSERT_HEAD(bucket_of(a, q->message.request), q, link);
	evtimer_assign(&q->repeat, a->base, on_repeat, q);
	send_question(q);
}

void ask_cancel(struct question *q)
{
	if (q->open) close_question(q);
}

static void take_answer(struct asker *a, const struct lease_message *answer)
{
	for (struct question *q = LIST_FIRST(bucket_of(a, answer->request)); q; q = LIST_NEXT(q, link)) {
		if (q->message.request != answer->request || q->message.droplet != answer->droplet) continue;
		close_question(q);
		q->done(q, answer);
		return;
	}
	/* the answer to a repeated question, or to one that was given up */
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	uint8_t datagram[LEASE_DATAGRAM_MAX];
	struct lease_message m;

	(void)what;
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t len = recv(fd, datagram, sizeof(datagram), 0);
		if (len < 0) return;
		if (lease_decode(&m, datagram, (size_t)len) < 0)
			log_line("malformed message of %zd bytes, ignoring", len);
		else if (m.kind >= LEASE_STATE)
			take_answer(arg, &m);
	}
}

int asker_init(struct asker *a, struct event_base *base, uint64_t first_request)
{
	int r, bytes = RECEIVE_BYTES;

	a->base = base;
	a->last_request = first_request;
	for (size_t i = 0; i < ASK_BUCKETS; i++)
		LIST_INIT(&a->buckets[i]);
	if ((r = route_socket_open(0, &a->fd)) < 0) return r;
	setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	event_assign(&a->readable, base, a->fd, EV_READ | EV_PERSIST, on_readable, a);
	return event_add(&a->readable, NULL) < 0 ? -ENOMEM : 0;
}
