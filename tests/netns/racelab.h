/* racelab.h - for tests: the race alone. Real enactors and a real Knot in one namespace, a plan store that
 * makes plans at an interval, and nothing else of the region. Times are a fraction of a region's, so that a
 * run takes a second or two. Each run has a zone of its own, fresh.
 *
 * Everything ends with the test program; failing to set up ends it. */
#ifndef AZLAB_RACELAB_H
#define AZLAB_RACELAB_H
#include "common/random.h"
#include "proto/dns_plan.h"
#include "tests/netns/dnslab.h"
#include "tests/netns/testnode.h"
#include <event2/buffer.h>
#include <event2/http.h>

enum { RACE_ENACTORS = 3, RACE_ENDPOINTS = 8, RACE_BALANCERS = 3, RACE_PORT = 8053, RACE_TTL_S = 2 };

/* Milliseconds; the guards as docs/management.md names them. */
struct race_settings {
	double interval, poll, lock, backoff, backoff_max;
	int endpoints, keep;
	const char *freshness, *cleanup;
	bool alias_check, refuse_empty;
	int run_ms; /* at most */
};
/* The settings of that day, in a region some twenty times as fast. Measured: 60 runs of 60 fired, in 1.4 s in
 * the median. */
static inline struct race_settings race_historical(int run_ms)
{
	return (struct race_settings){ .interval = 25,
		                       .poll = 5,
		                       .lock = 50,
		                       .backoff = 20,
		                       .backoff_max = 2000,
		                       .endpoints = RACE_ENDPOINTS,
		                       .keep = 4,
		                       .freshness = "once",
		                       .cleanup = "by-age",
		                       .alias_check = true,
		                       .run_ms = run_ms };
}
struct race_outcome {
	bool fired; /* an endpoint is empty */
	char endpoint[DNS_LABELS_MAX];
	size_t applied, lost, stale_writes, stuck_aborts, cleaned;
	double took_ms;
};

/* Knot keeps changes in a journal, as in the lab; without one it is three times as fast. */
static bool race_journal;
static struct testnode *race_enactors[RACE_ENACTORS];
static struct dns_client *race_asker;
static pid_t race_feeder;

/* --- plans ------------------------------------------------------------------------------------------- */

static inline void race_zone(unsigned zone, char ret[DNS_ZONE_MAX])
{
	snprintf(ret, DNS_ZONE_MAX, "r%u.lab", zone);
}

