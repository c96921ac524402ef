/* New connections through the load balancer at a steady rate, open loop, from four client addresses to one
 * zonal address; the targets close first, so that every connection leaves a TIME_WAIT at its target and a
 * held slot. tests/bench/nlb_steady [RATE [SECONDS]]     default 1080 a second for 90 s Exit status 1 if a
 * connection had no answer within a second, or if the balancer ran out of slots. */
#include "tests/bench/nlb_load.h"
#include "common/cleanup.h"
#include <fcntl.h>
#include <sys/resource.h>

enum { SOURCES = 4, FDS_MAX = 4096, TIMEOUT_MS = 1000 };

struct steady {
	int poller;
	struct sockaddr_storage to;
	mono_ns begun[FDS_MAX];          /* by descriptor; 0: not in use */
	uint64_t answered, failed, late; /* late: after 500 ms, which takes a retransmission */
};

static void begin(struct steady *s, uint64_t n)
{
	struct sockaddr_storage from;
	char source[16];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

	load_check(fd >= 0 && fd < FDS_MAX, "socket");
	snprintf(source, sizeof(source), "198.18.1.%d", (int)(n % SOURCES) + 1);
	socklen_t len = lab_address(source, 0, &from);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	load_check(bind(fd, (struct sockaddr *)&from, len) == 0, "bind");
	if (connect(fd, (struct sockaddr *)&s->to, len) < 0) load_check(errno == EINPROGRESS, "connect");
	load_watch(s->poller, fd, EPOLLIN, (uint64_t)fd);
	s->begun[fd] = mono_now();
}

static void end(struct steady *s, int fd, bool fine)
{
	mono_ns took = mono_now() - s->begun[fd];

	s->answered += fine;
	s->failed += !fine;
	s->late += fine && took > TIMEOUT_MS / 2 * NS_PER_MS;
	s->begun[fd] = 0;
	close(fd);
}

static void take_answers(struct steady *s, int wait_ms)
{
	struct epoll_event events[LOAD_EVENTS];
	int n = epoll_wait(s->poller, events, LOAD_EVENTS, wait_ms);

	for (int i = 0; i < n; i++) {
		uint8_t byte;
		int fd = (int)events[i].data.u64;
		end(s, fd, recv(fd, &byte, 1, 0) == 1);
	}
}

static void expire(struct steady *s)
{
	mono_ns limit = mono_now() - TIMEOUT_MS * NS_PER_MS;

	for (int fd = 0; fd < FDS_MAX; fd++)
		if (s->begun[fd] && s->begun[fd] < limit) end(s, fd, false);
}

static void run(struct steady *s, double rate, double seconds)
{
	mono_ns t0 = mono_now(), next_expiry = t0;
	uint64_t begun = 0, all = (uint64_t)(rate * seconds);

	while (begun < all || s->answered + s->failed < begun) {
		uint64_t due = (uint64_t)(rate * (double)(mono_now() - t0) / NS_PER_S);
		for (; begun < due && begun < all; begun++)
			begin(s, begun);
		take_answers(s, 1);
		if (mono_now() < next_expiry) continue;
		expire(s);
		next_expiry = mono_now() + NS_PER_S / 10;
	}
}

static void open_net(struct nlb_lab *lab)
{
	lab_open(lab);
	testnet_run(lab->client,
	            "cd /proc/sys/net/ipv4; echo 1024 65535 >ip_local_port_range; echo 1 >tcp_tw_reuse;"
	            " for i in 1 2 3 4; do ip addr add 198.18.1.$i/32 dev eth0; done");
	testnet_run(lab->router, "ip route add 198.18.1.0/24 dev client");
	for (int i = 0; i < LAB_TARGETS; i++) {
		lab_spawn(lab->target[i], load_serve, 1);
		int fd = -1;
		for (int tries = 0; fd < 0 && tries < 1000; tries++)
			fd = lab_connect(lab->client, lab_target(i, false), LAB_PORT);
		load_check(fd >= 0, "a target doesn't answer");
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static struct steady s;
	static struct nlb_lab lab;
	double rate = argc > 1 ? atof(argv[1]) : 1080, seconds = argc > 2 ? atof(argv[2]) : 90;

	if (!(rate > 0 && rate <= 100000 && seconds > 0 && seconds <= 600)) {
		fprintf(stderr, "usage: %s [RATE [SECONDS]]\n", argv[0]);
		return 2;
	}
	open_net(&lab);
	struct testnode *nlb = lab_start_nlb(&lab, lab_config());
	lab_register(nlb, 7);
	testnet_enter(lab.client);
	s.poller = epoll_create1(EPOLL_CLOEXEC);
	lab_address(lab_zonal[0], LAB_PORT, &s.to);
	run(&s, rate, seconds);
	uint64_t retransmits = load_tcpext("TCPSynRetrans");
	testnet_enter(testnet_home());
	testnode_idle(0);
	testnode_forget(nlb);
	const json_t *flows = testnode_wait(nlb, json_pack("{s:s}", "kind", "flows"), 3000);
	json_int_t no_slot = json_integer_value(json_object_get(flows, "no_slot"));
	printf("answered %llu  failed %llu  later than 500 ms %llu  SYN retransmissions %llu  no_slot %lld  "
	       "held %lld\n",
	       (unsigned long long)s.answered, (unsigned long long)s.failed, (unsigned long long)s.late,
	       (unsigned long long)retransmits, no_slot, json_integer_value(json_object_get(flows, "held")));
	return s.failed || no_slot ? 1 : 0;
}
