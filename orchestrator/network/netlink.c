#include "orchestrator/network/netlink.h"
#include "common/cleanup.h"
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

int netlink_open(void)
{
	const int on = 1;
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0) return -errno;
	/* failures then come with the kernel's words, and without a copy of the request */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return -errno;
	return take_fd(&fd);
}

void netlink_start(struct netlink_batch *b, int socket)
{
	b->socket = socket;
	b->first_seq += b->n + 1;
	b->used = b->n = 0;
	b->last = NULL;
	b->reason[0] = '\0';
}

int netlink_message(struct netlink_batch *b, uint16_t type, uint16_t flags, uint64_t tag, size_t size,
                    struct nlmsghdr **ret, void **header)
{
	int result;

	if (b->last) b->used = (size_t)((char *)b->last - b->buffer) + NLMSG_ALIGN(b->last->nlmsg_len);
	if (b->used + NETLINK_MESSAGE_MAX > sizeof(b->buffer) || b->n == NETLINK_MESSAGES_MAX)
		if ((result = netlink_flush(b)) < 0) return result;
	b->last = mnl_nlmsg_put_header(b->buffer + b->used);
	b->last->nlmsg_type = type;
	b->last->nlmsg_flags = NLM_F_REQUEST | flags;
	b->last->nlmsg_seq = b->first_seq + b->n;
	b->tags[b->n++] = tag;
	*ret = b->last;
	*header = mnl_nlmsg_put_extra_header(b->last, size);
	return 0;
}

static void note_reason(struct netlink_batch *b, const struct nlmsghdr *answer)
{
	const struct nlattr *attr;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS)) return;
	/* with NETLINK_CAP_ACK only the header of the request stands between the error and the attributes */
	mnl_attr_for_each(attr, answer, sizeof(struct nlmsgerr))
	{
		if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_MSG) continue;
		strncpy(b->reason, mnl_attr_get_str(attr), sizeof(b->reason) - 1);
	}
}

/* Goes through one datagram of answers. 1 when the last message has been answered, else 0. */
static int read_answers(struct netlink_batch *b, const char *data, int len, int *first_error)
{
	const struct nlmsghdr *h = (const void *)data;

	for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - b->first_seq >= b->n) continue;
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
		if (e->error && *first_error == 0) {
			*first_error = e->error;
			b->failed_tag = b->tags[h->nlmsg_seq - b->first_seq];
			note_reason(b, h);
		}
		if (h->nlmsg_seq - b->first_seq == b->n - 1) return 1;
	}
	return 0;
}

static int await_answers(struct netlink_batch *b)
{
	char answers[8192] __attribute__((aligned(MNL_ALIGNTO)));
	int error = 0;

	for (;;) {
		ssize_t n = recv(b->socket, answers, sizeof(answers), 0);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -errno;
		if (read_answers(b, answers, (int)n, &error)) return error;
	}
}

int netlink_flush(struct netlink_batch *b)
{
	int result = 0;

	if (b->n == 0) return 0;
	b->reason[0] = '\0';
	b->last->nlmsg_flags |= NLM_F_ACK;
	b->used = (size_t)((char *)b->last - b->buffer) + NLMSG_ALIGN(b->last->nlmsg_len);
	if (send(b->socket, b->buffer, b->used, 0) < 0) {
		result = -errno;
		b->failed_tag = b->tags[0];
	} else {
		result = await_answers(b);
	}
	b->first_seq += b->n;
	b->used = b->n = 0;
	b->last = NULL;
	return result;
}

int netlink_dump_links(int socket, mnl_cb_t each, void *arg)
{
	char buffer[16384] __attribute__((aligned(MNL_ALIGNTO)));
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	int result = MNL_CB_OK;

	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
	if (send(socket, m, m->nlmsg_len, 0) < 0) return -errno;
	do {
		ssize_t n = recv(socket, buffer, sizeof(buffer), 0);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -errno;
		result = mnl_cb_run(buffer, (size_t)n, 0, 0, each, arg);
	} while (result > MNL_CB_STOP);
	return result < 0 ? -errno : 0;
}
