#include "common/probe.h"
#include "common/cleanup.h"
#include "proto/classes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_MAX = 16384 };

/* --- what an end means ------------------------------------------------------------------------------- */

const char *probe_outcome_text(enum probe_outcome outcome)
{
	static const char *const texts[PROBE_OUTCOMES] = {
		[PROBE_OK] = "ok",
		[PROBE_HTTP_STATUS] = "HTTP status",
		[PROBE_REFUSED] = "refused",
		[PROBE_UNREACHABLE] = "unreachable",
		[PROBE_RESET] = "reset",
		[PROBE_TIMED_OUT] = "timed out",
		[PROBE_CLOSED_EARLY] = "closed early",
		[PROBE_MALFORMED] = "malformed answer",
		[PROBE_LAB_ERROR] = "lab error",
	};
	return outcome < PROBE_OUTCOMES ? texts[outcome] : "unknown";
}

void probe_result_text(const struct probe_result *result, char *buf, size_t size)
{
	const char *text = probe_outcome_text(result->outcome);

	if (result->outcome == PROBE_HTTP_STATUS)
		snprintf(buf, size, "%s %u", text, result->status);
	else if (result->outcome == PROBE_LAB_ERROR)
		snprintf(buf, size, "%s: %s", text, strerror(result->error));
	else
		snprintf(buf, size, "%s", text);
}

enum probe_outcome probe_outcome_of(int error)
{
	switch (error) {
	case 0:
		return PROBE_OK;
	case ECONNREFUSED:
		return PROBE_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EACCES: /* ICMP "administratively prohibited" (a reject rule) over IPv6; a prohibit route */
		return PROBE_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return PROBE_RESET;
	case ETIMEDOUT:
		return PROBE_TIMED_OUT;
	default: /* EADDRNOTAVAIL, EMFILE, ENOBUFS, ...: says nothing about the other side */
		return PROBE_LAB_ERROR;
	}
}

static void close_socket(struct probe *p)
{
	if (!p->open) return;
	if (p->watched) event_del(&p->event);
	close(p->fd);
	p->open = p->watched = false;
}

/* Ends the connection by RST and keeps the socket. */
static void disconnect(struct probe *p)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	if (connect(p->fd, &nobody, sizeof(nobody)) < 0) close_socket(p);
}

static void end_connection(struct probe *p)
{
	if (p->open && p->spec->reset)
		disconnect(p);
	else
		close_socket(p);
}

/* The one way out: decides, ends the connection, and tells. */
static void finish(struct probe *p, enum probe_outcome outcome, int error)
{
	struct probe_result result = p->result;

	result.outcome = outcome;
	result.error = error;
	if (outcome != PROBE_OK && p->open)
		getsockname(p->fd, &result.source.any, &(socklen_t){ sizeof(result.source) });
	event_del(&p->deadline);
	end_connection(p);
	p->active = false;
	p->done(p, &result, p->arg);
}

static void fail(struct probe *p, int error)
{
	finish(p, probe_outcome_of(error), error);
}

void probe_cancel(struct probe *p)
{
	if (p->active) event_del(&p->deadline);
	p->active = false;
	close_socket(p);
}

/* --- the answer -------------------------------------------------------------------------------------- */

static int on_message_complete(http_parser *parser)
{
	struct probe *p = parser->data;

	/* 1xx are announcements: the answer is still to come */
	if (parser->status_code >= 200) p->complete = true;
	return 0;
}

static void judge_answer(struct probe *p)
{
	unsigned status = p->parser.status_code;

	p->result.status = status;
	finish(p, status >= 200 && status < 400 ? PROBE_OK : PROBE_HTTP_STATUS, 0);
}

/* Takes in the n bytes read (0: the end); true when the probe is over. */
static bool take_in(struct probe *p, const char *buf, size_t n)
{
	static const http_parser_settings settings = { .on_message_complete = on_message_complete };
	size_t used = http_parser_execute(&p->parser, &settings, buf, n);

	if (p->complete) /* an answer without a length is complete only at the end */
		judge_answer(p);
	else if (used != n || HTTP_PARSER_ERRNO(&p->parser) != HPE_OK)
		finish(p, n == 0 ? PROBE_CLOSED_EARLY : PROBE_MALFORMED, 0);
	else if (n == 0)
		finish(p, PROBE_CLOSED_EARLY, 0);
	else
		return false;
	return true;
}

static void read_answer(struct probe *p)
{
	char buf[READ_MAX];
	ssize_t n;

	do {
		n = recv(p->fd, buf, sizeof(buf), 0);
		if (n < 0) {
			if (errno != EAGAIN) fail(p, errno);
			return;
		}
		/* edge-triggered: neither more bytes nor an end that is there already are announced again */
	} while (!take_in(p, buf, (size_t)n));
}

/* --- the connection ---------------------------------------------------------------------------------- */

