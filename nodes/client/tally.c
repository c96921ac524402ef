#include "client/tally.h"
#include "common/cleanup.h"
#include <math.h>

#define EPISODE_BEGINS_AT 0.01

void tally_init(struct tally *t)
{
	*t = (struct tally){ 0 };
	TAILQ_INIT(&t->buckets);
}

static struct tally_bucket *append(struct tally *t)
{
	struct tally_bucket *b = calloc(1, sizeof(*b));

	if (!b) return NULL;
	b->from = t->next;
	t->next += TALLY_BUCKET;
	TAILQ_INSERT_TAIL(&t->buckets, b, link);
	return b;
}

struct tally_bucket *tally_arrive(struct tally *t, mono_ns offset)
{
	struct tally_bucket *b = TAILQ_LAST(&t->buckets, tally_buckets);

	while (t->next <= offset)
		if (!(b = append(t))) return NULL;
	b->requests++;
	b->open++;
	return b;
}

void tally_attempt(struct tally_bucket *b)
{
	b->attempts++;
}

static void keep_latency(struct tally_bucket *b, mono_ns latency)
{
	if (b->n_latencies == b->room) {
		size_t room = b->room ? 2 * b->room : 32;
		uint32_t *larger = realloc(b->latencies_us, room * sizeof(*larger));
		if (!larger) return; /* a percentile of fewer */
		b->latencies_us = larger;
		b->room = room;
	}
	b->latencies_us[b->n_latencies++] = (uint32_t)(latency / NS_PER_US);
}

void tally_decide(struct tally_bucket *b, enum tally_class class, mono_ns latency)
{
	b->open--;
	b->by_class[class]++;
	if (class == TALLY_OK) keep_latency(b, latency);
}

struct tally_bucket *tally_pop(struct tally *t, mono_ns now)
{
	struct tally_bucket *b = TAILQ_FIRST(&t->buckets);

	if (!b && t->next + TALLY_BUCKET <= now) b = append(t); /* nothing arrived in it */
	if (!b || b->open > 0 || b->from + TALLY_BUCKET > now) return NULL;
	TAILQ_REMOVE(&t->buckets, b, link);
	return b;
}

void tally_bucket_free(struct tally_bucket *b)
{
	if (b) free(b->latencies_us);
	free(b);
}

unsigned tally_errors(const struct tally_bucket *b)
{
	return b->requests - b->open - b->by_class[TALLY_OK] - b->by_class[TALLY_LAB];
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

double tally_percentile(struct tally_bucket *b, double fraction)
{
	if (b->n_latencies == 0) return -1;
	qsort(b->latencies_us, b->n_latencies, sizeof(*b->latencies_us), by_size);
	size_t rank = (size_t)ceil(fraction * (double)b->n_latencies);
	return b->latencies_us[rank > 0 ? rank - 1 : 0] / 1000.0;
}

bool episode_feed(struct episode *e, unsigned requests, unsigned errors, double *ret_rate)
{
	unsigned all = 0, failed = 0;
	bool before = e->on;

	e->requests[e->at] = requests;
	e->errors[e->at] = errors;
	e->at = (e->at + 1) % EPISODE_BUCKETS;
	for (unsigned i = 0; i < EPISODE_BUCKETS; i++) {
		all += e->requests[i];
		failed += e->errors[i];
	}
	*ret_rate = all ? (double)failed / all : 0;
	e->on = e->on ? failed > 0 : failed > 0 && *ret_rate >= EPISODE_BEGINS_AT;
	return e->on != before;
}
