#include "answer.h"
#include "checksum.h"
#include "common/wire.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

enum {
	V4_LEN = 20,
	V6_LEN = 40,
	TCP_LEN = 20,
	ICMP_LEN = 8,
	ICMP4_QUOTE_MAX = 576 - V4_LEN - ICMP_LEN, /* RFC 1812 4.3.2.3 */
	ICMP6_QUOTE_MAX = 1280 - V6_LEN - ICMP_LEN,
	HOPS = 64,
	FIN = 1,
	SYN = 2,
	RST = 4,
	ACK = 16,
};

static void put_ethernet(struct wire *w, const struct fault_packet *p)
{
	wire_put_bytes(w, p->data + 6, 6);
	wire_put_bytes(w, p->data, 6);
	wire_put(w, p->v6 ? ETH_P_IPV6 : ETH_P_IP, 2);
}

/* An IP header back to the sender, with the packet's own class. */
static void put_ip(struct wire *w, const struct fault_packet *p, uint8_t proto, size_t payload)
{
	const uint8_t *ip = p->data + ETH_HLEN;
	uint8_t *start = w->at;

	if (p->v6) {
		wire_put(w, 6u << 28 | (uint32_t)(ip[0] & 15) << 24 | (uint32_t)(ip[1] & 0xf0) << 16, 4);
		wire_put(w, payload, 2);
		wire_put(w, proto, 1);
		wire_put(w, HOPS, 1);
		wire_put_bytes(w, ip + 24, 16);
		wire_put_bytes(w, ip + 8, 16);
		return;
	}
	wire_put(w, 0x45, 1);
	wire_put(w, ip[1], 1);
	wire_put(w, V4_LEN + payload, 2);
	wire_put(w, 0x4000, 4); /* no identification, don't fragment */
	wire_put(w, HOPS, 1);
	wire_put(w, proto, 1);
	wire_put(w, 0, 2);
	wire_put_bytes(w, ip + 16, 4);
	wire_put_bytes(w, ip + 12, 4);
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, start, V4_LEN));
	start[10] = (uint8_t)(sum >> 8);
	start[11] = (uint8_t)sum;
}

/* Fills in the checksum at l4 + offset; ip is the header before it. */
static void finish(const struct fault_packet *p, const uint8_t *ip, uint8_t *l4, size_t len, uint8_t proto,
                   size_t offset)
{
	uint64_t sum = proto == IPPROTO_ICMP ? 0 : checksum_pseudo(ip, p->v6, proto, len);
	uint16_t folded = (uint16_t)~checksum_fold(checksum_add(sum, l4, len));

	l4[offset] = (uint8_t)(folded >> 8);
	l4[offset + 1] = (uint8_t)folded;
}

static int make_reset(const struct fault_packet *p, uint8_t *buf)
{
	struct wire w = wire_over(buf, ANSWER_MAX),
	            in = wire_over((void *)(p->data + p->l4_off), p->len - p->l4_off);
	uint64_t sport = wire_get(&in, 2), dport = wire_get(&in, 2);
	uint32_t seq = (uint32_t)wire_get(&in, 4), ack = (uint32_t)wire_get(&in, 4);
	uint32_t header = (uint32_t)wire_get(&in, 1) >> 4 << 2, flags = (uint32_t)wire_get(&in, 1);

	if (!wire_ok(&in) || header < TCP_LEN || p->len < p->l4_off + header) return -EBADMSG;
	uint32_t end = seq + (p->len - p->l4_off - header) + !!(flags & SYN) + !!(flags & FIN);
	put_ethernet(&w, p);
	put_ip(&w, p, IPPROTO_TCP, TCP_LEN);
	uint8_t *l4 = w.at;
	wire_put(&w, dport, 2);
	wire_put(&w, sport, 2);
	wire_put(&w, flags & ACK ? ack : 0, 4);
	wire_put(&w, flags & ACK ? 0 : end, 4);
	wire_put(&w, 0x50, 1);
	wire_put(&w, flags & ACK ? RST : RST | ACK, 1);
	wire_put(&w, 0, 6);
	finish(p, buf + ETH_HLEN, l4, TCP_LEN, IPPROTO_TCP, 16);
	return (int)(w.at - buf);
}

static int make_unreachable(const struct fault_packet *p, uint8_t *buf)
{
	struct wire w = wire_over(buf, ANSWER_MAX);
	uint8_t proto = p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	size_t quote = p->len - ETH_HLEN, max = p->v6 ? ICMP6_QUOTE_MAX : ICMP4_QUOTE_MAX;

	if (quote > max) quote = max;
	put_ethernet(&w, p);
	put_ip(&w, p, proto, ICMP_LEN + quote);
	uint8_t *l4 = w.at;
	wire_put(&w, p->v6 ? 0x0104 : 0x0303, 2); /* type and code: port unreachable */
	wire_put(&w, 0, 6);
	wire_put_bytes(&w, p->data + ETH_HLEN, quote);
	finish(p, buf + ETH_HLEN, l4, ICMP_LEN + quote, proto, 2);
	return (int)(w.at - buf);
}

int answer_make(const struct fault_packet *p, uint8_t *buf)
{
	if (p->len < p->l4_off || p->l4_off < ETH_HLEN + (p->v6 ? V6_LEN : V4_LEN)) return -EBADMSG;
	return p->proto == IPPROTO_TCP ? make_reset(p, buf) : make_unreachable(p, buf);
}
