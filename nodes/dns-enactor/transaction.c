#include "dns-enactor/transaction.h"
#include <string.h>

enum { Q_LOCK, Q_ROOT, Q_GENERATION, Q_OWN_MARK, Q_OWN_TOP, Q_ROLLBACK, Q_MAX };
_Static_assert((int)Q_MAX == (int)DNE_QUESTIONS_MAX, "room for each question");

/* --- views ------------------------------------------------------------------------------------------- */

static struct dns_rrset ask(struct dns_name owner, const char *type)
{
	return (struct dns_rrset){ .owner = owner, .type = type };
}

static struct dns_name own_top(const struct dne_target *t)
{
	return dns_name_top(t->endpoint->variant, t->plan->tree, t->plan->zone);
}

size_t dne_questions(const struct dne_target *t, bool closely, struct dns_rrset ret[DNE_QUESTIONS_MAX])
{
	const char *endpoint = t->endpoint->name, *zone = t->plan->zone;

	ret[Q_LOCK] = ask(dns_name_lock(endpoint, zone), "TXT");
	ret[Q_ROOT] = ask(dns_name_endpoint(endpoint, zone), "CNAME");
	ret[Q_GENERATION] = ask(dns_name_generation(endpoint, zone), "TXT");
	if (!closely) return Q_OWN_MARK;
	ret[Q_OWN_MARK] = ask(dns_name_mark(t->plan->tree, zone), "TXT");
	ret[Q_OWN_TOP] = ask(own_top(t), "A");
	ret[Q_ROLLBACK] = ask(dns_name_rollback(endpoint, zone), "CNAME");
	return Q_MAX;
}

/* Its plan, if the set is a mark: for a tree that isn't there the wildcard answers. */
static bool is_mark(const struct dns_rrset *set, uint64_t *ret_plan)
{
	return dns_mark_read(dns_rrset_value(set), ret_plan) == 0;
}

static void keep(const struct dns_rrset *from, char *to, size_t size)
{
	const char *value = dns_rrset_value(from);

	if (strlen(value) < size) strcpy(to, value);
}

void dne_view_read(const struct dns_rrset *answers, bool closely, struct dne_view *ret)
{
	struct dns_lock lock;
	uint64_t plan;

	*ret = (struct dne_view){ 0 };
	keep(&answers[Q_LOCK], ret->lock, sizeof(ret->lock));
	ret->lock_foreign = answers[Q_LOCK].n > 0 && dns_lock_read(ret->lock, &lock) < 0;
	keep(&answers[Q_ROOT], ret->root, sizeof(ret->root));
	keep(&answers[Q_GENERATION], ret->generation, sizeof(ret->generation));
	dns_generation_read(ret->generation, &ret->plan);
	if (!closely) return;
	ret->own_there = is_mark(&answers[Q_OWN_MARK], &plan);
	ret->own_empty = answers[Q_OWN_TOP].n == 0;
	keep(&answers[Q_ROLLBACK], ret->rollback, sizeof(ret->rollback));
}

/* The mark of the tree that a root or rollback record points to; false if that is no tree of ours. */
static bool mark_of(const char *target, const char *zone, struct dns_name *ret)
{
	char tree[DNS_TREE_LEN + 1];
	enum dns_variant variant;

	if (dns_top_parse(target, zone, &variant, tree) < 0) return false;
	*ret = dns_name_mark(tree, zone);
	return true;
}

size_t dne_marks(const struct dne_target *t, const struct dne_view *v, struct dns_rrset ret[DNE_MARKS_MAX])
{
	struct dns_name mark;
	size_t n = 0;

	if (mark_of(v->root, t->plan->zone, &mark)) ret[n++] = ask(mark, "TXT");
	if (mark_of(v->rollback, t->plan->zone, &mark)) ret[n++] = ask(mark, "TXT");
	return n;
}

