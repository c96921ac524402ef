/* dns-planner from end to end: health reports on the wire, plans in a folder and over HTTP. */
#include "common/cleanup.h"
#include "proto/classes.h"
#include "proto/dns_plan.h"
#include "proto/health.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { ZONES = 3, TARGETS = 3, CAPACITY = 4, STORE_PORT = 8053, NUMBER = 77 };
#define FOLDER_SIZE "64k"

static int ns, folder;
static struct testnode *node;
static uint32_t sequence;

/* --- the daemon -------------------------------------------------------------------------------------- */

/* A small file system of its own, that nobody else sees and that goes with its descriptor. */
static int new_folder(void)
{
	cleanup_close int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	assert_true(fs >= 0);
	assert_int_equal(fsconfig(fs, FSCONFIG_SET_STRING, "size", FOLDER_SIZE, 0), 0);
	assert_int_equal(fsconfig(fs, FSCONFIG_SET_STRING, "uid", "64900", 0), 0);
	assert_int_equal(fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0), 0);
	assert_int_equal(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	int mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	assert_true(mount >= 0);
	/* the mount's own descriptor has been opened with O_PATH */
	int fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(mount);
	return fd;
}

static json_t *config_with(int interval_ms)
{
	json_t *balancers = json_array();
	char name[8], v4[16], v6[32];

	for (int z = 1; z <= ZONES; z++) {
		snprintf(name, sizeof(name), "az%d", z);
		snprintf(v4, sizeof(v4), "10.%d.254.1", z);
		snprintf(v6, sizeof(v6), "fd00:a21a:b:%d::1", z);
		json_array_append_new(balancers, json_pack("{s:s, s:s, s:s, s:i}", "name", name, "addr4", v4,
		                                           "addr6", v6, "capacity", CAPACITY));
	}
	return json_pack("{s:i, s:s, s:s, s:i, s:[{s:s, s:s}, {s:s, s:s}], s:o, s:i, s:i, s:i, s:s, s:i}",
	                 "service", 1, "name", "dynamodb", "zone", "us-east-1.lab", "ttl_s", 2, "endpoints",
	                 "name", "dynamodb", "variant", "any", "name", "dynamodb-ipv4", "variant", "ipv4",
	                 "load_balancers", balancers, "first_plan", 1, "plan_interval_ms", interval_ms,
	                 "slow_interval_ms", 3600 * 1000, "lanes", "one", "port", STORE_PORT);
}

static void start_node(int interval_ms)
{
	static const int no_caps[1];

	node = testnode_start(&(struct testnode_spec){ .ns = ns,
	                                               .daemon = "dns-planner",
	                                               .name = "region.dns-planner",
	                                               .zone = "region",
	                                               .number = NUMBER,
	                                               .seed = 5,
	                                               .config = config_with(interval_ms),
	                                               .fds = &folder,
	                                               .n_fds = 1,
	                                               .keep_caps = no_caps });
	testnode_begin(node, mono_now());
}

static const json_t *await_plan(json_int_t number)
{
	const json_t *m = testnode_wait(
	    node, json_pack("{s:s, s:{s:I}}", "event", "plan.made", "fields", "plan", number), PATIENCE_MS);
	assert_non_null(m);
	return m;
}

static json_int_t field(const json_t *message, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(message, "fields"), key));
}

static size_t count(const char *event)
{
	return testnode_count(node, json_pack("{s:s, s:s}", "type", "event", "event", event));
}

/* --- the checkers ------------------------------------------------------------------------------------ */

