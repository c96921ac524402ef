/* Bit by bit, in the order in which a sorting writer would: the checksum is that of the text without its own
 * member, and nothing as large as the plan is held. */
#include "proto/dns_plan.h"
#include "common/cleanup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIECE_MAX = 512 };

struct text {
	FILE *out; /* NULL: only summed */
	uLong sum;
	int error; /* the first */
};

/* No value here needs escapes: dns_plan_check() has seen to their letters. */
static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
	char piece[PIECE_MAX];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	t->sum = crc32_z(t->sum, (const Bytef *)piece, (size_t)n);
	if (t->out && !t->error && fwrite(piece, 1, (size_t)n, t->out) != (size_t)n) t->error = -errno;
}

static void put_endpoints(struct text *t, const struct dns_plan *p)
{
	put(t, "\"endpoints\":[");
	for (size_t i = 0; i < p->n_endpoints; i++)
		put(t, "%s{\"name\":\"%s\",\"variant\":\"%s\"}", i ? "," : "", p->endpoints[i].name,
		    dns_variant_text(p->endpoints[i].variant));
	put(t, "],");
}

static void put_balancers(struct text *t, const struct dns_plan *p)
{
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];

	put(t, "\"load_balancers\":[");
	for (size_t i = 0; i < p->n_balancers; i++) {
		const struct dns_balancer *b = &p->balancers[i];
		inet_ntop(AF_INET, &b->addr4, v4, sizeof(v4));
		inet_ntop(AF_INET6, &b->addr6, v6, sizeof(v6));
		put(t, "%s{\"addr4\":\"%s\",\"addr6\":\"%s\",\"name\":\"%s\",\"weight\":%u}", i ? "," : "",
		    v4, v6, b->name, b->weight);
	}
	put(t, "],");
}

/* All members but the checksum, which would come first. */
static void put_members(struct text *t, const struct dns_plan *p)
{
	put_endpoints(t, p);
	put(t, "\"event\":%" PRIu64 ",\"kind\":\"%s\",", p->event, dns_plan_kind_text(p->kind));
	put_balancers(t, p);
	put(t, "\"made_ms\":%" PRId64 ",\"plan\":%" PRIu64 ",\"records\":%zu,", p->made_ms, p->number,
	    dns_plan_records(p));
	put(t, "\"service\":\"%s\",\"tree\":\"%s\",\"ttl_s\":%" PRIu32 ",\"zone\":\"%s\"}", p->service,
	    p->tree, p->ttl_s, p->zone);
}

int dns_plan_write(const struct dns_plan *p, FILE *out)
{
	struct text summed = { .sum = crc32_z(0, NULL, 0) }, written = { .out = out };

	put(&summed, "{");
	put_members(&summed, p);
	put(&written, "{\"crc32\":%lu,", summed.sum);
	put_members(&written, p);
	if (!written.error && fflush(out) == EOF) written.error = -errno;
	return written.error;
}
