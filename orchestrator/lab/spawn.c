#include "orchestrator/lab/spawn.h"
#include "common/caps.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* --- the PID namespace ------------------------------------------------------------------------------- */

/* Its first process: adopts orphans (Knot and Unbound fork nothing today, a user's program may) and ends
 * when the orchestrator does. Both ways of noticing are needed: PR_SET_PDEATHSIG misses a parent that died
 * before the call, and a stopped process would not see its pipe close. */
__attribute__((noreturn)) static void be_init(int lifeline)
{
	sigset_t all;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "azlab-init");
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* the lifeline and nothing else: an output kept open would keep a reader of it waiting */
	dup2(lifeline, STDIN_FILENO);
	syscall(SYS_close_range, STDIN_FILENO + 1, ~0U, 0);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
		                { .fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN } };
	while (poll(fds, 2, -1) >= 0 && !fds[0].revents) {
		struct signalfd_siginfo ignored;
		while (read(fds[1].fd, &ignored, sizeof(ignored)) > 0)
			;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	_exit(0);
}

/* Whoever is forked from now on is born beside us again, not in a namespace where nothing can live any more.
 */
static void bear_children_here(void)
{
	cleanup_close int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own >= 0) setns(own, CLONE_NEWPID);
}

int spawner_start(struct spawner *s)
{
	cleanup_close int read_end = -1, write_end = -1;
	int ends[2];

	*s = (struct spawner){ .lifeline = -1 };
	if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
	read_end = ends[0], write_end = ends[1];
	if (unshare(CLONE_NEWPID) < 0) return -errno;
	pid_t init = fork();
	if (init < 0) {
		int error = -errno;
		bear_children_here();
		return error;
	}
	if (init == 0) {
		close(write_end);
		be_init(read_end);
	}
	s->init = init;
	s->lifeline = take_fd(&write_end);
	return 0;
}

void spawner_stop(struct spawner *s)
{
	if (!s->init) return;
	kill(s->init, SIGKILL);
	/* the kernel lets the first process of a PID namespace be reaped only when all others are gone */
	while (waitpid(s->init, NULL, 0) < 0 && errno == EINTR)
		;
	bear_children_here();
	close(s->lifeline);
	*s = (struct spawner){ .lifeline = -1 };
}

/* --- programs ---------------------------------------------------------------------------------------- */

/* A descriptor instead of a path: the node's user may not be able to reach the folder (a home of mode 0700),
 * and what was checked is what runs. */
static int open_program(const char *path, int *ret_fd)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) return -errno;
	*ret_fd = fd;
	return 0;
}

int spawn_open_daemon(const char *daemon, int *ret_fd)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0) return -errno;
	path[n] = '\0';
	char *name = strrchr(path, '/') + 1;
	size_t room = sizeof(path) - (size_t)(name - path);
	if ((size_t)snprintf(name, room, "azlab-%s", daemon) >= room) return -ENAMETOOLONG;
	return open_program(path, ret_fd);
}

int spawn_open_system(const char *program, int *ret_fd)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin" };
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], program);
		if (open_program(path, ret_fd) == 0) return 0;
	}
	return -ENOENT;
}

/* --- one process ------------------------------------------------------------------------------------- */

struct failure {
	int error;
	const char *step; /* a literal of this program: valid in both processes after fork */
};

/* Debian confines unbound by path (its AppArmor profile allows /etc/unbound only); ours runs with a
 * configuration elsewhere. Where AppArmor is absent or refuses, the start itself will tell. */
static void leave_apparmor(void)
{
	static const char change[] = "exec unconfined";
	cleanup_close int fd = open("/proc/self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, change, sizeof(change) - 1) < 0) return;
}

static const char *const environment[] = {
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL, NULL, NULL, NULL
};

static char *const *make_environment(const struct spawn_request *r)
{
	static const char *env[ARRAY_SIZE(environment)];
	size_t n = 2;

	memcpy(env, environment, sizeof(env));
	/* sanitizer builds are told by these where to report */
	const char *names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		if (value) env[n++] = value - strlen(names[i]) - 1;
	}
	env[n] = r->variable;
	return (char *const *)env;
}

static struct failure place_descriptors(const struct spawn_request *r)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0) return (struct failure){ -errno, "open /dev/null" };
	if (dup2(r->log_fd, STDOUT_FILENO) < 0 || dup2(r->log_fd, STDERR_FILENO) < 0)
		return (struct failure){ -errno, "redirect its output" };
	if (r->management_fd == 3) {
		if (fcntl(3, F_SETFD, 0) < 0)
			return (struct failure){ -errno, "pass the management channel" };
	} else if (r->management_fd >= 0 && dup2(r->management_fd, 3) < 0) {
		return (struct failure){ -errno, "pass the management channel" };
	}
	/* everything else ends at exec; the program's own descriptor must live until then */
	syscall(SYS_close_range, r->management_fd >= 0 ? 4 : 3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (r->inherit_fd > 0 && fcntl(r->inherit_fd, F_SETFD, 0) < 0)
		return (struct failure){ -errno, "pass a descriptor" };
	return (struct failure){ 0, NULL };
}

static struct failure become_node(const struct spawn_request *r)
{
	struct rlimit files = { SPAWN_FILES_MAX, SPAWN_FILES_MAX }, core = { 0, 0 };
	sigset_t none;
	int result;

	setsid(); /* Ctrl-C on the terminal is for the orchestrator alone */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (setns(r->netns_fd, CLONE_NEWNET) < 0) return (struct failure){ -errno, "enter its namespace" };
	if (chdir(r->workdir ? r->workdir : "/") < 0) return (struct failure){ -errno, "enter its folder" };
	umask(077);
	/* a container may cap the number of files: the node then has what there is */
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &core);
	leave_apparmor();
	if (r->privileged) return (struct failure){ 0, NULL };
	result = caps_become(SPAWN_UID, SPAWN_UID, r->caps, r->n_caps);
	return (struct failure){ result, "give up privileges" };
}

__attribute__((noreturn)) static void run_child(const struct spawn_request *r, int report)
{
	/* out of the way of the descriptors that are placed below */
	int program = fcntl(r->program_fd, F_DUPFD_CLOEXEC, 10), out = fcntl(report, F_DUPFD_CLOEXEC, 10);
	struct failure failed = become_node(r);

	if (!failed.error) failed = place_descriptors(r);
	if (!failed.error) {
		syscall(SYS_execveat, program, "", r->argv, make_environment(r), AT_EMPTY_PATH);
		failed = (struct failure){ -errno, "execute it" };
	}
	if (write(out, &failed, sizeof(failed)) < 0) _exit(126);
	_exit(127);
}

int spawn_process(const struct spawn_request *r, pid_t *ret_pid, int *ret_pidfd, const char **ret_step)
{
	cleanup_close int read_end = -1, write_end = -1;
	struct failure failed = { 0, NULL };
	int ends[2];

	*ret_step = "fork";
	if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
	read_end = ends[0], write_end = ends[1];
	pid_t pid = fork();
	if (pid < 0) return -errno;
	if (pid == 0) run_child(r, write_end);
	close(take_fd(&write_end));
	/* exec closes the other end: reading nothing means that the program runs */
	ssize_t n = read(read_end, &failed, sizeof(failed));
	int pidfd = n == 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (n != 0 || pidfd < 0) {
		int error = n == sizeof(failed) ? failed.error : -errno;
		*ret_step = failed.step ? failed.step : "follow it";
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return error;
	}
	fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}
