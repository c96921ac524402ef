/* wire.h - a cursor over a datagram, big-endian, with a sticky error: read or write all fields, then ask
 * wire_ok() once. After an error reads give 0 and writes do nothing. */
#ifndef AZLAB_WIRE_H
#define AZLAB_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire {
	uint8_t *at, *end;
	bool failed;
};

static inline struct wire wire_over(void *buf, size_t len)
{
	return (struct wire){ .at = buf, .end = (uint8_t *)buf + len };
}
static inline bool wire_ok(const struct wire *w)
{
	return !w->failed;
}
/* True when every byte was read and nothing failed: a datagram with trailing bytes is malformed. */
static inline bool wire_done(const struct wire *w)
{
	return !w->failed && w->at == w->end;
}
static inline bool wire_room(struct wire *w, size_t n)
{
	if (!w->failed && (size_t)(w->end - w->at) >= n) return true;
	w->failed = true;
	return false;
}
static inline void wire_put(struct wire *w, uint64_t value, size_t bytes)
{
	if (!wire_room(w, bytes)) return;
	for (size_t i = bytes; i-- > 0;)
		*w->at++ = (uint8_t)(value >> (8 * i));
}
static inline uint64_t wire_get(struct wire *w, size_t bytes)
{
	uint64_t value = 0;
	if (!wire_room(w, bytes)) return 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | *w->at++;
	return value;
}
static inline void wire_put_bytes(struct wire *w, const void *bytes, size_t n)
{
	if (!wire_room(w, n)) return;
	memcpy(w->at, bytes, n);
	w->at += n;
}
static inline void wire_get_bytes(struct wire *w, void *bytes, size_t n)
{
	if (!wire_room(w, n)) {
		memset(bytes, 0, n);
		return;
	}
	memcpy(bytes, w->at, n);
	w->at += n;
}
#endif
