#include "tests/netns/testnode.h"
#include "common/caps.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "tests/netns/testnet.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
	NODES_MAX = 64,
	READY_TIMEOUT_MS = PATIENCE_MS,
	END_TIMEOUT_MS = PATIENCE_MS,
	UNPRIVILEGED_UID = 64900,
	CHANNEL_BYTES = 4 << 20
};

struct testnode {
	const char *name;
	pid_t pid;
	int channel; /* -1 when the node has closed it */
	json_t *messages;
};

static struct testnode *nodes[NODES_MAX]; /* those that run */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- starting ---------------------------------------------------------------------------------------- */

/* Read before main(): in a mount namespace of its own a program in a chroot no longer finds its own path. */
static char self[PATH_MAX];

__attribute__((constructor)) static void read_self(void)
{
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) die("/proc/self/exe");
}

/* The daemon lies beside the folder tests/ that this program is in, whatever O= the build has. */
static int open_daemon(const char *daemon)
{
	char path[PATH_MAX + 64];
	const char *tests = NULL;

	for (const char *at = self; (at = strstr(at, "/tests/")); at++)
		tests = at;
	if (!tests) {
		fprintf(stderr, "testnode: no folder tests/ in %s\n", self);
		exit(1);
	}
	snprintf(path, sizeof(path), "%.*s/azlab-%s", (int)(tests - self), self, daemon);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) die(path);
	return fd;
}

static void run_daemon(const struct testnode_spec *spec, int program, int channel, pid_t parent)
{
	char *const argv[] = { (char *)spec->daemon, NULL };

	testnet_enter(spec->ns);
	if (spec->keep_caps) {
		errno = -caps_become(UNPRIVILEGED_UID, UNPRIVILEGED_UID, spec->keep_caps, spec->n_keep_caps);
		if (errno) die("caps_become");
	}
	/* after the change of uid, which would clear it; the parent may have died before it was set */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
	if (channel == NODE_MANAGEMENT_FD)
		fcntl(channel, F_SETFD, 0);
	else if (dup2(channel, NODE_MANAGEMENT_FD) < 0)
		die("dup2");
	fexecve(program, argv, environ);
	die(spec->daemon);
}

static void send_with_fds(struct testnode *t, json_t *message, const int *fds, size_t n)
{
	cleanup_free char *text = json_dumps(message, JSON_COMPACT);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * TESTNODE_FDS_MAX)];
	} control = { 0 };

	json_decref(message);
	if (!text || n > TESTNODE_FDS_MAX) die("testnode: bad message");
	struct iovec iov = { .iov_base = text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (n > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(int) * n), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	if (sendmsg(t->channel, &msg, MSG_NOSIGNAL) < 0) die(t->name);
}

static void remember(struct testnode *t)
{
	for (size_t i = 0; i < NODES_MAX; i++) {
		if (nodes[i]) continue;
		nodes[i] = t;
		return;
	}
	fprintf(stderr, "testnode: more than %d nodes\n", NODES_MAX);
	exit(1);
}

struct testnode *testnode_launch(const struct testnode_spec *spec)
{
	static uint32_t last_number = 1000;
	struct testnode *t = calloc(1, sizeof(*t));
	int program = open_daemon(spec->daemon), pair[2], bytes = CHANNEL_BYTES;
	pid_t parent = getpid();

	if (!t || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) die("socketpair");
	/* tests may be slow to listen; both ends share a buffer's limit with its sender */
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if ((t->pid = fork()) < 0) die("fork");
	if (t->pid == 0) run_daemon(spec, program, pair[1], parent);
	close(pair[1]);
	close(program);
	t->name = spec->name;
	t->channel = pair[0];
	t->messages = json_array();
	remember(t);
	uint32_t number = spec->number ? spec->number : ++last_number;
	json_t *config =
	    json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "type", "config", "node", spec->name, "zone",
	              spec->zone, "number", (json_int_t)number, "seed", (json_int_t)spec->seed, "config",
	              spec->config ? spec->config : json_object());
	send_with_fds(t, config, spec->fds, spec->n_fds);
	return t;
}

struct testnode *testnode_start(const struct testnode_spec *spec)
{
	struct testnode *t = testnode_launch(spec);

	if (!testnode_wait(t, json_pack("{s:s, s:s}", "type", "sample", "kind", "ready"), READY_TIMEOUT_MS))
		exit(1);
	return t;
}

/* --- messages to it ---------------------------------------------------------------------------------- */

void testnode_send(struct testnode *t, json_t *message)
{
	send_with_fds(t, message, NULL, 0);
}

void testnode_begin(struct testnode *t, mono_ns t0)
{
	testnode_send(t, json_pack("{s:s, s:I}", "type", "start", "t0_ns", (json_int_t)t0));
}

void testnode_set(struct testnode *t, json_t *config)
{
	testnode_send(t, json_pack("{s:s, s:o}", "type", "set", "config", config));
}

void testnode_targets(struct testnode *t, int service, json_t *targets)
{
	testnode_send(
	    t, json_pack("{s:s, s:i, s:o}", "type", "targets", "service", service, "targets", targets));
}

/* --- messages from it -------------------------------------------------------------------------------- */

