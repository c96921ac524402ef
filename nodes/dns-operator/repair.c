#include "common/cleanup.h"
#include "common/dns_tree.h"
#include "common/log.h"
#include "dns-operator/console.h"
#include <errno.h>
#include <string.h>

enum { TURNS_PER_MESSAGE = 8, ATTEMPTS_MAX = 5, PER_TREE = 2 };

struct candidate {
	uint64_t plan;
	char tree[DNS_TREE_LEN + 1];
};
struct dno_repair {
	struct console *console;
	uint64_t cause;
	mono_ns begun;
	unsigned attempts;
	bool has_plan; /* the store's newest */
	struct dns_plan plan;
	struct candidate *candidates, chosen;
	size_t n_candidates;
	size_t turned, in_flight; /* endpoints sent, messages */
	bool moved;               /* the chosen tree was deleted meanwhile */
	bool breaking;            /* the chosen tree is none, on purpose */
};

static void find_trees(struct dno_repair *r);

static void finish(struct dno_repair *r, const char *reason)
{
	struct console *c = r->console;

	node_event(c->node, r->breaking ? "dns.broken" : "dns.repaired", r->cause,
	           json_pack("{s:s, s:b, s:f, s:s, s:I}", "how", "out-of-band", "ok", !reason, "took_ms",
	                     mono_ms(mono_now() - r->begun), "reason", reason ? reason : "", "plan",
	                     (json_int_t)r->chosen.plan));
	if (r->has_plan) dns_plan_release(&r->plan);
	free(r->candidates);
	free(r);
	c->repair = NULL;
}

/* --- turning the roots ------------------------------------------------------------------------------- */

/* That the tree is there is its only condition. */
static struct dns_update *next_turns(struct dno_repair *r)
{
	struct console *c = r->console;
	struct dns_update *u = dns_update_new(c->zone);
	uint32_t ttl_s = r->has_plan ? r->plan.ttl_s : c->ttl_s;

	if (!u) return NULL;
	if (!r->breaking) dns_require_some(u, dns_name_mark(r->chosen.tree, c->zone).text, "TXT");
	for (size_t i = 0; i < TURNS_PER_MESSAGE && r->turned < c->n_endpoints; i++, r->turned++) {
		const struct dns_endpoint *e = &c->endpoints[r->turned].is;
		struct dns_name root = dns_name_endpoint(e->name, c->zone);
		struct dns_name generation = dns_name_generation(e->name, c->zone);
		dns_delete_rrset(u, root.text, "CNAME");
		dns_add_record(u, root.text, "CNAME", ttl_s,
		               dns_name_top(e->variant, r->chosen.tree, c->zone).text);
		if (r->breaking) continue;
		dns_delete_rrset(u, generation.text, "TXT");
		dns_add_record(u, generation.text, "TXT", DNS_META_TTL_S,
		               dns_generation_write(r->chosen.plan).text);
	}
	return u;
}

static void on_turned(enum dns_status status, void *arg);

static int send_turns(struct dno_repair *r)
{
	int result = 0;

	while (result == 0 && r->turned < r->console->n_endpoints && r->in_flight < DNS_IN_FLIGHT_MAX) {
		result = dns_talk_update(r->console->talk, next_turns(r), DNS_INSIST, on_turned, r);
		if (result == 0) r->in_flight++;
	}
	return result;
}

static void on_turned(enum dns_status status, void *arg)
{
	struct dno_repair *r = arg;

	r->in_flight--;
	if (status != DNS_OK) r->moved = true;
	if (!r->moved && send_turns(r) < 0) r->moved = true;
	if (r->in_flight > 0) return;
	if (!r->moved)
		finish(r, NULL);
	else if (r->attempts < ATTEMPTS_MAX)
		find_trees(r);
	else
		finish(r, "every tree that was there was deleted meanwhile");
}

static void turn(struct dno_repair *r)
{
	r->turned = 0;
	r->moved = false;
	r->attempts++;
	if (send_turns(r) < 0 && r->in_flight == 0) finish(r, "out of memory");
}

/* --- which tree -------------------------------------------------------------------------------------- */

static void on_planted(int result, void *arg)
{
	struct dno_repair *r = arg;

	if (result < 0)
		finish(r, "the newest plan's tree can't be made");
	else
		turn(r);
}

