/* answer.h - what `reject` sends back in the destination's name: a RST to TCP (RFC 9293 3.10.7.1), "port
 * unreachable" to anything else (RFC 792, RFC 4443), as a host without a listener would. Pure. */
#ifndef AZLAB_DELAY_ANSWER_H
#define AZLAB_DELAY_ANSWER_H
#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_MAX = 14 + 1280 };

/* Writes the Ethernet frame that answers the packet into buf (ANSWER_MAX bytes). Returns its length, or
 * -EBADMSG for a packet cut off before its headers end. */
int answer_make(const struct fault_packet *p, uint8_t *buf);
#endif
