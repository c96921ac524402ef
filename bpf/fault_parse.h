/* fault_parse.h - a packet at tc egress, as far as fault rules look at it. For BPF programs only. */
#ifndef AZLAB_FAULT_PARSE_H
#define AZLAB_FAULT_PARSE_H
#include "fault.h"
#include "../nodes/proto/classes.h"
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct packet {
	struct fault_addr src, dst; /* of the packet itself */
	struct fault_end from,
	    to; /* of the flow in this packet's direction; for an ICMP error, of the flow it is about */
	__u32 seq;
	__u16 l4_off;
	__u8 proto, v6, class;
	__u8 syn, ack, rst; /* TCP */
	__u8 icmp_error;
	__u8 has_flow; /* TCP or UDP with ports */
};

/* The part of an IP header that both families have. */
struct ip_part {
	struct fault_addr src, dst;
	__u32 next; /* offset of what follows */
	__u8 proto, tos, v6, fragment;
};

static __always_inline void addr_of_v4(struct fault_addr *a, __be32 v4)
{
	a->word[0] = 0;
	a->word[1] = (__u64)v4 << 32 | bpf_htonl(0xffff);
}

static __always_inline int parse_v4(struct __sk_buff *skb, __u32 off, struct ip_part *ip)
{
	struct iphdr h;

	if (bpf_skb_load_bytes(skb, off, &h, sizeof(h)) < 0 || h.version != 4) return -1;
	addr_of_v4(&ip->src, h.saddr);
	addr_of_v4(&ip->dst, h.daddr);
	ip->proto = h.protocol;
	ip->tos = h.tos;
	ip->v6 = 0;
	ip->fragment = (h.frag_off & bpf_htons(0x1fff)) != 0;
	ip->next = off + h.ihl * 4;
	return 0;
}

static __always_inline int parse_v6(struct __sk_buff *skb, __u32 off, struct ip_part *ip)
{
	struct ipv6hdr h;
	struct {
		__u8 next, len;
		__be16 offset; /* of a fragment header */
	} ext;

	if (bpf_skb_load_bytes(skb, off, &h, sizeof(h)) < 0 || h.version != 6) return -1;
	__builtin_memcpy(&ip->src, &h.saddr, sizeof(ip->src));
	__builtin_memcpy(&ip->dst, &h.daddr, sizeof(ip->dst));
	ip->proto = h.nexthdr;
	ip->tos = h.priority << 4 | h.flow_lbl[0] >> 4;
	ip->v6 = 1;
	ip->fragment = 0;
	ip->next = off + sizeof(h);
	for (int i = 0; i < 4; i++) { /* more extension headers than that nobody sends */
		if (ip->proto != IPPROTO_HOPOPTS && ip->proto != IPPROTO_ROUTING &&
		    ip->proto != IPPROTO_DSTOPTS && ip->proto != IPPROTO_FRAGMENT)
			break;
		if (bpf_skb_load_bytes(skb, ip->next, &ext, sizeof(ext)) < 0) return -1;
		if (ip->proto == IPPROTO_FRAGMENT) {
			ip->fragment = (ext.offset & bpf_htons(0xfff8)) != 0;
			ip->next += 8;
		} else {
			ip->next += (ext.len + 1) * 8;
		}
		ip->proto = ext.next;
	}
	return 0;
}

/* Ports that lab daemons answer on; with them a datagram shows who asked, whichever was seen first. */
static __always_inline int is_service_port(__u32 port)
{
	return port < 1024 || port == PORT_ROUTE_AGENT || port == PORT_HEALTH_REPORT || port == PORT_LEASE;
}

static __always_inline int uses_port(const struct packet *p, __u32 first, __u32 last)
{
	return (p->from.port >= first && p->from.port <= last) || (p->to.port >= first && p->to.port <= last);
}

/* An own port counts on UDP, or with the control code point: TCP clients use the same numbers as ephemeral.
 */