static inline void race_tree(uint64_t seed, uint64_t number, char ret[DNS_TREE_LEN + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	struct random r = random_of(seed ^ number << 32, "race-tree");

	for (size_t i = 0; i < DNS_TREE_LEN; i++)
		ret[i] = letters[random_next(&r) % (sizeof(letters) - 1)];
	ret[DNS_TREE_LEN] = '\0';
}

/* In static arrays: the plan isn't to be released. */
static inline struct dns_plan race_plan(unsigned zone, uint64_t seed, uint64_t number, int endpoints)
{
	static struct dns_endpoint names[RACE_ENDPOINTS] = { { "dynamodb", DNS_ANY },
		                                             { "dynamodb-ipv4", DNS_IPV4 },
		                                             { "dynamodb-fips", DNS_FIPS } };
	static struct dns_balancer balancers[RACE_BALANCERS];
	struct dns_plan p = { .number = number,
		              .service = "dynamodb",
		              .ttl_s = RACE_TTL_S,
		              .n_endpoints = (size_t)endpoints,
		              .endpoints = names,
		              .n_balancers = RACE_BALANCERS,
		              .balancers = balancers };

	p.made_ms = wall_ms();
	race_zone(zone, p.zone);
	race_tree(seed, number, p.tree);
	for (unsigned i = 3; i < RACE_ENDPOINTS; i++) {
		snprintf(names[i].name, sizeof(names[i].name), "%012u.ddb", i - 2);
		names[i].variant = DNS_ACCOUNT;
	}
	for (unsigned i = 0; i < RACE_BALANCERS; i++) {
		balancers[i].weight = (uint16_t)(8 + number % 3);
		snprintf(balancers[i].name, sizeof(balancers[i].name), "az%u", i + 1);
		balancers[i].addr4.s_addr = htonl(0x0a01fe01 + (i << 16));
		inet_pton(AF_INET6, "fd00:a21a:b:1::fe01", &balancers[i].addr6);
		balancers[i].addr6.s6_addr[7] = (uint8_t)(i + 1);
	}
	return p;
}

/* --- Knot -------------------------------------------------------------------------------------------- */

static inline void race_write_zone(const struct dns_plan *p, FILE *out)
{
	struct dns_plan_walk walk;
	struct dns_record r;

	fprintf(out,
	        "$ORIGIN %s.\n@ 5 IN SOA ns hostmaster 1 3600 600 86400 5\n@ 60 IN NS ns\nns 60 IN A %s\n",
	        p->zone, KNOT_ADDRESS);
	fprintf(out, "%s 60 IN TXT \"no tree of this name\"\n", dns_name_wildcard(p->zone).text);
	dns_plan_walk(&walk, p);
	while (dns_plan_next(&walk, &r))
		fprintf(out, "%s %u IN %s %s\n", r.owner.text, r.ttl_s, r.type, r.rdata);
	for (size_t i = 0; i < p->n_endpoints; i++) {
		const struct dns_endpoint *e = &p->endpoints[i];
		fprintf(out, "%s %u IN CNAME %s\n", dns_name_endpoint(e->name, p->zone).text, p->ttl_s,
		        dns_name_top(e->variant, p->tree, p->zone).text);
		fprintf(out, "%s 0 IN TXT %s\n", dns_name_generation(e->name, p->zone).text,
		        dns_generation_write(p->number).text);
	}
}

static inline FILE *race_open(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/0/%s", dnslab.dir, name);
	FILE *out = fopen(path, "we");
	if (!out || fchown(fileno(out), SPAWN_UID, SPAWN_UID) < 0) dnslab_die(path);
	return out;
}

static inline void race_write_config(unsigned zones)
{
	FILE *out = race_open("knot.conf");

	fprintf(out,
	        "server:\n    rundir: \"%s/0\"\n    listen: \"" KNOT_ADDRESS "@53\"\n    udp-workers: 1\n"
	        "    tcp-workers: 1\n    background-workers: 1\n    udp-max-payload: 4096\n"
	        "control:\n    listen: \"k.sock\"\nlog:\n  - target: stderr\n    any: info\n",
	        dnslab.dir);
	fprintf(out, "key:\n  - id: \"%s\"\n    algorithm: %s\n    secret: \"%s\"\n", dnslab.key.name,
	        dnslab.key.algorithm, dnslab.key.secret);
	fprintf(out,
	        "acl:\n  - id: lab\n    key: \"%s\"\n    action: update\n"
	        "database:\n    storage: \"%s/0\"\n    journal-db-max-size: 256M\n    timer-db-max-size: 1M\n"
	        "    kasp-db-max-size: 5M\n    catalog-db-max-size: 5M\n",
	        dnslab.key.name, dnslab.dir);
	fprintf(out,
	        "template:\n  - id: default\n    storage: \"%s/0\"\n    file: \"%%s.zone\"\n    acl: lab\n"
	        "    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: %s\n"
	        "    semantic-checks: off\nzone:\n",
	        dnslab.dir, race_journal ? "changes" : "none");
	for (unsigned z = 0; z < zones; z++)
		fprintf(out, "  - domain: r%u.lab\n", z);
	fclose(out);
}

static inline void race_prepare(unsigned zones, int endpoints)
{
	static char config[sizeof(dnslab.dir) + 16];
	char path[128], file[DNS_ZONE_MAX + 8];

	snprintf(path, sizeof(path), "%s/0", dnslab.dir);
	if ((mkdir(path, 0700) < 0 && errno != EEXIST) || chown(path, SPAWN_UID, SPAWN_UID) < 0)
		dnslab_die(path);
	race_write_config(zones);
	for (unsigned z = 0; z < zones; z++) {
		struct dns_plan p = race_plan(z, z, 0, endpoints);
		snprintf(file, sizeof(file), "%s.zone", p.zone);
		FILE *out = race_open(file);
		race_write_zone(&p, out);
		fclose(out);
	}
	snprintf(config, sizeof(config), "%s/0/knot.conf", dnslab.dir);
	const char *const argv[] = { "knotd", "-c", config, NULL };
	memcpy(dnslab.commands[0].argv, argv, sizeof(argv));
	dnslab.commands[0].clock = knot_clock();
}

static inline void race_start_knot(void)
{
	dnslab.knot = dnslab_run(dnslab.region, 0);
	dnslab_await_server(dnslab.region, KNOT_ADDRESS, "ns.r0.lab");
}

/* A namespace, and Knot with so many fresh zones; make_folder, if any, makes Knot's folder before. */
static inline void race_start_with(unsigned zones, int endpoints, void (*make_folder)(void))
{
	strcpy(dnslab.dir, "/tmp/azlab-race-XXXXXX");
	if (!mkdtemp(dnslab.dir)) dnslab_die("mkdtemp");
	atexit(dnslab_stop);
	if (chmod(dnslab.dir, 0711) < 0) dnslab_die("chmod");
	dnslab.base = event_base_new();
	if (!dnslab.base || dns_key_make(&dnslab.key) < 0) dnslab_die("race");
	dnslab.region = testnet_new();
	testnet_run(dnslab.region, "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start;"
	                           "ip addr add " KNOT_ADDRESS "/32 dev lo");
	if (make_folder) make_folder();
	race_prepare(zones, endpoints);
	race_start_knot();
	race_asker = dnslab_client(dnslab.region, KNOT_ADDRESS, &dnslab.key);
}

static inline void race_start(unsigned zones, int endpoints)
{
	race_start_with(zones, endpoints, NULL);
}

/* Everything, so that another may be started. */
static inline void race_stop(void)
{
	dns_client_free(race_asker);
	dnslab_stop();
	event_base_free(dnslab.base);
	close(dnslab.region);
}

/* --- the plan store ---------------------------------------------------------------------------------- */

struct race_feed {
	unsigned zone;
	uint64_t seed, number;
	int endpoints;
	char *text;
	size_t len;
};

static inline void race_make_plan(evutil_socket_t fd, short what, void *arg)
{
	struct race_feed *f = arg;
	struct dns_plan p = race_plan(f->zone, f->seed, ++f->number, f->endpoints);

	(void)fd, (void)what;
	free(f->text);
	FILE *out = open_memstream(&f->text, &f->len);
	if (!out || dns_plan_write(&p, out) < 0) dnslab_die("dns_plan_write");
	fclose(out);
}

static inline void race_serve(struct evhttp_request *request, void *arg)
{
	struct race_feed *f = arg;
	struct evbuffer *body = evbuffer_new();

	evbuffer_add(body, f->text, f->len);
	evhttp_send_reply(request, 200, "OK", body);
	evbuffer_free(body);
}

static inline void race_feed(const struct race_settings *s, unsigned zone, uint64_t seed, pid_t parent)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct race_feed f = { .zone = zone, .seed = seed, .endpoints = s->endpoints };
	struct timeval interval = mono_timeval((mono_ns)(s->interval * NS_PER_MS));
	struct event *timer = event_new(base, -1, EV_PERSIST, race_make_plan, &f);

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
	testnet_enter(dnslab.region);
	evhttp_set_gencb(http, race_serve, &f);
	if (evhttp_bind_socket(http, KNOT_ADDRESS, RACE_PORT) < 0) dnslab_die("plan store");
	race_make_plan(-1, 0, &f);
	event_add(timer, &interval);
	event_base_dispatch(base);
	_exit(0);
}

