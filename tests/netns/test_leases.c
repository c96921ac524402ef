/* Leases on droplets, by real processes: never two holders, never a launch without a lease, whatever is
 * paused, cut off or started anew. A lease lasts 2 s. */
#include "common/node.h"
#include "proto/lease.h"
#include "common/random.h"
#include "tests/netns/leasestore.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { DROPLETS = 20, SLOTS = 4, WAIT_MS = PATIENCE_MS, LEASE_MS = 2000, SAMPLE_MS = 50 };
#define HOST_A "127.0.0.1"
#define HOST_B "127.0.0.2"

static struct event_base *base;
static struct testnode *fleet;

static json_t *knobs(void)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "lease_ms", LEASE_MS, "renew_every_ms", 500,
	                 "timeout_ms", 400, "work_time_ms", 1, "sample_ms", SAMPLE_MS, "start_over_ms", 50);
}

/* One that finds DynamoDB under that name or address. */
static struct testnode *start_host_with(const char *holder, int port, const char *dynamodb)
{
	json_t *config = leaselab_dwfm_config(holder, DROPLETS, knobs());
	json_t *client = json_object_get(config, "dynamodb");

	json_object_set_new(config, "port", json_integer(port));
	json_object_set_new(client, "timeout_ms", json_integer(200));
	json_object_set_new(client, "name", json_string(dynamodb));
	return leaselab_dwfm(holder, config);
}

static struct testnode *start_host(const char *holder, int port)
{
	return start_host_with(holder, port, "dynamodb.lab");
}

enum { PORT_A = 8401, PORT_B = 8402 };

