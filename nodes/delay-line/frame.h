/* frame.h - a captured packet as AF_PACKET takes it again: offloads, and the damage of `corrupt`. Pure.
 *
 * At tc egress a packet may still wait for its checksum, or for being cut into segments (TSO). The program
 * can't see which; but a checksum that waits holds the sum of the pseudo-header, and PACKET_VNET_HDR passes
 * both back to the kernel. */
#ifndef AZLAB_DELAY_FRAME_H
#define AZLAB_DELAY_FRAME_H
#include "fault.h"
#include <linux/virtio_net.h>
#include <stdint.h>

/* Where the checksum of the packet's protocol stands, from the Ethernet header; 0 if it has none or is cut
 * off. */
uint16_t frame_checksum_at(const struct fault_packet *p);
/* The header that makes the kernel treat the packet as it was when captured. */
struct virtio_net_hdr frame_offloads(const struct fault_packet *p);
/* Completes a waiting checksum, then turns one bit behind the IP header, so that the receiver notices. */
void frame_corrupt(struct fault_packet *p);
#endif
