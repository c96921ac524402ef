/* parse.h - headers of a packet, for tc programs: bounded, and correct for packets whose headers aren't
 * linear. Pointers from header_at() die at the next call of it, or of any helper that changes the packet. */
#ifndef AZLAB_BPF_PARSE_H
#define AZLAB_BPF_PARSE_H
#include "nlb.h"
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	PARSE_REACH = 1024,   /* headers beyond this offset are not looked for */
	PARSE_EXTENSIONS = 6, /* IPv6 extension headers that are walked over */
	IP_MF_OR_OFFSET = 0x3fff,
};

enum parsed { PARSED, PARSED_OTHER, PARSED_FRAGMENT, PARSED_MALFORMED };

struct packet {
	struct nlb_addr src, dst;
	__u32 l3, l4, end; /* offsets in the packet; end: where IP says that it ends */
	__u32 seq, ack;    /* host order */
	__u32 payload;     /* bytes of data in the segment */
	__u16 sport, dport;
	__u16 family; /* 4 or 6 */
	__u8 protocol;
	__u8 flags; /* TCP's */
};
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

/* The packet's bounds. In assembly, or clang 14 keeps them in 32-bit registers, which the verifier no longer
 * takes for pointers. */
static __always_inline void *packet_start(const struct __sk_buff *skb)
{
	void *at;
	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(at) : "r"(skb), "i"(offsetof(struct __sk_buff, data)));
	return at;
}
static __always_inline void *packet_end(const struct __sk_buff *skb)
{
	void *at;
	asm volatile("%0 = *(u32 *)(%1 + %2)"
	             : "=r"(at)
	             : "r"(skb), "i"(offsetof(struct __sk_buff, data_end)));
	return at;
}

/* length bytes at offset, pulled into the linear part when they lie in a page; NULL if there aren't any. */
static __always_inline void *header_at(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	if (offset > PARSE_REACH) return NULL;
	void *at = packet_start(skb) + offset;
	if (at + length > packet_end(skb)) {
		if (bpf_skb_pull_data(skb, offset + length)) return NULL;
		at = packet_start(skb) + offset;
		if (at + length > packet_end(skb)) return NULL;
	}
	return at;
}

static __always_inline struct nlb_addr addr_from_v4(__be32 v4)
{
	return (struct nlb_addr){ { 0, 0, bpf_htonl(NLB_V4_PREFIX), v4 } };
}
static __always_inline struct nlb_addr addr_from_v6(const struct in6_addr *v6)
{
	struct nlb_addr a;
	__builtin_memcpy(&a, v6, sizeof(a));
	return a;
}
static __always_inline bool addr_equal(const struct nlb_addr *a, const struct nlb_addr *b)
{
	return !((a->word[3] ^ b->word[3]) | (a->word[2] ^ b->word[2]) | (a->word[1] ^ b->word[1]) |
	         (a->word[0] ^ b->word[0]));
}

static __always_inline enum parsed parse_v4(struct __sk_buff *skb, struct packet *p)
{
	struct iphdr *ip = header_at(skb, p->l3, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5) return PARSED_MALFORMED;
	p->family = 4;
	p->src = addr_from_v4(ip->saddr);
	p->dst = addr_from_v4(ip->daddr);
	p->protocol = ip->protocol;
	p->l4 = p->l3 + ip->ihl * 4;
	p->end = p->l3 + bpf_ntohs(ip->tot_len);
	return ip->frag_off & bpf_htons(IP_MF_OR_OFFSET) ? PARSED_FRAGMENT : PARSED;
}

/* Steps over what stands between the IPv6 header and the one that counts (RFC 8200, 4). */
static __always_inline enum parsed parse_extensions(struct __sk_buff *skb, struct packet *p)
{
	struct {
		__u8 next, words;
	} * x;

	for (int i = 0; i < PARSE_EXTENSIONS; i++) {
		if (p->protocol == IPPROTO_FRAGMENT) {
			/* what is fragmented: only the first one's next header tells, others repeat it */
			x = header_at(skb, p->l4, 8);
			if (!x) return PARSED_MALFORMED;
			p->protocol = x->next;
			return PARSED_FRAGMENT;
		}
		if (p->protocol != IPPROTO_HOPOPTS && p->protocol != IPPROTO_ROUTING &&
		    p->protocol != IPPROTO_DSTOPTS)
			return PARSED;
		x = header_at(skb, p->l4, 8);
		if (!x) return PARSED_MALFORMED;
		p->protocol = x->next;
		p->l4 += (x->words + 1) * 8;
	}
	return PARSED_OTHER;
}

static __always_inline enum parsed parse_v6(struct __sk_buff *skb, struct packet *p)
{
	struct ipv6hdr *ip = header_at(skb, p->l3, sizeof(*ip));

	if (!ip || ip->version != 6) return PARSED_MALFORMED;
	p->family = 6;
	p->src = addr_from_v6(&ip->saddr);
	p->dst = addr_from_v6(&ip->daddr);
	p->protocol = ip->nexthdr;
	p->l4 = p->l3 + sizeof(*ip);
	p->end = p->l4 + bpf_ntohs(ip->payload_len);
	return p->protocol == IPPROTO_TCP ? PARSED : parse_extensions(skb, p);
}

/* Everything of a TCP header that the balancer looks at. */
static __always_inline enum parsed parse_tcp(struct __sk_buff *skb, struct packet *p)
{
	struct tcphdr *tcp = header_at(skb, p->l4, sizeof(*tcp));

	if (!tcp || tcp->doff < 5 || tcp->source == 0) return PARSED_MALFORMED;
	p->sport = tcp->source;
	p->dport = tcp->dest;
	p->seq = bpf_ntohl(tcp->seq);
	p->ack = bpf_ntohl(tcp->ack_seq);
	p->flags = ((__u8 *)tcp)[13];
	p->payload = p->end - p->l4 - tcp->doff * 4;
	return PARSED;
}

/* Parses the IP header at p->l3 and what may follow it, up to the header at p->l4. */
static __always_inline enum parsed parse_ip(struct __sk_buff *skb, struct packet *p, __be16 protocol)
{
	if (protocol == bpf_htons(ETH_P_IP)) return parse_v4(skb, p);
	if (protocol == bpf_htons(ETH_P_IPV6)) return parse_v6(skb, p);
	return PARSED_OTHER;
}
#endif
