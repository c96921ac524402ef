/* nlb_load.h - load for the load balancer's benchmark: a server that says one byte and swallows the rest,
 * closed-loop clients that connect, read the byte and close, one that writes as fast as it goes, and what
 * that costs. */
#ifndef AZLAB_BENCH_NLB_LOAD_H
#define AZLAB_BENCH_NLB_LOAD_H
#include "common/mono.h"
#include "tests/netns/nlb_lab.h"
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum { LOAD_CLIENTS = 64, LOAD_BUFFER = 256 * 1024, LOAD_EVENTS = 128 };

static inline void load_check(bool fine, const char *what)
{
	if (fine) return;
	perror(what);
	exit(1);
}
static inline void load_watch(int poller, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };
	load_check(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
}

/* --- server ------------------------------------------------------------------------------------------ */

/* close_first: ends the connection itself, right after the byte. */
static inline void load_serve(int close_first)
{
	static uint8_t buf[LOAD_BUFFER];
	int listener = lab_listen(LAB_PORT), poller = epoll_create1(0);
	struct epoll_event events[LOAD_EVENTS];

	load_watch(poller, listener, EPOLLIN, (uint64_t)listener);
	for (;;) {
		int n = epoll_wait(poller, events, LOAD_EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = (int)events[i].data.u64;
			if (fd == listener) {
				if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) continue;
				if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || close_first)
					close(fd);
				else
					load_watch(poller, fd, EPOLLIN, (uint64_t)fd);
			} else if (read(fd, buf, sizeof(buf)) <= 0) {
				close(fd);
			}
		}
	}
}

/* --- clients ----------------------------------------------------------------------------------------- */

/* Where the clients connect to, in turn; they run in the calling process's namespace. */
struct load_to {
	struct sockaddr_storage at[LAB_TARGETS];
	size_t n;
};

static inline int load_connect(int poller, const struct load_to *to, uint64_t turn)
{
	const struct sockaddr *at = (const struct sockaddr *)&to->at[turn % to->n];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	load_check(fd >= 0, "socket");
	if (connect(fd, at, sizeof(struct sockaddr_in)) < 0) load_check(errno == EINPROGRESS, "connect");
	load_watch(poller, fd, EPOLLIN, (uint64_t)fd);
	return fd;
}

/* Connections that got their byte; *ret_errors: those that didn't. */
static inline uint64_t load_connections(const struct load_to *to, mono_ns span, uint64_t *ret_errors)
{
	struct epoll_event events[LOAD_EVENTS];
	int poller = epoll_create1(EPOLL_CLOEXEC), open_now = LOAD_CLIENTS;
	mono_ns end = mono_now() + span, give_up = end + 3 * NS_PER_S;
	uint64_t done = 0, turn;

	for (turn = 0; turn < LOAD_CLIENTS; turn++)
		load_connect(poller, to, turn);
	while (open_now > 0 && mono_now() < give_up) {
		int n = epoll_wait(poller, events, LOAD_EVENTS, 100);
		for (int i = 0; i < n; i++) {
			uint8_t byte;
			int fd = (int)events[i].data.u64;
			bool fine = recv(fd, &byte, 1, 0) == 1, more = mono_now() < end;
			*ret_errors += !fine;
			done += fine && more; /* the last ones of each client are outside the span */
			close(fd);
			open_now -= !more;
			if (more) load_connect(poller, to, turn++);
		}
	}
	*ret_errors += (uint64_t)open_now;
	close(poller);
	return done;
}

/* Bytes that one stream carried. */
static inline uint64_t load_stream(const struct load_to *to, mono_ns span)
{
	static uint8_t buf[LOAD_BUFFER];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t sent = 0;

	load_check(connect(fd, (const struct sockaddr *)&to->at[0], sizeof(struct sockaddr_in)) == 0,
	           "connect");
	load_check(recv(fd, buf, 1, 0) == 1, "recv");
	for (mono_ns end = mono_now() + span; mono_now() < end;) {
		ssize_t n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
		load_check(n > 0, "send");
		sent += (uint64_t)n;
	}
	close(fd);
	return sent;
}

/* --- cost -------------------------------------------------------------------------------------------- */

/* A named counter of this namespace's TcpExt, such as TCPSynRetrans. */
static inline uint64_t load_tcpext(const char *name)
{
	char names[8192], values[8192], *at_name, *at_value;
	FILE *f = fopen("/proc/thread-self/net/netstat", "re");
	uint64_t value = 0;

	load_check(f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f), "netstat");
	fclose(f);
	char *n = strtok_r(names, " \n", &at_name), *v = strtok_r(values, " \n", &at_value);
	for (; n && v; n = strtok_r(NULL, " \n", &at_name), v = strtok_r(NULL, " \n", &at_value))
		if (!strcmp(n, name)) value = strtoull(v, NULL, 10);
	return value;
}

/* Ticks that all processors together spent not idle. */
static inline uint64_t load_busy(void)
{
	unsigned long long user = 0, nice = 0, system = 0, idle, iowait, irq = 0, softirq = 0;
	FILE *f = fopen("/proc/stat", "re");

	load_check(f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
	                       &iowait, &irq, &softirq) == 7,
	           "/proc/stat");
	fclose(f);
	return user + nice + system + irq + softirq;
}

/* Ticks of every process outside this session: the machine's other work. */
static inline uint64_t load_foreign(void)
{
	DIR *proc = opendir("/proc");
	uint64_t sum = 0;

	load_check(proc != NULL, "/proc");
	for (struct dirent *e; (e = readdir(proc));) {
		char path[300], text[1024];
		unsigned long long user = 0, system = 0;
		int session;
		if (!isdigit((unsigned char)e->d_name[0])) continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		FILE *f = fopen(path, "re");
		if (!f) continue; /* has just ended */
		size_t n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = '\0';
		char *after = strrchr(text, ')');
		if (after &&
		    sscanf(after + 1, " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &session,
		           &user, &system) == 3 &&
		    session != getsid(0))
			sum += user + system;
	}
	closedir(proc);
	return sum;
}

/* Microseconds of processor time since the last call, other processes' taken off; *ret_foreign: their share.
 */
static inline double load_cpu_us(double *ret_foreign)
{
	static uint64_t last_busy, last_foreign;
	uint64_t busy = load_busy(), foreign = load_foreign();
	double others = foreign > last_foreign ? (double)(foreign - last_foreign) : 0;
	double all = (double)(busy - last_busy);

	last_busy = busy, last_foreign = foreign;
	*ret_foreign = all > 0 ? others / all : 0;
	return (all > others ? all - others : 0) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}
#endif
