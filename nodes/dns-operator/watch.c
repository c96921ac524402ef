#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include "dns-operator/console.h"
#include <errno.h>
#include <string.h>

/* What is read of an endpoint: its root each time, the rest once a second. */
enum { ROOT, GENERATION, LOCK, ROLLBACK, PER_ENDPOINT };
enum { INDEX, SOA, PER_ZONE };
enum { TOP_A, TOP_AAAA, PER_TOP };

struct dno_watch {
	struct console *console;
	struct event *timer;
	mono_ns next_full;
	bool full; /* what is under way */
	json_t *trees;
	unsigned negative_ttl_s;
};

static struct dns_rrset ask(struct dns_name owner, const char *type)
{
	return (struct dns_rrset){ .owner = owner, .type = type };
}

static void keep(const struct dns_rrset *from, char *to, size_t size)
{
	const char *value = dns_rrset_value(from);

	snprintf(to, size, "%s", value);
}

/* --- what it amounts to ------------------------------------------------------------------------------ */

static void remember_root(struct console *c, struct dno_endpoint *e, const char *root)
{
	struct dno_change *change = &c->history[c->n_changes % DNO_HISTORY_MAX];

	if (strcmp(e->root, root) == 0) return;
	snprintf(e->root, sizeof(e->root), "%s", root);
	*change = (struct dno_change){ .at = mono_now(), .endpoint = (uint32_t)(e - c->endpoints) };
	strcpy(change->root, e->root);
	c->n_changes++;
}

static void restored(struct console *c, struct dno_endpoint *e, mono_ns now)
{
	e->empty_root[0] = '\0';
	if (!e->told_empty) return;
	e->told_empty = false;
	node_event(c->node, "endpoint.restored", 0,
	           json_pack("{s:s, s:f}", "endpoint", e->is.name, "empty_s",
	                     (double)(now - e->empty_since) / NS_PER_S));
}

/* Root and addresses are read one after the other, and the root may have moved on between: empty is what
 * was so twice, with the same root. */
static void found_empty(struct console *c, struct dno_endpoint *e, mono_ns now)
{
	if (strcmp(e->empty_root, e->root)) {
		strcpy(e->empty_root, e->root);
		if (!e->told_empty) e->empty_since = now;
		return;
	}
	if (e->told_empty) return;
	e->told_empty = true;
	node_event(c->node, "endpoint.empty", 0,
	           json_pack("{s:s, s:f}", "endpoint", e->is.name, "empty_s",
	                     (double)(now - e->empty_since) / NS_PER_S));
}

static void add_addresses(json_t *to, const struct dns_rrset *set)
{
	for (size_t i = 0; i < set->n; i++)
		json_array_append_new(to, json_string(set->rdata[i]));
}

static json_t *endpoint_json(const struct console *c, const struct dno_endpoint *e)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:O, s:i}", "name", e->is.name, "root", e->root, "plan",
	                 (json_int_t)e->plan, "lock", e->lock, "rollback", e->rollback, "addresses",
	                 e->addresses, "negative_ttl_s", (int)c->watch->negative_ttl_s);
}

static void tell_sample(struct console *c)
{
	json_t *endpoints = json_array();

	for (size_t i = 0; i < c->n_endpoints; i++)
		json_array_append_new(endpoints, endpoint_json(c, &c->endpoints[i]));
	node_sample(c->node, "endpoints",
	            json_pack("{s:o, s:O}", "endpoints", endpoints, "trees", c->watch->trees));
}

/* --- reading ----------------------------------------------------------------------------------------- */

static void rest(struct dno_watch *w)
{
	timer_after(w->timer, w->console->watch_interval);
}

static void stumble(struct dno_watch *w, int error)
{
	log_errno(error, "cannot look at the zone, trying again");
	rest(w);
}

static void on_tops(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dno_watch *w = arg;
	struct console *c = w->console;
	size_t per = w->full ? PER_TOP : 1;
	mono_ns now = mono_now();

	for (size_t i = 0; i < n / per; i++) {
		struct dno_endpoint *e = &c->endpoints[i];
		if (w->full) {
			json_array_clear(e->addresses);
			add_addresses(e->addresses, &sets[i * per + TOP_A]);
			add_addresses(e->addresses, &sets[i * per + TOP_AAAA]);
		}
		if (sets[i * per + TOP_A].n > 0)
			restored(c, e, now);
		else
			found_empty(c, e, now);
	}
	if (w->full) tell_sample(c);
	rest(w);
}

