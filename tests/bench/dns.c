/* The DNS automation at 100,000 records: planning; planting a tree and deleting it, 64 transactions in
 * flight, beside the same messages signed beforehand and sent by a bare loop, and beside knsupdate, all at
 * the same Knot; then planner, enactor and Knot as they are, from a load balancer's end to the old tree's,
 * with dnsperf asking for the endpoint all the while. build/tests/bench/dns        as root; takes about two
 * minutes */
#include "dns-enactor/sweep.h"
#include "dns_peers.h"
#include "dns_raw.h"
#include "proto/classes.h"
#include "proto/health.h"
#include "tests/netns/dnslab.h"
#include "tests/netns/testnode.h"

enum {
	ROUNDS = 3,

	ZONES = 3,
	BALANCERS = 11107, /* in each zone: with index, mark and tops that many records */
	STORE_PORT = 8053,
	QUERY_RATE = 4000,
	WAIT_MS = 60 * 1000,
};
#define ZONE "shop.lab"

static int folder;
static struct dns_talk *talk;

/* --- the planner ------------------------------------------------------------------------------------- */

/* Three zones of so many load balancers, and a fourth with one that comes and goes. */
static json_t *planner_config(int balancers)
{
	json_t *sources = json_array();
	char name[8], v4[16], v6[32];

	for (int z = 1; z <= ZONES + 1; z++) {
		snprintf(name, sizeof(name), "az%d", z);
		snprintf(v4, sizeof(v4), "10.%d.0.1", 100 + z);
		snprintf(v6, sizeof(v6), "fd00:a21a:b:%d::1", 100 + z);
		json_array_append_new(sources, json_pack("{s:s, s:s, s:s, s:i, s:i}", "name", name, "addr4",
		                                         v4, "addr6", v6, "capacity", 8, "count",
		                                         z > ZONES ? 1 : balancers));
	}
	return json_pack(
	    "{s:i, s:s, s:s, s:i, s:[{s:s,s:s}, {s:s,s:s}, {s:s,s:s}, {s:s,s:s}], s:o, s:i, s:i, s:i}",
	    "service", 0, "name", "dynamodb", "zone", ZONE, "ttl_s", 2, "endpoints", "name", "dynamodb",
	    "variant", "any", "name", "dynamodb-ipv4", "variant", "ipv4", "name", "dynamodb-fips", "variant",
	    "fips", "name", "000000000001.ddb", "variant", "account", "load_balancers", sources, "first_plan",
	    1, "plan_interval_ms", 3600 * 1000, "port", STORE_PORT);
}

static struct testnode *start_planner(int balancers)
{
	static const int no_caps[1];
	struct testnode *t = testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                                             .daemon = "dns-planner",
	                                                             .name = "region.dns-planner",
	                                                             .zone = "region",
	                                                             .number = 77,
	                                                             .seed = 1,
	                                                             .config = planner_config(balancers),
	                                                             .fds = &folder,
	                                                             .n_fds = 1,
	                                                             .keep_caps = no_caps });
	testnode_begin(t, mono_now());
	return t;
}

/* The fourth zone's checker: its one target is well, or not. */
static void report(bool healthy)
{
	static uint32_t sequence;
	struct health_report r = { .zone = ZONES,
		                   .epoch = 1,
		                   .sequence = ++sequence,
		                   .parts = 1,
		                   .total = 1,
		                   .n = 1,
		                   .targets = { { .id = 1, .healthy = healthy, .event = 1 } } };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT_HEALTH_REPORT) };
	uint8_t wire[HEALTH_DATAGRAM_MAX];
	int len = health_report_encode(&r, wire, sizeof(wire));

	inet_pton(AF_INET, KNOT_ADDRESS, &to.sin_addr);
	testnet_enter(dnslab.region);
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	if (sendto(fd, wire, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to)) < 0) dnslab_die("report");
}

static mono_ns await_event(struct testnode *t, const char *event, json_int_t plan)
{
	const json_t *m =
	    testnode_wait(t, json_pack("{s:s, s:{s:I}}", "event", event, "fields", "plan", plan), WAIT_MS);

	if (!m) {
		json_dumpf(testnode_messages(t), stderr, JSON_COMPACT);
		exit(1);
	}
	return json_integer_value(json_object_get(m, "at_ns"));
}