/* A report of that zone's checker; true if it is acknowledged in time. */
static bool send_report(uint16_t zone, uint16_t service, unsigned healthy, uint64_t event)
{
	struct health_report r = { .zone = zone,
		                   .service = service,
		                   .epoch = 1,
		                   .sequence = ++sequence,
		                   .parts = 1,
		                   .total = TARGETS,
		                   .n = TARGETS };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT_HEALTH_REPORT) };
	struct timeval patience = { .tv_sec = 1 };
	uint8_t wire[HEALTH_DATAGRAM_MAX];
	struct health_ack ack;

	for (unsigned i = 0; i < TARGETS; i++)
		r.targets[i] = (struct health_target){ zone * 100u + i, i < healthy, event };
	testnet_enter(ns);
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	int len = health_report_encode(&r, wire, sizeof(wire));
	assert_true(len > 0);
	for (int attempt = 0; attempt < 5; attempt++) { /* as a checker repeats its own */
		sendto(fd, wire, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to));
		uint8_t answer[HEALTH_DATAGRAM_MAX];
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		if (n > 0 && health_ack_decode(&ack, answer, (size_t)n) == 0)
			return ack.zone == zone && ack.service == service && ack.sequence == r.sequence;
		if (zone >= ZONES) break;
	}
	return false;
}

static void all_well(void)
{
	for (uint16_t z = 0; z < ZONES; z++)
		assert_true(send_report(z, 1, TARGETS, 1));
}

/* --- the store's clients ----------------------------------------------------------------------------- */

struct reply {
	int status;
	size_t len;
	char *body;
	char text[64 * 1024];
};

static int connect_to_store(bool six)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(STORE_PORT) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(STORE_PORT) };

	testnet_enter(ns);
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	inet_pton(AF_INET, "127.0.0.1", &v4.sin_addr);
	v6.sin6_addr = in6addr_loopback;
	assert_int_equal(connect(fd, six ? (void *)&v6 : (void *)&v4, six ? sizeof(v6) : sizeof(v4)), 0);
	return fd;
}

static const struct reply *ask(bool six, const char *method, const char *path, const char *header)
{
	static struct reply r;
	cleanup_close int fd = connect_to_store(six);
	ssize_t n;

	r = (struct reply){ 0 };
	dprintf(fd, "%s %s HTTP/1.1\r\nHost: store\r\nConnection: close\r\n%s\r\n", method, path, header);
	while ((n = recv(fd, r.text + r.len, sizeof(r.text) - 1 - r.len, 0)) > 0)
		r.len += (size_t)n;
	assert_int_equal(sscanf(r.text, "HTTP/1.1 %d", &r.status), 1);
	r.body = strstr(r.text, "\r\n\r\n");
	assert_non_null(r.body);
	r.body += 4;
	r.len -= (size_t)(r.body - r.text);
	return &r;
}

static const struct reply *get(const char *path)
{
	return ask(false, "GET", path, "");
}

/* The plan at that path, whole and well; the caller releases it. */
static struct dns_plan get_plan(const char *path)
{
	const struct reply *r = get(path);
	char why[DNS_PLAN_WHY_MAX] = "";
	struct dns_plan plan;

