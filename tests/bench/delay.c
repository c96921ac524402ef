/* How late the delay line sends: 2,000 packets/s through delays of 5, 50 and 250 ms. Prints the error
 * (arrival minus sending minus delay) as p50 and p99, and fails if a packet is lost or the p99 exceeds its
 * bound. build/tests/bench/delay [SECONDS]        default 3 for each delay; as root */
#include "tests/netns/faultnet.h"
#include <signal.h>
#include <sched.h>
#include <sys/wait.h>

enum { RATE = 2000, P99_BOUND_US = 1000 };

static int compare(const void *a, const void *b)
{
	mono_ns x = *(const mono_ns *)a, y = *(const mono_ns *)b;
	return (x > y) - (x < y);
}

/* Sends n datagrams, each with its instant, at absolute times. */
static void sender(int fd, unsigned n)
{
	mono_ns start = mono_now();

	for (unsigned i = 0; i < n; i++) {
		mono_ns at = start + (mono_ns)i * (NS_PER_S / RATE);
		struct timespec ts = { at / NS_PER_S, at % NS_PER_S };
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL)) {
		}
		mono_ns now = mono_now();
		if (send(fd, &now, sizeof(now), 0) < 0) _exit(1);
	}
	_exit(0);
}

/* The kernel's own arrival time, so that this program's wake-ups don't count. Its clock is the wall's. */
static mono_ns received_at(struct msghdr *msg)
{
	struct timespec ts, wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	mono_ns offset = mono_now() - (wall.tv_sec * NS_PER_S + wall.tv_nsec);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_type != SO_TIMESTAMPNS) continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return ts.tv_sec * NS_PER_S + ts.tv_nsec + offset;
	}
	return mono_now();
}

static bool receive(int fd, mono_ns delay, mono_ns *ret_error)
{
	mono_ns sent;
	char control[256];
	struct iovec iov = { &sent, sizeof(sent) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	if (!faultnet_poll(fd, POLLIN, 2000) || recvmsg(fd, &msg, 0) != sizeof(sent)) return false;
	*ret_error = received_at(&msg) - sent - delay;
	return true;
}

/* True if all came, in time. */
static bool measure(struct faultnet *f, int from, int to, mono_ns delay, unsigned n)
{
	cleanup_free mono_ns *errors = calloc(n, sizeof(*errors));
	unsigned got = 0;

	faultnet_rule(f, 0, (struct fault_rule){ .delay_ns = (uint64_t)delay });
	pid_t child = fork();
	if (child == 0) sender(from, n);
	while (got < n && receive(to, delay, &errors[got]))
		got++;
	waitpid(child, NULL, 0);
	if (!got) return false;
	qsort(errors, got, sizeof(*errors), compare);
	mono_ns p99 = errors[got * 99 / 100];
	printf("delay %3lld ms: %u of %u, added error p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
	       (long long)(delay / NS_PER_MS), got, n, (double)errors[got / 2] / 1e6, (double)p99 / 1e6,
	       (double)errors[got - 1] / 1e6);
	return got == n && p99 < P99_BOUND_US * NS_PER_US;
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 3;
	struct faultnet f = faultnet_new(1);
	const mono_ns delays[] = { 5 * NS_PER_MS, 50 * NS_PER_MS, 250 * NS_PER_MS };
	bool good = seconds > 0;
	int from, to;

	faultnet_line(&f);
	faultnet_udp(&f, false, 20000, 9000, &from, &to);
	setsockopt(to, SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, sizeof(int));
	for (size_t i = 0; i < ARRAY_SIZE(delays) && seconds; i++)
		good &= measure(&f, from, to, delays[i], seconds * RATE);
	printf("fault.lost %llu\n", (unsigned long long)fault_plane_lost(f.plane));
	good &= fault_plane_lost(f.plane) == 0;
	faultnet_free(&f);
	return good ? 0 : 1;
}