/* kB, of a process; "VmHWM": its largest size so far. */
static long memory_of(pid_t pid, const char *which)
{
	char path[64], line[256], key[32];
	long kb;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	cleanup_fclose FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31[^:]: %ld kB", key, &kb) == 2 && !strcmp(key, which)) return kb;
	dnslab_die(path);
	return 0;
}

static void read_plan(json_int_t number, struct dns_plan *ret)
{
	char name[64], why[DNS_PLAN_WHY_MAX];
	static char text[DNS_PLAN_TEXT_MAX];

	snprintf(name, sizeof(name), "plan-%lld.json", (long long)number);
	cleanup_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n < 0) dnslab_die(name);
	if (dns_plan_read(text, (size_t)n, INT64_MAX, ret, why) < 0) {
		fprintf(stderr, "%s: %s\n", name, why);
		exit(1);
	}
	printf("  the plan: %zu records, %zd bytes of JSON\n", dns_plan_records(ret), n);
}

/* The plan that all the rest works with. */
static void measure_planning(struct dns_plan *ret)
{
	struct testnode *small = start_planner(1);
	report(false);
	await_event(small, "plan.made", 1);
	long floor_kb = memory_of(testnode_pid(small), "VmHWM");
	testnode_stop(small);

	struct testnode *large = start_planner(BALANCERS);
	mono_ns begun = mono_now();
	report(true);
	mono_ns made = await_event(large, "plan.made", 2);
	long kb = memory_of(testnode_pid(large), "VmHWM");
	testnode_stop(large);
	printf("planning: %.0f ms from the report to the stored plan\n", mono_ms(made - begun));
	read_plan(2, ret);
	printf("  planner's memory at its largest %ld kB, %ld kB of it for the records: %.0f bytes a record "
	       "(aim: < 300)\n",
	       kb, kb - floor_kb, (double)(kb - floor_kb) * 1024 / (double)dns_plan_records(ret));
}

/* --- planting and felling ---------------------------------------------------------------------------- */

static int connect_to_knot(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT_DNS) };
	int room = 4 << 20;

	inet_pton(AF_INET, KNOT_ADDRESS, &to.sin_addr);
	testnet_enter(dnslab.region);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) dnslab_die("connect");
	return fd;
}

static mono_ns run_raw(struct raw *r)
{
	cleanup_close int fd = connect_to_knot();
	mono_ns took = raw_run(r, fd, DNS_IN_FLIGHT_MAX);

	raw_free(r);
	return took;
}

static bool over;

static void on_planted(int result, void *arg)
{
	(void)arg;
	if (result < 0) exit(1);
	over = true;
}

static void on_update(enum dns_status status, void *arg)
{
	on_planted(status == DNS_OK ? 0 : -1, arg);
}

static void on_cleaned(const struct dne_victim *victim, void *arg)
{
	(void)victim;
	++*(unsigned *)arg;
}

static void on_swept(void *arg)
{
	(void)arg;
	over = true;
}

static mono_ns wait_over(mono_ns begun)
{
	while (!over)
		event_base_loop(dnslab.base, EVLOOP_ONCE);
	over = false;
	return mono_now() - begun;
}

static mono_ns plant(const struct dns_plan *plan)
{
	mono_ns begun = mono_now();

	if (dns_tree_plant(talk, plan, on_planted, NULL) < 0) exit(1);
	return wait_over(begun);
}

/* All trees that are older than the plan, which must be one. */
static mono_ns sweep(const struct dns_plan *plan)
{
	const struct dne_config config = { .zone = ZONE, .knobs.cleanup = DNE_CLEANUP_BY_AGE };
	struct dns_plan newer = *plan;
	unsigned cleaned = 0;
	struct dne_sweep_calls calls = { .cleaned = on_cleaned, .done = on_swept, .arg = &cleaned };
	mono_ns begun = mono_now();

	newer.number++;
	strcpy(newer.tree, "newer000");
	if (dne_sweep(talk, &config, &newer, &calls) < 0) exit(1);
	mono_ns took = wait_over(begun);
	if (cleaned != 1) fprintf(stderr, "%u trees were deleted, not one\n", cleaned), exit(1);
	return took;
}

