#include "frame.h"
#include "checksum.h"
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum { TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_CWR = 0x80 };

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static uint16_t checksum_offset(const struct fault_packet *p)
{
	if (p->proto == IPPROTO_TCP) return TCP_CHECKSUM;
	return p->proto == IPPROTO_UDP ? UDP_CHECKSUM : 0;
}

uint16_t frame_checksum_at(const struct fault_packet *p)
{
	uint16_t offset = checksum_offset(p);

	if (!offset || p->l4_off + offset + 2u > p->len) return 0;
	return p->l4_off + offset;
}

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* A finished checksum that equals its own pseudo-header sum finishes to itself again: no harm in the guess.
 */
static bool checksum_waits(const struct fault_packet *p)
{
	uint16_t at = frame_checksum_at(p);

	if (!at) return false;
	uint64_t pseudo = checksum_pseudo(p->data + ETH_HLEN, p->v6, p->proto, p->len - p->l4_off);
	return p->gso_size || get16(p->data + at) == checksum_fold(pseudo);
}

static uint8_t gso_type(const struct fault_packet *p)
{
	if (p->proto == IPPROTO_UDP) return VIRTIO_NET_HDR_GSO_UDP_L4;
	uint8_t type = p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	bool ecn = p->data[p->l4_off + TCP_FLAGS] & TCP_CWR;
	return ecn ? type | VIRTIO_NET_HDR_GSO_ECN : type;
}

struct virtio_net_hdr frame_offloads(const struct fault_packet *p)
{
	struct virtio_net_hdr h = { 0 };
	uint16_t at = frame_checksum_at(p);

	if (!checksum_waits(p)) return h;
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h.csum_start = p->l4_off;
	h.csum_offset = at - p->l4_off;
	if (!p->gso_size) return h;
	h.gso_type = gso_type(p);
	h.gso_size = p->gso_size;
	h.hdr_len =
	    p->l4_off + (p->proto == IPPROTO_TCP ? (p->data[p->l4_off + TCP_DATA_OFFSET] >> 4) * 4 : 8);
	return h;
}

void frame_corrupt(struct fault_packet *p)
{
	uint16_t at = frame_checksum_at(p);

	if (checksum_waits(p)) {
		/* the field holds the pseudo-header's sum already, so it is summed like the rest */
		uint16_t sum = checksum_fold(checksum_add(0, p->data + p->l4_off, p->len - p->l4_off));
		put16(p->data + at, sum == 0xffff ? 0xffff : (uint16_t)~sum);
	}
	if (p->len <= p->l4_off) return;
	size_t byte = p->l4_off + (p->choice >> 3) % (p->len - p->l4_off);
	p->data[byte] ^= 1 << (p->choice & 7);
}
