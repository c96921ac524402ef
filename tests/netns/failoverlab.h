/* failoverlab.h - for tests of az-failover: its configuration, checkers that report what a test says, and
 * what must be seen of it, as events and at Knot itself. */
#ifndef AZLAB_FAILOVERLAB_H
#define AZLAB_FAILOVERLAB_H
#include "proto/classes.h"
#include "proto/health.h"
#include "tests/netns/dnslab.h"
#include "tests/netns/testnode.h"
#include <setjmp.h>
#include <cmocka.h>

enum { ZONES = 3, TARGETS = 3, NUMBER = 77 };

static struct dns_client *writer; /* at Knot, with the key */
static struct testnode *node;
static int checker; /* the socket that all zones' reports come from */
static uint32_t sequence;
static uint8_t ack_tos;

/* --- what the daemon is told ------------------------------------------------------------------------- */

static inline json_t *velocity(double max_removed, double per_s)
{
	return json_pack("[{s:s, s:[f, f]}]", "stage", "velocity", "params", max_removed, per_s * 1e9);
}

/* stages is consumed; NULL: none */
static inline json_t *config_with(bool enabled, bool rate_limit, json_t *stages, const char *secret)
{
	json_t *zonal = json_array();
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];

	for (int z = 0; z < ZONES; z++) {
		inet_ntop(AF_INET, &dnslab.zonal[z][0].v4, v4, sizeof(v4));
		inet_ntop(AF_INET6, &dnslab.zonal[z][0].v6, v6, sizeof(v6));
		json_array_append_new(zonal, json_pack("{s:s, s:s}", "v4", v4, "v6", v6));
	}
	return json_pack(
	    "{s:[s, s, s], s:{s:s, s:{s:s, s:s, s:s}}, s:[{s:i, s:s, s:s, s:f, s:b, s:b, s:f, s:o, s:o}]}",
	    "zones", "az1", "az2", "az3", "dns", "server", KNOT_ADDRESS, "key", "name", dnslab.key.name,
	    "algorithm", dnslab.key.algorithm, "secret", secret ? secret : dnslab.key.secret, "services",
	    "service", 0, "name", "shop", "dns_name", "shop.lab", "ttl_s", 1.0, "enabled", enabled,
	    "rate_limit", rate_limit, "min_healthy", 0.5, "stages", stages ? stages : json_array(), "zonal",
	    zonal);
}

static inline void start_node(json_t *config)
{
	static const int no_caps[1];

	node = testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                               .daemon = "az-failover",
	                                               .name = "region.az-failover",
	                                               .zone = "region",
	                                               .number = NUMBER,
	                                               .config = config,
	                                               .keep_caps = no_caps });
}

static inline void set(json_t *config, json_int_t cause)
{
	testnode_send(node, json_pack("{s:s, s:I, s:o}", "type", "set", "cause", cause, "config", config));
}

/* --- the checkers ------------------------------------------------------------------------------------ */

static inline bool await_ack(const struct health_report *r)
{
	uint8_t wire[HEALTH_DATAGRAM_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(1)];
	} control;
	struct iovec iov = { wire, sizeof(wire) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t len = recvmsg(checker, &msg, 0);
	struct health_ack ack;

	if (len < 0 || health_ack_decode(&ack, wire, (size_t)len) < 0) return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_type == IP_TOS) memcpy(&ack_tos, CMSG_DATA(c), 1);
	return ack.zone == r->zone && ack.epoch == r->epoch && ack.sequence == r->sequence &&
	       ack.part == r->part;
}

static inline void send_report(const struct health_report *r)
{
	uint8_t wire[HEALTH_DATAGRAM_MAX];
	int len = health_report_encode(r, wire, sizeof(wire));

	assert_true(len > 0);
	assert_int_equal(send(checker, wire, (size_t)len, 0), len);
	assert_true(await_ack(r));
}

/* The zone's checker reports so many healthy targets; what changed carries this event. */
static inline void report(int zone, unsigned healthy, uint64_t event)
{
	struct health_report r = { .zone = (uint16_t)(zone - 1),
		                   .epoch = 1,
		                   .sequence = ++sequence,
		                   .parts = 1,
		                   .total = TARGETS,
		                   .n = TARGETS };

	for (unsigned i = 0; i < TARGETS; i++)
		r.targets[i] = (struct health_target){ .id = (uint32_t)zone * 100 + i,
			                               .healthy = i < healthy,
			                               .event = event };
	send_report(&r);
}

static inline void all_well(void)
{
	for (int zone = 1; zone <= ZONES; zone++)
		report(zone, TARGETS, 1);
}

/* --- what must be seen ------------------------------------------------------------------------------- */

static inline json_int_t await(const char *event, const char *zone, const char *key, json_int_t value)
{
	json_t *pattern = json_pack("{s:s, s:s, s:{s:s, s:s}}", "type", "event", "event", event, "fields",
	                            "service", "shop", "zone", zone);
	if (key) json_object_set_new(pattern, key, json_integer(value));
	const json_t *m = testnode_wait(node, pattern, PATIENCE_MS);
	assert_non_null(m);
	return json_integer_value(json_object_get(m, "at_ns"));
}

static inline size_t count(const char *event)
{
	return testnode_count(node, json_pack("{s:s, s:s}", "type", "event", "event", event));
}

/* Polls Knot itself; returns when it was so. */
static inline mono_ns await_answer(const char *a, const char *aaaa)
{
	mono_ns until = mono_now() + PATIENCE_MS * NS_PER_MS;
	struct dnslab_outcome o4, o6;

	do {
		o4 = dnslab_ask(writer, "shop.lab", "A");
		o6 = dnslab_ask(writer, "shop.lab", "AAAA");
	} while ((strcmp(o4.values, a) || strcmp(o6.values, aaaa)) && mono_now() < until);
	assert_string_equal(o4.values, a);
	assert_string_equal(o6.values, aaaa);
	return mono_now();
}

#define V4(z) "10." #z ".1.1"
#define V6(z) "fd00:a21a:b:" #z "::1:1"
#define AWAIT_ALL() await_answer(V4(1) " " V4(2) " " V4(3), V6(1) " " V6(2) " " V6(3))
#define AWAIT_TWO(x, y) await_answer(V4(x) " " V4(y), V6(x) " " V6(y))
#endif
