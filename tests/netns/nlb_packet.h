/* nlb_packet.h - packets as bytes for tests: made with right checksums, and checked for them. Addresses are
 * text; one with a colon makes an IPv6 packet. */
#ifndef AZLAB_NLB_PACKET_H
#define AZLAB_NLB_PACKET_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { PACKET_MAX = 2048, ETH_LEN = 14 };

struct packet {
	uint8_t b[PACKET_MAX];
	size_t len, l3, l4;
	bool v6;
};

static inline void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8), at[1] = (uint8_t)v;
}
static inline void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16), put16(at + 2, v & 0xffff);
}
static inline unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}
static inline uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static inline uint32_t sum16(const uint8_t *at, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(at + i);
	if (n & 1) sum += (uint32_t)at[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}
/* The sum over addresses, length and protocol that TCP's and ICMPv6's checksums begin with. */
static inline uint32_t pseudo_sum(const uint8_t *ip, bool v6, unsigned protocol, size_t length)
{
	uint32_t sum = v6 ? sum16(ip + 8, 32, 0) : sum16(ip + 12, 8, 0);
	return sum16(NULL, 0, sum + protocol + (uint32_t)length);
}

/* Begins a packet: Ethernet and IP headers. extra bytes of IPv4 options or IPv6 extension headers (a multiple
 * of 8) are inserted: no-operations, or hop-by-hop and destination options. */
static inline void packet_ip(struct packet *p, const char *src, const char *dst, unsigned protocol,
                             size_t extra)
{
	static const uint8_t macs[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	memset(p, 0, sizeof(*p));
	p->v6 = strchr(src, ':') != NULL;
	memcpy(p->b, macs, sizeof(macs));
	put16(p->b + 12, p->v6 ? 0x86dd : 0x0800);
	p->l3 = ETH_LEN;
	uint8_t *ip = p->b + p->l3;
	p->l4 = p->l3 + (p->v6 ? 40 : 20) + extra;
	if (p->v6) {
		ip[0] = 0x60, ip[6] = (uint8_t)protocol, ip[7] = 64;
		inet_pton(AF_INET6, src, ip + 8), inet_pton(AF_INET6, dst, ip + 24);
		for (size_t at = 0; at < extra; at += 8) { /* each 8 bytes: a header with a PadN option */
			uint8_t *x = ip + 40 + at;
			x[0] = (uint8_t)(at + 8 < extra ? IPPROTO_DSTOPTS : protocol), x[1] = 0, x[2] = 1,
			x[3] = 4;
		}
		if (extra) ip[6] = IPPROTO_HOPOPTS;
	} else {
		ip[0] = (uint8_t)(0x45 + extra / 4), ip[8] = 64, ip[9] = (uint8_t)protocol;
		inet_pton(AF_INET, src, ip + 12), inet_pton(AF_INET, dst, ip + 16);
		memset(ip + 20, 1, extra);
	}
	p->len = p->l4;
}

/* Fills in lengths and IP checksum; call after everything is in place. */
static inline void packet_finish_ip(struct packet *p)
{
	uint8_t *ip = p->b + p->l3;

	if (p->v6) {
		put16(ip + 4, (unsigned)(p->len - p->l3 - 40));
	} else {
		put16(ip + 2, (unsigned)(p->len - p->l3));
		put16(ip + 10, 0);
		put16(ip + 10, ~sum16(ip, p->l4 - p->l3, 0));
	}
}

static inline void packet_tcp_extra(struct packet *p, const char *src, unsigned sport, const char *dst,
                                    unsigned dport, unsigned flags, uint32_t seq, uint32_t ack,
                                    size_t payload, size_t extra)
{
	packet_ip(p, src, dst, IPPROTO_TCP, extra);
	uint8_t *tcp = p->b + p->l4;
	put16(tcp, sport), put16(tcp + 2, dport);
	put32(tcp + 4, seq), put32(tcp + 8, ack);
	tcp[12] = 5 << 4, tcp[13] = (uint8_t)flags;
	put16(tcp + 14, 0xffff);
	for (size_t i = 0; i < payload; i++)
		tcp[20 + i] = (uint8_t)(i * 7);
	p->len = p->l4 + 20 + payload;
	packet_finish_ip(p);
	put16(tcp + 16,
	      ~sum16(tcp, 20 + payload, pseudo_sum(p->b + p->l3, p->v6, IPPROTO_TCP, 20 + payload)));
}
static inline struct packet packet_tcp(const char *src, unsigned sport, const char *dst, unsigned dport,
                                       unsigned flags)
{
	struct packet p;
	packet_tcp_extra(&p, src, sport, dst, dport, flags, 1000, 2000, 11, 0);
	return p;
}

/* An ICMP or ICMPv6 error about the first quoted bytes of another packet's IP part. */
static inline struct packet packet_icmp(const char *src, const char *dst, unsigned type, unsigned code,
                                        uint32_t rest, const struct packet *about, size_t quoted)
{
	struct packet p;
	bool v6 = strchr(src, ':') != NULL;

	packet_ip(&p, src, dst, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 0);
	uint8_t *icmp = p.b + p.l4;
	icmp[0] = (uint8_t)type, icmp[1] = (uint8_t)code;
	put32(icmp + 4, rest);
	memcpy(icmp + 8, about->b + about->l3, quoted);
	p.len = p.l4 + 8 + quoted;
	packet_finish_ip(&p);
	put16(icmp + 2,
	      ~sum16(icmp, 8 + quoted, v6 ? pseudo_sum(p.b + p.l3, v6, IPPROTO_ICMPV6, 8 + quoted) : 0));
	return p;
}

/* --- checks: true if right --------------------------------------------------------------------------- */

static inline bool ip_sum_right(const struct packet *p)
{
	return p->v6 || sum16(p->b + p->l3, p->l4 - p->l3, 0) == 0xffff;
}
static inline bool l4_sum_right(const struct packet *p, unsigned protocol)
{
	size_t n = p->len - p->l4;
	bool pseudo = protocol != IPPROTO_ICMP;
	return sum16(p->b + p->l4, n, pseudo ? pseudo_sum(p->b + p->l3, p->v6, protocol, n) : 0) == 0xffff;
}
static inline bool address_is(const struct packet *p, size_t ip, bool source, const char *text)
{
	uint8_t want[16];
	size_t n = p->v6 ? 16 : 4, at = p->v6 ? (source ? 8 : 24) : (source ? 12 : 16);
	return inet_pton(p->v6 ? AF_INET6 : AF_INET, text, want) == 1 && !memcmp(p->b + ip + at, want, n);
}
#endif
