#include "common/dns_tree.h"
#include "common/cleanup.h"
#include <errno.h>
#include <string.h>

/* A message of so many addresses stays below 1400 bytes, names compressed; the targets of SRV records aren't
 * (RFC 2782), which makes one as long as two of the others. */
enum { BUNDLE_UNITS = 36 };

/* --- bundles ----------------------------------------------------------------------------------------- */

static unsigned units_of(const struct dns_record *r)
{
	return strcmp(r->type, "SRV") == 0 ? 2 : 1;
}

void dns_bundles_begin(struct dns_bundles *b, const struct dns_plan *p)
{
	dns_plan_walk(&b->walk, p);
	b->more = dns_plan_next(&b->walk, &b->next);
}

struct dns_update *dns_bundles_next(struct dns_bundles *b, bool *ret_last)
{
	struct dns_update *u = dns_update_new(b->walk.plan->zone);
	unsigned units = 0;

	while (u && b->more && (units += units_of(&b->next)) <= BUNDLE_UNITS) {
		dns_add_record(u, b->next.owner.text, b->next.type, b->next.ttl_s, b->next.rdata);
		b->more = dns_plan_next(&b->walk, &b->next);
	}
	*ret_last = !b->more;
	return u;
}

/* --- planting ---------------------------------------------------------------------------------------- */

/* A clean-up that finds the tree half made deletes it, leaves first: then the mark must not come to stand
 * over nothing, for a root that is turned to it would lead nowhere. */
static void require_the_rest(struct dns_update *last, const struct dns_plan *p)
{
	if (last && p->n_balancers > 0) dns_require_some(last, dns_name_leaf(1, p->tree, p->zone).text, "A");
}

struct dns_planting {
	struct dns_talk *talk;
	struct dns_bundles bundles;
	struct dns_update *last; /* waits for all others */
	bool several;            /* messages: the last isn't the first */
	unsigned in_flight;
	int result;
	dns_tree_done *done;
	void *arg;
};

static void on_bundle(enum dns_status status, void *arg);

static void send_bundle(struct dns_planting *p, struct dns_update *u)
{
	int r = dns_talk_update(p->talk, u, DNS_INSIST, on_bundle, p);

	p->several = true;
	if (r == 0)
		p->in_flight++;
	else if (p->result == 0)
		p->result = r;
}

static void send_more(struct dns_planting *p)
{
	while (p->result == 0 && p->bundles.more && p->in_flight < DNS_REQUESTS_MAX) {
		bool last;
		struct dns_update *u = dns_bundles_next(&p->bundles, &last);
		if (last)
			p->last = u;
		else
			send_bundle(p, u);
	}
	if (p->result != 0 || p->in_flight > 0 || !p->last) return;
	if (p->several) require_the_rest(p->last, p->bundles.walk.plan);
	send_bundle(p, take_ptr(p->last));
}

static void on_bundle(enum dns_status status, void *arg)
{
	struct dns_planting *p = arg;

	p->in_flight--;
	if (status != DNS_OK && p->result == 0) p->result = status == DNS_PREREQUISITE ? -ESTALE : -EPROTO;
	send_more(p);
	if (p->in_flight > 0) return;
	p->done(p->result, p->arg);
	dns_update_free(p->last);
	free(p);
}

int dns_tree_plant(struct dns_talk *t, const struct dns_plan *plan, dns_tree_done *done, void *arg)
{
	struct dns_planting *p = calloc(1, sizeof(*p));

	if (!p) return -ENOMEM;
	p->talk = t;
	p->done = done;
	p->arg = arg;
	dns_bundles_begin(&p->bundles, plan);
	send_more(p);
	if (p->in_flight > 0) return 0;
	dns_update_free(p->last);
	free(p);
	return -ENOMEM;
}