/* Takes in one message without waiting; false when there is none. */
static bool take_in(struct testnode *t)
{
	static char text[NODE_MESSAGE_MAX];
	ssize_t len = t->channel < 0 ? -1 : recv(t->channel, text, sizeof(text), MSG_DONTWAIT);

	if (len > 0) {
		json_t *message = json_loadb(text, (size_t)len, 0, NULL);
		if (!message) {
			fprintf(stderr, "testnode: %s sent no JSON: %.*s\n", t->name, (int)len, text);
			exit(1);
		}
		json_array_append_new(t->messages, message);
		return true;
	}
	if (t->channel >= 0 && (len == 0 || (errno != EAGAIN && errno != EINTR))) {
		close(t->channel); /* the node has ended */
		t->channel = -1;
	}
	return false;
}

/* Waits for messages of any node, at most until the deadline, and takes in all that are there. */
static void pump(mono_ns deadline)
{
	struct pollfd fds[NODES_MAX];
	mono_ns left = deadline - mono_now();

	for (size_t i = 0; i < NODES_MAX; i++) {
		fds[i] = (struct pollfd){ .fd = nodes[i] ? nodes[i]->channel : -1, .events = POLLIN };
	}
	poll(fds, NODES_MAX, left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0);
	for (size_t i = 0; i < NODES_MAX; i++) {
		while (nodes[i] && take_in(nodes[i]))
			continue;
	}
}

static bool matches(const json_t *message, const json_t *pattern)
{
	const char *key;
	json_t *wanted;

	if (!json_is_object(message) || !json_is_object(pattern)) return json_equal(message, pattern);
	json_object_foreach ((json_t *)pattern, key, wanted) {
		if (!matches(json_object_get(message, key), wanted)) return false;
	}
	return true;
}

/* Counts from message *at on, moving *at to the end; *ret_first is the first match ever. */
static size_t count_from(struct testnode *t, const json_t *pattern, size_t *at, const json_t **ret_first)
{
	size_t n = 0;

	for (; *at < json_array_size(t->messages); ++*at) {
		const json_t *message = json_array_get(t->messages, *at);
		if (!matches(message, pattern)) continue;
		if (ret_first && !*ret_first) *ret_first = message;
		n++;
	}
	return n;
}

static size_t wait_for(struct testnode *t, json_t *pattern, size_t n, int timeout_ms,
                       const json_t **ret_first)
{
	mono_ns deadline = mono_now() + timeout_ms * NS_PER_MS;
	size_t at = 0, found = count_from(t, pattern, &at, ret_first);

	while (found < n && mono_now() < deadline && t->channel >= 0) {
		pump(deadline);
		found += count_from(t, pattern, &at, ret_first);
	}
	if (found < n) {
		cleanup_free char *text = json_dumps(pattern, JSON_COMPACT);
		fprintf(stderr, "testnode: %s%s: %zu of %zu messages matched %s\n", t->name,
		        t->channel < 0 ? " has ended" : "", found, n, text);
	}
	json_decref(pattern);
	return found;
}

const json_t *testnode_wait(struct testnode *t, json_t *pattern, int timeout_ms)
{
	const json_t *first = NULL;

	wait_for(t, pattern, 1, timeout_ms, &first);
	return first;
}

const json_t *testnode_wait_event(struct testnode *t, const char *event, const char *key, const char *value,
                                  int timeout_ms)
{
	json_t *pattern = key ? json_pack("{s:s, s:{s:s}}", "event", event, "fields", key, value)
	                      : json_pack("{s:s}", "event", event);
	return testnode_wait(t, pattern, timeout_ms);
}

size_t testnode_wait_count(struct testnode *t, json_t *pattern, size_t n, int timeout_ms)
{
	return wait_for(t, pattern, n, timeout_ms, NULL);
}

size_t testnode_count(struct testnode *t, json_t *pattern)
{
	size_t at = 0;

	pump(0);
	size_t n = count_from(t, pattern, &at, NULL);
	json_decref(pattern);
	return n;
}

const json_t *testnode_messages(struct testnode *t)
{
	pump(0);
	return t->messages;
}

void testnode_forget(struct testnode *t)
{
	pump(0);
	json_array_clear(t->messages);
}

void testnode_idle(int ms)
{
	mono_ns deadline = mono_now() + ms * NS_PER_MS;

	while (mono_now() < deadline)
		pump(deadline);
}

/* --- its end ----------------------------------------------------------------------------------------- */

pid_t testnode_pid(const struct testnode *t)
{
	return t->pid;
}

int testnode_stop(struct testnode *t)
{
	int status, pidfd = pidfd_open(t->pid, 0);

	if (pidfd < 0) die("pidfd_open");
	if (t->channel >= 0) close(t->channel);
	/* one that ignores the end of its channel is a failure (137), not a test that hangs */
	if (poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, END_TIMEOUT_MS) == 0)
		kill(t->pid, SIGKILL);
	close(pidfd);
	if (waitpid(t->pid, &status, 0) < 0) die("waitpid");
	for (size_t i = 0; i < NODES_MAX; i++) {
		if (nodes[i] == t) nodes[i] = NULL;
	}
	json_decref(t->messages);
	free(t);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int testnode_kill(struct testnode *t)
{
	kill(t->pid, SIGKILL);
	return testnode_stop(t);
}
