/* fault_addr.h - addresses as the fault program compares them: 16 bytes as they lie in memory. */
#ifndef AZLAB_FAULT_ADDR_H
#define AZLAB_FAULT_ADDR_H
#include "fault.h"
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

static inline struct fault_addr fault_addr_v6(struct in6_addr v6)
{
	struct fault_addr ret;
	memcpy(&ret, &v6, sizeof(ret));
	return ret;
}
/* ::ffff:a.b.c.d */
static inline struct fault_addr fault_addr_v4(struct in_addr v4)
{
	return fault_addr_v6((struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0xffff), v4.s_addr } });
}
#endif