static int setup(void **state)
{
	(void)state;
	*leaselab.gone = false;
	leasestore_start();
	fleet = leaselab_droplets(DROPLETS, SLOTS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testnode_stop(fleet);
	leasestore_stop();
	return 0;
}

/* --- what can be seen -------------------------------------------------------------------------------- */

static int held(struct testnode *host)
{
	int n = -1;

	testnode_forget(host);
	const json_t *m = testnode_wait(host, json_pack("{s:s}", "kind", "work"), WAIT_MS);
	assert_non_null(m);
	assert_int_equal(json_unpack((json_t *)m, "{s:i}", "held", &n), 0);
	return n;
}

static void await_held(struct testnode *host, int n)
{
	mono_ns until = mono_now() + WAIT_MS * NS_PER_MS;

	while (held(host) != n) {
		if (mono_now() > until) fail_msg("%d leases never held", n);
	}
}

static size_t overlaps(void)
{
	testnode_idle(0);
	return testnode_count(fleet, json_pack("{s:s}", "event", "lease.overlap"));
}

/* --- calls to the API -------------------------------------------------------------------------------- */

struct answer {
	bool over;
	enum call_outcome outcome;
	unsigned status;
	char error[32], droplet[32];
	int64_t epoch;
};

static void on_answer(const struct http_reply *reply, void *arg)
{
	struct answer *a = arg;
	json_t *body = json_loadb(reply->body, reply->body_len, 0, NULL);

	*a = (struct answer){ .over = true, .outcome = reply->outcome, .status = reply->status };
	snprintf(a->error, sizeof(a->error), "%s", node_string(body, "error", ""));
	snprintf(a->droplet, sizeof(a->droplet), "%s", node_string(body, "droplet", ""));
	a->epoch = json_integer_value(json_object_get(body, "epoch"));
	json_decref(body);
}

struct call {
	struct http_client *client;
	struct answer answer;
};

static void begin(struct call *c, int port, const char *path, json_t *body)
{
	struct http_client_config config = { .host = HOST_A, .port = (uint16_t)port };
	cleanup_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	c->answer.over = false;
	testnet_enter(leaselab.ns);
	assert_int_equal(http_client_new(base, &config, &c->client), 0);
	assert_int_equal(http_client_call(c->client,
	                                  &(struct http_call_spec){ .method = "POST",
	                                                            .path = path,
	                                                            .body = text,
	                                                            .body_len = strlen(text),
	                                                            .timeout = WAIT_MS * NS_PER_MS },
	                                  on_answer, &c->answer, NULL),
	                 0);
	event_base_loop(base, EVLOOP_NONBLOCK); /* out it goes */
	testnet_enter(testnet_home());
}

static struct answer end(struct call *c)
{
	while (!c->answer.over)
		assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
	http_client_free(c->client);
	return c->answer;
}

static json_t *launch_body(const char *instance, int timeout_ms)
{
	return json_pack("{s:s, s:s, s:b, s:i, s:i}", "instance", instance, "zone", "az1", "real", 0, "cause",
	                 0, "timeout_ms", timeout_ms);
}

/* As the API does it: the instance's row is written first. */
static void begin_launch(struct call *c, int port, const char *instance, int timeout_ms)
{
	leasestore_want(instance);
	begin(c, port, "/launch", launch_body(instance, timeout_ms));
}

static struct answer launch(int port, const char *instance)
{
	struct call c;

	begin_launch(&c, port, instance, 5000);
	return end(&c);
}

static struct answer order(int port, const char *path, const char *instance, const char *droplet)
{
	struct call c;

	begin(&c, port, path,
	      json_pack("{s:s, s:s, s:i}", "instance", instance, "droplet", droplet, "timeout_ms", 5000));
	return end(&c);
}

static int used(void)
{
	int n = -1;

	testnode_forget(fleet);
	const json_t *m = testnode_wait(fleet, json_pack("{s:s}", "kind", "droplets"), WAIT_MS);
	assert_non_null(m);
	assert_int_equal(json_unpack((json_t *)m, "{s:i}", "used", &n), 0);
	return n;
}

static void await_used(int n)
{
	mono_ns until = mono_now() + WAIT_MS * NS_PER_MS;

	while (used() != n) {
		if (mono_now() > until) fail_msg("%d slots never in use", n);
	}
}

/* --- pauses ------------------------------------------------------------------------------------------ */

static void pause_node(struct testnode *t)
{
	int status;
	pid_t pid = testnode_pid(t);

	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

static void resume_node(struct testnode *t)
{
	kill(testnode_pid(t), SIGCONT);
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void a_host_takes_its_leases_and_keeps_them(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);

	(void)state;
	await_held(a, DROPLETS);
	int64_t until_ms = leasestore_row(DROPLETS).until_ms;
	for (int i = 0; i < 2 * LEASE_MS / SAMPLE_MS; i++)
		assert_int_equal(held(a), DROPLETS);
	assert_true(leasestore_row(DROPLETS).until_ms > until_ms);
	for (int i = 1; i <= DROPLETS; i++) {
		struct leasestore_lease row = leasestore_row(i);
		assert_string_equal(row.holder, "dwfm-1");
		assert_int_equal(row.epoch, 1);
	}
	testnode_stop(a);
}

static void a_shorter_lease_costs_no_lease(void **state)
{
	json_t *turned = knobs(), *config;
	struct testnode *a = start_host("dwfm-1", PORT_A);

	(void)state;
	await_held(a, DROPLETS);
	json_object_update_new(turned, json_pack("{s:i, s:s}", "lease_ms", LEASE_MS * 3 / 4, "spread", "on"));
	config = leaselab_dwfm_config("dwfm-1", DROPLETS, turned);
	testnode_set(a, config);
	for (int i = 0; i < 2 * LEASE_MS / SAMPLE_MS; i++)
		assert_int_equal(held(a), DROPLETS);
	for (int i = 1; i <= DROPLETS; i++)
		assert_int_equal(leasestore_row(i).epoch, 1);
	testnode_stop(a);
}

static void an_instance_lives_its_life(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);

	(void)state;
	await_held(a, DROPLETS);
	struct answer l = launch(PORT_A, "i-00000000000000001");
	assert_int_equal(l.status, 200);
	assert_int_equal(l.epoch, 1);
	assert_memory_equal(l.droplet, "az1-", 4);
	assert_int_equal(used(), 1);
	assert_non_null(testnode_wait_event(a, "launch.done", "instance", "i-00000000000000001", WAIT_MS));
	assert_int_equal(order(PORT_A, "/reboot", "i-00000000000000001", l.droplet).status, 200);
	assert_int_equal(order(PORT_A, "/reboot", "i-00000000000000002", l.droplet).status, 404);
	assert_int_equal(order(PORT_A, "/terminate", "i-00000000000000001", l.droplet).status, 200);
	await_used(0);
	assert_int_equal(order(PORT_A, "/terminate", "i-00000000000000001", l.droplet).status,
	                 200); /* again */
	assert_int_equal(order(PORT_A, "/terminate", "i-00000000000000001", "az2-00001").status, 404);
	testnode_stop(a);
}

static void capacity_is_finite(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);
	char instance[32];
	struct answer l;

	(void)state;
	await_held(a, DROPLETS);
	for (int i = 0; i < DROPLETS * SLOTS; i++) {
		snprintf(instance, sizeof(instance), "i-%017d", i);
		assert_int_equal(launch(PORT_A, instance).status, 200);
	}
	l = launch(PORT_A, "i-too-many");
	assert_int_equal(l.status, 503);
	assert_string_equal(l.error, "no-capacity");
	assert_int_equal(used(), DROPLETS * SLOTS);
	testnode_stop(a);
}

