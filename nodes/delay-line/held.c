#include "held.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool before(const struct held_packet *a, const struct held_packet *b)
{
	return a->p.due_ns != b->p.due_ns ? a->p.due_ns < b->p.due_ns : a->order < b->order;
}

static size_t size_of(const struct fault_packet *p)
{
	return sizeof(struct held_packet) + p->len;
}

static int make_room(struct held *h)
{
	if (h->n < h->room) return 0;
	size_t room = h->room ? 2 * h->room : 1024;
	struct held_packet **heap = reallocarray(h->heap, room, sizeof(*heap));
	if (!heap) return -ENOMEM;
	h->heap = heap;
	h->room = room;
	return 0;
}

static void sift_up(struct held *h, size_t i, struct held_packet *x)
{
	for (; i && before(x, h->heap[(i - 1) / 2]); i = (i - 1) / 2)
		h->heap[i] = h->heap[(i - 1) / 2];
	h->heap[i] = x;
}

static void sift_down(struct held *h, struct held_packet *x)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && before(h->heap[child + 1], h->heap[child])) child++;
		if (!before(h->heap[child], x)) break;
		h->heap[i] = h->heap[child];
		i = child;
	}
	h->heap[i] = x;
}

int held_push(struct held *h, const struct fault_packet *p)
{
	if (h->bytes + size_of(p) > h->max_bytes) return -ENOBUFS;
	int r = make_room(h);
	struct held_packet *x = r < 0 ? NULL : malloc(size_of(p));
	if (!x) return -ENOMEM;
	x->order = h->order++;
	memcpy(&x->p, p, sizeof(*p) + p->len);
	h->bytes += size_of(p);
	sift_up(h, h->n++, x);
	return 0;
}

mono_ns held_due(const struct held *h)
{
	return h->n ? (mono_ns)h->heap[0]->p.due_ns : MONO_NEVER;
}

struct held_packet *held_pop(struct held *h, mono_ns now)
{
	if (held_due(h) > now) return NULL;
	struct held_packet *x = h->heap[0];
	h->bytes -= size_of(&x->p);
	if (--h->n) sift_down(h, h->heap[h->n]);
	return x;
}

void held_release(struct held *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->heap[i]);
	free(h->heap);
	*h = (struct held){ .max_bytes = h->max_bytes };
}
