/* replay - plays a trail of the model with three real enactors and a real Knot, and compares what the zone
 * has come to.
 *
 *   replay <STEPS      STEPS: what spin tells of a trail; scripts/replay-trail feeds it
 *
 * Exit status: replay.h has it. */
#include "tests/model/replay.h"
#include "dns-enactor/walk.h"
#include "tests/netns/racelab.h"

enum { POLL_MS = 10, LOCK_MS = 1, BACKOFF_MS = 1, SEEDS_MAX = 1 << 24, BIG_TREE_BALANCERS = 5, AFTER_S = 60 };

/* --- the order of a walk ------------------------------------------------------------------------------ *
 * An enactor draws it from its seed; so that it is the trail's, a seed is looked for that gives it. */

static bool draws_order(const struct trail *t, unsigned enactor, uint64_t seed, const char *node)
{
	struct random random = random_of(seed, node);
	struct dne_walk walk = { 0 };
	bool same = true;

	random_unit(&random); /* its first poll */
	for (size_t i = 0; same && i < t->n; i++) {
		const struct trail_step *s = &t->steps[i];
		if (s->enactor != enactor) continue;
		if (strcmp(s->name, "pick") == 0) {
			dne_walk_release(&walk);
			if (dne_walk_begin(&walk, TRAIL_ENDPOINTS, &random, 0) < 0) dnslab_die("walk");
		}
		if (strcmp(s->name, "lost") == 0) dne_walk_back_off(&walk, NS_PER_MS, NS_PER_MS, &random);
		if (s->endpoint != TRAIL_NONE && strcmp(s->name, "back"))
			same = dne_walk_at(&walk) == s->endpoint;
		if (strcmp(s->name, "turn") == 0 || strcmp(s->name, "already") == 0) dne_walk_next(&walk, 0);
	}
	dne_walk_release(&walk);
	return same;
}

static uint64_t find_seed(const struct trail *t, unsigned enactor)
{
	char node[32];

	snprintf(node, sizeof(node), "az%u.dns-enactor", enactor);
	for (uint64_t seed = 1; seed < SEEDS_MAX; seed++)
		if (draws_order(t, enactor, seed, node)) return seed;
	fprintf(stderr, "no seed makes enactor %u walk as the trail has it\n", enactor);
	exit(REPLAY_DIFFERS);
}

/* --- the lab ------------------------------------------------------------------------------------------ */

/* So many load balancers that the mark, and nothing else, is left for the second message of the tree. */
static void grow(struct dns_plan *p)
{
	static struct dns_balancer many[BIG_TREE_BALANCERS];

	for (size_t i = 0; i < BIG_TREE_BALANCERS; i++) {
		many[i] = p->balancers[i % p->n_balancers];
		snprintf(many[i].name, sizeof(many[i].name), "lb%zu", i);
		many[i].addr4.s_addr += htonl((uint32_t)i << 8);
		many[i].addr6.s6_addr[14] = (uint8_t)i;
	}
	p->balancers = many;
	p->n_balancers = BIG_TREE_BALANCERS;
}

static void make_plans(struct replay *r)
{
	for (unsigned n = 0; n <= r->trail.plans + 1; n++) {
		r->plans[n] = race_plan(0, 0, n, TRAIL_ENDPOINTS);
		if (n > 0 && r->trail.tree_messages > 1) grow(&r->plans[n]);
	}
}

static void serve_plan(struct evhttp_request *request, const struct dns_plan *p)
{
	struct evbuffer *body = evbuffer_new();
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!body || !out || dns_plan_write(p, out) < 0) dnslab_die("plan");
	fclose(out);
	evbuffer_add(body, text, len);
	evhttp_send_reply(request, 200, "OK", body);
	evbuffer_free(body);
}

struct stall { /* an enactor's own entrance of the store */
	struct replay *replay;
	unsigned enactor;
};

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct stall *s = arg;
	uint64_t plan = s->replay->enactors[s->enactor].serve;

	if (plan)
		serve_plan(request, &s->replay->plans[plan]);
	else
		evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