/* Looks whether the connection stands, sending the request if there is one: 0, -EINPROGRESS, or why it
 * never will. Sending nothing tells the same: the kernel looks at the connection's state first. */
static int send_request(struct probe *p)
{
	ssize_t n = send(p->fd, p->spec->request, p->spec->request_len, MSG_NOSIGNAL);

	if (n < 0) return errno == EAGAIN ? -EINPROGRESS : -errno;
	/* a request is far smaller than an empty socket buffer: it never goes out in part */
	if (n != (ssize_t)p->spec->request_len) return -ENOBUFS;
	p->sent = true;
	return 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	int result;

	(void)fd;
	if (!p->active || p->decided) return; /* the echo of our own RST */
	if (!p->sent) {
		if ((result = send_request(p)) == -EINPROGRESS) return;
		if (result < 0 || !p->spec->request) {
			fail(p, -result); /* 0 is success */
			return;
		}
	}
	/* an edge may tell of the connection's beginning and of its end at once */
	if (what & EV_READ) read_answer(p);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd, (void)what;
	fail(p, p->decided ? p->result.error : ETIMEDOUT);
}

static int set_options(int fd, const struct probe_spec *spec)
{
	int tos = TOS_OF_DSCP(spec->dscp), on = 1;
	bool v4 = spec->to.any.sa_family == AF_INET;

	if (tos &&
	    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos)) < 0)
		return -errno;
	if (!spec->reset) return 0;
	/* the SYN/ACK's ACK waits for the request, or for the RST that makes it needless: on the side that
	   connects this is what TCP_DEFER_ACCEPT does, and unlike TCP_QUICKACK it outlives the connection */
	return setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int open_socket(struct probe *p, struct event_base *base)
{
	cleanup_close int fd =
	    socket(p->spec->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0) return -errno;
	if ((result = set_options(fd, p->spec)) < 0) return result;
	p->fd = take_fd(&fd);
	p->open = true;
	/* both directions at once and edge-triggered: one epoll_ctl instead of one a step */
	return event_assign(&p->event, base, p->fd, EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_event, p) < 0
	           ? -EINVAL
	           : 0;
}

/* 0: it stands and the request is sent; -EINPROGRESS: it will be seen; else why it can't be. */
static int begin(struct probe *p, struct event_base *base)
{
	const union probe_address *to = &p->spec->to;
	const socklen_t len = to->any.sa_family == AF_INET ? sizeof(to->v4) : sizeof(to->v6);
	int result = p->open ? 0 : open_socket(p, base);

	if (result < 0) return result;
	if (connect(p->fd, &to->any, len) < 0 && errno != EINPROGRESS) return -errno;
	return send_request(p);
}

/* What is still to come announces itself by the loop. */
static int await(struct probe *p)
{
	struct timeval timeout = mono_timeval(p->spec->timeout);

	if (!p->watched && event_add(&p->event, NULL) < 0) return -ENOMEM;
	p->watched = true;
	return event_add(&p->deadline, &timeout) < 0 ? -ENOMEM : 0;
}

void probe_start(struct probe *p, struct event_base *base, const struct probe_spec *spec, probe_done *done,
                 void *arg)
{
	p->active = true;
	p->spec = spec;
	p->done = done;
	p->arg = arg;
	p->sent = p->complete = p->decided = false;
	p->result = (struct probe_result){ 0 };
	http_parser_init(&p->parser, HTTP_RESPONSE);
	p->parser.data = p;
	evtimer_assign(&p->deadline, base, on_deadline, p);
	int result = begin(p, base);
	bool waits = result == -EINPROGRESS || (result == 0 && spec->request);
	if (waits) result = await(p);
	p->result.error = -result;
	p->decided = !waits || result < 0;
	if (p->decided) event_active(&p->deadline, EV_TIMEOUT, 0);
}

/* --- inputs ------------------------------------------------------------------------------------------ */

int probe_address(const char *text, uint16_t port, union probe_address *ret)
{
	union probe_address address = { 0 };

	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
	} else {
		return -EINVAL;
	}
	*ret = address;
	return 0;
}

in_port_t probe_address_text(const union probe_address *address, char text[static INET6_ADDRSTRLEN])
{
	bool v4 = address->any.sa_family == AF_INET;
	const void *host = v4 ? (const void *)&address->v4.sin_addr : &address->v6.sin6_addr;

	text[0] = '\0';
	if (!v4 && address->any.sa_family != AF_INET6) return 0;
	inet_ntop(address->any.sa_family, host, text, INET6_ADDRSTRLEN);
	return ntohs(v4 ? address->v4.sin_port : address->v6.sin6_port);
}

int probe_request(char *buf, size_t size, const char *host, const char *path)
{
	int len = snprintf(buf, size, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: azlab\r\n\r\n", path, host);
	return len < 0 || (size_t)len >= size ? -EMSGSIZE : len;
}
