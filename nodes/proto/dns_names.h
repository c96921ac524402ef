/* dns_names.h - the records through which planner, enactors and operator meet in the zone: their names, and
 * the small values in them. docs/dns-automation.md says what each is for.
 *
 * Names come out absolute, with the final dot, as zone files and answers write them; zone and endpoint go in
 * without ("us-east-1.lab", "dynamodb"). Values are rdata as text, TXT ones in their quotes, as answers
 * give them and updates take them: what was read can be a prerequisite as it is. Pure. */
#ifndef AZLAB_PROTO_DNS_NAMES_H
#define AZLAB_PROTO_DNS_NAMES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_NAME_TEXT_MAX = 256, /* room for any name, its final dot and the end included */
	DNS_LABELS_MAX = 64,     /* of an endpoint's own labels, as text */
	DNS_ZONE_MAX = 128,
	DNS_TREE_LEN = 8,
	DNS_VALUE_MAX = 128,
	DNS_HOLDER_MAX = 64,
	DNS_META_TTL_S = 0, /* of locks, marks, generations: nobody may cache them */
};

enum dns_variant { DNS_ANY, DNS_IPV4, DNS_FIPS, DNS_ACCOUNT, DNS_VARIANTS };
/* "any", "ipv4", "fips", "account" */
const char *dns_variant_text(enum dns_variant v);
/* 0 or -EINVAL. */
int dns_variant_find(const char *text, enum dns_variant *ret);
static inline bool dns_variant_has_aaaa(enum dns_variant v)
{
	return v != DNS_IPV4;
}

/* A name of the length and the letters that go into names here: 1 to max - 1 of a-z, 0-9, '-', and '.'
 * between labels if dots. */
bool dns_labels_ok(const char *text, size_t max, bool dots);
/* DNS_TREE_LEN letters and digits. */
bool dns_tree_ok(const char *tree);

struct dns_name {
	char text[DNS_NAME_TEXT_MAX];
};
struct dns_name dns_name_endpoint(const char *endpoint, const char *zone); /* the root: CNAME */
struct dns_name dns_name_lock(const char *endpoint, const char *zone);
struct dns_name dns_name_rollback(const char *endpoint, const char *zone);
struct dns_name dns_name_generation(const char *endpoint, const char *zone);
struct dns_name dns_name_top(enum dns_variant v, const char *tree, const char *zone);
struct dns_name dns_name_leaf(size_t n, const char *tree, const char *zone);
struct dns_name dns_name_weights(size_t k, const char *tree, const char *zone);
struct dns_name dns_name_mark(const char *tree, const char *zone);
struct dns_name dns_name_index(const char *zone);
struct dns_name dns_name_leader(const char *zone);
/* Below it names exist with nothing but a TXT: "*.tree.ZONE." */
struct dns_name dns_name_wildcard(const char *zone);

/* Which top a root or rollback record points to. 0, or -EINVAL if it is none of this zone. */
int dns_top_parse(const char *target, const char *zone, enum dns_variant *ret_v,
                  char ret_tree[DNS_TREE_LEN + 1]);

/* --- values ------------------------------------------------------------------------------------------- */
struct dns_value {
	char text[DNS_VALUE_MAX];
};
/* Of a lock and of the leader. */
struct dns_lock {
	char holder[DNS_HOLDER_MAX];
	int64_t until_ms; /* wall clock */
};
struct dns_value dns_lock_write(const struct dns_lock *l);         /* "holder=az1 until_ms=..." */
struct dns_value dns_mark_write(uint64_t plan);                    /* "plan=17" */
struct dns_value dns_generation_write(uint64_t plan);              /* "17" */
struct dns_value dns_index_write(uint64_t plan, const char *tree); /* "17 k3v9x0qa" */
/* 0, or -EINVAL for anything that its writer wouldn't have written. */
int dns_lock_read(const char *value, struct dns_lock *ret);
int dns_mark_read(const char *value, uint64_t *ret);
int dns_generation_read(const char *value, uint64_t *ret);
int dns_index_read(const char *value, uint64_t *ret_plan, char ret_tree[DNS_TREE_LEN + 1]);
#endif
