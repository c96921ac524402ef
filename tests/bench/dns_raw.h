/* dns_raw.h - for the benchmark: messages signed beforehand, and the least that can send them: so many in
 * flight on one socket, answers counted, what isn't answered in a second sent again. */
#ifndef AZLAB_BENCH_DNS_RAW_H
#define AZLAB_BENCH_DNS_RAW_H
#include "common/dns_tree.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { RAW_MESSAGES_MAX = 16384, RAW_NAMES_PER_MESSAGE = 48 };

struct raw {
	size_t n;
	struct dns_request requests[RAW_MESSAGES_MAX];
	bool answered[RAW_MESSAGES_MAX];
};

static inline void raw_die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void raw_add(struct raw *r, struct dns_update *u, const struct dns_key *key)
{
	if (!u || r->n == RAW_MESSAGES_MAX) raw_die("raw_add");
	if (dns_update_encode(u, (uint16_t)r->n, key, &r->requests[r->n]) < 0) raw_die("dns_update_encode");
	dns_update_free(u);
	r->n++;
}

/* The messages that make the plan's tree, the same as an enactor sends. */
static inline struct raw *raw_plant(const struct dns_plan *plan, const struct dns_key *key)
{
	struct raw *r = calloc(1, sizeof(*r));
	struct dns_bundles bundles;
	bool last = false;

	for (dns_bundles_begin(&bundles, plan); !last;)
		raw_add(r, dns_bundles_next(&bundles, &last), key);
	return r;
}

/* Messages that delete it, name by name. */
static inline struct raw *raw_fell(const struct dns_plan *plan, const struct dns_key *key)
{
	struct raw *r = calloc(1, sizeof(*r));
	struct dns_update *u = dns_update_new(plan->zone);
	struct dns_name before = { "" };
	struct dns_plan_walk walk;
	struct dns_record record;
	unsigned names = 0;

	for (dns_plan_walk(&walk, plan); dns_plan_next(&walk, &record);) {
		if (!strcmp(before.text, record.owner.text)) continue;
		before = record.owner;
		if (record.part == DNS_PART_INDEX)
			dns_delete_record(u, record.owner.text, record.type, record.rdata);
		else
			dns_delete_name(u, record.owner.text);
		if (++names % RAW_NAMES_PER_MESSAGE) continue;
		raw_add(r, u, key);
		u = dns_update_new(plan->zone);
	}
	raw_add(r, u, key);
	return r;
}

static inline void raw_free(struct raw *r)
{
	for (size_t i = 0; i < r->n; i++)
		dns_request_release(&r->requests[i]);
	free(r);
}

static inline void raw_send(const struct raw *r, int fd, size_t i)
{
	if (send(fd, r->requests[i].wire, r->requests[i].len, 0) < 0 && errno != ENOBUFS) raw_die("send");
}

/* Takes one answer, waiting for up to a second; true if it is a new one. */
static inline bool raw_receive(struct raw *r, int fd)
{
	uint8_t wire[4096];
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	if (poll(&waiting, 1, 1000) <= 0) return false;
	if (recv(fd, wire, sizeof(wire), 0) < 12) return false;
	size_t id = (size_t)wire[0] << 8 | wire[1];
	if (id >= r->n || r->answered[id]) return false;
	if (wire[3] & 15) {
		fprintf(stderr, "the server answers a raw update with code %d\n", wire[3] & 15);
		exit(1);
	}
	return r->answered[id] = true;
}

/* Sends all, at most in_flight at once; returns how long it took. */
static inline mono_ns raw_run(struct raw *r, int fd, size_t in_flight)
{
	size_t sent = 0, answered = 0, first = 0;
	mono_ns begun = mono_now(), moved = begun;

	while (answered < r->n) {
		while (sent < r->n && sent - answered < in_flight)
			raw_send(r, fd, sent++);
		if (raw_receive(r, fd)) {
			answered++;
			moved = mono_now();
			continue;
		}
		if (mono_now() - moved < NS_PER_S) continue;
		while (r->answered[first])
			first++;
		for (size_t i = first; i < sent; i++)
			if (!r->answered[i]) raw_send(r, fd, i);
		moved = mono_now();
	}
	return mono_now() - begun;
}
#endif
