/* nlb_prog.h - runs the load balancer's tc program on packets as bytes, without traffic (bpf_prog_test_run),
 * for cmocka tests. Each test has a program and tables of its own, with one service and one target. */
#ifndef AZLAB_NLB_PROG_H
#define AZLAB_NLB_PROG_H
#include "nlb/maglev.h"
#include "nlb/plane.h"
#include "nlb/sweep.h"
#include "tests/netns/nlb_packet.h"
#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#define OWN4 "10.1.0.2"
#define OWN6 "fd00:1::2"
#define ZONAL4 "10.1.100.1"
#define ZONAL6 "fd00:1::100"
#define CLIENT4 "198.18.0.5"
#define CLIENT6 "fd00:ffff::5"
enum { SERVICE_PORT = 80 };

struct fixture {
	struct plane *plane;
	uint64_t before[NLB_COUNTERS];
};

static inline struct nlb_addr addr(const char *text)
{
	struct nlb_addr a = { { 0, 0, htonl(NLB_V4_PREFIX), 0 } };
	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &a.word[3]), 1);
	return a;
}

static inline const char *target4(unsigned i)
{
	static char text[8][32];
	snprintf(text[i % 8], sizeof(text[0]), "10.1.1.%u", i + 1);
	return text[i % 8];
}
static inline const char *target6(unsigned i)
{
	static char text[8][32];
	snprintf(text[i % 8], sizeof(text[0]), "fd00:1::1:%u", i + 1);
	return text[i % 8];
}

/* Gives the service the targets whose bits are set. */
static inline void set_targets(struct fixture *f, unsigned mask)
{
	static uint16_t entry[NLB_TABLE_SIZE];
	struct nlb_target targets[32];
	uint64_t keys[32];
	size_t n = 0;

	for (unsigned i = 0; i < 32; i++) {
		if (!(mask >> i & 1)) continue;
		keys[n] = i;
		targets[n++] =
		    (struct nlb_target){ addr(target4(i)), addr(target6(i)), htons(SERVICE_PORT), 0 };
	}
	if (n) assert_int_equal(maglev_build(keys, n, entry, NLB_TABLE_SIZE), 0);
	plane_set_table(f->plane, 0, targets, n, entry);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct nlb_service service = { addr(ZONAL4), addr(ZONAL6), htons(SERVICE_PORT), { 0 } };
	struct plane_params params = {
		.own4 = addr(OWN4), .own6 = addr(OWN6), .seed = 1, .services = &service, .n_services = 1
	};
	struct plane_error error;

	if (plane_load(&params, &f->plane, &error) < 0) fail_msg("%s", error.text);
	set_targets(f, 1);
	*state = f;
	return 0;
}
static inline int teardown(void **state)
{
	struct fixture *f = *state;
	plane_close(f->plane);
	free(f);
	return 0;
}

/* Runs the program; *p becomes what it made of the packet. */
static inline int run(struct fixture *f, struct packet *p)
{
	static uint8_t out[PACKET_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->b, .data_size_in = (uint32_t)p->len,
	            .data_out = out, .data_size_out = sizeof(out), .repeat = 1);

	assert_int_equal(plane_counters(f->plane, f->before), 0);
	assert_int_equal(bpf_prog_test_run_opts(plane_program(f->plane), &opts), 0);
	assert_int_equal(opts.data_size_out, p->len);
	memcpy(p->b, out, p->len);
	return (int)opts.retval;
}
static inline uint64_t counted(struct fixture *f, enum nlb_counter which)
{
	uint64_t now[NLB_COUNTERS];
	assert_int_equal(plane_counters(f->plane, now), 0);
	return now[which] - f->before[which];
}

static inline void assert_tcp(const struct packet *p, const char *src, unsigned sport, const char *dst,
                              unsigned dport)
{
	assert_true(address_is(p, p->l3, true, src));
	assert_true(address_is(p, p->l3, false, dst));
	assert_int_equal(get16(p->b + p->l4), sport);
	assert_int_equal(get16(p->b + p->l4 + 2), dport);
	assert_true(ip_sum_right(p));
	assert_true(l4_sum_right(p, IPPROTO_TCP));
}
static inline void assert_left_alone(struct fixture *f, struct packet *p)
{
	struct packet before = *p;
	assert_int_equal(run(f, p), TC_ACT_OK);
	assert_memory_equal(p->b, before.b, p->len);
}
/* Sends a segment from a client and expects it to go on to the target; returns the balancer's port. */
static inline unsigned expect_forward(struct fixture *f, const char *client, unsigned port, unsigned flags,
                                      const char *target)
{
	bool v6 = strchr(client, ':');
	struct packet p = packet_tcp(client, port, v6 ? ZONAL6 : ZONAL4, SERVICE_PORT, flags);
	assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
	unsigned used = get16(p.b + p.l4);
	assert_tcp(&p, v6 ? OWN6 : OWN4, used, target, SERVICE_PORT);
	return used;
}
static inline void expect_reply(struct fixture *f, const char *target, unsigned port, unsigned flags,
                                uint32_t ack, const char *client, unsigned client_port)
{
	bool v6 = strchr(client, ':');
	struct packet p;
	packet_tcp_extra(&p, target, SERVICE_PORT, v6 ? OWN6 : OWN4, port, flags, 5000, ack, 11, 0);
	assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
	assert_tcp(&p, v6 ? ZONAL6 : ZONAL4, SERVICE_PORT, client, client_port);
}
static inline uint32_t state_of(struct fixture *f, unsigned port)
{
	struct nlb_set *set = &plane_slots(f->plane)[port];
	for (int way = 0; way < NLB_WAYS; way++)
		if (set->state[way] & NLB_USED) return set->state[way];
	return 0;
}

/* What a test program's main() does. */
#define NLB_PROG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define NLB_PROG_RUN(tests)                                                                                  \
	do {                                                                                                 \
		if (geteuid() != 0) {                                                                        \
			printf("1..0 # SKIP needs root\n");                                                  \
			return 77;                                                                           \
		}                                                                                            \
		return cmocka_run_group_tests(tests, NULL, NULL);                                            \
	} while (0)
#endif
