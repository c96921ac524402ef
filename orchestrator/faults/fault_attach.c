#include "orchestrator/faults/fault_attach.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>
#include <string.h>

enum { MESSAGE_MAX = 192, SEQ_QDISC = 1, SEQ_FILTER = 2 };

#define INSN(opcode, dst, src, offset, value)                                                                \
	((struct bpf_insn){                                                                                  \
	    .code = (opcode), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value) })

int fault_port_load(int program_array, uint32_t where)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int)where),
		INSN(BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_2, offsetof(struct __sk_buff, cb[0]), 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, program_array),
		INSN(0, 0, 0, 0, 0), /* second half of the 64-bit load */
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, TC_ACT_UNSPEC),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "fault_port", "GPL", insns,
	                       sizeof(insns) / sizeof(*insns), NULL);

	return fd < 0 ? -errno : fd;
}

static struct nlmsghdr *begin(char *at, uint16_t type, uint16_t flags, uint32_t seq, const struct tcmsg *tc)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = seq;
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(*tc)), tc, sizeof(*tc));
	return h;
}

static size_t put_qdisc(char *at, unsigned ifindex)
{
	struct tcmsg tc = { .tcm_ifindex = (int)ifindex,
		            .tcm_parent = TC_H_CLSACT,
		            .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0) };
	struct nlmsghdr *h = begin(at, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, SEQ_QDISC, &tc);

	mnl_attr_put_strz(h, TCA_KIND, "clsact");
	return h->nlmsg_len;
}

static size_t put_filter(char *at, unsigned ifindex, int program)
{
	struct tcmsg tc = { .tcm_ifindex = (int)ifindex,
		            .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
		            .tcm_handle = 1,
		            .tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL)) };
	struct nlmsghdr *h = begin(at, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, SEQ_FILTER, &tc);

	mnl_attr_put_strz(h, TCA_KIND, "bpf");
	struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_BPF_FD, (uint32_t)program);
	mnl_attr_put_strz(h, TCA_BPF_NAME, "azlab-fault");
	mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(h, options);
	return h->nlmsg_len;
}

/* Reads the acknowledgements of both messages; the first refusal is the result. */
static int read_acks(struct mnl_socket *rtnl)
{
	char buf[4096];
	int result = 0;

	for (int acks = 0; acks < 2;) {
		ssize_t got = mnl_socket_recvfrom(rtnl, buf, sizeof(buf));
		if (got < 0) return -errno;
		int left = (int)got;
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type != NLMSG_ERROR) continue;
			int error = ((struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
			/* another program's clsact serves as well */
			if (h->nlmsg_seq == SEQ_QDISC && error == -EEXIST) error = 0;
			if (result == 0) result = error;
			acks++;
		}
	}
	return result;
}

int fault_port_attach(struct mnl_socket *rtnl, unsigned ifindex, int program)
{
	char buf[2 * MESSAGE_MAX];
	size_t len = put_qdisc(buf, ifindex);

	len += put_filter(buf + len, ifindex, program);
	if (mnl_socket_sendto(rtnl, buf, len) < 0) return -errno;
	return read_acks(rtnl);
}