static inline void race_start_feeder(const struct race_settings *s, unsigned zone, uint64_t seed)
{
	pid_t parent = getpid();

	race_feeder = fork();
	if (race_feeder < 0) dnslab_die("fork");
	if (race_feeder == 0) race_feed(s, zone, seed, parent);
}

/* --- enactors ---------------------------------------------------------------------------------------- */

static inline json_t *race_enactor_config(const struct race_settings *s, const char *holder, const char *zone)
{
	json_t *key = json_pack("{s:s, s:s, s:s}", "name", dnslab.key.name, "algorithm", dnslab.key.algorithm,
	                        "secret", dnslab.key.secret);
	return json_pack(
	    "{s:s, s:{s:s, s:i}, s:{s:s, s:o}, s:s, s:s, s:f, s:f, s:f, s:f, s:i, s:s, s:s, s:b, "
	    "s:b}",
	    "holder", holder, "store", "address", KNOT_ADDRESS, "port", RACE_PORT, "dns", "server",
	    KNOT_ADDRESS, "key", key, "zone", zone, "service_endpoint", "dynamodb", "poll_ms", s->poll,
	    "lock_ms", s->lock, "backoff_ms", s->backoff, "backoff_max_ms", s->backoff_max, "keep", s->keep,
	    "freshness", s->freshness, "cleanup", s->cleanup, "alias_check", s->alias_check, "refuse_empty",
	    s->refuse_empty);
}

