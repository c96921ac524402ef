/* table.h - what a network agent knows of each address: the newest generation that it has applied. Pure.
 * Addresses stay in it when their routes go, or a delayed older update could bring them back. */
#ifndef AZLAB_NETWORK_AGENT_TABLE_H
#define AZLAB_NETWORK_AGENT_TABLE_H
#include "proto/route.h"
#include <stdbool.h>

struct agent_table {
	void *root; /* of a tsearch tree; zero: empty */
};

/* True if the update is to be applied; else it is to be acknowledged only, and *ret_event is the event of its
 * application, 0 if a newer generation has taken its place. */
bool agent_table_wants(const struct agent_table *t, const struct route_update *u, uint64_t *ret_event);
/* The update was applied, which event tells of. -ENOMEM: forgotten, so it will be wanted again. */
int agent_table_applied(struct agent_table *t, const struct route_update *u, uint64_t event);
/* The generation known of the address, 0 if none. */
uint32_t agent_table_generation(const struct agent_table *t, const struct route_address *address);
void agent_table_release(struct agent_table *t);
#endif
