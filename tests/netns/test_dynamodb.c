/* dynamodb over real HTTP: health, checksums, capacity, connection age, several processes on one store, and
 * what is left of it when they are killed. */
#include "common/cleanup.h"
#include "common/mono.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zlib.h>
#include <cmocka.h>

enum { PORT = 8000, TIMEOUT_MS = 30000, REPLY_MAX = 65536 };

static int ns;
static char folder[64];

/* --- the daemon -------------------------------------------------------------------------------------- */

static json_t *config(int port)
{
	return json_pack("{s:i, s:[{s:s, s:{s:s, s:s}}]}", "port", port, "tables", "name", "leases", "hash",
	                 "name", "id", "type", "S");
}

/* As in the lab: unprivileged, its folder a descriptor. */
static struct testnode *start(json_t *with, const char *name)
{
	static const int none;
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return testnode_start(&(struct testnode_spec){ .ns = ns,
	                                               .daemon = "dynamodb",
	                                               .name = name,
	                                               .zone = "region",
	                                               .seed = 1,
	                                               .config = with,
	                                               .fds = &fd,
	                                               .n_fds = 1,
	                                               .keep_caps = &none });
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/azlab-store-XXXXXX");
	return mkdtemp(folder) && chmod(folder, 0777) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	return rmdir(folder);
}

/* --- a client ---------------------------------------------------------------------------------------- */

static int dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	testnet_enter(ns);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	testnet_enter(testnet_home());
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void say(int fd, const char *text)
{
	/* a daemon that is killed meanwhile is no failure here */
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void ask(int fd, const char *operation, const char *body)
{
	char request[4096];
	snprintf(request, sizeof(request),
	         "POST / HTTP/1.1\r\nHost: db\r\nX-Amz-Target: DynamoDB_20120810.%s\r\n"
	         "Content-Type: application/x-amz-json-1.0\r\nContent-Length: %zu\r\n\r\n%s",
	         operation, strlen(body), body);
	say(fd, request);
}

struct reply {
	char text[REPLY_MAX]; /* head and body */
	unsigned status;      /* 0: the connection ended before the answer's end */
	const char *body;
};

static bool is_whole(struct reply *r, size_t len)
{
	char *end = strstr(r->text, "\r\n\r\n"), *length = strcasestr(r->text, "\r\ncontent-length: ");

	if (!end || !length) return false;
	r->body = end + 4;
	return (size_t)(r->text + len - r->body) >= strtoul(length + 18, NULL, 10);
}

static void hear(int fd, struct reply *r)
{
	size_t len = 0;

	*r = (struct reply){ .status = 0 };
	while (!is_whole(r, len)) {
		assert_true(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, TIMEOUT_MS) > 0);
		ssize_t n = recv(fd, r->text + len, sizeof(r->text) - 1 - len, 0);
		if (n <= 0) return;
		len += (size_t)n;
		r->text[len] = '\0';
	}
	sscanf(r->text, "HTTP/1.1 %u", &r->status);
}

static unsigned call(int fd, const char *operation, const char *body, struct reply *r)
{
	ask(fd, operation, body);
	hear(fd, r);
	return r->status;
}

static void put(int fd, const char *key, int n, struct reply *r)
{
	char body[256];

	snprintf(body, sizeof(body),
	         "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"%s\"},\"n\":{\"N\":\"%d\"}}}", key, n);
	call(fd, "PutItem", body, r);
}

