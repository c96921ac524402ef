#include "line.h"
#include "answer.h"
#include "frame.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FD_RING, FD_LINE, FD_SOCKETS };
#define MAX_BYTES ((size_t)512 << 20)

/* --- out --------------------------------------------------------------------------------------------- */

static int transmit(int sock, unsigned ifindex, uint16_t protocol, struct virtio_net_hdr *h, void *frame,
                    size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		                  .sll_protocol = htobe16(protocol),
		                  .sll_ifindex = (int)ifindex,
		                  .sll_halen = ETH_ALEN };
	struct iovec iov[] = { { h, sizeof(*h) }, { frame, len } };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(sock, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int send_answer(int sock, const struct fault_packet *p)
{
	struct virtio_net_hdr plain = { 0 };
	uint8_t frame[ANSWER_MAX];
	int len = answer_make(p, frame);

	return len < 0 ? len : transmit(sock, p->ifindex, FAULT_ETH_P_BACK, &plain, frame, (size_t)len);
}

static int send_packet(int sock, struct fault_packet *p)
{
	struct virtio_net_hdr h = { 0 };

	if (p->flags & FAULT_REJECT) return send_answer(sock, p);
	if (p->flags & FAULT_CORRUPT) {
		frame_corrupt(p);
	} else {
		h = frame_offloads(p);
	}
	return transmit(sock, p->ifindex, p->v6 ? ETH_P_IPV6 : ETH_P_IP, &h, p->data, p->len);
}

static bool device_is_gone(int error)
{
	return error == -ENXIO || error == -ENODEV || error == -ENETDOWN;
}

static void send_due(struct line *l)
{
	struct held_packet *x;
	mono_ns now;

	while ((x = held_pop(&l->held, now = mono_now()))) {
		int sock = x->p.netns < l->n_sockets ? l->sockets[x->p.netns] : -1;
		int r = sock < 0 ? -EBADF : send_packet(sock, &x->p);
		if (r == 0) {
			l->sent++;
			lag_add(&l->lag, now - (mono_ns)x->p.due_ns);
		} else if (device_is_gone(r)) {
			l->gone++;
		} else {
			l->shared->lost++;
		}
		free(x);
	}
}

static void arm(struct line *l)
{
	mono_ns due = held_due(&l->held);

	if (due == l->armed || due == MONO_NEVER) return;
	struct itimerspec at = { .it_value = { .tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S } };
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	l->armed = due;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof(expirations)) < 0) return; /* armed anew meanwhile */
	l->armed = 0;
	send_due(l);
	arm(l);
}

/* --- in ---------------------------------------------------------------------------------------------- */

static int on_packet(void *arg, void *data, size_t size)
{
	struct line *l = arg;
	const struct fault_packet *p = data;

	if (size < sizeof(*p) || p->len > size - sizeof(*p) || held_push(&l->held, p) < 0) l->shared->lost++;
	send_due(l); /* a long burst coming in must not hold up what is due */
	return 0;
}

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;

	(void)fd, (void)what;
	ring_buffer__consume(l->ring);
	arm(l);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;

	(void)fd, (void)what;
	__atomic_store_n(&l->shared->beat_ns, (uint64_t)mono_now(), __ATOMIC_RELAXED);
}

/* --- life -------------------------------------------------------------------------------------------- */

static int map_shared(struct line *l, int fd)
{
	void *at = mmap(NULL, sizeof(*l->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED) return -errno;
	l->shared = at;
	return 0;
}

static int hook(struct line *l, struct event_base *base)
{
	struct timeval beat = mono_timeval(FAULT_BEAT_NS);

	l->ring_event = event_new(base, ring_buffer__epoll_fd(l->ring), EV_READ | EV_PERSIST, on_ring, l);
	l->timer_event = event_new(base, l->timer_fd, EV_READ | EV_PERSIST, on_timer, l);
	l->beat_event = event_new(base, -1, EV_PERSIST, on_beat, l);
	if (!l->ring_event || !l->timer_event || !l->beat_event) return -ENOMEM;
	event_add(l->ring_event, NULL);
	event_add(l->timer_event, NULL);
	event_add(l->beat_event, &beat);
	return 0;
}

int line_open(struct line *l, struct event_base *base, const int *fds, size_t n)
{
	int r;

	if (n <= FD_SOCKETS || fds[FD_RING] < 0 || fds[FD_LINE] < 0) return -EBADF;
	l->held.max_bytes = MAX_BYTES;
	l->sockets = fds + FD_SOCKETS;
	l->n_sockets = n - FD_SOCKETS;
	if ((r = map_shared(l, fds[FD_LINE])) < 0) return r;
	l->ring = ring_buffer__new(fds[FD_RING], on_packet, l, NULL);
	if (!l->ring) return -errno;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0) return -errno;
	if ((r = hook(l, base)) < 0) return r;
	on_beat(-1, 0, l); /* alive from now on */
	return 0;
}
