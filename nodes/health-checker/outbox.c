#include "health-checker/outbox.h"

void outbox_init(struct outbox *o, unsigned receivers)
{
	*o = (struct outbox){ .receivers = receivers };
}

uint32_t outbox_begin(struct outbox *o, unsigned parts)
{
	o->parts = parts;
	for (unsigned r = 0; r < o->receivers; r++)
		o->acked[r].parts = 0;
	return ++o->sequence;
}

bool outbox_lacks(const struct outbox *o, unsigned receiver, unsigned part)
{
	return !(o->acked[receiver].parts >> part & 1);
}

void outbox_ack(struct outbox *o, unsigned receiver, uint32_t sequence, unsigned part)
{
	if (receiver >= o->receivers || sequence != o->sequence || part >= o->parts) return;
	o->acked[receiver].parts |= UINT64_C(1) << part;
	for (unsigned i = 0; i < o->parts; i++)
		if (outbox_lacks(o, receiver, i)) return;
	o->acked[receiver].sequence = sequence;
}

uint32_t outbox_settled(const struct outbox *o)
{
	uint32_t oldest = o->sequence;

	for (unsigned r = 0; r < o->receivers; r++)
		if (o->acked[r].sequence < oldest) oldest = o->acked[r].sequence;
	return oldest;
}