/* The number under the key; -1 if there is none. */
static int get(int fd, const char *key)
{
	struct reply r;
	char body[256];
	int n = -1;

	snprintf(body, sizeof(body), "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"%s\"}}}", key);
	assert_int_equal(call(fd, "GetItem", body, &r), 200);
	const char *at = strstr(r.body, "\"N\":\"");
	if (at) n = atoi(at + 5);
	return n;
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void every_answer_has_its_checksum(void **state)
{
	struct testnode *d = start(config(PORT), "region.dynamodb-1");
	int fd = dial(PORT);
	struct reply r;

	(void)state;
	put(fd, "a", 5, &r);
	assert_int_equal(r.status, 200);
	for (int round = 0; round < 2; round++) {
		const char *sum = strstr(r.text, "\r\nx-amz-crc32: ");
		assert_non_null(sum);
		assert_int_equal(strtoul(sum + 15, NULL, 10),
		                 crc32(0, (const Bytef *)r.body, (uInt)strlen(r.body)));
		assert_non_null(strstr(r.text, "\r\nx-amzn-RequestId: "));
		assert_non_null(strstr(r.text, "\r\nContent-Type: application/x-amz-json-1.0\r\n"));
		if (!round) assert_int_equal(call(fd, "GetItem", "{\"TableName\":\"none\"}", &r), 400);
	}
	assert_int_equal(call(fd, "Frobnicate", "{}", &r), 400);
	assert_string_equal(r.body, "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}");
	close(fd);
	assert_int_equal(testnode_stop(d), 0);
}

static void health_is_told_on_the_same_port(void **state)
{
	struct testnode *d = start(config(PORT), "region.dynamodb-1");
	int fd = dial(PORT);
	struct reply r;

	(void)state;
	say(fd, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "ok");
	say(fd, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &r);
	assert_int_equal(r.status, 405);
	close(fd);
	assert_int_equal(testnode_stop(d), 0);
}

static void connections_end_at_their_age(void **state)
{
	json_t *with = config(PORT);
	struct reply r;

	(void)state;
	json_object_set_new(with, "max_connection_age_ms", json_integer(300));
	struct testnode *d = start(with, "region.dynamodb-1");
	mono_ns began = mono_now(); /* before they are accepted, from when their age counts */
	int busy = dial(PORT), idle = dial(PORT);
	do { /* every answer but the last leaves it open */
		put(busy, "a", 1, &r);
		assert_int_equal(r.status, 200);
	} while (!strstr(r.text, "Connection: close\r\n"));
	assert_true(mono_now() - began >= 300 * NS_PER_MS);
	char none;
	assert_int_equal(recv(busy, &none, 1, 0), 0);
	assert_int_equal(recv(idle, &none, 1, 0), 0);
	close(busy), close(idle);
	/* 0 lets them live again */
	testnode_set(d, config(PORT));
	int fd = dial(PORT);
	for (began = mono_now(); mono_now() - began < 500 * NS_PER_MS;) {
		put(fd, "a", 1, &r);
		/* the knob may be turned a moment after the first request */
		if (mono_now() - began > 300 * NS_PER_MS)
			assert_null(strstr(r.text, "Connection: close\r\n"));
	}
	close(fd);
	assert_int_equal(testnode_stop(d), 0);
}

static void beyond_its_capacity_it_throttles(void **state)
{
	enum { CALLERS = 6 };
	json_t *with = config(PORT);
	struct reply r;
	int fds[CALLERS], served = 0, throttled = 0;

	(void)state;
	json_object_set_new(with, "concurrency", json_integer(1));
	json_object_set_new(with, "queue", json_integer(2));
	json_object_set_new(with, "service_time_ms", json_integer(500));
	struct testnode *d = start(with, "region.dynamodb-1");
	mono_ns began = mono_now();
	for (int i = 0; i < CALLERS; i++) {
		fds[i] = dial(PORT);
		ask(fds[i], "ListTables", "{}");
	}
	for (int i = 0; i < CALLERS; i++) {
		hear(fds[i], &r);
		served += r.status == 200;
		throttled +=
		    r.status == 400 && strstr(r.body, "#ProvisionedThroughputExceededException\"") != NULL;
		close(fds[i]);
	}
	assert_int_equal(served, 3); /* one in work, two waiting */
	assert_int_equal(throttled, 3);
	assert_true(mono_now() - began >= 3 * 500 * NS_PER_MS);
	/* the knob is live */
	testnode_set(d, config(PORT));
	int fd = dial(PORT);
	assert_int_equal(call(fd, "ListTables", "{}", &r), 200);
	close(fd);
	assert_non_null(testnode_wait(d,
	                              json_pack("{s:s, s:{s:i}}", "kind", "dynamodb", "errors",
	                                        "ProvisionedThroughputExceededException", 3),
	                              TIMEOUT_MS));
	assert_int_equal(testnode_stop(d), 0);
}

/* Many callers want one lease at once, again and again, on two processes: each time exactly one gets it. */
static void of_concurrent_conditional_writes_one_wins(void **state)
{
	enum { CALLERS = 24, ROUNDS = 40 };
	static struct reply r;
	struct testnode *d[] = { start(config(PORT), "region.dynamodb-1"),
		                 start(config(PORT + 1), "region.dynamodb-2") };
	int fds[CALLERS];
	char body[512];

	(void)state;
	for (int i = 0; i < CALLERS; i++)
		fds[i] = dial(PORT + i % 2);
	for (int epoch = 0; epoch < ROUNDS; epoch++) {
		int won = 0, lost = 0;
		for (int i = 0; i < CALLERS; i++) {
			snprintf(body, sizeof(body),
			         "{\"TableName\":\"leases\",\"Key\":{\"id\":{\"S\":\"one\"}},"
			         "\"UpdateExpression\":\"SET "
			         "holder = :me ADD n "
			         ":one\",\"ConditionExpression\":\"attribute_not_exists(n) OR n = "
			         ":n\",\"ExpressionAttributeValues\":{\":me\":{\"N\":\"%d\"},\":one\":{\"N\":"
			         "\"1\"},"
			         "\":n\":{\"N\":\"%d\"}}}",
			         i, epoch);
			ask(fds[i], "UpdateItem", body);
		}
		for (int i = 0; i < CALLERS; i++) {
			hear(fds[i], &r);
			won += r.status == 200;
			lost += r.status == 400 && strstr(r.body, "ConditionalCheckFailedException") != NULL;
		}
		assert_int_equal(won, 1);
		assert_int_equal(lost, CALLERS - 1);
	}
	for (int i = 0; i < CALLERS; i++)
		close(fds[i]);
	assert_int_equal(testnode_stop(d[0]), 0);
	assert_int_equal(testnode_stop(d[1]), 0);
}

/* Writers that count up a key each, one write after another, until their daemon is gone. */
struct writer {
	int fd, acknowledged;
	char key[16];
};

static void begin_write(struct writer *w)
{
	char body[256];

	snprintf(body, sizeof(body),
	         "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"%s\"},\"n\":{\"N\":\"%d\"}}}", w->key,
	         w->acknowledged + 1);
	ask(w->fd, "PutItem", body);
}

/* Takes in an answer; false at the connection's end. */
static bool end_write(struct writer *w)
{
	static struct reply r;

	hear(w->fd, &r);
	if (r.status == 200) w->acknowledged++;
	return r.status == 200;
}

/* Lets all writers write until so many writes are acknowledged, then kills the daemon in the middle of the
 * next ones, and takes in what it still has acknowledged. */
static void write_and_kill(struct writer *w, int n, int writes, struct testnode *victim)
{
	for (int i = 0; i < n; i++)
		begin_write(&w[i]);
	for (int done = 0; done < writes;) {
		for (int i = 0; i < n; i++, done++) {
			assert_true(end_write(&w[i]));
			begin_write(&w[i]);
		}
	}
	/* some writes are under way; where each of them is, nobody knows */
	kill(testnode_pid(victim), SIGKILL);
	for (int i = 0; i < n; i++) {
		while (end_write(&w[i]))
			begin_write(&w[i]);
	}
	assert_int_equal(testnode_kill(victim), 128 + SIGKILL);
}

static void a_kill_under_load_loses_no_acknowledged_write(void **state)
{
	enum { WRITERS = 16, ROUNDS = 10 };
	struct writer w[WRITERS] = { 0 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct testnode *d = start(config(PORT), "region.dynamodb-1");
		for (int i = 0; i < WRITERS; i++) {
			w[i].fd = dial(PORT);
			snprintf(w[i].key, sizeof(w[i].key), "w%d", i);
		}
		write_and_kill(w, WRITERS, 200 + 37 * round, d);
		d = start(config(PORT), "region.dynamodb-1");
		int fd = dial(PORT);
		for (int i = 0; i < WRITERS; i++) {
			int kept = get(fd, w[i].key);
			/* one may have been written without its acknowledgement having got through */
			if (kept != w[i].acknowledged && kept != w[i].acknowledged + 1)
				fail_msg("%s: %d acknowledged, %d kept", w[i].key, w[i].acknowledged, kept);
			w[i].acknowledged = kept;
			close(w[i].fd);
		}
		close(fd);
		assert_int_equal(testnode_stop(d), 0);
	}
}

/* The one that is killed may hold the store's lock. */
static void a_killed_process_leaves_the_others_writing(void **state)
{
	enum { WRITERS = 8, ROUNDS = 20 };
	struct testnode *survivor = start(config(PORT), "region.dynamodb-1");
	struct writer w[WRITERS] = { 0 };
	struct reply r;
	int fd = dial(PORT);

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct testnode *victim = start(config(PORT + 1), "region.dynamodb-2");
		for (int i = 0; i < WRITERS; i++) {
			w[i].fd = dial(PORT + 1);
			snprintf(w[i].key, sizeof(w[i].key), "v%d", i);
			w[i].acknowledged = 0;
		}
		write_and_kill(w, WRITERS, 100 + 11 * round, victim);
		put(fd, "survivor", round, &r);
		assert_int_equal(r.status, 200);
		assert_int_equal(get(fd, "survivor"), round);
		for (int i = 0; i < WRITERS; i++) {
			int kept = get(fd, w[i].key); /* the other process's writes are seen, too */
			assert_true(kept == w[i].acknowledged || kept == w[i].acknowledged + 1);
			close(w[i].fd);
		}
	}
	close(fd);
	assert_int_equal(testnode_stop(survivor), 0);
}

