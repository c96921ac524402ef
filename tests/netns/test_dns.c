/* Real Knot and Unbound, configured and run as in the lab, driven by our transactions. */
#include "proto/classes.h"
#include "tests/netns/dnslab.h"
#include <errno.h>
#include <setjmp.h>
#include <cmocka.h>

#define ALL_A "10.1.1.1 10.2.1.1 10.3.1.1"
#define ALL_AAAA "fd00:a21a:b:1::1:1 fd00:a21a:b:2::1:1 fd00:a21a:b:3::1:1"

static struct dns_client *writer;

static struct dnslab_outcome commit(struct dns_client *c, struct dns_update *u)
{
	struct dnslab_outcome o = { 0 };

	assert_int_equal(dns_client_update(c, u, 10 * NS_PER_S, dnslab_done, &o), 0);
	dns_update_free(u);
	return *dnslab_wait(&o);
}

static void assert_holds(const char *name, const char *type, const char *values)
{
	struct dnslab_outcome o = dnslab_ask(writer, name, type);
	assert_int_equal(o.status, values[0] ? DNS_OK : o.status);
	assert_string_equal(o.values, values);
}

static struct dns_update *on_shop(void)
{
	struct dns_update *u = dns_update_new("shop.lab");
	assert_non_null(u);
	return u;
}

static void status_line(pid_t pid, const char *key, char *to, size_t size)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			snprintf(to, size, "%.*s", (int)strcspn(line + strlen(key), "\n"),
			         line + strlen(key));
}

static void servers_run_without_any_privilege(void **state)
{
	const pid_t pids[] = { dnslab.knot, dnslab.unbound };
	char value[256] = "";

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 3; k++) {
			status_line(pids[i], (const char *[]){ "CapEff:", "CapPrm:", "CapBnd:" }[k], value,
			            sizeof(value));
			assert_string_equal(value, "\t0000000000000000");
		}
		status_line(pids[i], "Uid:", value, sizeof(value));
		assert_string_equal(value, "\t64900\t64900\t64900\t64900");
	}
}

static void all_zones_are_in_the_answer_at_first(void **state)
{
	(void)state;
	assert_holds("shop.lab", "A", ALL_A);
	assert_holds("shop.lab", "AAAA", ALL_AAAA);
	assert_holds("cart.shop.lab", "A", "10.1.1.2 10.2.1.2 10.3.1.2");
	assert_holds("shop.lab", "SOA", "ns.shop.lab. hostmaster.shop.lab. 1 3600 600 86400 5");
}

static void a_transaction_replaces_both_families_at_once(void **state)
{
	const char *const a[] = { "10.1.1.1", "10.3.1.1", "10.2.1.1" }; /* any order */
	struct dns_update *u = on_shop();

	(void)state;
	dns_require_rrset(u, "shop.lab", "A", a, 3);
	dns_delete_rrset(u, "shop.lab", "A");
	dns_delete_rrset(u, "shop.lab", "AAAA");
	dns_add_record(u, "shop.lab", "A", 1, "10.2.1.1");
	dns_add_record(u, "shop.lab", "AAAA", 1, "fd00:a21a:b:2::1:1");
	struct dnslab_outcome o = commit(writer, u);
	assert_int_equal(o.status, DNS_OK);
	assert_holds("shop.lab", "A", "10.2.1.1");
	assert_holds("shop.lab", "AAAA", "fd00:a21a:b:2::1:1");
	print_message("# one transaction: %.2f ms\n", mono_ms(o.took));
}

