#include "common/dns_client.h"
#include "common/cleanup.h"
#include "common/dns_tcp.h"
#include "common/timer.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>

/* A lab's round trip is below a millisecond, and Knot answers updates in batches of 10 ms. */
static const mono_ns FIRST_WAIT = 200 * NS_PER_MS, LONGEST_WAIT = 1000 * NS_PER_MS;

/* For 64 answers at once, of up to 4 kB each. */
enum { RECEIVE_BUFFER = 1024 * 1024 };

struct flights {
	TAILQ_HEAD(, flight) all;
	unsigned n;
};
struct flight {
	struct dns_client *client;
	TAILQ_ENTRY(flight) link;
	struct flights *where;
	struct event *timer;
	dns_done *done;
	void *arg;
	struct dns_request request;
	uint8_t *heard; /* a datagram with the request's id, the answer if it proves to be signed */
	size_t heard_len;
	struct dns_tcp *tcp; /* an answer was truncated: asked again over TCP */
	mono_ns begun, wait, due, give_up;
	unsigned attempts;
};
/* From idle to waiting, flying, heard, and back to idle. A server that works in batches idles between two of
 * them: what waits is sent as soon as answers are heard, and only then, one a turn of the loop, the answers'
 * signatures are checked. */
struct dns_client {
	struct event_base *base;
	int fd;
	struct event *readable;
	struct event *look; /* at the first that is heard */
	bool has_key;
	struct dns_key key;
	struct flights idle, waiting, flying, heard;
	struct flight slots[DNS_REQUESTS_MAX];
};

static const struct dns_key *key_of(const struct dns_client *c)
{
	return c->has_key ? &c->key : NULL;
}

static void move(struct flight *f, struct flights *to)
{
	TAILQ_REMOVE(&f->where->all, f, link);
	f->where->n--;
	TAILQ_INSERT_TAIL(&to->all, f, link);
	to->n++;
	f->where = to;
}

static void set_timer(struct flight *f, mono_ns due)
{
	f->due = due;
	timer_at(f->timer, due, mono_now());
}