static void a_full_store_says_so_and_goes_on(void **state)
{
	json_t *with = config(PORT);
	static struct reply r;
	char key[16], body[3000];
	int n = 0;

	(void)state;
	json_object_set_new(with, "map_size_mb", json_integer(1));
	struct testnode *d = start(with, "region.dynamodb-1");
	int fd = dial(PORT);
	do {
		int head = snprintf(body, sizeof(body),
		                    "{\"TableName\":\"leases\",\"Item\":{\"id\":{\"S\":\"k%d\"},\"n\":{\"N\":"
		                    "\"%d\"},\"v\":{\"S\":\"",
		                    n, n);
		memset(body + head, 'v', 2000);
		strcpy(body + head + 2000, "\"}}}");
		n++;
	} while (call(fd, "PutItem", body, &r) == 200);
	assert_int_equal(r.status, 500);
	assert_non_null(strstr(r.body, "InternalServerError"));
	assert_non_null(testnode_wait_event(d, "store.full", NULL, NULL, TIMEOUT_MS));
	for (int i = 0; i < n - 1; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(get(fd, key), i);
	}
	close(fd);
	assert_int_equal(testnode_stop(d), 0);
}

static void bad_configurations_are_refused(void **state)
{
	static const char *const bad[] = { "{\"port\":0}", "{\"port\":8000}",
		                           "{\"port\":8000,\"store\":\"/nowhere\"}",
		                           "{\"port\":8000,\"store\":\"/tmp\",\"map_size_mb\":0}",
		                           "{\"port\":8000,\"store\":\"/tmp\",\"concurrency\":-1}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct testnode *d =
		    testnode_launch(&(struct testnode_spec){ .ns = ns,
		                                             .daemon = "dynamodb",
		                                             .name = "region.dynamodb-1",
		                                             .zone = "region",
		                                             .config = json_loads(bad[i], 0, NULL) });
		/* it ends by itself; what is waited for never comes */
		assert_null(testnode_wait(d, json_pack("{s:s}", "kind", "ready"), TIMEOUT_MS));
		assert_int_equal(testnode_stop(d), 111);
	}
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		with_folder(every_answer_has_its_checksum),
		with_folder(health_is_told_on_the_same_port),
		with_folder(connections_end_at_their_age),
		with_folder(beyond_its_capacity_it_throttles),
		with_folder(of_concurrent_conditional_writes_one_wins),
		with_folder(a_kill_under_load_loses_no_acknowledged_write),
		with_folder(a_killed_process_leaves_the_others_writing),
		with_folder(a_full_store_says_so_and_goes_on),
		cmocka_unit_test(bad_configurations_are_refused),
	};
	ns = testnet_new();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
