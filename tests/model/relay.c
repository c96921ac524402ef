#include "tests/model/relay.h"
#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

enum { WIRE_MAX = 65535, PORT = 53 };

struct wire {
	uint8_t *bytes;
	size_t len;
};
struct relay_message {
	TAILQ_ENTRY(relay_message) link;
	struct wire question, answer; /* no answer yet: NULL */
	struct sockaddr_in from;
	mono_ns arrived;
	ldns_pkt *packet;
};
TAILQ_HEAD(messages, relay_message);

struct relay {
	int inside, outside; /* sockets: towards the enactor, towards the server */
	struct event *from_inside, *from_outside;
	struct messages held, sent;
	struct relay_message *last; /* of those sent */
	bool open;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct wire keep(const uint8_t *bytes, size_t len)
{
	struct wire w = { malloc(len), len };

	if (!w.bytes) die("relay");
	memcpy(w.bytes, bytes, len);
	return w;
}

/* --- messages ---------------------------------------------------------------------------------------- */

static struct relay_message *find(struct messages *list, const uint8_t *bytes, size_t len)
{
	struct relay_message *m;

	TAILQ_FOREACH (m, list, link)
		if (m->question.len == len && memcmp(m->question.bytes, bytes, len) == 0) return m;
	return NULL;
}

static void free_messages(struct messages *list)
{
	struct relay_message *m;

	while ((m = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, m, link);
		ldns_pkt_free(m->packet);
		free(m->question.bytes);
		free(m->answer.bytes);
		free(m);
	}
}

static void reply(struct relay *r, const struct relay_message *m)
{
	sendto(r->inside, m->answer.bytes, m->answer.len, 0, (const struct sockaddr *)&m->from,
	       sizeof(m->from));
}

void relay_release(struct relay *r, struct relay_message *m)
{
	TAILQ_REMOVE(&r->held, m, link);
	TAILQ_INSERT_TAIL(&r->sent, m, link);
	r->last = m;
	if (send(r->outside, m->question.bytes, m->question.len, 0) < 0) die("relay: send");
}

static void hold(struct relay *r, const uint8_t *bytes, size_t len, const struct sockaddr_in *from)
{
	struct relay_message *m = calloc(1, sizeof(*m));

	if (!m || ldns_wire2pkt(&m->packet, bytes, len) != LDNS_STATUS_OK) die("relay: no DNS message");
	m->question = keep(bytes, len);
	m->from = *from;
	m->arrived = mono_now();
	TAILQ_INSERT_TAIL(&r->held, m, link);
	if (r->open) relay_release(r, m);
}

static void on_inside(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[WIRE_MAX];
	struct relay *r = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	(void)what;
	if (len <= 0) return;
	struct relay_message *sent = find(&r->sent, bytes, (size_t)len);
	if (sent && sent->answer.bytes)
		reply(r, sent);
	else if (!sent && !find(&r->held, bytes, (size_t)len))
		hold(r, bytes, (size_t)len, &from);
}

static void on_outside(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[WIRE_MAX];
	struct relay *r = arg;
	ssize_t len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	struct relay_message *m;

	(void)what;
	if (len < LDNS_HEADER_SIZE) return;
	TAILQ_FOREACH (m, &r->sent, link) {
		if (m->answer.bytes || memcmp(m->question.bytes, bytes, sizeof(uint16_t)))
			continue; /* the id */
		m->answer = keep(bytes, (size_t)len);
		reply(r, m);
		return;
	}
}

/* --- what a message is -------------------------------------------------------------------------------- */

struct relay_message *relay_held(struct relay *r, const struct relay_message *after)
{
	return after ? TAILQ_NEXT(after, link) : TAILQ_FIRST(&r->held);
}

bool relay_is_update(const struct relay_message *m)
{
	return ldns_pkt_get_opcode(m->packet) == LDNS_PACKET_UPDATE;
}

static bool owned(const ldns_rr *rr, const char *owner)
{
	char *text = ldns_rdf2str(ldns_rr_owner(rr));
	bool same = text && strcasecmp(text, owner) == 0;

	free(text);
	return same;
}

bool relay_asks(const struct relay_message *m, const char *owner, const char *type)
{
	const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(m->packet), 0);

	return !relay_is_update(m) && rr && owned(rr, owner) &&
	       (!type || ldns_rr_get_type(rr) == ldns_get_rr_type_by_name(type));
}

/* The updates stand where answers have their authorities; a class other than the zone's own deletes. */
static bool updates(const struct relay_message *m, const char *owner, bool adds)
{
	const ldns_rr_list *list = ldns_pkt_authority(m->packet);

	for (size_t i = 0; relay_is_update(m) && i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		if ((ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN) == adds && owned(rr, owner)) return true;
	}
	return false;
}

bool relay_adds(const struct relay_message *m, const char *owner)
{
	return updates(m, owner, true);
}

bool relay_deletes(const struct relay_message *m, const char *owner)
{
	return updates(m, owner, false);
}

const char *relay_text(const struct relay_message *m)
{
	static char text[512];
	const ldns_rr_list *list =
	    relay_is_update(m) ? ldns_pkt_authority(m->packet) : ldns_pkt_question(m->packet);
	const ldns_rr *rr = ldns_rr_list_rr(list, 0);
	char *owner = rr ? ldns_rdf2str(ldns_rr_owner(rr)) : NULL;

	snprintf(text, sizeof(text), "%s %s", relay_is_update(m) ? "an update of" : "a question for",
	         owner ? owner : "nothing");
	free(owner);
	return text;
}

mono_ns relay_arrived(const struct relay_message *m)
{
	return m->arrived;
}

int relay_answer(const struct relay *r)
{
	const struct wire *w = r->last ? &r->last->answer : NULL;

	return w && w->bytes ? (int)LDNS_RCODE_WIRE(w->bytes) : -1;
}

/* --- life --------------------------------------------------------------------------------------------- */

static struct sockaddr_in at(const char *address)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1) die(address);
	return a;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) die("relay: socket");
	return fd;
}

struct relay *relay_new(struct event_base *base, const char *address, const char *server)
{
	struct sockaddr_in here = at(address), there = at(server);
	struct relay *r = calloc(1, sizeof(*r));

	if (!r) die("relay");
	TAILQ_INIT(&r->held);
	TAILQ_INIT(&r->sent);
	r->inside = new_socket();
	r->outside = new_socket();
	if (bind(r->inside, (struct sockaddr *)&here, sizeof(here)) < 0) die(address);
	if (connect(r->outside, (struct sockaddr *)&there, sizeof(there)) < 0) die(server);
	r->from_inside = event_new(base, r->inside, EV_READ | EV_PERSIST, on_inside, r);
	r->from_outside = event_new(base, r->outside, EV_READ | EV_PERSIST, on_outside, r);
	if (!r->from_inside || !r->from_outside) die("relay");
	event_add(r->from_inside, NULL);
	event_add(r->from_outside, NULL);
	return r;
}

void relay_open(struct relay *r)
{
	struct relay_message *m;

	r->open = true;
	while ((m = TAILQ_FIRST(&r->held)))
		relay_release(r, m);
}

void relay_free(struct relay *r)
{
	event_free(r->from_inside);
	event_free(r->from_outside);
	close(r->inside);
	close(r->outside);
	free_messages(&r->held);
	free_messages(&r->sent);
	free(r);
}