/* Each prerequisite that doesn't hold stops the whole transaction. */
static void a_failed_prerequisite_changes_nothing(void **state)
{
	const char *const wrong[] = { "10.2.1.1", "10.3.1.1" }, *const right[] = { "10.2.1.1" };

	(void)state;
	for (int k = 0; k < 5; k++) {
		struct dns_update *u = on_shop();
		if (k == 0) dns_require_rrset(u, "shop.lab", "A", wrong, 2);
		if (k == 1) dns_require_rrset(u, "shop.lab", "A", NULL, 0);
		if (k == 2) dns_require_some(u, "shop.lab", "TXT");
		if (k == 3) dns_require_name(u, "other.shop.lab", true);
		if (k == 4) dns_require_name(u, "shop.lab", false);
		dns_add_record(u, "shop.lab", "A", 1, "10.9.9.9");
		assert_int_equal(commit(writer, u).status, DNS_PREREQUISITE);
	}
	assert_holds("shop.lab", "A", "10.2.1.1");
	struct dns_update *u = on_shop();
	dns_require_rrset(u, "shop.lab", "A", right, 1);
	dns_require_rrset(u, "shop.lab", "TXT", NULL, 0);
	dns_require_some(u, "shop.lab", "AAAA");
	dns_require_name(u, "other.shop.lab", false);
	dns_require_name(u, "shop.lab", true);
	dns_add_record(u, "x.shop.lab", "TXT", 0, "\"holder 1; until 2\"");
	dns_add_record(u, "x.shop.lab", "A", 0, "10.9.9.8");
	assert_int_equal(commit(writer, u).status, DNS_OK);
	assert_holds("x.shop.lab", "TXT", "\"holder 1; until 2\"");
}

static void single_records_and_names_can_be_deleted(void **state)
{
	struct dns_update *u = on_shop();

	(void)state;
	dns_add_record(u, "x.shop.lab", "A", 0, "10.9.9.9");
	dns_delete_record(u, "x.shop.lab", "A", "10.9.9.8");
	assert_int_equal(commit(writer, u).status, DNS_OK);
	assert_holds("x.shop.lab", "A", "10.9.9.9");
	u = on_shop();
	dns_delete_name(u, "x.shop.lab");
	assert_int_equal(commit(writer, u).status, DNS_OK);
	assert_int_equal(dnslab_ask(writer, "x.shop.lab", "A").status, DNS_NO_NAME);
}

/* All writers believe the same and replace it by their own: each generation has exactly one winner. */
static void of_concurrent_writers_exactly_one_wins(void **state)
{
	enum { WRITERS = 16, GENERATIONS = 12 };
	char believed[16] = "10.2.1.1", mine[WRITERS][16];

	(void)state;
	for (int g = 0; g < GENERATIONS; g++) {
		struct dnslab_outcome o[WRITERS] = { 0 };
		int winner = -1, losers = 0;
		for (int w = 0; w < WRITERS; w++) {
			const char *const old[] = { believed };
			struct dns_update *u = on_shop();
			snprintf(mine[w], sizeof(mine[w]), "10.8.%d.%d", g, w);
			dns_require_rrset(u, "shop.lab", "A", old, 1);
			dns_delete_rrset(u, "shop.lab", "A");
			dns_add_record(u, "shop.lab", "A", 1, mine[w]);
			assert_int_equal(dns_client_update(writer, u, 3 * NS_PER_S, dnslab_done, &o[w]), 0);
			dns_update_free(u);
		}
		for (int w = 0; w < WRITERS; w++) {
			dnslab_wait(&o[w]);
			losers += o[w].status == DNS_PREREQUISITE;
			if (o[w].status == DNS_OK) winner = w;
		}
		assert_int_equal(losers, WRITERS - 1);
		assert_true(winner >= 0);
		strcpy(believed, mine[winner]);
		assert_holds("shop.lab", "A", believed);
	}
}

static void as_many_wait_as_fly_and_no_more(void **state)
{
	enum { ROUNDS = 10 };
	struct dnslab_outcome o[DNS_REQUESTS_MAX], extra;
	mono_ns begun = mono_now();
	char value[16];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		memset(o, 0, sizeof(o));
		for (int i = 0; i < DNS_REQUESTS_MAX; i++) {
			struct dns_update *u = on_shop();
			snprintf(value, sizeof(value), "10.7.%d.%d", round, i);
			dns_add_record(u, "many.shop.lab", "A", 1, value);
			assert_int_equal(dns_client_update(writer, u, 3 * NS_PER_S, dnslab_done, &o[i]), 0);
			dns_update_free(u);
		}
		assert_int_equal(dns_client_query(writer, "shop.lab", "A", NS_PER_S, dnslab_done, &extra),
		                 -EAGAIN);
		for (int i = 0; i < DNS_REQUESTS_MAX; i++)
			assert_int_equal(dnslab_wait(&o[i])->status, DNS_OK);
	}
	print_message("# %d transactions, 64 in flight: %.0f a second\n", ROUNDS * DNS_REQUESTS_MAX,
	              ROUNDS * DNS_REQUESTS_MAX * (double)NS_PER_S / (double)(mono_now() - begun));
}

