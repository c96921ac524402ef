/* route_socket.h - the socket that route messages travel on: UDP, both families, marked CS6 as network
 * control is (RFC 4594). Errors are -errno. */
#ifndef AZLAB_PROTO_ROUTE_SOCKET_H
#define AZLAB_PROTO_ROUTE_SOCKET_H
#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

/* A non-blocking socket bound to the port on every address; the caller's. */
int route_socket_open(uint16_t port, int *ret_fd);
/* The address in text (IPv4 or IPv6) as this socket wants it, IPv4 mapped; -EINVAL if it is none. */
int route_socket_address(const char *text, uint16_t port, struct sockaddr_in6 *ret);
#endif
