/* A thousand random launches and terminations over a relay that loses, doubles and delays datagrams: the
 * kernels of all routers end with exactly the routes of the instances that are left. */
#include "common/random.h"
#include "proto/classes.h"
#include "proto/route.h"
#include "tests/netns/routes_lab.h"
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { CHANGES = 1000, HOSTS = 300, HELD_MAX = 4096, SETTLE_MS = 120000 };
#define LOSS 0.10
#define DOUBLED 0.15
#define JITTER                                                                                               \
	(150 * NS_PER_MS) /* longer than the first retransmission: late answers, needless repetitions */

/* --- the relay: a process in the core's namespace, one socket an agent --------------------------------- */

static const char *const relay_addresses[ZONES] = { "10.9.0.1", "10.9.0.2", "10.9.0.3" };

struct relay_counts {
	unsigned passed, lost, doubled, overtaken;
};
struct held {
	mono_ns due;
	uint64_t number; /* in the order of arrival */
	int fd;
	struct sockaddr_in to;
	size_t len;
	uint8_t bytes[ROUTE_DATAGRAM_MAX];
};
struct relay {
	struct random random;
	struct pollfd sockets[ZONES];
	struct sockaddr_in agents[ZONES], manager;
	size_t n_held;
	struct held held[HELD_MAX];
	uint64_t arrived, last_sent;
	struct relay_counts *counts; /* shared with the test */
};

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

static void hold(struct relay *r, struct held h)
{
	int copies = 1;

	if (random_unit(&r->random) < LOSS) {
		r->counts->lost++;
		return;
	}
	if (random_unit(&r->random) < DOUBLED) {
		r->counts->doubled++;
		copies = 2;
	}
	h.number = ++r->arrived;
	while (copies-- > 0 && r->n_held < HELD_MAX) {
		h.due = mono_now() + (mono_ns)(random_unit(&r->random) * (double)JITTER);
		r->held[r->n_held++] = h;
	}
}

static void take_in(struct relay *r, int zone)
{
	struct held h = { .fd = r->sockets[zone].fd };
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t len;

	while ((len = recvfrom(h.fd, h.bytes, sizeof(h.bytes), MSG_DONTWAIT, (struct sockaddr *)&from,
	                       &size)) >= 0) {
		bool from_agent = from.sin_addr.s_addr == r->agents[zone].sin_addr.s_addr;
		h.len = (size_t)len;
		h.to = from_agent ? r->manager : r->agents[zone];
		hold(r, h);
	}
}

/* Sends what is due and returns when the next one is. */
static mono_ns let_go(struct relay *r, mono_ns now)
{
	mono_ns next = now + NS_PER_S;

	for (size_t i = 0; i < r->n_held;) {
		struct held *h = &r->held[i];
		if (h->due > now) {
			if (h->due < next) next = h->due;
			i++;
			continue;
		}
		if (h->number < r->last_sent) r->counts->overtaken++;
		r->last_sent = h->number;
		r->counts->passed++;
		sendto(h->fd, h->bytes, h->len, 0, (struct sockaddr *)&h->to, sizeof(h->to));
		*h = r->held[--r->n_held];
	}
	return next;
}

static void run_relay(uint64_t seed, struct relay_counts *counts)
{
	static struct relay r;

	r.random = random_of(seed, "relay");
	r.counts = counts;
	r.manager = address_of("10.0.0.2", PORT_ROUTE_MANAGER);
	for (int i = 0; i < ZONES; i++) {
		struct sockaddr_in own = address_of(relay_addresses[i], PORT_ROUTE_AGENT);
		r.agents[i] = address_of(agent_addresses[i], PORT_ROUTE_AGENT);
		r.sockets[i] = (struct pollfd){ .fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN };
		if (bind(r.sockets[i].fd, (struct sockaddr *)&own, sizeof(own)) < 0) _exit(1);
	}
	for (;;) {
		mono_ns left = let_go(&r, mono_now()) - mono_now();
		poll(r.sockets, ZONES, left > 0 ? (int)(left / NS_PER_MS + 1) : 0);
		for (int i = 0; i < ZONES; i++)
			take_in(&r, i);
	}
}

