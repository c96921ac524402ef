/* maglev.h - consistent hashing by a lookup table: "Maglev: A Fast and Reliable Software Network Load
 * Balancer" (Eisenbud et al., NSDI 2016), section 3.4. Every target gets nearly the same number of entries,
 * and a change of the targets moves few entries that it needn't. Pure. */
#ifndef AZLAB_NLB_MAGLEV_H
#define AZLAB_NLB_MAGLEV_H
#include <stddef.h>
#include <stdint.h>

/* Fills entry[0..size) with indices into keys. A target's key is what identifies it across tables; size is
 * a prime, larger than n. 0, -EINVAL when n is 0 or not below size, or -ENOMEM; nothing written then. */
int maglev_build(const uint64_t *keys, size_t n, uint16_t *entry, uint32_t size);
#endif