/* Launches on a droplet without its host's knowing. */
static void launch_behind_the_back(int fd, unsigned droplet, int i)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(LEASELAB_LEASE_PORT),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct lease_message m = {
		.kind = LEASE_ORDER, .droplet = droplet, .epoch = 1, .request = 1, .order = LEASE_LAUNCH
	};
	uint8_t datagram[LEASE_DATAGRAM_MAX];

	snprintf(m.instance, sizeof(m.instance), "i-unknown-%u-%d", droplet, i);
	int len = lease_encode(&m, datagram, sizeof(datagram));
	assert_true(len > 0);
	assert_int_equal(sendto(fd, datagram, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

/* All but the last one are full, which their next state check would tell. */
static void a_droplet_without_a_slot_is_not_the_last_word(void **state)
{
	json_t *seldom = knobs();
	struct testnode *a;

	(void)state;
	json_object_update_new(seldom, json_pack("{s:i, s:i}", "lease_ms", 600000, "renew_every_ms", 300000));
	json_t *config = leaselab_dwfm_config("dwfm-1", DROPLETS, seldom);
	json_object_set_new(config, "port", json_integer(PORT_A));
	a = leaselab_dwfm("dwfm-1", config);
	await_held(a, DROPLETS);
	testnet_enter(leaselab.ns);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	for (unsigned droplet = 1; droplet < DROPLETS; droplet++) {
		for (int i = 0; i < SLOTS; i++)
			launch_behind_the_back(fd, droplet, i);
	}
	close(fd);
	await_used((DROPLETS - 1) * SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		char instance[32];
		snprintf(instance, sizeof(instance), "i-%017d", i);
		assert_int_equal(launch(PORT_A, instance).status, 200);
	}
	assert_string_equal(launch(PORT_A, "i-too-many").error, "no-capacity");
	testnode_stop(a);
}

static void a_paused_host_loses_its_leases_to_another_and_orders_nothing(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A), *b;
	struct call late;

	(void)state;
	await_held(a, DROPLETS);
	b = start_host("dwfm-2", PORT_B);
	pause_node(a);
	begin_launch(&late, PORT_A, "i-late", 5000); /* waits in its socket */
	await_held(b, DROPLETS);
	for (int i = 1; i <= DROPLETS; i++)
		assert_int_equal(leasestore_row(i).epoch, 2);
	resume_node(a);
	struct answer l = end(&late);
	assert_int_equal(l.status, 503);
	assert_int_equal(launch(PORT_B, "i-well").status, 200);
	await_held(a, 0);
	await_held(b, DROPLETS);
	assert_int_equal(used(), 1);
	assert_int_equal(overlaps(), 0);
	testnode_stop(a);
	testnode_stop(b);
}

static void a_host_that_is_cut_off_loses_its_leases_to_another_and_launches_nothing(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A), *b;

	(void)state;
	await_held(a, DROPLETS);
	b = start_host_with("dwfm-2", PORT_B, LEASELAB_STORE); /* needs no name */
	*leaselab.gone = true;
	await_held(b, DROPLETS);
	assert_int_equal(held(a), 0);
	assert_string_equal(launch(PORT_A, "i-cut-off").error, "no-capacity");
	struct answer l = launch(PORT_B, "i-well");
	assert_int_equal(l.status, 200);
	assert_int_equal(l.epoch, 2);
	*leaselab.gone = false;
	for (int i = 0; i < LEASE_MS / SAMPLE_MS; i++) /* it tries, in vain */
		assert_int_equal(held(a), 0);
	await_held(b, DROPLETS);
	assert_int_equal(used(), 1);
	assert_int_equal(overlaps(), 0);
	testnode_stop(a);
	testnode_stop(b);
}

static void without_dynamodb_leases_run_out_and_nothing_is_launched(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);

	(void)state;
	await_held(a, DROPLETS);
	*leaselab.gone = true;
	await_held(a, 0);
	struct answer l = launch(PORT_A, "i-none");
	assert_int_equal(l.status, 503);
	assert_string_equal(l.error, "no-capacity");
	*leaselab.gone = false;
	await_held(a, DROPLETS);
	assert_int_equal(launch(PORT_A, "i-again").status, 200);
	testnode_stop(a);
}

