#include "dns-enactor/walk.h"
#include <errno.h>
#include <stdlib.h>

/* Fisher and Yates. */
static void shuffle(uint32_t *order, size_t n, struct random *random)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = (size_t)(random_unit(random) * (double)i);
		uint32_t other = order[k];
		order[k] = order[i - 1];
		order[i - 1] = other;
	}
}

int dne_walk_begin(struct dne_walk *w, size_t n, struct random *random, mono_ns now)
{
	uint32_t *order = calloc(n, sizeof(*order));

	if (!order) return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	if (random) shuffle(order, n, random);
	*w = (struct dne_walk){ .n = n, .order = order, .attempt = 1, .begun = now, .since = now };
	return 0;
}

void dne_walk_release(struct dne_walk *w)
{
	free(w->order);
	*w = (struct dne_walk){ 0 };
}

size_t dne_walk_at(const struct dne_walk *w)
{
	return w->order[w->at];
}

mono_ns dne_walk_back_off(struct dne_walk *w, mono_ns first, mono_ns longest, struct random *random)
{
	mono_ns most = first;

	for (unsigned i = 1; i < w->attempt && most < longest; i++)
		most *= 2;
	w->attempt++;
	if (most > longest) most = longest;
	return (mono_ns)(random_unit(random) * (double)most);
}

bool dne_walk_next(struct dne_walk *w, mono_ns now)
{
	w->attempt = 1;
	w->since = now;
	return ++w->at < w->n;
}
