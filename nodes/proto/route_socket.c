#include "proto/route_socket.h"
#include "common/cleanup.h"
#include "proto/classes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

int route_socket_open(uint16_t port, int *ret_fd)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int off = 0, tos = TOS_OF_DSCP(DSCP_CS6);
	cleanup_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) return -errno;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int route_socket_address(const char *text, uint16_t port, struct sockaddr_in6 *ret)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		address.sin6_addr = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
		address.sin6_addr.s6_addr32[3] = v4.s_addr;
	} else if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1) {
		return -EINVAL;
	}
	*ret = address;
	return 0;
}
