#include "nlb/registry.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct registry_target *)a)->id, y = ((const struct registry_target *)b)->id;
	return x < y ? -1 : x > y;
}

static struct registry_target *find(const struct registry *r, uint32_t id)
{
	struct registry_target key = { .id = id };
	return r->n ? bsearch(&key, r->targets, r->n, sizeof(key), by_id) : NULL;
}

int registry_set(struct registry *r, struct registry_target *targets, size_t n, uint64_t cause)
{
	struct registry_target *copy = calloc(n + 1, sizeof(*copy));

	if (!copy) return -ENOMEM;
	qsort(targets, n, sizeof(*targets), by_id);
	for (size_t i = 0; i < n; i++) {
		if (i && targets[i].id == targets[i - 1].id) {
			free(copy);
			return -EEXIST;
		}
		const struct registry_target *old = find(r, targets[i].id);
		copy[i] = targets[i];
		copy[i].health = old ? old->health : REGISTRY_UNKNOWN;
	}
	free(r->targets);
	r->targets = copy;
	r->n = n;
	r->cause = cause;
	return 0;
}

/* True if this part is news: of a newer report, or of the newest one and not yet taken. */
static bool take_part(struct registry *r, const struct health_report *report)
{
	uint64_t bit = UINT64_C(1) << (report->part & 63);

	if (!r->heard || report->epoch > r->epoch ||
	    (report->epoch == r->epoch && report->sequence > r->sequence)) {
		r->heard = true;
		r->epoch = report->epoch;
		r->sequence = report->sequence;
		r->parts_seen = bit;
		return true;
	}
	if (report->epoch != r->epoch || report->sequence != r->sequence || (r->parts_seen & bit))
		return false;
	r->parts_seen |= bit;
	return true;
}

int registry_report(struct registry *r, const struct health_report *report)
{
	int changed = 0;

	if (!take_part(r, report)) return -ESTALE;
	for (size_t i = 0; i < report->n; i++) {
		enum registry_health now = report->targets[i].healthy ? REGISTRY_HEALTHY : REGISTRY_UNHEALTHY;
		struct registry_target *t = find(r, report->targets[i].id);
		if (!t || t->health == now) continue;
		t->health = now;
		r->cause = report->targets[i].event;
		changed = 1;
	}
	return changed;
}

size_t registry_healthy(const struct registry *r)
{
	size_t healthy = 0;
	for (size_t i = 0; i < r->n; i++)
		healthy += r->targets[i].health != REGISTRY_UNHEALTHY;
	return healthy;
}

bool registry_fails_open(const struct registry *r)
{
	return r->n > 0 && registry_healthy(r) == 0;
}

bool registry_eligible(const struct registry *r, size_t i)
{
	return r->targets[i].health != REGISTRY_UNHEALTHY || registry_fails_open(r);
}

void registry_release(struct registry *r)
{
	free(r->targets);
	memset(r, 0, sizeof(*r));
}