static pid_t start_relay(int ns, uint64_t seed, struct relay_counts *counts)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		testnet_enter(ns);
		run_relay(seed, counts);
	}
	return child;
}

/* --- the test ---------------------------------------------------------------------------------------- */

static struct {
	int generation;
	bool attached;
} wanted[ZONES][HOSTS + 1];

static void change_one(struct routes_lab *lab, struct random *random)
{
	int zone = (int)(random_unit(random) * ZONES), host = 2 + (int)(random_unit(random) * (HOSTS - 1));

	wanted[zone][host].attached = !wanted[zone][host].attached;
	send_change(lab, wanted[zone][host].attached ? "attach" : "detach", zone, host,
	            ++wanted[zone][host].generation, "shop", 0);
}

/* The manager has read all changes and every agent has acknowledged them. */
static void wait_settled(struct routes_lab *lab)
{
	/* the last change of all goes through the channel behind the others */
	send_change(lab, "attach", 0, HOSTS + 1, 1, "shop", 0);
	assert_non_null(
	    testnode_wait_event(lab->manager, "instance.connected", "instance", "az1.shop-301", SETTLE_MS));
	send_change(lab, "detach", 0, HOSTS + 1, 2, "shop", 0);
	for (int i = 0; i < ZONES; i++)
		assert_non_null(testnode_wait_event(lab->agent[i], "route.removed", "instance",
		                                    "az1.shop-301", SETTLE_MS));
	testnode_forget(lab->manager);
	assert_non_null(testnode_wait(
	    lab->manager, json_pack("{s:s, s:i, s:i}", "kind", "routes", "queued", 0, "unacknowledged", 0),
	    SETTLE_MS));
}

static void check_router(const struct routes_lab *lab, int router)
{
	cleanup_free char *expected = malloc(DUMP_MAX), *dump = dump_routes(lab->router[router]);
	size_t used = 0, n = 0;

	assert_non_null(expected);
	expected[0] = '\0';
	for (int zone = 0; zone < ZONES; zone++) {
		for (int host = 2; host <= HOSTS; host++) {
			if (!wanted[zone][host].attached) continue;
			used = expect_host(expected, used, router, zone, host, "shop");
			n++;
		}
	}
	sort_lines(expected);
	assert_true(n > 100);
	if (strcmp(expected, dump))
		fail_msg("az%d: expected\n%s\nbut the kernel has\n%s", router + 1, expected, dump);
}

static void tables_end_right_over_a_bad_network(void **state)
{
	struct routes_lab lab;
	struct random random = random_of(1, "changes");
	struct relay_counts *counts =
	    mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(counts != MAP_FAILED);
	make_network(&lab);
	for (int i = 0; i < ZONES; i++) {
		testnet_run(lab.core, "ip address add %s/32 dev lo", relay_addresses[i]);
		lab.agent[i] = start_agent(&lab, i, NULL);
	}
	testnet_run(lab.core, "ip link set lo up");
	pid_t relay = start_relay(lab.core, 1, counts);
	lab.manager = start_manager(&lab, relay_addresses, 0.2, 100);
	for (int i = 0; i < CHANGES; i++) {
		change_one(&lab, &random);
		testnode_idle((int)(random_unit(&random) * 5));
	}
	wait_settled(&lab);
	for (int i = 0; i < ZONES; i++)
		check_router(&lab, i);
	fprintf(stderr, "# relay: %u passed, %u lost, %u doubled, %u overtaken\n", counts->passed,
	        counts->lost, counts->doubled, counts->overtaken);
	assert_true(counts->passed > 3 * CHANGES);
	assert_true(counts->lost > 100 && counts->doubled > 100 && counts->overtaken > 100);
	kill(relay, SIGKILL);
	waitpid(relay, NULL, 0);
	stop_nodes(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tables_end_right_over_a_bad_network) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