static void open_store(struct replay *r, unsigned enactor)
{
	static struct stall stalls[TRAIL_ENACTORS + 1];
	struct evhttp *http = evhttp_new(r->base);

	stalls[enactor] = (struct stall){ r, enactor };
	if (!http || evhttp_bind_socket(http, KNOT_ADDRESS, (uint16_t)(RACE_PORT + enactor)) < 0)
		dnslab_die("store");
	evhttp_set_gencb(http, on_request, &stalls[enactor]);
}

static json_t *enactor_config(const struct trail *t, unsigned enactor, const char *relay)
{
	static const char *const freshness[] = { "once", "per-write", "compare-and-set" };
	static const char *const cleanup[] = { "by-age", "never-active" };
	char holder[8], zone[DNS_ZONE_MAX];
	const struct race_settings s = { .poll = POLL_MS,
		                         .lock = LOCK_MS,
		                         .backoff = BACKOFF_MS,
		                         .backoff_max = BACKOFF_MS,
		                         .keep = (int)t->keep,
		                         .freshness = freshness[t->freshness],
		                         .cleanup = cleanup[t->cleanup],
		                         .alias_check = t->alias_check,
		                         .refuse_empty = t->refuse_empty };

	snprintf(holder, sizeof(holder), "az%u", enactor);
	race_zone(0, zone);
	json_t *config = race_enactor_config(&s, holder, zone);
	json_object_set_new(config, "auto_rollback", json_boolean(t->auto_rollback));
	json_object_set_new(json_object_get(config, "dns"), "server", json_string(relay));
	json_object_set_new(json_object_get(config, "store"), "port", json_integer(RACE_PORT + enactor));
	return config;
}

static void start_enactor(struct replay *r, unsigned enactor)
{
	static char names[TRAIL_ENACTORS + 1][32];
	static const int no_caps[1];
	char relay[16];

	snprintf(relay, sizeof(relay), "127.0.1.%u", enactor);
	snprintf(names[enactor], sizeof(names[enactor]), "az%u.dns-enactor", enactor);
	testnet_enter(dnslab.region);
	r->enactors[enactor].relay = relay_new(r->base, relay, KNOT_ADDRESS);
	open_store(r, enactor);
	testnet_enter(testnet_home());
	r->enactors[enactor].node =
	    testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                            .daemon = "dns-enactor",
	                                            .name = names[enactor],
	                                            .zone = "az",
	                                            .seed = find_seed(&r->trail, enactor),
	                                            .config = enactor_config(&r->trail, enactor, relay),
	                                            .keep_caps = no_caps });
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

/* --- what it has come to ------------------------------------------------------------------------------ */

static unsigned differences;

static void compare(const char *what, const char *is, const char *expected)
{
	if (strcmp(is, expected) == 0) return;
	differences++;
	fprintf(stderr, "%s is \"%s\", the model has \"%s\"\n", what, is, expected);
}

static void compare_record(struct dns_name owner, const char *type, const char *expected)
{
	compare(owner.text, dnslab_ask(race_asker, owner.text, type).values, expected);
}

static void compare_holder(const struct dns_plan *p, const char *endpoint, unsigned holder)
{
	struct dnslab_outcome o = dnslab_ask(race_asker, dns_name_lock(endpoint, p->zone).text, "TXT");
	struct dns_lock lock = { .holder = "" };
	char expected[16] = "";

	dns_lock_read(o.values, &lock);
	if (holder) snprintf(expected, sizeof(expected), "az%u", holder);
	compare("the holder of the lock", lock.holder, expected);
}

static void compare_endpoint(const struct replay *r, unsigned i)
{
	const struct trail *t = &r->trail;
	const struct dns_plan *root = &r->plans[t->root[i]];
	const struct dns_endpoint *e = &root->endpoints[i];
	struct dns_name top = dns_name_top(e->variant, root->tree, root->zone);

	compare_record(dns_name_endpoint(e->name, root->zone), "CNAME", top.text);
	compare_record(dns_name_generation(e->name, root->zone), "TXT",
	               dns_generation_write(t->generation[i]).text);
	compare_record(dns_name_rollback(e->name, root->zone), "CNAME",
	               t->rollback[i] == TRAIL_NONE
	                   ? ""
	                   : dns_name_top(e->variant, r->plans[t->rollback[i]].tree, root->zone).text);
	compare_holder(root, e->name, t->holder[i]);
	printf("# %s is in force by plan %u, whose tree is %s: %s\n", e->name, t->root[i],
	       t->mark[t->root[i]] ? "there" : "gone",
	       dnslab_ask(race_asker, top.text, "A").values[0] ? "well" : "empty");
}

