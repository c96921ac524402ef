#include "proto/dns_plan.h"
#include "common/random.h"
#include <arpa/inet.h>
#include <string.h>

/* --- which load balancers a top has ------------------------------------------------------------------ */

/* Draws by weight without replacement: the k largest of u^(1/w), u uniform (Efraimidis and Spirakis 2006).
 * log(u)/w has the same order. The tree's name is the seed, so that everyone draws the same. */
static void draw(struct dns_plan_walk *w, enum dns_variant v)
{
	const struct dns_plan *p = w->plan;
	struct random random = random_of(v, p->tree);
	double keys[DNS_TOP_BALANCERS];
	unsigned n = 0;

	for (size_t i = 0; i < p->n_balancers; i++) {
		double key = log1p(-random_unit(&random)) / p->balancers[i].weight;
		unsigned at = n < DNS_TOP_BALANCERS ? n++ : n;
		/* at == n: the table is full, and its last entry is what would fall out */
		if (at == n && key <= keys[n - 1]) continue;
		if (at == n) at--;
		for (; at > 0 && keys[at - 1] < key; at--) {
			keys[at] = keys[at - 1];
			w->drawn[v][at] = w->drawn[v][at - 1];
		}
		keys[at] = key;
		w->drawn[v][at] = (uint32_t)i;
	}
	w->n_drawn = n;
}

void dns_plan_walk(struct dns_plan_walk *w, const struct dns_plan *p)
{
	*w = (struct dns_plan_walk){ .plan = p };
	for (size_t i = 0; i < p->n_endpoints; i++)
		w->variants[p->endpoints[i].variant] = true;
	for (unsigned v = 0; v < DNS_VARIANTS; v++)
		if (w->variants[v]) draw(w, (enum dns_variant)v);
}

/* --- records ----------------------------------------------------------------------------------------- */

static void put_address(struct dns_record *r, const struct dns_balancer *b, bool six)
{
	r->type = six ? "AAAA" : "A";
	if (six)
		inet_ntop(AF_INET6, &b->addr6, r->rdata, sizeof(r->rdata));
	else
		inet_ntop(AF_INET, &b->addr4, r->rdata, sizeof(r->rdata));
}

static bool next_index(struct dns_plan_walk *w, struct dns_record *ret)
{
	const struct dns_plan *p = w->plan;

	if (w->at > 0) return false;
	ret->owner = dns_name_index(p->zone);
	ret->type = "TXT";
	ret->ttl_s = DNS_META_TTL_S;
	snprintf(ret->rdata, sizeof(ret->rdata), "%s", dns_index_write(p->number, p->tree).text);
	return true;
}

static bool next_leaf(struct dns_plan_walk *w, struct dns_record *ret)
{
	const struct dns_plan *p = w->plan;
	size_t i = w->at / 2;

	if (i >= p->n_balancers) return false;
	ret->owner = dns_name_leaf(i + 1, p->tree, p->zone);
	put_address(ret, &p->balancers[i], w->at % 2);
	return true;
}

static bool next_weight(struct dns_plan_walk *w, struct dns_record *ret)
{
	const struct dns_plan *p = w->plan;

	if (w->at >= p->n_balancers) return false;
	ret->owner = dns_name_weights(w->at / DNS_WEIGHTS_SET + 1, p->tree, p->zone);
	ret->type = "SRV";
	/* no port: these names are for the weights' sake, services are looked up at the endpoints */
	snprintf(ret->rdata, sizeof(ret->rdata), "0 %u 0 %s", p->balancers[w->at].weight,
	         dns_name_leaf(w->at + 1, p->tree, p->zone).text);
	return true;
}

/* Of each variant A for all, then AAAA for all: RRset by RRset. */
static bool next_top(struct dns_plan_walk *w, struct dns_record *ret)
{
	const struct dns_plan *p = w->plan;

	if (w->n_drawn == 0) return false;
	for (; w->at < (size_t)DNS_VARIANTS * 2 * w->n_drawn; w->at++) {
		size_t set = w->at / w->n_drawn;
		enum dns_variant v = (enum dns_variant)(set / 2);
		bool six = set % 2;
		if (!w->variants[v] || (six && !dns_variant_has_aaaa(v))) continue;
		ret->owner = dns_name_top(v, p->tree, p->zone);
		put_address(ret, &p->balancers[w->drawn[v][w->at % w->n_drawn]], six);
		return true;
	}
	return false;
}

static bool next_mark(struct dns_plan_walk *w, struct dns_record *ret)
{
	const struct dns_plan *p = w->plan;

	if (w->at > 0) return false;
	ret->owner = dns_name_mark(p->tree, p->zone);
	ret->type = "TXT";
	ret->ttl_s = DNS_META_TTL_S;
	snprintf(ret->rdata, sizeof(ret->rdata), "%s", dns_mark_write(p->number).text);
	return true;
}

bool dns_plan_next(struct dns_plan_walk *w, struct dns_record *ret)
{
	static bool (*const parts[])(struct dns_plan_walk *, struct dns_record *) = {
		[DNS_PART_INDEX] = next_index, [DNS_PART_LEAF] = next_leaf, [DNS_PART_WEIGHTS] = next_weight,
		[DNS_PART_TOP] = next_top,     [DNS_PART_MARK] = next_mark,
	};

	for (;;) {
		ret->part = w->part;
		ret->ttl_s = w->plan->ttl_s;
		if (parts[w->part](w, ret)) {
			w->at++;
			return true;
		}
		if (w->part == DNS_PART_MARK) return false;
		w->part++;
		w->at = 0;
	}
}

size_t dns_plan_records(const struct dns_plan *p)
{
	size_t top = p->n_balancers < DNS_TOP_BALANCERS ? p->n_balancers : DNS_TOP_BALANCERS;
	bool has[DNS_VARIANTS] = { false };
	size_t n = 2 + 3 * p->n_balancers; /* index and mark; A, AAAA and weight of each */

	for (size_t i = 0; i < p->n_endpoints; i++)
		has[p->endpoints[i].variant] = true;
	for (unsigned v = 0; v < DNS_VARIANTS; v++)
		if (has[v]) n += top * (dns_variant_has_aaaa((enum dns_variant)v) ? 2 : 1);
	return n;
}
