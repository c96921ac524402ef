/* fell.h - the messages that delete a tree. Its plan may be long gone from the store, so the zone itself is
 * asked how large the tree is: its sets of weights name the leaves. Pure. */
#ifndef AZLAB_DNE_FELL_H
#define AZLAB_DNE_FELL_H
#include "common/dns_talk.h"
#include "proto/dns_plan.h"

struct dne_victim {
	uint64_t plan;
	char tree[DNS_TREE_LEN + 1];
};
/* The trees to delete, oldest first, the caller's to free: those of the index that are older than own by
 * more than keep. What isn't an index entry is left alone. 0 or -ENOMEM. */
int dne_victims(const struct dns_rrset *index, const struct dns_plan *own, uint64_t keep,
                struct dne_victim **ret, size_t *ret_n);

/* Each set is an answer of 3 kB: together they fit what a socket of no privilege can hold. */
enum { DNE_PROBE_MAX = 16, DNE_PROBE_QUESTIONS_MAX = 2 * DNE_PROBE_MAX + 1 };
struct dne_felling {
	const struct dne_victim *victim;
	const char *zone;
	char mark[DNS_VALUE_MAX]; /* as read; "": the tree was never completed */
	size_t n_sets, probed, window;
	size_t last_leaves; /* of the last set; the others are full */
	size_t at, n_names; /* of leaves and weights */
};
/* victim and zone must outlive it. */
void dne_fell_begin(struct dne_felling *f, const struct dne_victim *victim, const char *zone);
/* What to read next to learn how large the tree is; and the answers. 1: ask more, 0: known. */
size_t dne_fell_questions(const struct dne_felling *f, struct dns_rrset ret[DNE_PROBE_QUESTIONS_MAX]);
int dne_fell_answers(struct dne_felling *f, const struct dns_rrset *answers);
/* The next message, the caller's; NULL if memory is out. *ret_last: with it the tree is gone, if it is still
 * as it was found. Not to be called after the last. */
struct dns_update *dne_fell_next(struct dne_felling *f, bool *ret_last);
#endif
