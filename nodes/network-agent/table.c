#include "network-agent/table.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>

struct known {
	struct route_address address;
	uint32_t generation;
	uint64_t event;
};

static int compare_known(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	return route_address_compare(&x->address, &y->address);
}

static struct known *find(const struct agent_table *t, const struct route_address *address)
{
	struct known key = { .address = *address };
	struct known **found = tfind(&key, &t->root, compare_known);
	return found ? *found : NULL;
}

bool agent_table_wants(const struct agent_table *t, const struct route_update *u, uint64_t *ret_event)
{
	const struct known *e = find(t, &u->address);

	if (!e || u->generation > e->generation) return true;
	*ret_event = u->generation == e->generation ? e->event : 0;
	return false;
}

int agent_table_applied(struct agent_table *t, const struct route_update *u, uint64_t event)
{
	struct known *e = find(t, &u->address);

	if (!e) {
		if (!(e = malloc(sizeof(*e)))) return -ENOMEM;
		e->address = u->address;
		if (!tsearch(e, &t->root, compare_known)) {
			free(e);
			return -ENOMEM;
		}
	}
	e->generation = u->generation;
	e->event = event;
	return 0;
}

uint32_t agent_table_generation(const struct agent_table *t, const struct route_address *address)
{
	const struct known *e = find(t, address);
	return e ? e->generation : 0;
}

void agent_table_release(struct agent_table *t)
{
	tdestroy(t->root, free);
	t->root = NULL;
}