static int by_value(const void *a, const void *b)
{
	mono_ns x = *(const mono_ns *)a, y = *(const mono_ns *)b;
	return (x > y) - (x < y);
}

static double report_rates(const char *what, size_t records, mono_ns *raw, mono_ns *ours)
{
	qsort(raw, ROUNDS, sizeof(*raw), by_value);
	qsort(ours, ROUNDS, sizeof(*ours), by_value);
	double floor = (double)records * NS_PER_S / (double)raw[ROUNDS / 2];
	double rate = (double)records * NS_PER_S / (double)ours[ROUNDS / 2];

	printf("%s: %.0f records/s (%.2f to %.2f s); signed beforehand %.0f records/s: %.2f of it (aim: >= "
	       "0.9)\n",
	       what, rate, (double)ours[0] / NS_PER_S, (double)ours[ROUNDS - 1] / NS_PER_S, floor,
	       rate / floor);
	fflush(stdout);
	return rate;
}

/* Turn by turn; returns records planted a second. */
static double measure_trees(struct dns_plan *plan)
{
	mono_ns raw[2][ROUNDS], ours[2][ROUNDS];
	size_t records = dns_plan_records(plan);

	for (int i = 0; i < ROUNDS; i++) {
		strcpy(plan->tree, "raw00000");
		raw[0][i] = run_raw(raw_plant(plan, &dnslab.key));
		raw[1][i] = run_raw(raw_fell(plan, &dnslab.key));
		strcpy(plan->tree, "ours0000");
		ours[0][i] = plant(plan);
		ours[1][i] = sweep(plan);
	}
	double rate = report_rates("planting", records, raw[0], ours[0]);
	report_rates("deleting", records, raw[1], ours[1]);
	return rate;
}

static void measure_knsupdate(struct dns_plan *plan, double rate)
{
	static const struct {
		size_t n, per_message;
	} ways[] = { { 300, 1 }, { 9000, 30 } };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		snprintf(plan->tree, sizeof(plan->tree), "knsupd%02zu", i);
		double theirs = knsupdate_rate(dnslab.region, dnslab.dir, KNOT_ADDRESS, &dnslab.key, plan,
		                               ways[i].n, ways[i].per_message);
		printf("knsupdate, %zu record%s a transaction: %.0f records/s; ours %.0f times that\n",
		       ways[i].per_message, ways[i].per_message > 1 ? "s" : "", theirs, rate / theirs);
		fflush(stdout);
	}
}

/* --- all of it --------------------------------------------------------------------------------------- */

static void update(struct dns_update *u)
{
	if (dns_talk_update(talk, u, DNS_INSIST, on_update, NULL) < 0) exit(1);
	wait_over(0);
}

/* A first tree and the endpoints' roots, as a topology's own zone has them. */
static void begin_zone(const struct dns_plan *plan)
{
	struct dns_plan first = *plan;

	first.number = 0;
	first.n_balancers = ZONES;
	strcpy(first.tree, "first000");
	plant(&first);
	struct dns_update *u = dns_update_new(ZONE);
	dns_add_record(u, dns_name_wildcard(ZONE).text, "TXT", 0, "\"\"");
	for (size_t i = 0; i < first.n_endpoints; i++) {
		const struct dns_endpoint *e = &first.endpoints[i];
		dns_add_record(u, dns_name_endpoint(e->name, ZONE).text, "CNAME", 2,
		               dns_name_top(e->variant, first.tree, ZONE).text);
		dns_add_record(u, dns_name_generation(e->name, ZONE).text, "TXT", 0,
		               dns_generation_write(0).text);
	}
	update(u);
}

