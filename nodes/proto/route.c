#include "proto/route.h"
#include "common/wire.h"
#include <errno.h>

enum {
	ROUTE_UPDATE_MAGIC = 0x617a5201,
	ROUTE_ACK_MAGIC = 0x617a5202,
	ROUTE_HELLO_MAGIC = 0x617a5203,
	ROUTE_WELCOME_MAGIC = 0x617a5204,
};

int route_address_compare(const struct route_address *a, const struct route_address *b)
{
	int order = memcmp(&a->v4, &b->v4, sizeof(a->v4));
	return order ? order : memcmp(&a->v6, &b->v6, sizeof(a->v6));
}

/* Names travel as one byte of length and the text without its NUL. */
static void put_name(struct wire *w, const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	if (len == 0 || len == size) w->failed = true;
	wire_put(w, len, 1);
	wire_put_bytes(w, name, len);
}

static void get_name(struct wire *w, char *name, size_t size)
{
	size_t len = wire_get(w, 1);

	if (len == 0 || len >= size) {
		w->failed = true;
		return;
	}
	wire_get_bytes(w, name, len);
	name[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~') w->failed = true;
	}
}

static void put_address(struct wire *w, const struct route_address *a)
{
	wire_put_bytes(w, &a->v4, sizeof(a->v4));
	wire_put_bytes(w, &a->v6, sizeof(a->v6));
}

static void get_address(struct wire *w, struct route_address *a)
{
	wire_get_bytes(w, &a->v4, sizeof(a->v4));
	wire_get_bytes(w, &a->v6, sizeof(a->v6));
}

static int length(const struct wire *w, const void *buf)
{
	return wire_ok(w) ? (int)(w->at - (const uint8_t *)buf) : -EMSGSIZE;
}

int route_update_encode(const struct route_update *u, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, ROUTE_UPDATE_MAGIC, 4);
	wire_put(&w, u->action, 1);
	wire_put(&w, u->virtual, 1);
	wire_put(&w, u->id, 4);
	wire_put(&w, u->generation, 4);
	wire_put(&w, u->event, 8);
	put_address(&w, &u->address);
	put_name(&w, u->instance, sizeof(u->instance));
	put_name(&w, u->zone, sizeof(u->zone));
	put_name(&w, u->ifname, sizeof(u->ifname));
	return length(&w, buf);
}

int route_update_decode(struct route_update *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct route_update u = { 0 };

	if (wire_get(&w, 4) != ROUTE_UPDATE_MAGIC) return -EBADMSG;
	uint64_t action = wire_get(&w, 1), virtual = wire_get(&w, 1);
	u.id = (uint32_t)wire_get(&w, 4);
	u.generation = (uint32_t)wire_get(&w, 4);
	u.event = wire_get(&w, 8);
	get_address(&w, &u.address);
	get_name(&w, u.instance, sizeof(u.instance));
	get_name(&w, u.zone, sizeof(u.zone));
	get_name(&w, u.ifname, sizeof(u.ifname));
	if (!wire_done(&w) || action > ROUTE_ATTACH || virtual > 1 || u.generation == 0) return -EBADMSG;
	u.action = (enum route_action)action;
	u.virtual = virtual;
	*ret = u;
	return 0;
}

int route_ack_encode(const struct route_ack *a, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, ROUTE_ACK_MAGIC, 4);
	put_name(&w, a->zone, sizeof(a->zone));
	wire_put(&w, a->epoch, 8);
	wire_put(&w, a->generation, 4);
	wire_put(&w, a->event, 8);
	put_address(&w, &a->address);
	return length(&w, buf);
}

int route_ack_decode(struct route_ack *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct route_ack a = { 0 };

	if (wire_get(&w, 4) != ROUTE_ACK_MAGIC) return -EBADMSG;
	get_name(&w, a.zone, sizeof(a.zone));
	a.epoch = wire_get(&w, 8);
	a.generation = (uint32_t)wire_get(&w, 4);
	a.event = wire_get(&w, 8);
	get_address(&w, &a.address);
	if (!wire_done(&w) || a.generation == 0) return -EBADMSG;
	*ret = a;
	return 0;
}

int route_hello_encode(const struct route_hello *h, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, ROUTE_HELLO_MAGIC, 4);
	put_name(&w, h->zone, sizeof(h->zone));
	wire_put(&w, h->epoch, 8);
	return length(&w, buf);
}

int route_hello_decode(struct route_hello *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct route_hello h = { 0 };

	if (wire_get(&w, 4) != ROUTE_HELLO_MAGIC) return -EBADMSG;
	get_name(&w, h.zone, sizeof(h.zone));
	h.epoch = wire_get(&w, 8);
	if (!wire_done(&w)) return -EBADMSG;
	*ret = h;
	return 0;
}

int route_welcome_encode(const struct route_welcome *m, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, ROUTE_WELCOME_MAGIC, 4);
	wire_put(&w, m->epoch, 8);
	return length(&w, buf);
}

int route_welcome_decode(struct route_welcome *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct route_welcome m = { 0 };

	if (wire_get(&w, 4) != ROUTE_WELCOME_MAGIC) return -EBADMSG;
	m.epoch = wire_get(&w, 8);
	if (!wire_done(&w)) return -EBADMSG;
	*ret = m;
	return 0;
}
