/* The load balancer's slots and its flows' lives. */
#include "tests/netns/nlb_prog.h"

/* --- slots ------------------------------------------------------------------------------------------- */

static void one_port_serves_one_flow_a_target(void **state)
{
	struct fixture *f = *state;
	unsigned first = expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	unsigned second = expect_forward(f, "198.18.0.6", 40000, SYN, target4(0));

	assert_int_equal(first, 40000);
	assert_int_not_equal(second, 40000); /* the same target: another port */
	expect_reply(f, target4(0), first, SYN | ACK, 1, CLIENT4, 40000);
	expect_reply(f, target4(0), second, SYN | ACK, 1, "198.18.0.6", 40000);
	assert_int_equal(expect_forward(f, "198.18.0.6", 40000, ACK, target4(0)), second);
	set_targets(f, 2);
	assert_int_equal(expect_forward(f, "198.18.0.7", 40000, SYN, target4(1)),
	                 40000); /* another target: the same port */
}

static void retransmitted_syn_is_the_same_flow(void **state)
{
	struct fixture *f = *state;

	expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	set_targets(f, 2);
	assert_int_equal(expect_forward(f, CLIENT4, 40000, SYN, target4(0)), 40000);
	assert_int_equal(counted(f, NLB_COUNT_NEW), 0);
}

static void flows_outlive_their_targets_registration(void **state)
{
	struct fixture *f = *state;

	expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	expect_forward(f, CLIENT6, 40000, SYN, target6(0));
	set_targets(f, 0);
	expect_forward(f, CLIENT4, 40000, ACK, target4(0));
	expect_reply(f, target6(0), 40000, ACK, 1, CLIENT6, 40000);
}

static void without_target_the_kernel_refuses(void **state)
{
	struct fixture *f = *state;
	struct packet p = packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN);
	struct packet again = p;
	struct nlb_target only6 = { .addr6 = addr(target6(0)), .port = htons(SERVICE_PORT) };
	static const uint16_t first[NLB_TABLE_SIZE];

	set_targets(f, 0);
	assert_left_alone(f, &p);
	assert_int_equal(counted(f, NLB_COUNT_NO_TARGET), 1);
	plane_set_table(f->plane, 0, &only6, 1, first);
	assert_left_alone(f, &again);
	assert_int_equal(counted(f, NLB_COUNT_NO_TARGET), 1);
	expect_forward(f, CLIENT6, 40000, SYN, target6(0));
}

/* Marks every port as held by another client of the target. */
static void fill_slots(struct fixture *f, unsigned target)
{
	struct nlb_set *sets = plane_slots(f->plane);
	for (uint32_t port = 0; port < NLB_PORTS; port++) {
		sets[port].flow[0] = (struct nlb_flow){ .client = addr("198.18.9.9"),
			                                .target = addr(target4(target)),
			                                .client_port = htons((uint16_t)port),
			                                .target_port = htons(SERVICE_PORT) };
		sets[port].state[0] = NLB_USED | NLB_OPEN;
	}
}

static void without_a_free_port_the_syn_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct packet p = packet_tcp(CLIENT4, 40000, ZONAL4, SERVICE_PORT, SYN);

	fill_slots(f, 0);
	assert_int_equal(run(f, &p), TC_ACT_SHOT);
	assert_int_equal(counted(f, NLB_COUNT_NO_SLOT), 1);
	set_targets(f, 2); /* another target's ports are all free */
	assert_int_equal(expect_forward(f, CLIENT4, 40000, SYN, target4(1)), 40000);
}

static void locked_set_is_passed_by(void **state)
{
	struct fixture *f = *state;

	plane_slots(f->plane)[40000].lock = 1;
	unsigned port = expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	assert_int_not_equal(port, 40000);
	assert_int_equal(expect_forward(f, CLIENT4, 40000, ACK, target4(0)), port);
	assert_int_equal(plane_slots(f->plane)[port].lock, 0);
}

/* --- a flow's life ----------------------------------------------------------------------------------- */

static void client_closes_first(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	expect_reply(f, target4(0), 40000, SYN | ACK, 1, CLIENT4, 40000);
	packet_tcp_extra(&p, CLIENT4, 40000, ZONAL4, SERVICE_PORT, FIN | ACK, 1000, 1, 11, 0);
	assert_int_equal(run(f, &p), TC_ACT_REDIRECT);
	assert_int_equal(counted(f, NLB_COUNT_CLOSED), 0);
	expect_reply(f, target4(0), 40000, FIN | ACK, 1012, CLIENT4, 40000); /* 1000 + 11 bytes + FIN */
	assert_int_equal(counted(f, NLB_COUNT_CLOSED), 1);
	assert_true(state_of(f, 40000) & NLB_PASSIVE);
}

