#include "proto/dns_names.h"
#include "common/cleanup.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const variants[] = {
	[DNS_ANY] = "any", [DNS_IPV4] = "ipv4", [DNS_FIPS] = "fips", [DNS_ACCOUNT] = "account"
};
_Static_assert(ARRAY_SIZE(variants) == DNS_VARIANTS, "a name for each variant");

const char *dns_variant_text(enum dns_variant v)
{
	return variants[v];
}

int dns_variant_find(const char *text, enum dns_variant *ret)
{
	for (unsigned v = 0; v < DNS_VARIANTS; v++) {
		if (strcmp(text, variants[v])) continue;
		*ret = (enum dns_variant)v;
		return 0;
	}
	return -EINVAL;
}

/* --- names ------------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool dns_labels_ok(const char *text, size_t max, bool dots)
{
	size_t label = 0;

	if (strlen(text) >= max) return false;
	for (const char *c = text; *c; c++) {
		bool dot = *c == '.';
		if (dot ? !dots || label == 0 : !is_letter(*c) && *c != '-') return false;
		label = dot ? 0 : label + 1;
		if (label > 63) return false;
	}
	return label > 0;
}

bool dns_tree_ok(const char *tree)
{
	size_t n = 0;

	while (n <= DNS_TREE_LEN && is_letter(tree[n]))
		n++;
	return n == DNS_TREE_LEN && !tree[n];
}

/* Never cut off: its parts are bounded by their checks. */
static struct dns_name name_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct dns_name name_of(const char *format, ...)
{
	struct dns_name name;
	va_list args;

	va_start(args, format);
	vsnprintf(name.text, sizeof(name.text), format, args);
	va_end(args);
	return name;
}

struct dns_name dns_name_endpoint(const char *endpoint, const char *zone)
{
	return name_of("%s.%s.", endpoint, zone);
}

struct dns_name dns_name_lock(const char *endpoint, const char *zone)
{
	return name_of("_lock.%s.%s.", endpoint, zone);
}

struct dns_name dns_name_rollback(const char *endpoint, const char *zone)
{
	return name_of("_rollback.%s.%s.", endpoint, zone);
}

struct dns_name dns_name_generation(const char *endpoint, const char *zone)
{
	return name_of("_plan.%s.%s.", endpoint, zone);
}

struct dns_name dns_name_top(enum dns_variant v, const char *tree, const char *zone)
{
	return name_of("%s.%s.tree.%s.", variants[v], tree, zone);
}

struct dns_name dns_name_leaf(size_t n, const char *tree, const char *zone)
{
	return name_of("lb-%zu.%s.tree.%s.", n, tree, zone);
}

struct dns_name dns_name_weights(size_t k, const char *tree, const char *zone)
{
	return name_of("_weights-%zu.%s.tree.%s.", k, tree, zone);
}

struct dns_name dns_name_mark(const char *tree, const char *zone)
{
	return name_of("%s.tree.%s.", tree, zone);
}

struct dns_name dns_name_index(const char *zone)
{
	return name_of("_trees.%s.", zone);
}

struct dns_name dns_name_leader(const char *zone)
{
	return name_of("_leader.%s.", zone);
}

struct dns_name dns_name_wildcard(const char *zone)
{
	return name_of("*.tree.%s.", zone);
}

int dns_top_parse(const char *target, const char *zone, enum dns_variant *ret_v,
                  char ret_tree[DNS_TREE_LEN + 1])
{
	char variant[16], tree[DNS_TREE_LEN + 1];
	enum dns_variant v;

	if (sscanf(target, "%15[a-z0-9].%8[a-z0-9]", variant, tree) != 2) return -EINVAL;
	if (!dns_tree_ok(tree) || dns_variant_find(variant, &v) < 0) return -EINVAL;
	if (strcmp(dns_name_top(v, tree, zone).text, target)) return -EINVAL;
	*ret_v = v;
	memcpy(ret_tree, tree, sizeof(tree));
	return 0;
}

/* --- values ------------------------------------------------------------------------------------------ */

static struct dns_value value_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct dns_value value_of(const char *format, ...)
{
	struct dns_value value;
	va_list args;

	va_start(args, format);
	vsnprintf(value.text, sizeof(value.text), format, args);
	va_end(args);
	return value;
}

struct dns_value dns_lock_write(const struct dns_lock *l)
{
	return value_of("\"holder=%s until_ms=%" PRId64 "\"", l->holder, l->until_ms);
}

struct dns_value dns_mark_write(uint64_t plan)
{
	return value_of("\"plan=%" PRIu64 "\"", plan);
}

struct dns_value dns_generation_write(uint64_t plan)
{
	return value_of("\"%" PRIu64 "\"", plan);
}

struct dns_value dns_index_write(uint64_t plan, const char *tree)
{
	return value_of("\"%" PRIu64 " %s\"", plan, tree);
}

/* Reading is lenient, and then compared with what would have been written: that is the strict part. */
static int same(struct dns_value again, const char *value)
{
	return strcmp(again.text, value) ? -EINVAL : 0;
}

int dns_lock_read(const char *value, struct dns_lock *ret)
{
	struct dns_lock l;

	if (sscanf(value, "\"holder=%63[^ \"] until_ms=%19" SCNd64, l.holder, &l.until_ms) != 2)
		return -EINVAL;
	if (same(dns_lock_write(&l), value) < 0) return -EINVAL;
	*ret = l;
	return 0;
}

int dns_mark_read(const char *value, uint64_t *ret)
{
	uint64_t plan;

	if (sscanf(value, "\"plan=%19" SCNu64, &plan) != 1) return -EINVAL;
	if (same(dns_mark_write(plan), value) < 0) return -EINVAL;
	*ret = plan;
	return 0;
}

int dns_generation_read(const char *value, uint64_t *ret)
{
	uint64_t plan;

	if (sscanf(value, "\"%19" SCNu64, &plan) != 1) return -EINVAL;
	if (same(dns_generation_write(plan), value) < 0) return -EINVAL;
	*ret = plan;
	return 0;
}

int dns_index_read(const char *value, uint64_t *ret_plan, char ret_tree[DNS_TREE_LEN + 1])
{
	char tree[DNS_TREE_LEN + 1];
	uint64_t plan;

	if (sscanf(value, "\"%19" SCNu64 " %8[a-z0-9]", &plan, tree) != 2 || !dns_tree_ok(tree))
		return -EINVAL;
	if (same(dns_index_write(plan, tree), value) < 0) return -EINVAL;
	*ret_plan = plan;
	memcpy(ret_tree, tree, sizeof(tree));
	return 0;
}
