#include "common/health_rx.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "proto/classes.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	BURST_MAX = 64, /* datagrams before other events get their turn */
	RECEIVE_BUFFER = 1024 * 1024,
};

/* Acknowledgements owed for what came in one burst: they go out when it has taken effect. */
struct owed {
	struct health_ack ack;
	struct sockaddr_in to;
};
struct health_rx {
	struct in_addr checker;
	struct health_rx_ops ops;
	size_t n_owed;
	struct owed owed[BURST_MAX];
};

/* A lost acknowledgement is mended by the next repetition, so errors of sending are passed over. */
static void acknowledge_all(struct health_rx *rx, int fd)
{
	uint8_t buf[HEALTH_DATAGRAM_MAX];

	for (size_t i = 0; i < rx->n_owed; i++) {
		struct owed *o = &rx->owed[i];
		int len = health_ack_encode(&o->ack, buf, sizeof(buf));
		if (len > 0)
			sendto(fd, buf, (size_t)len, MSG_DONTWAIT, (struct sockaddr *)&o->to, sizeof(o->to));
	}
	rx->n_owed = 0;
}

/* False when nothing waits any more. */
static bool receive_one(struct health_rx *rx, int fd)
{
	uint8_t buf[HEALTH_DATAGRAM_MAX + 1]; /* one more, so that a longer datagram shows as malformed */
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct health_report report;
	ssize_t len = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	/* an ICMP error about an acknowledgement is reported here too, and means no more than its loss */
	if (len < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
	if (rx->checker.s_addr && from.sin_addr.s_addr != rx->checker.s_addr) return true;
	if (health_report_decode(&report, buf, (size_t)len) < 0) return true;
	if (!rx->ops.report(&report, rx->ops.arg)) return true;
	rx->owed[rx->n_owed++] =
	    (struct owed){ { report.zone, report.service, report.epoch, report.sequence, report.part },
		           from };
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct health_rx *rx = arg;

	(void)what;
	for (int i = 0; i < BURST_MAX && receive_one(rx, fd); i++) {
	}
	if (rx->ops.drained) rx->ops.drained(rx->ops.arg);
	acknowledge_all(rx, fd);
}

int health_rx_open(struct event_base *base, struct in_addr address, struct in_addr checker,
                   const struct health_rx_ops *ops)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr = address,
		                  .sin_port = htons(PORT_HEALTH_REPORT) };
	int tos = TOS_OF_DSCP(DSCP_CS6), room = RECEIVE_BUFFER;
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) return log_errno(-errno, "cannot make a UDP socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)); /* as much as the host grants */
	if (setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return log_errno(-errno, "cannot listen for health reports on UDP port %d",
		                 PORT_HEALTH_REPORT);
	struct health_rx *rx = calloc(1, sizeof(*rx));
	struct event *readable = rx ? event_new(base, fd, EV_READ | EV_PERSIST, on_readable, rx) : NULL;
	if (!readable || event_add(readable, NULL) < 0) {
		free(rx);
		return -ENOMEM;
	}
	rx->checker = checker;
	rx->ops = *ops;
	take_fd(&fd);
	return 0;
}