	assert_int_equal(r->status, 200);
	if (dns_plan_read(r->body, r->len, wall_ms(), &plan, why) < 0) fail_msg("%s: %s", path, why);
	return plan;
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void a_load_balancer_goes_and_a_plan_comes_at_once(void **state)
{
	(void)state;
	start_node(3600 * 1000); /* none by the interval */
	all_well();
	assert_int_equal(count("plan.made"), 0);
	assert_int_equal(get("/plans/newest")->status, 404);
	assert_true(send_report(1, 1, 0, 4711));
	const json_t *made = await_plan(1);
	assert_int_equal(json_integer_value(json_object_get(made, "cause")), 4711);
	assert_int_equal(field(made, "load_balancers"), 2);
	struct dns_plan plan = get_plan("/plans/newest");
	assert_int_equal(plan.number, 1);
	assert_int_equal(plan.kind, DNS_PLAN_EVACUATE);
	assert_int_equal(plan.event, json_integer_value(json_object_get(made, "id")));
	assert_int_equal(field(made, "records"), dns_plan_records(&plan));
	assert_int_equal(plan.n_endpoints, 2);
	assert_int_equal(plan.n_balancers, 2);
	assert_string_equal(plan.balancers[1].name, "az3");
	assert_int_equal(plan.balancers[1].weight, TARGETS * CAPACITY);
	dns_plan_release(&plan);
	assert_true(send_report(1, 1, 1, 4712));
	await_plan(2);
	plan = get_plan("/plans/newest");
	assert_int_equal(plan.n_balancers, 3);
	assert_int_equal(plan.balancers[1].weight, CAPACITY);
	dns_plan_release(&plan);
	assert_int_equal(count("plan.made"), 2);
}

static void reports_of_other_services_are_acknowledged(void **state)
{
	(void)state;
	start_node(3600 * 1000);
	all_well();
	assert_true(send_report(1, 0, 0, 10)); /* else its checker would wait for us */
	assert_true(send_report(1, 2, 0, 10));
	assert_false(send_report(ZONES, 1, 0, 10)); /* no zone of ours */
	assert_int_equal(count("plan.made"), 0);
}

static void plans_come_at_the_interval(void **state)
{
	(void)state;
	start_node(100);
	await_plan(5);
	struct dns_plan plan = get_plan("/plans/3");
	assert_int_equal(plan.kind, DNS_PLAN_CAPACITY);
	dns_plan_release(&plan);
	testnode_send(node, json_pack("{s:s, s:i, s:o}", "type", "set", "cause", 1, "config",
	                              config_with(3600 * 1000)));
	testnode_send(node, json_pack("{s:s, s:i}", "type", "pause", "cause", 2));
	assert_non_null(testnode_wait(
	    node, json_pack("{s:s, s:s, s:b}", "type", "sample", "kind", "plans", "paused", 1), PATIENCE_MS));
	size_t before = count("plan.made");
	assert_true(send_report(0, 1, 0, 20)); /* paused: noted, not planned */
	struct dns_plan newest = get_plan("/plans/newest");
	assert_int_equal(newest.number, before);
	assert_int_equal(newest.n_balancers, 3);
	dns_plan_release(&newest);
	testnode_send(node, json_pack("{s:s, s:i}", "type", "resume", "cause", 3));
	const json_t *made = await_plan((json_int_t)before + 1);
	assert_int_equal(json_integer_value(json_object_get(made, "cause")), 20);
}

static void the_store_answers_in_http(void **state)
{
	(void)state;
	start_node(3600 * 1000);
	all_well();
	assert_true(send_report(0, 1, 0, 30));
	await_plan(1);
	assert_true(send_report(0, 1, 3, 31));
	await_plan(2);
	const struct reply *r = get("/plans");
	assert_int_equal(r->status, 200);
	assert_string_equal(r->body, "{\"newest\": 2, \"plans\": [1, 2]}");
	assert_int_equal(ask(true, "GET", "/plans/newest", "")->status, 200); /* over IPv6 too */
	r = ask(false, "GET", "/plans/newest", "If-None-Match: \"2\"\r\n");
	assert_int_equal(r->status, 304);
	assert_int_equal(r->len, 0);
	r = ask(false, "GET", "/plans/newest?in_force=1", "If-None-Match: \"1\"\r\n");
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(r->text, "ETag: \"2\"\r\n"));
	static const char *const missing[] = { "/",
		                               "/plans/",
		                               "/plans/3",
		                               "/plans/x",
		                               "/plans/1x",
		                               "/plans/-1",
		                               "/plans/../plans",
		                               "/plans/newest/1",
		                               "/plans/99999999999999999999" };
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		assert_int_equal(get(missing[i])->status, 404);
	assert_int_equal(ask(false, "DELETE", "/plans/1", "")->status, 501);
	assert_int_equal(ask(false, "HEAD", "/plans/1", "")->status, 501);
	assert_int_equal(get("/plans/1")->status, 200);
}

