/* route.h - route updates: network-manager to the network-agent of each zone, UDP, acknowledged.
 *
 * An update says whether the two host routes of an instance's address (IPv4 and IPv6, always a pair) are to
 * be there. Datagrams may be lost, doubled or overtaken: an address's generation orders its updates. An agent
 * applies only a newer generation than it knows of the address and acknowledges every other one without
 * acting, so that the manager ends its retransmissions.
 *
 * An agent that begins sends "hello" until it is welcomed; a higher epoch than before, in a hello or in an
 * acknowledgement, tells the manager that the agent has forgotten what it knew. */
#ifndef AZLAB_PROTO_ROUTE_H
#define AZLAB_PROTO_ROUTE_H
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_NAME_MAX = 64, ROUTE_DATAGRAM_MAX = 512 };

enum route_action { ROUTE_DETACH, ROUTE_ATTACH };

struct route_address {
	struct in_addr v4;
	struct in6_addr v6;
};
struct route_update {
	enum route_action action;
	bool virtual;        /* the instance is bookkeeping: acknowledged like any other, nothing installed */
	uint32_t id;         /* the instance's number, unique in the run */
	uint32_t generation; /* of the address; from 1 */
	uint64_t event;      /* id of the route.sent that this message is */
	struct route_address address;
	char instance[ROUTE_NAME_MAX]; /* "az1.shop-1" */
	char zone[ROUTE_NAME_MAX];     /* where the instance is */
	char ifname[IF_NAMESIZE];      /* the link to it, in the router of that zone */
};
struct route_ack {
	char zone[ROUTE_NAME_MAX]; /* the agent's */
	uint64_t epoch;            /* the agent's incarnation: a restarted one has a higher one */
	uint32_t generation;       /* of the update acknowledged */
	uint64_t event; /* id of the route.installed or route.removed, 0 if the update was an old one */
	struct route_address address;
};
struct route_hello {
	char zone[ROUTE_NAME_MAX];
	uint64_t epoch;
};
/* The manager's answer to a hello. */
struct route_welcome {
	uint64_t epoch;
};

/* Orders addresses; 0 if both families are equal. */
int route_address_compare(const struct route_address *a, const struct route_address *b);

/* Encode into buf; return the datagram's length, or -EMSGSIZE. */
int route_update_encode(const struct route_update *u, void *buf, size_t size);
int route_ack_encode(const struct route_ack *a, void *buf, size_t size);
int route_hello_encode(const struct route_hello *h, void *buf, size_t size);
int route_welcome_encode(const struct route_welcome *m, void *buf, size_t size);
/* Decode a whole datagram; 0, or -EBADMSG for anything but exactly one well-formed message, *ret untouched.
 * Names are never empty, always end with a NUL and hold printable ASCII without blanks only. */
int route_update_decode(struct route_update *ret, const void *buf, size_t len);
int route_ack_decode(struct route_ack *ret, const void *buf, size_t len);
int route_hello_decode(struct route_hello *ret, const void *buf, size_t len);
int route_welcome_decode(struct route_welcome *ret, const void *buf, size_t len);
#endif
