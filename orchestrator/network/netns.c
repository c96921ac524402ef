#include "orchestrator/network/netns.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

int netns_current(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int netns_new(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -errno : netns_current();
}

int netns_enter(int ns)
{
	return setns(ns, CLONE_NEWNET) < 0 ? -errno : 0;
}

void netns_return(int home)
{
	if (netns_enter(home) < 0) abort();
}

int netns_run(int ns, int (*fn)(void *arg), void *arg)
{
	cleanup_close int home = netns_current();
	int result;

	if (home < 0) return home;
	if ((result = netns_enter(ns)) < 0) return result;
	result = fn(arg);
	netns_return(home);
	return result;
}

int netns_cookie_of_socket(int socket, uint64_t *ret)
{
	socklen_t len = sizeof(*ret);
	return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0 ? -errno : 0;
}

static int cookie_here(void *arg)
{
	cleanup_close int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return s < 0 ? -errno : netns_cookie_of_socket(s, arg);
}

int netns_cookie(int ns, uint64_t *ret)
{
	return netns_run(ns, cookie_here, ret);
}