/* The addresses that the roots lead to. */
static void look_at_tops(struct dno_watch *w)
{
	struct console *c = w->console;
	size_t per = w->full ? PER_TOP : 1;
	cleanup_free struct dns_rrset *sets = calloc(c->n_endpoints * per, sizeof(*sets));

	for (size_t i = 0; sets && i < c->n_endpoints; i++) {
		const struct dno_endpoint *e = &c->endpoints[i];
		struct dns_name top = dns_name_endpoint(e->is.name, c->zone);
		if (*e->root) snprintf(top.text, sizeof(top.text), "%s", e->root);
		sets[i * per + TOP_A] = ask(top, "A");
		if (w->full) sets[i * per + TOP_AAAA] = ask(top, "AAAA");
	}
	int r = sets ? dns_talk_read(c->talk, sets, c->n_endpoints * per, on_tops, w) : -ENOMEM;
	if (r < 0) stumble(w, r);
}

static void read_zone(struct dno_watch *w, const struct dns_rrset *sets)
{
	const char *last = strrchr(dns_rrset_value(&sets[SOA]), ' ');
	char tree[DNS_TREE_LEN + 1];
	uint64_t plan;

	w->negative_ttl_s = last ? (unsigned)strtoul(last, NULL, 10) : 0;
	json_array_clear(w->trees);
	for (size_t i = 0; i < sets[INDEX].n; i++)
		if (dns_index_read(sets[INDEX].rdata[i], &plan, tree) == 0)
			json_array_append_new(
			    w->trees, json_pack("{s:I, s:s}", "plan", (json_int_t)plan, "tree", tree));
}

static void on_roots(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dno_watch *w = arg;
	struct console *c = w->console;
	size_t per = w->full ? PER_ENDPOINT : 1;

	(void)n;
	for (size_t i = 0; i < c->n_endpoints; i++, sets += per) {
		struct dno_endpoint *e = &c->endpoints[i];
		remember_root(c, e, dns_rrset_value(&sets[ROOT]));
		if (!w->full) continue;
		dns_generation_read(dns_rrset_value(&sets[GENERATION]), &e->plan);
		keep(&sets[LOCK], e->lock, sizeof(e->lock));
		keep(&sets[ROLLBACK], e->rollback, sizeof(e->rollback));
	}
	if (w->full) read_zone(w, sets);
	look_at_tops(w);
}

static void question_endpoint(const struct console *c, const struct dno_endpoint *e, bool full,
                              struct dns_rrset *sets)
{
	sets[ROOT] = ask(dns_name_endpoint(e->is.name, c->zone), "CNAME");
	if (!full) return;
	sets[GENERATION] = ask(dns_name_generation(e->is.name, c->zone), "TXT");
	sets[LOCK] = ask(dns_name_lock(e->is.name, c->zone), "TXT");
	sets[ROLLBACK] = ask(dns_name_rollback(e->is.name, c->zone), "CNAME");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dno_watch *w = arg;
	struct console *c = w->console;
	mono_ns now = mono_now();

	(void)fd, (void)what;
	w->full = now >= w->next_full;
	if (w->full) w->next_full = now + NS_PER_S;
	size_t per = w->full ? PER_ENDPOINT : 1, n = c->n_endpoints * per + (w->full ? PER_ZONE : 0);
	cleanup_free struct dns_rrset *sets = calloc(n, sizeof(*sets));
	for (size_t i = 0; sets && i < c->n_endpoints; i++)
		question_endpoint(c, &c->endpoints[i], w->full, &sets[i * per]);
	if (sets && w->full) {
		struct dns_name apex;
		snprintf(apex.text, sizeof(apex.text), "%s.", c->zone);
		sets[c->n_endpoints * per + INDEX] = ask(dns_name_index(c->zone), "TXT");
		sets[c->n_endpoints * per + SOA] = ask(apex, "SOA");
	}
	int r = sets ? dns_talk_read(c->talk, sets, n, on_roots, w) : -ENOMEM;
	if (r < 0) stumble(w, r);
}

int dno_watch_new(struct console *c)
{
	struct dno_watch *w = calloc(1, sizeof(*w));

	if (!w) return -ENOMEM;
	w->console = c;
	c->watch = w;
	w->trees = json_array();
	w->timer = evtimer_new(c->node->base, on_timer, w);
	if (!w->trees || !w->timer) return -ENOMEM;
	return timer_after(w->timer, 0) < 0 ? -ENOMEM : 0;
}