static struct testnode *start_enactor(void)
{
	static const int no_caps[1];
	json_t *config = json_pack(
	    "{s:s, s:{s:s, s:i}, s:{s:s, s:{s:s, s:s, s:s}}, s:s, s:s, s:i, s:i, s:i, s:i, "
	    "s:i, s:s, s:s, s:b, s:b, s:b, s:s, s:i}",
	    "holder", "az1", "store", "address", KNOT_ADDRESS, "port", STORE_PORT, "dns", "server",
	    KNOT_ADDRESS, "key", "name", dnslab.key.name, "algorithm", dnslab.key.algorithm, "secret",
	    dnslab.key.secret, "zone", ZONE, "service_endpoint", "dynamodb", "poll_ms", 100, "lock_ms", 300,
	    "backoff_ms", 100, "backoff_max_ms", 5000, "keep", 0, "freshness", "once", "cleanup", "by-age",
	    "alias_check", 1, "refuse_empty", 0, "auto_rollback", 0, "leader", "off", "leader_ms", 1000);

	return testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                               .daemon = "dns-enactor",
	                                               .name = "az1.dns-enactor",
	                                               .zone = "az1",
	                                               .seed = 1,
	                                               .config = config,
	                                               .keep_caps = no_caps });
}

static struct dnsperf start_asking(void)
{
	return dnsperf_start(dnslab.region, dnslab.dir, KNOT_ADDRESS,
	                     "dynamodb." ZONE " A\ndynamodb." ZONE " AAAA\ndynamodb-ipv4." ZONE " A\n",
	                     QUERY_RATE);
}

static void report_asking(const char *what, const struct dnsperf_result *r)
{
	printf("  dnsperf %s: %.0f queries/s, %lu answered, %lu lost, %lu not NOERROR\n", what, r->rate,
	       r->completed, r->lost, r->completed - r->noerror);
}

/* Plans 3 and 4, one after another, by the daemons; 3's tree is deleted after 4. */
static void measure_daemons(void)
{
	struct dnsperf alone = start_asking();
	testnode_idle(10 * 1000);
	struct dnsperf_result quiet = dnsperf_stop(&alone);
	struct dnsperf beside = start_asking();
	struct testnode *planner = start_planner(BALANCERS), *enactor = start_enactor();
	mono_ns begun = 0, made = 0, picked = 0, applied = 0, cleaned = 0;

	for (json_int_t plan = 3; plan <= 4; plan++) {
		begun = mono_now();
		report(plan == 4);
		made = await_event(planner, "plan.made", plan);
		picked = await_event(enactor, "plan.picked", plan);
		applied = await_event(enactor, "plan.applied", plan);
	}
	cleaned = await_event(enactor, "plan.cleaned", 3);
	struct dnsperf_result busy = dnsperf_stop(&beside);
	printf("planner and enactor: made after %.2f s, picked up after %.2f s, applied after %.2f s, the "
	       "old tree "
	       "gone after %.2f s\n",
	       (double)(made - begun) / NS_PER_S, (double)(picked - begun) / NS_PER_S,
	       (double)(applied - begun) / NS_PER_S, (double)(cleaned - begun) / NS_PER_S);
	printf("  enactor's memory at its largest %ld kB\n", memory_of(testnode_pid(enactor), "VmHWM"));
	report_asking("alone", &quiet);
	report_asking("meanwhile", &busy);
	printf("  rate %.2f of undisturbed (aim: >= 0.9), lost %lu (aim: 0)\n", busy.rate / quiet.rate,
	       busy.lost);
	testnode_stop(enactor);
	testnode_stop(planner);
}

int main(void)
{
	struct dns_plan plan;

	dnslab_start(false);
	char store[128];
	snprintf(store, sizeof(store), "%s/plans", dnslab.dir);
	if (mkdir(store, 0700) < 0 || chown(store, SPAWN_UID, SPAWN_UID) < 0) dnslab_die(store);
	folder = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	testnet_enter(dnslab.region);
	if (dns_talk_new(dnslab.base, KNOT_ADDRESS, PORT_DNS, &dnslab.key, NULL, NULL, &talk) < 0) exit(1);
	testnet_enter(testnet_home());
	measure_planning(&plan);
	double rate = measure_trees(&plan);
	measure_knsupdate(&plan, rate);
	begin_zone(&plan);
	measure_daemons();
	dns_plan_release(&plan);
	return 0;
}
