/* checksum.h - the Internet checksum (RFC 1071), over bytes in network order. */
#ifndef AZLAB_DELAY_CHECKSUM_H
#define AZLAB_DELAY_CHECKSUM_H
#include <stddef.h>
#include <stdint.h>

/* Adds bytes to a sum; only the last piece may have an odd length. */
static inline uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t len)
{
	for (; len > 1; bytes += 2, len -= 2)
		sum += (uint64_t)bytes[0] << 8 | bytes[1];
	return len ? sum + ((uint64_t)bytes[0] << 8) : sum;
}
static inline uint16_t checksum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
/* The pseudo-header of TCP, UDP and ICMPv6 over the addresses of an IP header (RFC 9293, RFC 8200 8.1). */
static inline uint64_t checksum_pseudo(const uint8_t *ip, int v6, uint8_t proto, size_t l4_len)
{
	uint64_t sum = (uint64_t)proto + (l4_len >> 16) + (l4_len & 0xffff);
	return v6 ? checksum_add(sum, ip + 8, 32) : checksum_add(sum, ip + 12, 8);
}
#endif