static void target_may_be_in_time_wait(void **state)
{
	struct fixture *f = *state;

	/* simultaneous close: the target's FIN doesn't acknowledge the client's */
	expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	expect_forward(f, CLIENT4, 40000, FIN | ACK, target4(0));
	expect_reply(f, target4(0), 40000, FIN | ACK, 1000, CLIENT4, 40000);
	assert_int_equal(counted(f, NLB_COUNT_CLOSED), 1);
	assert_false(state_of(f, 40000) & NLB_PASSIVE);
	/* the target closes first */
	expect_forward(f, CLIENT4, 40001, SYN, target4(0));
	expect_reply(f, target4(0), 40001, FIN | ACK, 1, CLIENT4, 40001);
	expect_forward(f, CLIENT4, 40001, FIN | ACK, target4(0));
	assert_int_equal(counted(f, NLB_COUNT_CLOSED), 1);
	assert_false(state_of(f, 40001) & NLB_PASSIVE);
	/* either way another client doesn't get the port, and the last ACK still passes */
	assert_int_not_equal(expect_forward(f, "198.18.0.6", 40001, SYN, target4(0)), 40001);
	expect_forward(f, CLIENT4, 40001, ACK, target4(0));
}

static void reset_ends_a_flow_once(void **state)
{
	struct fixture *f = *state;

	expect_forward(f, CLIENT6, 40000, SYN, target6(0));
	expect_reply(f, target6(0), 40000, RST | ACK, 1, CLIENT6, 40000);
	assert_int_equal(counted(f, NLB_COUNT_CLOSED), 1);
	expect_forward(f, CLIENT6, 40000, RST, target6(0));
	assert_int_equal(counted(f, NLB_COUNT_CLOSED), 0);
}

static void close_flow(struct fixture *f, unsigned port)
{
	expect_forward(f, CLIENT4, port, SYN, target4(0));
	expect_forward(f, CLIENT4, port, FIN | ACK, target4(0));
	expect_reply(f, target4(0), port, FIN | ACK, 1012, CLIENT4, port);
}

static void client_reuses_its_tuple(void **state)
{
	struct fixture *f = *state;

	close_flow(f, 40000);
	assert_int_equal(expect_forward(f, CLIENT4, 40000, SYN, target4(0)), 40000);
	assert_int_equal(counted(f, NLB_COUNT_NEW), 1);
	assert_int_equal(state_of(f, 40000) & (NLB_GENERATION - 1), NLB_USED);
}

static void client_reuses_its_tuple_towards_another_target(void **state)
{
	struct fixture *f = *state;

	close_flow(f, 40000);
	set_targets(f, 2);
	assert_int_equal(expect_forward(f, CLIENT4, 40000, SYN, target4(1)), 40000);
	expect_reply(f, target4(1), 40000, SYN | ACK, 1, CLIENT4, 40000);
	expect_forward(f, CLIENT4, 40000, ACK, target4(1));
	/* the first target still holds the port, and may no longer speak to the client */
	struct packet late = packet_tcp(target4(0), SERVICE_PORT, OWN4, 40000, ACK);
	assert_left_alone(f, &late);
	set_targets(f, 1);
	assert_int_not_equal(expect_forward(f, "198.18.0.6", 40000, SYN, target4(0)), 40000);
}

static void sweep_frees_and_displaced_flows_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct sweep sweep = { .sets = plane_slots(f->plane) };
	struct sweep_timeouts at_once = { 1, 1, 1, 1 };
	uint32_t later = sweep_ticks(mono_now()) + 1000;

	expect_forward(f, CLIENT4, 40000, SYN, target4(0));
	unsigned port = expect_forward(f, "198.18.0.6", 40000, SYN, target4(0));
	assert_int_equal(sweep.sets[40000].displaced >> 32, 1);
	sweep_step(&sweep, &at_once, NLB_PORTS, later);
	assert_int_equal(sweep.freed, 2);
	assert_int_equal(sweep.timed_out, 2);
	assert_int_equal(sweep.sets[40000].displaced, 0);
	assert_int_equal(state_of(f, port), 0);
	assert_int_equal(expect_forward(f, "198.18.0.6", 40000, SYN, target4(0)), 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NLB_PROG_TEST(one_port_serves_one_flow_a_target),
		NLB_PROG_TEST(retransmitted_syn_is_the_same_flow),
		NLB_PROG_TEST(flows_outlive_their_targets_registration),
		NLB_PROG_TEST(without_target_the_kernel_refuses),
		NLB_PROG_TEST(without_a_free_port_the_syn_is_dropped),
		NLB_PROG_TEST(locked_set_is_passed_by),
		NLB_PROG_TEST(client_closes_first),
		NLB_PROG_TEST(target_may_be_in_time_wait),
		NLB_PROG_TEST(reset_ends_a_flow_once),
		NLB_PROG_TEST(client_reuses_its_tuple),
		NLB_PROG_TEST(client_reuses_its_tuple_towards_another_target),
		NLB_PROG_TEST(sweep_frees_and_displaced_flows_are_forgotten),
	};
	NLB_PROG_RUN(tests);
}