/* --- on the way to Knot ------------------------------------------------------------------------------ */

/* A socket of the region: bound to the port, or connected to Knot. */
static int region_socket(uint16_t port, bool bound)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 5 };

	inet_pton(AF_INET, KNOT_ADDRESS, &at.sin_addr);
	testnet_enter(dnslab.region);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal((bound ? bind : connect)(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

enum { MIDDLE_PORT = 5399 };

static struct dns_client *client_of_the_middle(void)
{
	struct dns_client *c;

	testnet_enter(dnslab.region);
	assert_int_equal(dns_client_new(dnslab.base, KNOT_ADDRESS, MIDDLE_PORT, &dnslab.key, &c), 0);
	testnet_enter(testnet_home());
	return c;
}

static void of_all_requests_64_are_on_the_wire(void **state)
{
	cleanup_close int fd = region_socket(MIDDLE_PORT, true);
	struct dns_client *c = client_of_the_middle();
	struct dnslab_outcome o[DNS_REQUESTS_MAX] = { 0 };
	uint8_t wire[512];
	int n = 0;

	(void)state;
	for (int i = 0; i < DNS_REQUESTS_MAX; i++)
		assert_int_equal(dns_client_query(c, "shop.lab", "A", NS_PER_S, dnslab_done, &o[i]), 0);
	while (recv(fd, wire, sizeof(wire), MSG_DONTWAIT) > 0)
		n++;
	assert_int_equal(n, DNS_IN_FLIGHT_MAX);
	dns_client_free(c);
}

/* A client that takes us for Knot, and what it gets to hear. */
struct middle {
	struct dns_client *client;
	int fd, knot;
	struct dnslab_outcome outcome;
	uint8_t genuine[4096], forged[4096];
	size_t len;
};

/* The client's update reaches Knot; of its answer the code is changed, which the signature covers. */
static void relay_update(struct middle *m)
{
	enum { CODE = 3, YXDOMAIN = 6 };
	struct dns_update *u = on_shop();
	struct sockaddr_in from;
	uint8_t wire[4096];

	*m = (struct middle){ .fd = region_socket(MIDDLE_PORT, true),
		              .knot = region_socket(PORT_DNS, false),
		              .client = client_of_the_middle() };
	dns_add_record(u, "relayed.shop.lab", "A", 1, "10.9.9.9");
	assert_int_equal(dns_client_update(m->client, u, 10 * NS_PER_S, dnslab_done, &m->outcome), 0);
	dns_update_free(u);
	ssize_t n = recvfrom(m->fd, wire, sizeof(wire), 0, (void *)&from, &(socklen_t){ sizeof(from) });
	assert_true(n > 0);
	assert_int_equal(send(m->knot, wire, (size_t)n, 0), n);
	n = recv(m->knot, m->genuine, sizeof(m->genuine), 0);
	assert_true(n > 0);
	m->len = (size_t)n;
	memcpy(m->forged, m->genuine, m->len);
	m->forged[CODE] = (uint8_t)((m->forged[CODE] & 0xf0) | YXDOMAIN);
	assert_int_equal(connect(m->fd, (struct sockaddr *)&from, sizeof(from)), 0);
}

static void answer(const struct middle *m, const uint8_t *wire)
{
	assert_int_equal(send(m->fd, wire, m->len, 0), m->len);
}

static void assert_ends_well(struct middle *m)
{
	assert_int_equal(dnslab_wait(&m->outcome)->status, DNS_OK);
	dns_client_free(m->client);
	close(m->fd);
	close(m->knot);
}

/* Heard before one of them was looked at. */
static void a_forged_answer_neither_counts_nor_hides_the_true_one(void **state)
{
	struct middle m;

	(void)state;
	relay_update(&m);
	answer(&m, m.forged);
	answer(&m, m.genuine);
	answer(&m, m.forged);
	assert_ends_well(&m);
	assert_int_equal(m.outcome.attempts, 1);
}

static void after_a_forged_answer_the_request_flies_on(void **state)
{
	struct middle m;

	(void)state;
	relay_update(&m);
	answer(&m, m.forged);
	for (int turn = 0; turn < 3; turn++) /* heard, looked at */
		event_base_loop(dnslab.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_false(m.outcome.done);
	answer(&m, m.genuine);
	assert_ends_well(&m);
}

/* 400 values of 40 bytes fit no datagram. */
static void what_fits_no_datagram_comes_over_tcp(void **state)
{
	enum { MESSAGES = 10, VALUES = 40 };
	char value[64];

	(void)state;
	for (int m = 0; m < MESSAGES; m++) {
		struct dns_update *u = on_shop();
		for (int i = 0; i < VALUES; i++) {
			snprintf(value, sizeof(value), "\"%038d\"", m * VALUES + i);
			dns_add_record(u, "large.shop.lab", "TXT", 0, value);
		}
		assert_int_equal(commit(writer, u).status, DNS_OK);
	}
	testnet_enter(dnslab.region);
	struct dnslab_outcome o = dnslab_ask(writer, "large.shop.lab", "TXT");
	testnet_enter(testnet_home());
	assert_int_equal(o.status, DNS_OK);
	assert_int_equal(o.n, MESSAGES * VALUES);
}

static enum dns_status with_key(const struct dns_key *key)
{
	struct dns_client *stranger = dnslab_client(dnslab.region, KNOT_ADDRESS, key);
	struct dns_update *u = on_shop();

	dns_add_record(u, "shop.lab", "A", 1, "10.6.6.6");
	enum dns_status status = commit(stranger, u).status;
	dns_client_free(stranger);
	return status;
}

/* At that part of a second of the wall clock. */
static void set_mark_at(long ms, bool next_second, const char *value)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	if (next_second || at.tv_nsec >= ms * NS_PER_MS) at.tv_sec++;
	at.tv_nsec = ms * NS_PER_MS;
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
	struct dns_update *u = on_shop();
	dns_delete_rrset(u, "mark.shop.lab", "TXT");
	if (value) dns_add_record(u, "mark.shop.lab", "TXT", 1, value);
	assert_int_equal(commit(writer, u).status, DNS_OK);
}

/* One that comes early in the second after another's would wait until a second after that one:
 * preload/knot_clock.c. With it none does; a busy machine gets five tries. */
static void an_update_does_not_wait_for_the_next_second(void **state)
{
	struct timespec now = { 0 };
	bool waited = true;

	(void)state;
	for (int i = 0; i < 5 && waited; i++) {
		set_mark_at(700, false, "\"a\"");
		set_mark_at(100, true, "\"b\"");
		clock_gettime(CLOCK_REALTIME, &now);
		waited = now.tv_nsec >= 600 * NS_PER_MS;
	}
	assert_false(waited);
	set_mark_at(0, true, NULL);
}

static void only_the_key_may_update(void **state)
{
	struct dns_key other_secret, other_name = dnslab.key;

	(void)state;
	assert_int_equal(dns_key_make(&other_secret), 0);
	assert_string_not_equal(other_secret.secret, dnslab.key.secret);
	strcpy(other_name.name, "stranger");
	assert_int_equal(with_key(&other_secret), DNS_BAD_KEY);
	assert_int_equal(with_key(&other_name), DNS_BAD_KEY);
	enum dns_status unsigned_one = with_key(NULL);
	assert_true(unsigned_one == DNS_REFUSED || unsigned_one == DNS_BAD_KEY);
	assert_null(strstr(dnslab_ask(writer, "shop.lab", "A").values, "10.6.6.6"));
}

static void bad_names_and_values_are_refused_here(void **state)
{
	struct dnslab_outcome o = { 0 };
	struct dns_update *u = on_shop();

	(void)state;
	dns_add_record(u, "shop.lab", "A", 1, "10.1.1.999");
	dns_add_record(u, "shop.lab", "A", 1, "10.1.1.9");
	assert_int_equal(dns_client_update(writer, u, NS_PER_S, dnslab_done, &o), -EINVAL);
	dns_update_free(u);
	assert_int_equal(dns_client_query(writer, "shop.lab", "NONSENSE", NS_PER_S, dnslab_done, &o),
	                 -EINVAL);
	assert_int_equal(dns_client_query(writer, "a..b", "A", NS_PER_S, dnslab_done, &o), -EINVAL);
	assert_null(dns_update_new("a..b"));
	assert_false(o.done);
}

/* What an update changed survives Knot's restart, and an update sent meanwhile is retransmitted into it. */
static void a_restart_loses_nothing(void **state)
{
	struct dnslab_outcome o = { 0 };
	struct dns_update *u = on_shop();
	char before[1024];

	(void)state;
	strcpy(before, dnslab_ask(writer, "shop.lab", "A").values);
	dnslab_end(&dnslab.knot, SIGKILL);
	dns_require_some(u, "shop.lab", "A");
	dns_add_record(u, "shop.lab", "AAAA", 1, "fd00::7");
	assert_int_equal(dns_client_update(writer, u, 8 * NS_PER_S, dnslab_done, &o), 0);
	dns_update_free(u);
	dnslab_start_knot();
	dnslab_wait(&o);
	assert_int_equal(o.status, DNS_OK);
	assert_true(o.attempts > 1);
	assert_holds("shop.lab", "A", before);
	print_message("# restart: %u attempts, %.0f ms\n", o.attempts, mono_ms(o.took));
}

static void a_silent_server_is_given_up_in_time(void **state)
{
	struct dnslab_outcome o = { 0 };

	(void)state;
	dnslab_pause(dnslab.knot);
	assert_int_equal(dns_client_query(writer, "shop.lab", "A", NS_PER_S, dnslab_done, &o), 0);
	dnslab_wait(&o);
	kill(dnslab.knot, SIGCONT);
	assert_int_equal(o.status, DNS_TIMED_OUT);
	assert_int_equal(o.attempts, 3); /* at 0, 200 and 600 ms */
	assert_in_range(o.took, NS_PER_S - NS_PER_MS, 3 * NS_PER_S);
	/* the answers that come late now belong to nobody */
	assert_int_equal(dnslab_ask(writer, "shop.lab", "AAAA").status, DNS_OK);
}

/* How long a change takes to be seen through the resolver's cache. */
static mono_ns seen_after(struct dns_client *resolver, const char *value)
{
	struct dns_update *u = on_shop();
	struct dnslab_outcome o;

	dnslab_ask(resolver, "shop.lab", "A"); /* now it is in the cache */
	dns_delete_rrset(u, "shop.lab", "A");
	dns_add_record(u, "shop.lab", "A", 1, value);
	mono_ns begun = mono_now();
	assert_int_equal(commit(writer, u).status, DNS_OK);
	do
		o = dnslab_ask(resolver, "shop.lab", "A");
	while (strcmp(o.values, value) && mono_now() - begun < 10 * NS_PER_S);
	assert_string_equal(o.values, value);
	return mono_now() - begun;
}

static void the_resolver_shows_a_change_within_the_ttl(void **state)
{
	struct dns_client *resolver = dnslab_client(dnslab.zone, UNBOUND_ADDRESS, NULL);
	struct dns_client *resolver6 = dnslab_client(dnslab.zone, UNBOUND_ADDRESS6, NULL);
	const mono_ns soon = 2500 * NS_PER_MS; /* TTL 1 s, counted in whole seconds */
	mono_ns took = 2 * soon;
	char value[16];

	(void)state;
	for (int i = 1; i <= 5 && took >= soon; i++) { /* a busy machine may be late, but not each time */
		snprintf(value, sizeof(value), "10.5.5.%d", i);
		took = seen_after(resolver, value);
	}
	assert_true(took < soon);
	print_message("# seen through the resolver's cache after %.0f ms\n", mono_ms(took));
	assert_string_equal(dnslab_ask(resolver6, "shop.lab", "A").values, value);
	dns_client_free(resolver);
	dns_client_free(resolver6);
}

static void the_resolver_knows_the_lab_and_nothing_else(void **state)
{
	struct dns_client *resolver = dnslab_client(dnslab.zone, UNBOUND_ADDRESS, NULL);
	static const char *const elsewhere[] = { "example.com", "example.net", "example.org" };
	mono_ns least = NS_PER_S;

	(void)state;
	assert_int_equal(dnslab_ask(resolver, "cart.shop.lab", "AAAA").status, DNS_OK);
	assert_int_equal(dnslab_ask(resolver, "nothing.shop.lab", "A").status, DNS_NO_NAME);
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		struct dnslab_outcome o = dnslab_ask(resolver, elsewhere[i], "A");
		assert_int_equal(o.status, DNS_REFUSED);
		least = o.took < least ? o.took : least;
	}
	assert_true(least < 100 * NS_PER_MS); /* nobody else was asked */
	assert_int_equal(dnslab_ask(resolver, "lab", "A").status, DNS_REFUSED);
	dns_client_free(resolver);
}

static void the_key_is_for_nobody_else(void **state)
{
	struct dnslab *l = &dnslab;
	struct stat st;
	char dir[128];

	(void)state;
	for (size_t node = 0; node < 2; node++) {
		assert_int_equal(stat(l->commands[node].config, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_uid, SPAWN_UID);
		snprintf(dir, sizeof(dir), "%.40s/%zu", dnslab.dir, node);
		assert_int_equal(stat(dir, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_int_equal(dns_server_prepare(&l->plan, 2, l->dir, &l->key, 1, 1, &l->commands[2]), -EINVAL);
	l->services[1].dns_name = "SHOP.lab";
	assert_int_equal(dns_knot_config(&l->plan, 0, "/x", &l->key, stderr), -EEXIST);
	l->services[1].dns_name = "Cart.shop.lab.";
	memset(dir, 'd', sizeof(dir) - 1);
	dir[0] = '/', dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(dns_knot_config(&l->plan, 0, dir, &l->key, stderr), -ENAMETOOLONG);
}

static int set_up(void **state)
{
	(void)state;
	dnslab_start(true);
	writer = dnslab_client(dnslab.region, KNOT_ADDRESS, &dnslab.key);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_client_free(writer);
	dnslab_stop();
	event_base_free(dnslab.base);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_run_without_any_privilege),
		cmocka_unit_test(all_zones_are_in_the_answer_at_first),
		cmocka_unit_test(a_transaction_replaces_both_families_at_once),
		cmocka_unit_test(a_failed_prerequisite_changes_nothing),
		cmocka_unit_test(single_records_and_names_can_be_deleted),
		cmocka_unit_test(of_concurrent_writers_exactly_one_wins),
		cmocka_unit_test(as_many_wait_as_fly_and_no_more),
		cmocka_unit_test(of_all_requests_64_are_on_the_wire),
		cmocka_unit_test(a_forged_answer_neither_counts_nor_hides_the_true_one),
		cmocka_unit_test(after_a_forged_answer_the_request_flies_on),
		cmocka_unit_test(an_update_does_not_wait_for_the_next_second),
		cmocka_unit_test(what_fits_no_datagram_comes_over_tcp),
		cmocka_unit_test(only_the_key_may_update),
		cmocka_unit_test(bad_names_and_values_are_refused_here),
		cmocka_unit_test(a_restart_loses_nothing),
		cmocka_unit_test(a_silent_server_is_given_up_in_time),
		cmocka_unit_test(the_resolver_shows_a_change_within_the_ttl),
		cmocka_unit_test(the_resolver_knows_the_lab_and_nothing_else),
		cmocka_unit_test(the_key_is_for_nobody_else),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