static void compare_tree(const struct dns_plan *p, unsigned mark, unsigned top)
{
	uint64_t plan;
	struct dnslab_outcome m = dnslab_ask(race_asker, dns_name_mark(p->tree, p->zone).text, "TXT");
	struct dnslab_outcome a = dnslab_ask(race_asker, dns_name_top(DNS_ANY, p->tree, p->zone).text, "A");

	compare(p->tree, dns_mark_read(m.values, &plan) == 0 ? "whole" : "not whole",
	        mark ? "whole" : "not whole");
	compare(p->tree, a.values[0] ? "with addresses" : "empty", top ? "with addresses" : "empty");
}

static void compare_zone(const struct replay *r)
{
	for (unsigned i = 0; i < TRAIL_ENDPOINTS; i++)
		compare_endpoint(r, i);
	for (unsigned n = 0; n <= r->trail.plans; n++)
		compare_tree(&r->plans[n], r->trail.mark[n], r->trail.top[n]);
}

/* All is quiet: does it take a new plan? In the model an endpoint whose tree is gone doesn't. */
static void try_new_plan(struct replay *r)
{
	mono_ns until = mono_now() + AFTER_S * NS_PER_S;
	unsigned aborted = 0, decided = 0;
	bool stuck = false;

	for (unsigned i = 0; i < TRAIL_ENDPOINTS; i++)
		stuck = stuck || !r->trail.mark[r->trail.root[i]];
	for (unsigned i = 1; i <= TRAIL_ENACTORS; i++) {
		relay_open(r->enactors[i].relay);
		r->enactors[i].serve = r->trail.plans + 1;
	}
	while (decided < TRAIL_ENACTORS && mono_now() < until) {
		replay_pump(r);
		for (unsigned i = 1; i <= TRAIL_ENACTORS; i++) {
			const json_t *m = replay_event(r, &r->enactors[i]);
			if (!m) continue;
			const char *event = json_string_value(json_object_get(m, "event"));
			bool abort = strcmp(event, "plan.aborted") == 0;
			aborted += abort;
			decided +=
			    abort || strcmp(event, "plan.applied") == 0 || strcmp(event, "plan.stale") == 0;
			replay_noted(&r->enactors[i]);
		}
	}
	printf("# a new plan is aborted by %u of %u enactors\n", aborted, decided);
	compare("the new plan",
	        decided < TRAIL_ENACTORS ? "undecided"
	        : aborted                ? "aborted"
	                                 : "taken",
	        stuck ? "aborted" : "taken");
	if (stuck && aborted < TRAIL_ENACTORS) compare("the new plan", "taken by some", "aborted by all");
}

int main(void)
{
	static struct replay r;
	struct timeval tick = { .tv_usec = 2000 };

	if (trail_read(stdin, &r.trail) < 0) {
		fprintf(stderr, "replay: that is no trail\n");
		return REPLAY_DIFFERS;
	}
	race_start(1, TRAIL_ENDPOINTS);
	r.base = dnslab.base;
	make_plans(&r);
	struct event *timer = event_new(r.base, -1, EV_PERSIST, on_tick, NULL);
	if (!timer) dnslab_die("timer");
	event_add(timer, &tick);
	for (unsigned i = 1; i <= TRAIL_ENACTORS; i++)
		start_enactor(&r, i);
	replay_steps(&r);
	compare_zone(&r);
	if (trail_quiet(&r.trail)) try_new_plan(&r);
	for (unsigned i = 1; i <= TRAIL_ENACTORS; i++)
		testnode_stop(r.enactors[i].node);
	printf("# %zu steps played\n", r.trail.n);
	race_stop();
	return differences ? REPLAY_DIFFERS : REPLAY_SAME;
}
