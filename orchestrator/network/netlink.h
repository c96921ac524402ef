/* netlink.h - rtnetlink requests sent many at a time, on sockets that stand inside the lab's namespaces.
 *
 * A batch collects messages for one socket; netlink_flush() sends them in one call, and only the last one
 * asks for an acknowledgement: the kernel reports failures in any case. Errors are -errno; after one, what
 * the failed message was about (its tag) and the kernel's own words are in the batch. The caller owns
 * sockets. */
#ifndef AZLAB_NETLINK_H
#define AZLAB_NETLINK_H
#include <net/if.h> /* before linux/if_link.h, which then leaves its half of the names out */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

enum { NETLINK_BUFFER = 32 * 1024, NETLINK_MESSAGE_MAX = 1024, NETLINK_MESSAGES_MAX = 512 };

struct netlink_batch {
	int socket;
	uint32_t first_seq;
	size_t used, n;
	struct nlmsghdr *last;
	uint64_t tags[NETLINK_MESSAGES_MAX];
	uint64_t failed_tag;
	char reason[128]; /* the kernel's extended acknowledgement, or "" */
	char buffer[NETLINK_BUFFER] __attribute__((aligned(MNL_ALIGNTO)));
};

/* A socket in the calling thread's network namespace: a descriptor, or -errno. */
int netlink_open(void);
/* An empty batch for the socket; the batch must have been flushed or failed before. */
void netlink_start(struct netlink_batch *b, int socket);
/* A new message at *ret, its family header of `size` bytes zeroed at *header. Flushes first if the batch is
 * full. */
int netlink_message(struct netlink_batch *b, uint16_t type, uint16_t flags, uint64_t tag, size_t size,
                    struct nlmsghdr **ret, void **header);
/* Sends what is there and waits for the kernel's answers: 0 or the first failure; the batch is empty then. */
int netlink_flush(struct netlink_batch *b);
/* Calls each() for every link of the socket's namespace. */
int netlink_dump_links(int socket, mnl_cb_t each, void *arg);
#endif
