#include "common/listener.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/timer.h"
#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

enum {
	LISTEN_BACKLOG = 65535, /* the kernel caps it at net.core.somaxconn */
	ACCEPT_PAUSE_MS = 10,   /* out of descriptors: look again then */
};

struct listener {
	struct evconnlistener *socket;
	struct event *accept_again;
	bool paused; /* by the owner */
	listener_accept *accepted;
	void *arg;
};

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
	struct listener *l = arg;

	(void)socket, (void)from, (void)len;
	l->accepted(fd, l->arg);
}

static void on_accept_error(struct evconnlistener *socket, void *arg)
{
	struct listener *l = arg;

	log_errno(errno, "cannot accept a connection, pausing");
	evconnlistener_disable(socket);
	timer_after(l->accept_again, ACCEPT_PAUSE_MS * NS_PER_MS);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd, (void)what;
	if (!l->paused) evconnlistener_enable(l->socket);
}

static int open_socket(uint16_t port, int *ret)
{
	cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int on = 1, off = 0;

	if (fd < 0) return -errno;
	/* accepted sockets inherit TCP_NODELAY: the end of a transfer must not wait for a delayed ACK */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

void listener_pause(struct listener *l)
{
	l->paused = true;
	evconnlistener_disable(l->socket);
}

void listener_resume(struct listener *l)
{
	l->paused = false;
	evconnlistener_enable(l->socket);
}

void listener_free(struct listener *l)
{
	if (!l) return;
	if (l->socket) evconnlistener_free(l->socket);
	if (l->accept_again) event_free(l->accept_again);
	free(l);
}

int listener_open(struct event_base *base, uint16_t port, listener_accept *accepted, void *arg,
                  struct listener **ret)
{
	struct listener *l = calloc(1, sizeof(*l));
	int fd = -1, result = l ? open_socket(port, &fd) : -ENOMEM;

	if (result < 0) goto fail;
	*l = (struct listener){ .accepted = accepted, .arg = arg };
	l->accept_again = evtimer_new(base, on_accept_again, l);
	if (l->accept_again)
		l->socket = evconnlistener_new(
		    base, on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, LISTEN_BACKLOG, fd);
	if (!l->socket) {
		result = -ENOMEM;
		goto fail;
	}
	evconnlistener_set_error_cb(l->socket, on_accept_error);
	*ret = l;
	return 0;
fail:
	if (fd >= 0) close(fd);
	listener_free(l);
	return result;
}
