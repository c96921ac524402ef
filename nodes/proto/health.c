#include "proto/health.h"
#include "common/wire.h"
#include <errno.h>

enum { HEALTH_REPORT_MAGIC = 0x617a4801, HEALTH_ACK_MAGIC = 0x617a4802 };

int health_report_encode(const struct health_report *r, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, HEALTH_REPORT_MAGIC, 4);
	wire_put(&w, r->zone, 2);
	wire_put(&w, r->service, 2);
	wire_put(&w, r->epoch, 4);
	wire_put(&w, r->sequence, 4);
	wire_put(&w, r->part, 2);
	wire_put(&w, r->parts, 2);
	wire_put(&w, r->total, 2);
	wire_put(&w, r->n, 2);
	for (uint16_t i = 0; i < r->n; i++) {
		wire_put(&w, r->targets[i].id, 4);
		wire_put(&w, r->targets[i].healthy, 1);
		wire_put(&w, r->targets[i].event, 8);
	}
	return wire_ok(&w) ? (int)(w.at - (uint8_t *)buf) : -EMSGSIZE;
}

int health_report_decode(struct health_report *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct health_report r = { 0 };

	if (wire_get(&w, 4) != HEALTH_REPORT_MAGIC) return -EBADMSG;
	r.zone = (uint16_t)wire_get(&w, 2);
	r.service = (uint16_t)wire_get(&w, 2);
	r.epoch = (uint32_t)wire_get(&w, 4);
	r.sequence = (uint32_t)wire_get(&w, 4);
	r.part = (uint16_t)wire_get(&w, 2);
	r.parts = (uint16_t)wire_get(&w, 2);
	r.total = (uint16_t)wire_get(&w, 2);
	r.n = (uint16_t)wire_get(&w, 2);
	if (r.n > HEALTH_TARGETS_PER_PART || r.n > r.total || r.part >= r.parts) return -EBADMSG;
	for (uint16_t i = 0; i < r.n; i++) {
		r.targets[i].id = (uint32_t)wire_get(&w, 4);
		uint64_t healthy = wire_get(&w, 1);
		r.targets[i].event = wire_get(&w, 8);
		if (healthy > 1) return -EBADMSG;
		r.targets[i].healthy = healthy;
	}
	if (!wire_done(&w)) return -EBADMSG;
	*ret = r;
	return 0;
}

int health_ack_encode(const struct health_ack *a, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, HEALTH_ACK_MAGIC, 4);
	wire_put(&w, a->zone, 2);
	wire_put(&w, a->service, 2);
	wire_put(&w, a->epoch, 4);
	wire_put(&w, a->sequence, 4);
	wire_put(&w, a->part, 2);
	return wire_ok(&w) ? (int)(w.at - (uint8_t *)buf) : -EMSGSIZE;
}

int health_ack_decode(struct health_ack *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct health_ack a = { 0 };

	if (wire_get(&w, 4) != HEALTH_ACK_MAGIC) return -EBADMSG;
	a.zone = (uint16_t)wire_get(&w, 2);
	a.service = (uint16_t)wire_get(&w, 2);
	a.epoch = (uint32_t)wire_get(&w, 4);
	a.sequence = (uint32_t)wire_get(&w, 4);
	a.part = (uint16_t)wire_get(&w, 2);
	if (!wire_done(&w)) return -EBADMSG;
	*ret = a;
	return 0;
}