static inline struct testnode *race_start_enactor(const struct race_settings *s, unsigned n, const char *zone,
                                                  uint64_t seed)
{
	static char names[RACE_ENACTORS][32], holders[RACE_ENACTORS][8];
	static const int no_caps[1];

	snprintf(holders[n], sizeof(holders[n]), "az%u", n + 1);
	snprintf(names[n], sizeof(names[n]), "az%u.dns-enactor", n + 1);
	return testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                               .daemon = "dns-enactor",
	                                               .name = names[n],
	                                               .zone = holders[n],
	                                               .seed = seed,
	                                               .config = race_enactor_config(s, holders[n], zone),
	                                               .keep_caps = no_caps });
}

static inline json_t *race_console_config(const struct race_settings *s, unsigned zone)
{
	struct dns_plan p = race_plan(zone, zone, 0, s->endpoints);
	json_t *config = race_enactor_config(s, "operator", p.zone), *endpoints = json_array();

	for (size_t i = 0; i < p.n_endpoints; i++)
		json_array_append_new(endpoints,
		                      json_pack("{s:s, s:s}", "name", p.endpoints[i].name, "variant",
		                                dns_variant_text(p.endpoints[i].variant)));
	json_object_set_new(config, "endpoints", endpoints);
	json_object_set_new(config, "watch_ms", json_integer(20));
	return config;
}

static inline size_t race_count(json_t *pattern)
{
	size_t n = 0;

	for (unsigned i = 0; i < RACE_ENACTORS; i++)
		n += testnode_count(race_enactors[i], json_incref(pattern));
	json_decref(pattern);
	return n;
}

static inline size_t race_stuck(void)
{
	return race_count(json_pack("{s:s, s:{s:s}}", "event", "plan.aborted", "fields", "reason",
	                            "the tree in force is gone"));
}

/* --- what came of it --------------------------------------------------------------------------------- */

/* Has the endpoint no address, as a resolver would find? */
static inline bool race_is_empty(const struct dns_endpoint *e, const char *zone)
{
	struct dnslab_outcome root = dnslab_ask(race_asker, dns_name_endpoint(e->name, zone).text, "CNAME");

	if (root.status != DNS_OK || !root.values[0]) dnslab_die("an endpoint without root");
	struct dnslab_outcome top = dnslab_ask(race_asker, root.values, "A");
	return top.status == DNS_OK && !top.values[0];
}

static inline void race_look(const struct dns_plan *p, struct race_outcome *ret)
{
	for (size_t i = 0; i < p->n_endpoints && !ret->fired; i++) {
		if (!race_is_empty(&p->endpoints[i], p->zone)) continue;
		ret->fired = true;
		strcpy(ret->endpoint, p->endpoints[i].name);
	}
}

static inline void race_tally(struct race_outcome *o)
{
	o->applied = race_count(json_pack("{s:s}", "event", "plan.applied"));
	o->lost = race_count(json_pack("{s:s}", "event", "lock.lost"));
	o->cleaned = race_count(json_pack("{s:s}", "event", "plan.cleaned"));
	o->stale_writes =
	    race_count(json_pack("{s:s, s:{s:b}}", "event", "plan.stale", "fields", "written", 1));
	o->stuck_aborts = race_stuck();
}

/* A plan store, and enactors that take from it. */
static inline void race_begin(const struct race_settings *s, unsigned zone, uint64_t seed)
{
	char name[DNS_ZONE_MAX];

	race_zone(zone, name);
	race_start_feeder(s, zone, seed);
	for (unsigned i = 0; i < RACE_ENACTORS; i++)
		race_enactors[i] = race_start_enactor(s, i, name, seed);
}

static inline void race_end(void)
{
	for (unsigned i = 0; i < RACE_ENACTORS; i++)
		testnode_stop(race_enactors[i]);
	dnslab_end(&race_feeder, SIGKILL);
}

static inline size_t race_await_stuck(int ms)
{
	mono_ns until = mono_now() + ms * NS_PER_MS;

	while (mono_now() < until && race_stuck() == 0)
		testnode_idle(50);
	return race_stuck();
}

/* Plays one run in a fresh zone. It ends as soon as the endpoint is stuck, which nothing heals. */
static inline struct race_outcome race_run(const struct race_settings *s, unsigned zone, uint64_t seed)
{
	struct dns_plan first = race_plan(zone, zone, 0, s->endpoints);
	struct race_outcome o = { 0 };
	mono_ns begun = mono_now();

	race_begin(s, zone, seed);
	race_await_stuck(s->run_ms);
	o.took_ms = mono_ms(mono_now() - begun);
	race_tally(&o);
	race_end();
	race_look(&first, &o);
	return o;
}
#endif
