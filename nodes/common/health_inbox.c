#include "common/health_inbox.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 64 };

struct version {
	uint32_t epoch, sequence;
};
struct table {
	unsigned n;
	struct health_target *targets; /* complete: by id */
};
/* What one zone's checker says about one service. */
struct box {
	bool has_state;
	struct version version; /* of state */
	struct table state;
	bool assembling;
	struct version next_version;
	unsigned parts, total;
	uint64_t got; /* parts, as bits */
	struct table next;
};
struct health_inbox {
	unsigned zones, services;
	mono_ns heard[HEALTH_ZONES_MAX]; /* 0: never, and no one waits for it */
	uint64_t silent, again;
	struct box boxes[];
};

int health_inbox_new(unsigned zones, unsigned services, struct health_inbox **ret)
{
	size_t boxes = (size_t)zones * services;
	struct health_inbox *in = calloc(1, sizeof(*in) + boxes * sizeof(struct box));

	if (!in) return -ENOMEM;
	in->zones = zones;
	in->services = services;
	*ret = in;
	return 0;
}

void health_inbox_free(struct health_inbox *in)
{
	if (!in) return;
	for (size_t i = 0; i < (size_t)in->zones * in->services; i++) {
		free(in->boxes[i].state.targets);
		free(in->boxes[i].next.targets);
	}
	free(in);
}

/* --- silence ----------------------------------------------------------------------------------------- */

static void hear(struct health_inbox *in, unsigned zone, mono_ns now)
{
	uint64_t bit = UINT64_C(1) << zone;

	in->heard[zone] = now;
	in->again |= in->silent & bit;
	in->silent &= ~bit;
}

void health_inbox_begin(struct health_inbox *in, mono_ns now)
{
	for (unsigned z = 0; z < in->zones; z++)
		if (!in->heard[z]) in->heard[z] = now;
}

uint64_t health_inbox_fell_silent(struct health_inbox *in, mono_ns now)
{
	uint64_t fell = 0;

	for (unsigned z = 0; z < in->zones; z++)
		if (in->heard[z] && now - in->heard[z] >= HEALTH_SILENCE) fell |= UINT64_C(1) << z;
	fell &= ~in->silent;
	in->silent |= fell;
	return fell;
}

uint64_t health_inbox_heard_again(struct health_inbox *in)
{
	uint64_t again = in->again;

	in->again = 0;
	return again;
}

mono_ns health_inbox_deadline(const struct health_inbox *in)
{
	mono_ns first = MONO_NEVER;

	for (unsigned z = 0; z < in->zones; z++) {
		if (!in->heard[z] || in->silent >> z & 1) continue;
		if (in->heard[z] + HEALTH_SILENCE < first) first = in->heard[z] + HEALTH_SILENCE;
	}
	return first;
}

/* --- reports ----------------------------------------------------------------------------------------- */

/* A restarted checker begins a higher epoch, with sequences from the start. */
static bool newer(struct version a, struct version b)
{
	return a.epoch != b.epoch ? a.epoch > b.epoch : a.sequence > b.sequence;
}

static int begin(struct box *b, const struct health_report *part, struct version version)
{
	struct health_target *targets =
	    realloc(b->next.targets, (part->total ? part->total : 1u) * sizeof(*targets));

	if (!targets) return -ENOMEM;
	b->next = (struct table){ .targets = targets };
	b->next_version = version;
	b->parts = part->parts;
	b->total = part->total;
	b->got = 0;
	b->assembling = true;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct health_target *)a)->id, y = ((const struct health_target *)b)->id;
	return (x > y) - (x < y);
}

static const struct health_target *find(const struct table *t, uint32_t id)
{
	struct health_target key = { .id = id };
	return t->n ? bsearch(&key, t->targets, t->n, sizeof(key), by_id) : NULL;
}

static unsigned count_healthy(const struct table *t)
{
	unsigned healthy = 0;
	for (unsigned i = 0; i < t->n; i++)
		healthy += t->targets[i].healthy;
	return healthy;
}

/* The newest event that made a target as it is now, among those that are new or changed to that side. */
static uint64_t newest_change(const struct table *before, const struct table *after, bool healthy)
{
	uint64_t newest = 0;

	for (unsigned i = 0; i < after->n; i++) {
		const struct health_target *new = &after->targets[i], *old = find(before, new->id);
		if (new->healthy == healthy && (!old || old->healthy != new->healthy) && new->event > newest)
			newest = new->event;
	}
	return newest;
}

static struct health_count compare(const struct table *before, const struct table *after)
{
	struct health_count h = { .healthy = count_healthy(after), .of = after->n };
	/* better or worse as a fraction: h/of >= before.h/before.n, without division */
	bool better = (uint64_t)h.healthy * before->n >= (uint64_t)count_healthy(before) * after->n;
	uint64_t same_side = newest_change(before, after, better);

	h.cause = same_side ? same_side : newest_change(before, after, !better);
	return h;
}

static struct health_count complete(struct box *b)
{
	qsort(b->next.targets, b->next.n, sizeof(*b->next.targets), by_id);
	struct health_count health = compare(&b->state, &b->next);
	free(b->state.targets);
	b->state = b->next;
	b->version = b->next_version;
	b->has_state = true;
	b->next = (struct table){ 0 };
	b->assembling = false;
	return health;
}

static int assemble(struct box *b, const struct health_report *part, struct health_count *ret)
{
	uint64_t bit = UINT64_C(1) << part->part, all = ~UINT64_C(0) >> (64 - part->parts);

	if (part->parts != b->parts || part->total != b->total || b->next.n + part->n > b->total)
		return -EINVAL;
	if (b->got & bit) return 0;
	if (part->n) memcpy(b->next.targets + b->next.n, part->targets, part->n * sizeof(*part->targets));
	b->next.n += part->n;
	b->got |= bit;
	if (b->got != all) return 0;
	if (b->next.n != b->total) {
		b->assembling = false; /* all parts, and not all targets */
		return -EINVAL;
	}
	*ret = complete(b);
	return 1;
}

int health_inbox_take(struct health_inbox *in, const struct health_report *part, mono_ns now,
                      struct health_count *ret)
{
	struct version version = { part->epoch, part->sequence };

	if (part->zone >= in->zones || part->service >= in->services || part->parts > PARTS_MAX ||
	    part->part >= part->parts || part->n > part->total)
		return -EINVAL;
	struct box *b = &in->boxes[part->zone * in->services + part->service];
	hear(in, part->zone, now);
	if (b->has_state && !newer(version, b->version)) return 0;
	if (b->assembling && newer(b->next_version, version)) return 0;
	if (!b->assembling || newer(version, b->next_version)) {
		int r = begin(b, part, version);
		if (r < 0) return r;
	}
	return assemble(b, part, ret);
}