static __always_inline __u8 class_of(const struct packet *p, __u8 dscp)
{
	int own = p->from.proto == IPPROTO_UDP || dscp == DSCP_CS6;

	if (uses_port(p, PORT_DNS, PORT_DNS)) return FAULT_CLASS_DNS;
	if (own && uses_port(p, PORT_LEASE, PORT_LEASE)) return FAULT_CLASS_LEASE;
	if (own && uses_port(p, PORT_ROUTE_MANAGER, PORT_ROUTE_AGENT)) return FAULT_CLASS_ROUTE_UPDATE;
	if (own && uses_port(p, PORT_HEALTH_REPORT, PORT_HEALTH_CHECKER)) return FAULT_CLASS_CONTROL;
	if (dscp == DSCP_CS2) return FAULT_CLASS_HEALTH_CHECK;
	if (dscp == DSCP_CS6) return FAULT_CLASS_CONTROL;
	return FAULT_CLASS_USER;
}

static __always_inline int is_icmp_error(const struct ip_part *ip, __u8 type)
{
	if (ip->v6) return ip->proto == IPPROTO_ICMPV6 && type < 128;
	/* RFC 792: unreachable, source quench, time exceeded, parameter problem; linux/icmp.h needs a libc */
	return ip->proto == IPPROTO_ICMP && (type == 3 || type == 4 || type == 11 || type == 12);
}

/* Ports and flags; ip is the packet's own header, or the one that an ICMP error carries. */
static __always_inline void parse_ports(struct __sk_buff *skb, const struct ip_part *ip, struct packet *p)
{
	__be16 port[2];
	__u8 flags;

	if (ip->fragment || (ip->proto != IPPROTO_TCP && ip->proto != IPPROTO_UDP)) return;
	if (bpf_skb_load_bytes(skb, ip->next, port, sizeof(port)) < 0) return;
	p->from = (struct fault_end){ .addr = ip->src, .port = bpf_ntohs(port[0]), .proto = ip->proto };
	p->to = (struct fault_end){ .addr = ip->dst, .port = bpf_ntohs(port[1]), .proto = ip->proto };
	p->has_flow = 1;
	p->class = class_of(p, ip->tos >> 2);
	if (ip->proto != IPPROTO_TCP || p->icmp_error) return;
	if (bpf_skb_load_bytes(skb, ip->next + 13, &flags, 1) < 0) return;
	bpf_skb_load_bytes(skb, ip->next + 4, &p->seq, sizeof(p->seq));
	p->syn = (flags & 0x02) != 0;
	p->rst = (flags & 0x04) != 0;
	p->ack = (flags & 0x10) != 0;
}

static __always_inline int parse_ip(struct __sk_buff *skb, int v6, __u32 off, struct ip_part *ip)
{
	return v6 ? parse_v6(skb, off, ip) : parse_v4(skb, off, ip);
}

/* 0, or -1 for what is not IP. */
static __always_inline int parse_packet(struct __sk_buff *skb, struct packet *p)
{
	struct ip_part ip = {}, inner = {};
	int v6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	__u8 type = 0;

	if (!v6 && skb->protocol != bpf_htons(ETH_P_IP)) return -1;
	if (parse_ip(skb, v6, ETH_HLEN, &ip) < 0) return -1;
	p->src = ip.src;
	p->dst = ip.dst;
	p->proto = ip.fragment ? 0 : ip.proto;
	p->v6 = v6;
	p->l4_off = ip.next;
	p->class = FAULT_CLASS_NONE;
	if (!ip.fragment && (ip.proto == IPPROTO_ICMP || ip.proto == IPPROTO_ICMPV6))
		bpf_skb_load_bytes(skb, ip.next, &type, 1);
	if (!ip.fragment && is_icmp_error(&ip, type)) {
		p->icmp_error = 1;
		if (parse_ip(skb, v6, ip.next + 8, &inner) == 0) {
			struct fault_end turned;
			parse_ports(skb, &inner, p);
			/* the error travels against the packet it is about */
			turned = p->from;
			p->from = p->to;
			p->to = turned;
		}
		return 0;
	}
	parse_ports(skb, &ip, p);
	return 0;
}
#endif