void dne_view_read_marks(const struct dne_target *t, const struct dns_rrset *answers, struct dne_view *v)
{
	struct dns_name mark;
	uint64_t plan;

	v->old_there = !mark_of(v->root, t->plan->zone, &mark) || is_mark(answers++, &plan);
	v->rollback_there = mark_of(v->rollback, t->plan->zone, &mark) && is_mark(answers, &v->rollback_plan);
}

/* --- verdicts ---------------------------------------------------------------------------------------- */

static bool points_to_own(const struct dne_target *t, const struct dne_view *v)
{
	return strcmp(v->root, own_top(t).text) == 0;
}

enum dne_verdict dne_before(const struct dne_target *t, const struct dne_view *v, int64_t now_ms)
{
	const char *me = t->config->holder;
	struct dns_lock lock;

	if (t->config->knobs.freshness != FRESH_ONCE && !t->forced) {
		if (v->plan > t->plan->number) return DNE_STALE;
		/* our generation beside another root: answers from before and after another's transaction for
		 * the same plan. Ours is refused then, for the root, and looks again */
		if (v->plan == t->plan->number && points_to_own(t, v)) return DNE_KEPT;
	}
	if (v->lock_foreign) return DNE_HELD;
	if (dns_lock_read(v->lock, &lock) == 0 && strcmp(lock.holder, me) && lock.until_ms > now_ms)
		return DNE_HELD;
	return DNE_SEND;
}

/* A new lock of our own beside our own tree is written by nothing but our own transaction for this plan. */
static bool carried_out(const struct dne_target *t, const struct dne_view *sent, const struct dne_view *now)
{
	struct dns_lock lock;

	return strcmp(sent->lock, now->lock) && dns_lock_read(now->lock, &lock) == 0 &&
	       !strcmp(lock.holder, t->config->holder) && points_to_own(t, now) &&
	       now->plan == t->plan->number;
}

static bool moved(const struct dne_target *t, const struct dne_view *sent, const struct dne_view *now)
{
	bool fenced = t->config->knobs.freshness == FRESH_COMPARE_AND_SET;

	return strcmp(sent->lock, now->lock) || strcmp(sent->root, now->root) ||
	       (fenced && strcmp(sent->generation, now->generation));
}

enum dne_verdict dne_after(const struct dne_target *t, const struct dne_view *sent,
                           const struct dne_view *now, bool refused)
{
	const struct dne_knobs *k = &t->config->knobs;

	if (carried_out(t, sent, now)) return DNE_TAKEN;
	if (moved(t, sent, now)) return DNE_MOVED;
	if (!now->old_there) return DNE_OLD_GONE;
	if (k->alias_check && !now->own_there) return DNE_OWN_GONE;
	if (k->refuse_empty && now->own_empty) return DNE_EMPTY;
	return refused ? DNE_MOVED : DNE_SEND; /* it had moved, and has moved back */
}

struct dns_lock dne_holder(const struct dne_view *v)
{
	struct dns_lock lock = { .holder = "?" };

	dns_lock_read(v->lock, &lock);
	return lock;
}

/* --- transactions ------------------------------------------------------------------------------------ */

/* Exactly the one value that was read, or that there is none. */
static void require(struct dns_update *u, struct dns_name owner, const char *type, const char *value)
{
	dns_require_rrset(u, owner.text, type, &value, *value ? 1 : 0);
}

static void replace(struct dns_update *u, struct dns_name owner, const char *type, uint32_t ttl_s,
                    const char *value)
{
	dns_delete_rrset(u, owner.text, type);
	if (*value) dns_add_record(u, owner.text, type, ttl_s, value);
}

/* The lock changes hands: it is exactly what was believed, and becomes the holder's own. */
static void take_lock(struct dns_update *u, const struct dne_target *t, const struct dne_view *v,
                      int64_t until_ms)
{
	struct dns_name owner = dns_name_lock(t->endpoint->name, t->plan->zone);
	struct dns_lock mine = { .until_ms = until_ms };

	strcpy(mine.holder, t->config->holder);
	require(u, owner, "TXT", v->lock);
	if (*v->lock) dns_delete_record(u, owner.text, "TXT", v->lock);
	dns_add_record(u, owner.text, "TXT", DNS_META_TTL_S, dns_lock_write(&mine).text);
}

