#include "nlb/maglev.h"
#include "common/cleanup.h"
#include "nlb.h"
#include <errno.h>
#include <stdlib.h>

enum { FREE_ENTRY = UINT16_MAX };

/* A target's preference list: offset, offset + skip, ... modulo the table's size, which is prime, so that
 * the list visits every entry. */
struct preference {
	uint32_t at, skip;
};

static struct preference preference_of(uint64_t key, uint32_t size)
{
	return (struct preference){ .at = (uint32_t)(nlb_mix(key) % size),
		                    .skip = (uint32_t)(nlb_mix(~key) % (size - 1)) + 1 };
}

/* Gives the target the next entry of its list that is still free. */
static void take_one(struct preference *p, uint16_t target, uint16_t *entry, uint32_t size)
{
	while (entry[p->at] != FREE_ENTRY)
		p->at = (p->at + p->skip) % size;
	entry[p->at] = target;
}

int maglev_build(const uint64_t *keys, size_t n, uint16_t *entry, uint32_t size)
{
	if (n == 0 || n >= size || n >= FREE_ENTRY) return -EINVAL;
	cleanup_free struct preference *lists = calloc(n, sizeof(*lists));
	if (!lists) return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		lists[i] = preference_of(keys[i], size);
	for (uint32_t i = 0; i < size; i++)
		entry[i] = FREE_ENTRY;
	for (uint32_t filled = 0; filled < size; filled++) {
		size_t turn = filled % n;
		take_one(&lists[turn], (uint16_t)turn, entry, size);
	}
	return 0;
}
