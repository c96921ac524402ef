#include "orchestrator/lab/station.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CHANNEL_BUFFER = 4 << 20 };

/* --- what it says ------------------------------------------------------------------------------------ */

static void remember_sample(struct station *s, json_t *message)
{
	const char *kind = node_string(message, "kind", "?");
	if (strcmp(kind, "ready") == 0) s->ready = true;
	json_object_set(s->samples, kind, message);
}

static void on_message(evutil_socket_t fd, short what, void *arg)
{
	static char text[NODE_MESSAGE_MAX];
	struct station *s = arg;
	ssize_t len = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	(void)what;
	if (len < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (len <= 0) {
		event_del(s->readable); /* its end is told by the pidfd */
		return;
	}
	/* a node has no more rights than its namespace gives: what it sends is parsed like any foreign input
	 */
	json_t *message = json_loadb(text, (size_t)len, 0, NULL);
	if (!json_is_object(message)) {
		s->lost++;
		json_decref(message);
		return;
	}
	s->lost += (uint64_t)json_integer_value(json_object_get(message, "lost"));
	if (strcmp(node_string(message, "type", ""), "sample") == 0) remember_sample(s, message);
	s->handlers->message(s->handlers->arg, s, message);
	json_decref(message);
}

/* --- its process ------------------------------------------------------------------------------------- */

static void reap(struct station *s)
{
	if (!s->alive || waitpid(s->pid, &s->status, WNOHANG) != s->pid) return;
	s->alive = false;
	event_del(s->exited);
	/* what it said last counts */
	for (int i = 0; i < 1000 && s->readable && event_pending(s->readable, EV_READ, NULL); i++) {
		char probe;
		if (recv(s->channel, &probe, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) break;
		on_message(s->channel, EV_READ, s);
	}
	s->handlers->ended(s->handlers->arg, s);
}

static void on_exit_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	reap(arg);
}

void station_poll_stopped(struct station *s)
{
	siginfo_t info = { 0 };

	if (!s->alive || waitid(P_PID, (id_t)s->pid, &info, WSTOPPED | WCONTINUED | WNOHANG) < 0 ||
	    !info.si_pid)
		return;
	bool stopped = info.si_code == CLD_STOPPED;
	if (stopped == s->stopped) return;
	s->stopped = stopped;
	s->handlers->stopped(s->handlers->arg, s);
}

void station_signal(struct station *s, int signal)
{
	if (s->alive) syscall(SYS_pidfd_send_signal, s->pidfd, signal, NULL, 0);
}

static int open_channel(int *ours, int *theirs)
{
	int ends[2], size = CHANNEL_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	*ours = ends[0];
	*theirs = ends[1];
	return 0;
}

static int follow(struct station *s, struct event_base *base)
{
	s->exited = event_new(base, s->pidfd, EV_READ | EV_PERSIST, on_exit_ready, s);
	if (!s->exited || event_add(s->exited, NULL) < 0) return -ENOMEM;
	if (s->channel < 0) return 0;
	s->readable = event_new(base, s->channel, EV_READ | EV_PERSIST, on_message, s);
	return s->readable && event_add(s->readable, NULL) == 0 ? 0 : -ENOMEM;
}

int station_start(struct station *s, struct event_base *base, const struct station_handlers *handlers,
                  const struct station_request *r, const char **ret_step)
{
	const char *own_argv[] = { r->daemon, NULL };
	cleanup_close int program = -1, theirs = -1;
	int result;

	s->pidfd = s->channel = -1;
	s->handlers = handlers;
	*ret_step = "find its program";
	result = r->argv ? spawn_open_system(r->daemon, &program) : spawn_open_daemon(r->daemon, &program);
	if (result < 0) return result;
	*ret_step = "make its management channel";
	if (!r->argv && (result = open_channel(&s->channel, &theirs)) < 0) return result;
	struct spawn_request request = { .program_fd = program,
		                         .argv = r->argv ? r->argv : own_argv,
		                         .workdir = r->workdir,
		                         .netns_fd = r->netns_fd,
		                         .management_fd = theirs,
		                         .log_fd = r->log_fd,
		                         .caps = r->caps,
		                         .n_caps = r->n_caps,
		                         .variable = r->variable,
		                         .inherit_fd = r->inherit_fd };
	if ((result = spawn_process(&request, &s->pid, &s->pidfd, ret_step)) < 0) return result;
	s->alive = true;
	s->ready = r->argv != NULL; /* a system program can't tell; who needs it asks it */
	s->samples = json_object();
	*ret_step = "follow it";
	return follow(s, base);
}

int station_send(struct station *s, json_t *message, const int *fds, size_t n_fds)
{
	cleanup_free char *text = json_dumps(message, JSON_COMPACT);
	char control[CMSG_SPACE(128 * sizeof(int))] = { 0 };
	struct msghdr msg = { 0 };

	json_decref(message);
	if (!text || n_fds > 128) return -ENOMEM;
	if (s->channel < 0 || !s->alive) return 0; /* nobody listens any more */
	struct iovec iov = { .iov_base = text, .iov_len = strlen(text) };
	msg.msg_iov = &iov, msg.msg_iovlen = 1;
	if (n_fds) {
		msg.msg_control = control, msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS,
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	/* never blocks: a node that was paused must not stop the lab; what doesn't fit is an error of the lab
	 */
	return sendmsg(s->channel, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void station_free(struct station *s)
{
	if (!s) return;
	station_signal(s, SIGKILL);
	if (s->readable) event_free(s->readable);
	if (s->exited) event_free(s->exited);
	if (s->alive) waitpid(s->pid, NULL, 0);
	if (s->channel >= 0) close(s->channel);
	if (s->pidfd >= 0) close(s->pidfd);
	json_decref(s->config);
	json_decref(s->samples);
	free(s->name);
	free(s);
}