/* An error of send() is as good as a lost datagram: an ICMP error of an earlier one, or no route yet. */
static void transmit(struct flight *f, mono_ns now)
{
	mono_ns left = f->give_up - now;

	if (send(f->client->fd, f->request.wire, f->request.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == ECONNREFUSED)
		send(f->client->fd, f->request.wire, f->request.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	f->attempts++;
	set_timer(f, now + (f->wait < left ? f->wait : left));
	f->wait = f->wait * 2 < LONGEST_WAIT ? f->wait * 2 : LONGEST_WAIT;
}

static void send_waiting(struct dns_client *c)
{
	struct flight *f;

	while (c->flying.n < DNS_IN_FLIGHT_MAX && (f = TAILQ_FIRST(&c->waiting.all))) {
		move(f, &c->flying);
		f->begun = mono_now();
		transmit(f, f->begun);
	}
}

/* The last thing one does: who is called may free the client. */
static void finish(struct flight *f, struct dns_answer *answer)
{
	answer->attempts = f->attempts;
	answer->took = mono_now() - f->begun;
	evtimer_del(f->timer);
	dns_tcp_free(take_ptr(f->tcp));
	dns_request_release(&f->request);
	free(take_ptr(f->heard));
	move(f, &f->client->idle);
	send_waiting(f->client);
	f->done(answer, f->arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct flight *f = arg;
	mono_ns now = mono_now();

	(void)fd, (void)what;
	/* who hasn't been sent yet, or goes over TCP, has no other timer than that of its patience: a timer
	 * may be early by as long as the loop's turn took */
	if (f->tcp || f->where == &f->client->waiting || now >= f->give_up)
		finish(f, &(struct dns_answer){ .status = f->tcp ? DNS_TRUNCATED : DNS_TIMED_OUT });
	else
		transmit(f, now);
}

static struct flight *flight_of(struct dns_client *c, uint16_t id)
{
	for (size_t i = 0; i < DNS_REQUESTS_MAX; i++)
		if (c->slots[i].where != &c->idle && c->slots[i].request.id == id) return &c->slots[i];
	return NULL;
}

static void on_tcp(const uint8_t *wire, size_t len, void *arg)
{
	struct flight *f = arg;
	struct dns_answer answer;

	if (len == 0 || dns_answer_decode(&f->request, key_of(f->client), wire, len, &answer) < 0) {
		finish(f, &(struct dns_answer){ .status = DNS_TRUNCATED });
		return;
	}
	finish(f, &answer);
	dns_answer_release(&answer);
}

/* A question whose answer didn't fit goes over TCP, for as long as patience is left. True if it is under
 * way. */
static bool ask_over_tcp(struct flight *f)
{
	struct sockaddr_storage server;
	socklen_t len = sizeof(server);

	if (f->request.update || getpeername(f->client->fd, (struct sockaddr *)&server, &len) < 0)
		return false;
	if (!f->tcp && dns_tcp_ask(f->client->base, (struct sockaddr *)&server, len, f->request.wire,
	                           f->request.len, on_tcp, f, &f->tcp) < 0)
		return false;
	set_timer(f, f->give_up);
	return true;
}

static int decode_heard(const struct flight *f, struct dns_answer *ret)
{
	return dns_answer_decode(&f->request, key_of(f->client), f->heard, f->heard_len, ret);
}

static void look_at(struct flight *f)
{
	struct dns_answer answer;
	int r = decode_heard(f, &answer);

	free(take_ptr(f->heard));
	if (r < 0) {
		set_timer(f, f->due); /* forged: the true one may be on its way */
		return;
	}
	if (answer.status != DNS_TRUNCATED || !ask_over_tcp(f)) finish(f, &answer);
	dns_answer_release(&answer);
}

static void look_soon(struct dns_client *c)
{
	/* not event_active(): this one first asks whether there is more to receive */
	if (c->heard.n > 0) timer_after(c->look, 0);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct dns_client *c = arg;
	struct flight *f = TAILQ_FIRST(&c->heard.all);

	(void)fd, (void)what;
	if (!f) return;
	move(f, &c->flying);
	look_soon(c);
	look_at(f);
}

static bool is_answered(const struct flight *f)
{
	struct dns_answer answer;

	if (!f->heard || decode_heard(f, &answer) < 0) return false;
	dns_answer_release(&answer);
	return true;
}

/* Makes room in flight for the next one before the signature is looked at. A second datagram counts only if
 * the first was forged. */
static void hear(struct dns_client *c, const uint8_t *wire, size_t len)
{
	struct flight *f = len >= 2 ? flight_of(c, (uint16_t)(wire[0] << 8 | wire[1])) : NULL;
	uint8_t *copy;

	if (!f || f->where == &c->waiting || is_answered(f) || !(copy = malloc(len))) return;
	free(f->heard);
	f->heard = memcpy(copy, wire, len);
	f->heard_len = len;
	evtimer_del(f->timer);
	move(f, &c->heard);
	send_waiting(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t wire[65536];
	struct dns_client *c = arg;

	(void)what;
	for (int i = 0; i < DNS_IN_FLIGHT_MAX; i++) {
		ssize_t len = recv(fd, wire, sizeof(wire), MSG_DONTWAIT);
		if (len < 0 && errno == ECONNREFUSED) continue; /* no server yet: retransmission goes on */
		if (len < 0) break;
		hear(c, wire, (size_t)len);
	}
	look_soon(c);
}

/* An id that no other request has. 0 or -errno. */
static int draw_id(struct dns_client *c, uint16_t *ret)
{
	if (TAILQ_EMPTY(&c->idle.all)) return -EAGAIN;
	do {
		if (getrandom(ret, sizeof(*ret), 0) != sizeof(*ret)) return -EIO;
	} while (flight_of(c, *ret));
	return 0;
}

static void launch(struct dns_client *c, const struct dns_request *request, mono_ns patience, dns_done *done,
                   void *arg)
{
	struct flight *f = TAILQ_FIRST(&c->idle.all);

	f->request = *request;
	f->done = done;
	f->arg = arg;
	f->begun = mono_now();
	f->give_up = f->begun + patience;
	f->wait = FIRST_WAIT;
	f->attempts = 0;
	move(f, &c->waiting);
	set_timer(f, f->give_up);
	send_waiting(c);
}

int dns_client_update(struct dns_client *c, const struct dns_update *u, mono_ns patience, dns_done *done,
                      void *arg)
{
	struct dns_request request;
	uint16_t id;
	int r = draw_id(c, &id);

	if (r == 0) r = dns_update_encode(u, id, key_of(c), &request);
	if (r == 0) launch(c, &request, patience, done, arg);
	return r;
}

int dns_client_query(struct dns_client *c, const char *name, const char *type, mono_ns patience,
                     dns_done *done, void *arg)
{
	struct dns_request request;
	uint16_t id;
	int r = draw_id(c, &id);

	if (r == 0) r = dns_query_encode(name, type, id, key_of(c), &request);
	if (r == 0) launch(c, &request, patience, done, arg);
	return r;
}

static int connect_to(const char *server, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int room = RECEIVE_BUFFER;
	bool is6 = inet_pton(AF_INET6, server, &v6.sin6_addr) == 1;

	if (!is6 && inet_pton(AF_INET, server, &v4.sin_addr) != 1) return -EINVAL;
	cleanup_close int fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)); /* as much as the host grants */
	if (connect(fd, is6 ? (void *)&v6 : (void *)&v4, is6 ? sizeof(v6) : sizeof(v4)) < 0) return -errno;
	return take_fd(&fd);
}

static int open_events(struct dns_client *c)
{
	c->readable = event_new(c->base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->look = evtimer_new(c->base, on_look, c);
	if (!c->look || !c->readable || event_add(c->readable, NULL) < 0) return -ENOMEM;
	for (size_t i = 0; i < DNS_REQUESTS_MAX; i++)
		if (!(c->slots[i].timer = evtimer_new(c->base, on_timer, &c->slots[i]))) return -ENOMEM;
	return 0;
}

static void empty_slots(struct dns_client *c)
{
	TAILQ_INIT(&c->idle.all);
	TAILQ_INIT(&c->waiting.all);
	TAILQ_INIT(&c->flying.all);
	TAILQ_INIT(&c->heard.all);
	for (size_t i = 0; i < DNS_REQUESTS_MAX; i++) {
		c->slots[i].client = c;
		c->slots[i].where = &c->idle;
		TAILQ_INSERT_TAIL(&c->idle.all, &c->slots[i], link);
	}
	c->idle.n = DNS_REQUESTS_MAX;
}

int dns_client_new(struct event_base *base, const char *server, uint16_t port, const struct dns_key *key,
                   struct dns_client **ret)
{
	struct dns_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c) return -ENOMEM;
	c->base = base;
	c->has_key = key != NULL;
	if (key) c->key = *key;
	empty_slots(c);
	r = c->fd = connect_to(server, port);
	if (r >= 0) r = open_events(c);
	if (r < 0) {
		dns_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void dns_client_free(struct dns_client *c)
{
	if (!c) return;
	for (size_t i = 0; i < DNS_REQUESTS_MAX; i++) {
		struct flight *f = &c->slots[i];
		if (f->timer) event_free(f->timer);
		dns_tcp_free(f->tcp);
		dns_request_release(&f->request);
		free(f->heard);
	}
	if (c->look) event_free(c->look);
	if (c->readable) event_free(c->readable);
	if (c->fd >= 0) close(c->fd);
	free(c);
}