static void droplets_that_are_paused_lose_their_leases_and_their_past_orders(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);
	struct call late;

	(void)state;
	await_held(a, DROPLETS);
	pause_node(fleet);
	begin_launch(&late, PORT_A, "i-late", 300); /* ordered while the lease is held */
	assert_int_equal(end(&late).status, 503);
	await_held(a, 0);
	resume_node(fleet);
	await_held(a, DROPLETS);
	assert_int_equal(launch(PORT_A, "i-well").status, 200);
	await_used(1); /* what its caller was told had failed is undone, if it was carried out */
	testnode_stop(a);
}

/* Returns the host's next incarnation. */
static struct testnode *restarted_in_the_middle_of(struct call *launch, struct testnode *host)
{
	await_used(1); /* it is being launched */
	testnode_kill(host);
	assert_int_equal(end(launch).outcome, CALL_RESET);
	return start_host("dwfm-1", PORT_A);
}

static void a_launch_that_its_host_did_not_live_to_see_is_carried_through(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);
	struct call c;

	(void)state;
	await_held(a, DROPLETS);
	testnode_set(fleet, json_pack("{s:i}", "launch_time_ms", 1500));
	testnode_forget(fleet);
	begin_launch(&c, PORT_A, "i-orphan", 10000);
	a = restarted_in_the_middle_of(&c, a);
	assert_non_null(testnode_wait_event(a, "launch.done", "instance", "i-orphan", WAIT_MS));
	await_held(a, DROPLETS);
	assert_int_equal(used(), 1);
	assert_true(leasestore_row(1).epoch >= 2); /* a new incarnation */
	testnode_stop(a);
}

/* Its caller has been told that it failed, and has forgotten it. */
static void a_launch_that_is_not_wanted_any_more_is_undone(void **state)
{
	struct testnode *a = start_host("dwfm-1", PORT_A);
	struct call c;

	(void)state;
	await_held(a, DROPLETS);
	testnode_set(fleet, json_pack("{s:i}", "launch_time_ms", 1500));
	begin(&c, PORT_A, "/launch", launch_body("i-forgotten", 10000));
	a = restarted_in_the_middle_of(&c, a);
	await_used(0);
	testnode_stop(a);
}

/* Two hosts on the same droplets, paused, killed and started anew, in any order. */
static void whatever_happens_no_droplet_has_two_holders(void **state)
{
	static const char *const holders[] = { "dwfm-1", "dwfm-2" };
	static const int ports[] = { PORT_A, PORT_B };
	struct testnode *hosts[] = { start_host(holders[0], ports[0]), start_host(holders[1], ports[1]) };
	struct random random = random_of(LEASELAB_SEED, "chaos");
	int64_t epochs[DROPLETS + 1] = { 0 };
	bool paused[2] = { false };

	(void)state;
	for (int round = 0; round < 40; round++) {
		int h = (int)(random_next(&random) % 2);
		if (paused[h]) {
			resume_node(hosts[h]);
			paused[h] = false;
		} else if (random_next(&random) % 4 == 0) {
			testnode_kill(hosts[h]);
			hosts[h] = start_host(holders[h], ports[h]);
		} else {
			pause_node(hosts[h]);
			paused[h] = true;
		}
		testnode_idle((int)(random_unit(&random) * LEASE_MS * 0.7));
		for (int i = 1; i <= DROPLETS; i++) {
			int64_t epoch = leasestore_row(i).epoch;
			assert_true(epoch >= epochs[i]);
			epochs[i] = epoch;
		}
	}
	for (int h = 0; h < 2; h++) {
		if (paused[h]) resume_node(hosts[h]);
	}
	mono_ns until = mono_now() + WAIT_MS * NS_PER_MS;
	while (held(hosts[0]) + held(hosts[1]) != DROPLETS)
		assert_true(mono_now() < until);
	assert_true(epochs[1] >= 3); /* it did change hands */
	assert_int_equal(overlaps(), 0);
	testnode_stop(hosts[0]);
	testnode_stop(hosts[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_host_takes_its_leases_and_keeps_them),
		TEST(a_shorter_lease_costs_no_lease),
		TEST(an_instance_lives_its_life),
		TEST(capacity_is_finite),
		TEST(a_droplet_without_a_slot_is_not_the_last_word),
		TEST(a_paused_host_loses_its_leases_to_another_and_orders_nothing),
		TEST(a_host_that_is_cut_off_loses_its_leases_to_another_and_launches_nothing),
		TEST(without_dynamodb_leases_run_out_and_nothing_is_launched),
		TEST(droplets_that_are_paused_lose_their_leases_and_their_past_orders),
		TEST(a_launch_that_its_host_did_not_live_to_see_is_carried_through),
		TEST(a_launch_that_is_not_wanted_any_more_is_undone),
		TEST(whatever_happens_no_droplet_has_two_holders),
	};

	leaselab_start();
	base = event_base_new();
	return base ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
