/* nlb_icmp.h - ICMP and ICMPv6 errors as the load balancer translates them (RFC 5508, 4.2): what they quote
 * is a packet as the balancer sent it, and must look as the other end had sent or would have got it, or a
 * smaller MTU behind the balancer is a black hole. */
#ifndef AZLAB_BPF_NLB_ICMP_H
#define AZLAB_BPF_NLB_ICMP_H
#include "nlb.h"
#include "parse.h"

/* linux/icmp.h pulls in libc's headers, which a BPF target lacks */
enum { ICMP_DEST_UNREACH = 3, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETERPROB = 12 };

enum {
	ICMP_HEADER = 8,        /* of both versions' errors */
	ICMP_CHECK = 2,         /* offset of the checksum, in both */
	ICMP6_ERRORS_END = 128, /* ICMPv6 types below are errors (RFC 4443, 2.1) */
	TCP_CHECK = 16,
};

struct icmp_rewrite {
	struct nlb_addr outer_src, outer_dst, inner_src, inner_dst;
	__u16 inner_sport, inner_dport;
	__u16 addr_delta, port_delta; /* of the quoted packet */
};

static __always_inline bool icmp_is_error(struct __sk_buff *skb, const struct packet *p)
{
	__u8 *type = header_at(skb, p->l4, ICMP_HEADER);

	if (!type) return false;
	if (p->family == 6) return *type < ICMP6_ERRORS_END;
	return *type == ICMP_DEST_UNREACH || *type == ICMP_TIME_EXCEEDED || *type == ICMP_PARAMETERPROB;
}

/* Parses the quoted packet; routers need to quote no more than 8 bytes of TCP. */
static __always_inline bool icmp_quoted(struct __sk_buff *skb, const struct packet *p, struct packet *ret)
{
	ret->l3 = p->l4 + ICMP_HEADER;
	if (parse_ip(skb, ret, p->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6)) != PARSED)
		return false;
	if (ret->protocol != IPPROTO_TCP) return false;
	__be16 *ports = header_at(skb, ret->l4, 8);
	if (!ports) return false;
	ret->sport = ports[0];
	ret->dport = ports[1];
	return true;
}

static __always_inline bool icmp_write_inner_addresses(struct __sk_buff *skb, const struct packet *quoted,
                                                       const struct icmp_rewrite *w)
{
	if (quoted->family == 4) {
		struct iphdr *ip = header_at(skb, quoted->l3, sizeof(*ip));
		if (!ip) return false;
		ip->saddr = w->inner_src.word[3];
		ip->daddr = w->inner_dst.word[3];
		ip->check = nlb_sum_update(ip->check, w->addr_delta);
	} else {
		struct ipv6hdr *ip = header_at(skb, quoted->l3, sizeof(*ip));
		if (!ip) return false;
		__builtin_memcpy(&ip->saddr, &w->inner_src, sizeof(ip->saddr));
		__builtin_memcpy(&ip->daddr, &w->inner_dst, sizeof(ip->daddr));
	}
	return true;
}

/* Rewrites the quoted packet and the ICMP checksum over it (and, for ICMPv6, over the outer addresses). */
static __always_inline bool icmp_rewrite_inner(struct __sk_buff *skb, const struct packet *p,
                                               const struct packet *quoted, const struct icmp_rewrite *w,
                                               __u16 outer_delta)
{
	__u32 check = p->l4 + ICMP_CHECK;
	__u16 tcp_check; /* routers may quote too little to have it */
	/* an IPv4 header sums up to the same before and after, as its own checksum is in it */
	__u64 delta = (__u64)w->port_delta + (quoted->family == 6 ? w->addr_delta : 0);

	if (!icmp_write_inner_addresses(skb, quoted, w)) return false;
	__be16 *tcp = header_at(skb, quoted->l4, 8);
	if (!tcp) return false;
	tcp[0] = w->inner_sport;
	tcp[1] = w->inner_dport;
	if (!bpf_skb_load_bytes(skb, quoted->l4 + TCP_CHECK, &tcp_check, sizeof(tcp_check))) {
		__u16 both = nlb_sum_fold((__u64)w->addr_delta + w->port_delta);
		tcp_check = nlb_sum_update(tcp_check, both);
		if (bpf_skb_store_bytes(skb, quoted->l4 + TCP_CHECK, &tcp_check, sizeof(tcp_check), 0))
			return false;
		delta += (__u16)~both;
	}
	if (bpf_l4_csum_replace(skb, check, 0, nlb_sum_fold(delta), 0)) return false;
	return p->family == 4 || !bpf_l4_csum_replace(skb, check, 0, outer_delta, BPF_F_PSEUDO_HDR);
}
#endif
