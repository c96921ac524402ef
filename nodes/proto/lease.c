#include "proto/lease.h"
#include "common/wire.h"
#include <errno.h>

enum { LEASE_MAGIC = 0x617a4c01 };

const char *lease_refusal_text(enum lease_refusal why)
{
	static const char *const texts[] = { [LEASE_OLD_EPOCH] = "old-epoch",
		                             [LEASE_NO_LEASE] = "no-lease",
		                             [LEASE_NO_SLOT] = "no-slot",
		                             [LEASE_UNKNOWN] = "unknown",
		                             [LEASE_FAILED] = "failed" };
	return why >= LEASE_OLD_EPOCH && why <= LEASE_FAILED ? texts[why] : "?";
}

const char *lease_order_text(enum lease_order order)
{
	static const char *const texts[] = {
		[LEASE_LAUNCH] = "launch", [LEASE_TERMINATE] = "terminate", [LEASE_REBOOT] = "reboot"
	};
	return order >= LEASE_LAUNCH && order <= LEASE_REBOOT ? texts[order] : "?";
}

/* A name travels as one byte of length and the text without its NUL. */
static void put_name(struct wire *w, const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	if (len == size) w->failed = true;
	wire_put(w, len, 1);
	wire_put_bytes(w, name, len);
}

static void get_name(struct wire *w, char *name, size_t size)
{
	size_t len = wire_get(w, 1);

	if (len >= size) {
		w->failed = true;
		return;
	}
	wire_get_bytes(w, name, len);
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~') w->failed = true;
	}
}

static void put_holder(struct wire *w, const char *holder)
{
	if (!holder[0]) w->failed = true;
	put_name(w, holder, LEASE_NAME_MAX);
}

static void get_holder(struct wire *w, char *holder)
{
	get_name(w, holder, LEASE_NAME_MAX);
	if (!holder[0]) w->failed = true;
}

static void put_order(struct wire *w, const struct lease_message *m)
{
	wire_put(w, m->epoch, 8);
	wire_put(w, m->order, 1);
	wire_put(w, m->real, 1);
	if (!m->instance[0]) w->failed = true;
	put_name(w, m->instance, sizeof(m->instance));
	put_name(w, m->service, sizeof(m->service));
	wire_put(w, m->cause, 8);
}

static void get_order(struct wire *w, struct lease_message *m)
{
	m->epoch = wire_get(w, 8);
	uint64_t order = wire_get(w, 1), real = wire_get(w, 1);
	get_name(w, m->instance, sizeof(m->instance));
	get_name(w, m->service, sizeof(m->service));
	m->cause = wire_get(w, 8);
	if (!m->instance[0] || order < LEASE_LAUNCH || order > LEASE_REBOOT || real > 1) w->failed = true;
	m->order = (enum lease_order)order;
	m->real = real != 0;
}

static void put_body(struct wire *w, const struct lease_message *m)
{
	switch (m->kind) {
	case LEASE_CHECK:
		put_holder(w, m->holder);
		break;
	case LEASE_GRANT:
		put_holder(w, m->holder);
		wire_put(w, m->epoch, 8);
		wire_put(w, m->for_ms, 4);
		break;
	case LEASE_ORDER:
		put_order(w, m);
		break;
	case LEASE_STATE:
		wire_put(w, m->epoch, 8);
		wire_put(w, m->slots, 4);
		wire_put(w, m->used, 4);
		break;
	case LEASE_DONE:
		wire_put(w, m->cause, 8);
		break;
	case LEASE_REFUSED:
		wire_put(w, m->epoch, 8);
		wire_put(w, m->why, 1);
		break;
	}
}

static void get_body(struct wire *w, struct lease_message *m)
{
	uint64_t why;

	switch (m->kind) {
	case LEASE_CHECK:
		get_holder(w, m->holder);
		break;
	case LEASE_GRANT:
		get_holder(w, m->holder);
		m->epoch = wire_get(w, 8);
		m->for_ms = (uint32_t)wire_get(w, 4);
		break;
	case LEASE_ORDER:
		get_order(w, m);
		break;
	case LEASE_STATE:
		m->epoch = wire_get(w, 8);
		m->slots = (uint32_t)wire_get(w, 4);
		m->used = (uint32_t)wire_get(w, 4);
		break;
	case LEASE_DONE:
		m->cause = wire_get(w, 8);
		break;
	case LEASE_REFUSED:
		m->epoch = wire_get(w, 8);
		why = wire_get(w, 1);
		if (why < LEASE_OLD_EPOCH || why > LEASE_FAILED) w->failed = true;
		m->why = (enum lease_refusal)why;
		break;
	}
}

int lease_encode(const struct lease_message *m, void *buf, size_t size)
{
	struct wire w = wire_over(buf, size);

	wire_put(&w, LEASE_MAGIC, 4);
	wire_put(&w, m->kind, 1);
	wire_put(&w, m->droplet, 4);
	wire_put(&w, m->request, 8);
	put_body(&w, m);
	return wire_ok(&w) ? (int)(w.at - (uint8_t *)buf) : -EMSGSIZE;
}

int lease_decode(struct lease_message *ret, const void *buf, size_t len)
{
	struct wire w = wire_over((void *)buf, len);
	struct lease_message m = { 0 };

	if (wire_get(&w, 4) != LEASE_MAGIC) return -EBADMSG;
	uint64_t kind = wire_get(&w, 1);
	if (kind < LEASE_CHECK || kind > LEASE_REFUSED) return -EBADMSG;
	m.kind = (enum lease_kind)kind;
	m.droplet = (uint32_t)wire_get(&w, 4);
	m.request = wire_get(&w, 8);
	get_body(&w, &m);
	if (!wire_done(&w)) return -EBADMSG;
	*ret = m;
	return 0;
}
