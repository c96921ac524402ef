#include "dns-enactor/fell.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_PER_MESSAGE = 48 }; /* below 1400 bytes, names compressed */

/* --- which trees ------------------------------------------------------------------------------------- */

static int by_plan(const void *a, const void *b)
{
	const struct dne_victim *x = a, *y = b;

	return x->plan < y->plan ? -1 : x->plan > y->plan;
}

int dne_victims(const struct dns_rrset *index, const struct dns_plan *own, uint64_t keep,
                struct dne_victim **ret, size_t *ret_n)
{
	struct dne_victim *victims = calloc(index->n ? index->n : 1, sizeof(*victims));
	size_t n = 0;

	if (!victims) return -ENOMEM;
	for (size_t i = 0; i < index->n; i++) {
		struct dne_victim *v = &victims[n];
		if (dns_index_read(index->rdata[i], &v->plan, v->tree) < 0) continue;
		if (v->plan < own->number && own->number - v->plan > keep && strcmp(v->tree, own->tree)) n++;
	}
	qsort(victims, n, sizeof(*victims), by_plan);
	*ret = victims;
	*ret_n = n;
	return 0;
}

/* --- how large --------------------------------------------------------------------------------------- */

void dne_fell_begin(struct dne_felling *f, const struct dne_victim *victim, const char *zone)
{
	*f = (struct dne_felling){ .victim = victim, .zone = zone, .window = 1 };
}

size_t dne_fell_questions(const struct dne_felling *f, struct dns_rrset ret[DNE_PROBE_QUESTIONS_MAX])
{
	const char *tree = f->victim->tree;
	size_t n = 0;

	ret[n++] = (struct dns_rrset){ .owner = dns_name_mark(tree, f->zone), .type = "TXT" };
	for (size_t set = f->probed; set < f->probed + f->window; set++) {
		size_t leaf = set * DNS_WEIGHTS_SET + 1;
		ret[n++] = (struct dns_rrset){ .owner = dns_name_leaf(leaf, tree, f->zone), .type = "A" };
		ret[n++] =
		    (struct dns_rrset){ .owner = dns_name_weights(set + 1, tree, f->zone), .type = "SRV" };
	}
	return n;
}

/* A tree that was completed has no holes. One that wasn't has some, but none as long as the longest window:
 * that would be more than 64 messages in flight can hold; and its sets don't tell how many leaves there are.
 */
int dne_fell_answers(struct dne_felling *f, const struct dns_rrset *answers)
{
	size_t found = 0;
	const char *mark = dns_rrset_value(&answers[0]);
	uint64_t plan;
	bool whole = dns_mark_read(mark, &plan) == 0; /* else the wildcard has answered */

	if (whole) snprintf(f->mark, sizeof(f->mark), "%s", mark);
	for (size_t i = 0; i < f->window; i++) {
		const struct dns_rrset *leaf = &answers[1 + 2 * i], *weights = leaf + 1;
		if (leaf->n == 0 && weights->n == 0) continue;
		found = i + 1;
		f->n_sets = f->probed + found;
		f->last_leaves = whole ? weights->n : DNS_WEIGHTS_SET;
	}
	f->probed += f->window;
	bool more = found == f->window || (!whole && (found > 0 || f->window < DNE_PROBE_MAX));
	f->window = f->window * 4 < DNE_PROBE_MAX ? f->window * 4 : DNE_PROBE_MAX;
	if (more) return 1;
	if (!whole) f->n_sets++, f->last_leaves = DNS_WEIGHTS_SET; /* one whose first leaf is a hole */
	f->n_names = f->n_sets ? (f->n_sets - 1) * DNS_WEIGHTS_SET + f->last_leaves + f->n_sets : 0;
	return 0;
}

/* --- messages ---------------------------------------------------------------------------------------- */

static struct dns_name name_at(const struct dne_felling *f, size_t i)
{
	if (i < f->n_sets) return dns_name_weights(i + 1, f->victim->tree, f->zone);
	return dns_name_leaf(i - f->n_sets + 1, f->victim->tree, f->zone);
}

/* All in one message: a name of a tree half gone would not be below the wildcard, and not exist at all. */
static void delete_rest(struct dns_update *u, const struct dne_felling *f)
{
	const struct dne_victim *v = f->victim;
	struct dns_name mark = dns_name_mark(v->tree, f->zone);
	const char *value = f->mark;

	dns_require_rrset(u, mark.text, "TXT", &value, *value ? 1 : 0); /* nobody was faster */
	for (unsigned variant = 0; variant < DNS_VARIANTS; variant++)
		dns_delete_name(u, dns_name_top((enum dns_variant)variant, v->tree, f->zone).text);
	dns_delete_name(u, mark.text);
	dns_delete_record(u, dns_name_index(f->zone).text, "TXT", dns_index_write(v->plan, v->tree).text);
}

struct dns_update *dne_fell_next(struct dne_felling *f, bool *ret_last)
{
	struct dns_update *u = dns_update_new(f->zone);
	size_t end = f->at + NAMES_PER_MESSAGE < f->n_names ? f->at + NAMES_PER_MESSAGE : f->n_names;

	*ret_last = end == f->n_names;
	if (!u) return NULL;
	for (; f->at < end; f->at++)
		dns_delete_name(u, name_at(f, f->at).text);
	if (*ret_last) delete_rest(u, f);
	return u;
}