static void require_guards(struct dns_update *u, const struct dne_target *t, const struct dne_view *v)
{
	const struct dne_knobs *k = &t->config->knobs;

	if (k->alias_check) dns_require_some(u, dns_name_mark(t->plan->tree, t->plan->zone).text, "TXT");
	if (k->refuse_empty) dns_require_some(u, own_top(t).text, "A");
	if (k->freshness == FRESH_COMPARE_AND_SET)
		require(u, dns_name_generation(t->endpoint->name, t->plan->zone), "TXT", v->generation);
}

struct dns_update *dne_flip(const struct dne_target *t, const struct dne_view *v, int64_t until_ms)
{
	const char *endpoint = t->endpoint->name, *zone = t->plan->zone;
	struct dns_update *u = dns_update_new(zone);
	struct dns_name old_mark;

	if (!u) return NULL;
	take_lock(u, t, v, until_ms);
	require(u, dns_name_endpoint(endpoint, zone), "CNAME", v->root);
	/* a rollback record can't point to nothing */
	if (mark_of(v->root, zone, &old_mark)) dns_require_some(u, old_mark.text, "TXT");
	require_guards(u, t, v);
	replace(u, dns_name_rollback(endpoint, zone), "CNAME", DNS_META_TTL_S, v->root);
	replace(u, dns_name_endpoint(endpoint, zone), "CNAME", t->plan->ttl_s, own_top(t).text);
	replace(u, dns_name_generation(endpoint, zone), "TXT", DNS_META_TTL_S,
	        dns_generation_write(t->plan->number).text);
	return u;
}

bool dne_can_roll_back(const struct dne_target *t, const struct dne_view *close)
{
	return t->config->knobs.auto_rollback && !close->old_there && close->rollback_there;
}

struct dns_update *dne_roll_back(const struct dne_target *t, const struct dne_view *close, int64_t until_ms)
{
	const char *endpoint = t->endpoint->name, *zone = t->plan->zone;
	struct dns_update *u = dns_update_new(zone);
	struct dns_name old_mark, rollback_mark;

	if (!u) return NULL;
	take_lock(u, t, close, until_ms);
	require(u, dns_name_endpoint(endpoint, zone), "CNAME", close->root);
	require(u, dns_name_rollback(endpoint, zone), "CNAME", close->rollback);
	if (mark_of(close->root, zone, &old_mark)) dns_require_rrset(u, old_mark.text, "TXT", NULL, 0);
	if (mark_of(close->rollback, zone, &rollback_mark)) dns_require_some(u, rollback_mark.text, "TXT");
	replace(u, dns_name_endpoint(endpoint, zone), "CNAME", t->plan->ttl_s, close->rollback);
	replace(u, dns_name_generation(endpoint, zone), "TXT", DNS_META_TTL_S,
	        dns_generation_write(close->rollback_plan).text);
	return u;
}

struct dns_update *dne_lead(const struct dne_config *c, const char *value, int64_t until_ms)
{
	struct dns_update *u = dns_update_new(c->zone);
	struct dns_lock mine = { .until_ms = until_ms };

	if (!u) return NULL;
	strcpy(mine.holder, c->holder);
	require(u, dns_name_leader(c->zone), "TXT", value);
	replace(u, dns_name_leader(c->zone), "TXT", DNS_META_TTL_S, dns_lock_write(&mine).text);
	return u;
}

int dne_leads(const struct dne_config *c, const char *value, int64_t now_ms)
{
	struct dns_lock lock;

	if (dns_lock_read(value, &lock) < 0 || lock.until_ms <= now_ms) return 0;
	if (strcmp(lock.holder, c->holder)) return -1;
	/* renewed in its second half */
	return (lock.until_ms - now_ms) * NS_PER_MS > c->knobs.leader_lease / 2;
}