static void plant(struct dno_repair *r)
{
	if (!r->has_plan || r->plan.n_balancers == 0) {
		finish(r, "no tree is there, and the store has no plan to make one of");
		return;
	}
	r->chosen.plan = r->plan.number;
	strcpy(r->chosen.tree, r->plan.tree);
	if (dns_tree_plant(r->console->talk, &r->plan, on_planted, r) < 0) finish(r, "out of memory");
}

/* Marks by value: for a tree that is gone the wildcard answers. */
static bool is_whole(const struct dns_rrset *sets)
{
	uint64_t plan;

	return dns_mark_read(dns_rrset_value(&sets[0]), &plan) == 0 && sets[1].n > 0;
}

static void on_trees(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dno_repair *r = arg;
	const struct candidate *best = NULL;

	for (size_t i = 0; i < n / PER_TREE; i++) {
		const struct candidate *one = &r->candidates[i];
		if (is_whole(&sets[i * PER_TREE]) && (!best || one->plan > best->plan)) best = one;
	}
	if (!best) {
		plant(r);
		return;
	}
	r->chosen = *best;
	turn(r);
}

static int look_at(struct dno_repair *r)
{
	const struct console *c = r->console;
	cleanup_free struct dns_rrset *sets = calloc(r->n_candidates * PER_TREE, sizeof(*sets));

	if (!sets) return -ENOMEM;
	for (size_t i = 0; i < r->n_candidates; i++) {
		const char *tree = r->candidates[i].tree;
		struct dns_rrset *of_tree = &sets[i * PER_TREE];
		of_tree[0] = (struct dns_rrset){ .owner = dns_name_mark(tree, c->zone), .type = "TXT" };
		of_tree[1] =
		    (struct dns_rrset){ .owner = dns_name_top(c->endpoints[0].is.variant, tree, c->zone),
			                .type = "A" };
	}
	return dns_talk_read(c->talk, sets, r->n_candidates * PER_TREE, on_trees, r);
}

static void on_index(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dno_repair *r = arg;

	(void)n;
	free(r->candidates);
	r->n_candidates = 0;
	r->candidates = calloc(sets[0].n ? sets[0].n : 1, sizeof(*r->candidates));
	for (size_t i = 0; r->candidates && i < sets[0].n; i++) {
		struct candidate *next = &r->candidates[r->n_candidates];
		if (dns_index_read(sets[0].rdata[i], &next->plan, next->tree) == 0) r->n_candidates++;
	}
	if (r->n_candidates == 0)
		plant(r);
	else if (look_at(r) < 0)
		finish(r, "out of memory");
}

static void find_trees(struct dno_repair *r)
{
	const struct dns_rrset index = { .owner = dns_name_index(r->console->zone), .type = "TXT" };

	if (dns_talk_read(r->console->talk, &index, 1, on_index, r) < 0) finish(r, "out of memory");
}

/* --- the newest plan --------------------------------------------------------------------------------- */

/* Wanted for its TTL even if there is a tree; a store that is down is no obstacle then. */
static void on_plan(int status, const char *body, size_t len, void *arg)
{
	struct dno_repair *r = arg;
	char why[DNS_PLAN_WHY_MAX] = "no answer";

	r->has_plan = status == 200 && dns_plan_read(body, len, wall_ms(), &r->plan, why) == 0;
	if (r->has_plan && strcmp(r->plan.zone, r->console->zone)) {
		dns_plan_release(&r->plan);
		r->has_plan = false;
		strcpy(why, "it is for another zone");
	}
	if (!r->has_plan) log_line("the newest plan is of no use (%s), ignoring", why);
	find_trees(r);
}

int dno_repair(struct console *c, uint64_t cause)
{
	if (c->repair) return -EALREADY;
	struct dno_repair *r = calloc(1, sizeof(*r));
	if (!r) return -ENOMEM;
	*r = (struct dno_repair){ .console = c, .cause = cause, .begun = mono_now() };
	int result = http_get(c->store, "/plans/newest", NULL, on_plan, r);
	if (result == 0)
		c->repair = r;
	else
		free(r);
	return result;
}

/* As the race leaves them: the trees stay, and no root points to one. */
int dno_break(struct console *c, uint64_t cause)
{
	if (c->repair) return -EALREADY;
	struct dno_repair *r = calloc(1, sizeof(*r));
	if (!r) return -ENOMEM;
	*r = (struct dno_repair){ .console = c, .cause = cause, .begun = mono_now(), .breaking = true };
	c->repair = r;
	strcpy(r->chosen.tree, "00000000"); /* one name of 36^8: no plan's */
	turn(r);
	return 0;
}