static void numbers_go_on_after_a_restart(void **state)
{
	(void)state;
	start_node(3600 * 1000);
	all_well();
	assert_true(send_report(0, 1, 0, 40));
	await_plan(1);
	testnode_kill(node);
	start_node(3600 * 1000);
	struct dns_plan plan = get_plan("/plans/newest");
	assert_int_equal(plan.number, 1);
	dns_plan_release(&plan);
	assert_true(send_report(1, 1, 0, 41));
	await_plan(2);
	plan = get_plan("/plans/2");
	assert_int_equal(plan.n_balancers,
	                 1); /* az1 has been out since before the restart: nobody has said else */
	assert_string_equal(plan.balancers[0].name, "az3");
	dns_plan_release(&plan);
}

static void write_file(const char *name, const char *text)
{
	cleanup_close int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void numbers_go_on_after_garbage(void **state)
{
	(void)state;
	write_file("plan-500.json", "{\"plan\": 500, \"tree\"");
	write_file("plan-501.json", "");
	start_node(3600 * 1000);
	const struct reply *r = get("/plans/newest"); /* the reader's to judge */
	assert_int_equal(r->status, 200);
	assert_int_equal(r->len, 0);
	assert_true(send_report(2, 1, 0, 50));
	await_plan(502);
	struct dns_plan plan = get_plan("/plans/newest");
	assert_int_equal(plan.number, 502);
	dns_plan_release(&plan);
}

/* Fills the folder's file system to the last byte. */
static void fill_folder(void)
{
	static const char ballast[4096] = { 1 };
	cleanup_close int fd = openat(folder, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ssize_t n;

	do
		n = write(fd, ballast, sizeof(ballast));
	while (n > 0);
	assert_int_equal(errno, ENOSPC);
}

static void a_full_disk_keeps_the_plan_in_force_and_says_so(void **state)
{
	(void)state;
	start_node(3600 * 1000);
	all_well();
	assert_true(send_report(0, 1, 0, 60));
	await_plan(1);
	fill_folder();
	assert_true(send_report(0, 1, 3, 61));
	assert_non_null(testnode_wait(node,
	                              json_pack("{s:s, s:{s:i, s:s}}", "event", "plan.unstored", "fields",
	                                        "plan", 2, "reason", "No space left on device"),
	                              PATIENCE_MS));
	struct dns_plan plan = get_plan("/plans/newest");
	assert_int_equal(plan.number, 1);
	dns_plan_release(&plan);
	assert_int_equal(get("/plans/2")->status, 404);
	assert_int_equal(unlinkat(folder, "ballast", 0), 0);
	const json_t *made = await_plan(2); /* by itself, for the same reason */
	assert_int_equal(json_integer_value(json_object_get(made, "cause")), 61);
	assert_int_equal(count("plan.unstored"), 1);
	plan = get_plan("/plans/newest");
	assert_int_equal(plan.n_balancers, 3);
	dns_plan_release(&plan);
}

static void a_wrong_configuration_is_refused(void **state)
{
	json_t *config = config_with(100);

	(void)state;
	json_object_set_new(config, "lanes", json_string("three"));
	node = testnode_launch(&(struct testnode_spec){ .ns = ns,
	                                                .daemon = "dns-planner",
	                                                .name = "region.dns-planner",
	                                                .zone = "region",
	                                                .config = config,
	                                                .fds = &folder,
	                                                .n_fds = 1 });
	assert_int_equal(testnode_stop(node), 111);
	node = NULL;
}

static int set_up(void **state)
{
	(void)state;
	folder = new_folder();
	return 0;
}

static int tear_down(void **state)
{
	int status = node ? testnode_stop(node) : 0;

	(void)state;
	node = NULL;
	close(folder);
	return status;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_load_balancer_goes_and_a_plan_comes_at_once),
		TEST(reports_of_other_services_are_acknowledged),
		TEST(plans_come_at_the_interval),
		TEST(the_store_answers_in_http),
		TEST(numbers_go_on_after_a_restart),
		TEST(numbers_go_on_after_garbage),
		TEST(a_full_disk_keeps_the_plan_in_force_and_says_so),
		TEST(a_wrong_configuration_is_refused),
	};

	ns = testnet_new();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
