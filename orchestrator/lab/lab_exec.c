/* lab_exec.c - a scenario's `exec NODE -- COMMAND...`: the command runs beside the scenario, which waits for
 * nothing. It is what a user would type, so the very program does it; what it prints goes to logs/exec.log,
 * and how it ended is an event. It ends with the lab. */
#include "common/cleanup.h"
#include "orchestrator/lab/lab.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct lab_exec {
	struct lab *lab;
	size_t node;
	uint64_t cause;
	pid_t pid;
	int pidfd;
	struct event *ended;
	LIST_ENTRY(lab_exec) others;
};

/* Waits for the process, which is killed if it has not ended by itself. */
static int exec_free(struct lab_exec *e)
{
	int status = 0;

	if (e->ended) event_free(e->ended);
	kill(e->pid, SIGKILL); /* a zombie minds as little as its number can have been given away */
	while (waitpid(e->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(e->pidfd);
	LIST_REMOVE(e, others);
	free(e);
	return status;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct lab_exec *e = arg;
	struct lab *lab = e->lab;
	const struct plan_node *n = &lab->plan->nodes[e->node];
	uint64_t cause = e->cause;

	(void)fd, (void)what;
	int how = exec_free(e);
	int status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	lab_event(lab, "exec.ended", cause, n->name, plan_zone_name(lab->plan, n->zone),
	          json_pack("{s:i}", "status", status));
}

static int follow(struct lab *lab, size_t node, uint64_t cause, pid_t pid, int pidfd)
{
	struct lab_exec *e = calloc(1, sizeof(*e));

	if (!e) {
		kill(pid, SIGKILL);
		close(pidfd);
		return -ENOMEM;
	}
	*e = (struct lab_exec){ .lab = lab, .node = node, .cause = cause, .pid = pid, .pidfd = pidfd };
	LIST_INSERT_HEAD(&lab->execs, e, others);
	e->ended = event_new(lab->base, pidfd, EV_READ, on_ended, e);
	if (e->ended && event_add(e->ended, NULL) == 0) return 0;
	exec_free(e);
	return -ENOMEM;
}

int lab_exec(struct lab *lab, size_t node, size_t argc, const char *const *argv, uint64_t cause)
{
	cleanup_free const char **words = calloc(argc + 5, sizeof(*words));
	cleanup_close int program = open("/proc/self/exe", O_PATH | O_CLOEXEC),
	                  log = rundir_log(lab->rundir, "exec");
	const char *step;
	pid_t pid;
	int pidfd;

	if (!words || program < 0 || log < 0) return !words ? -ENOMEM : program < 0 ? -errno : log;
	const char *const head[] = { "azlab", "exec", lab->name, lab->plan->nodes[node].name };
	memcpy(words, head, sizeof(head));
	memcpy(words + ARRAY_SIZE(head), argv, argc * sizeof(*argv)); /* "--" and the command */
	const struct spawn_request r = { .program_fd = program,
		                         .argv = words,
		                         .management_fd = -1,
		                         .log_fd = log,
		                         .netns_fd = build_netns_fd(lab->build, node),
		                         .privileged = true };
	int result = spawn_process(&r, &pid, &pidfd, &step);
	return result < 0 ? result : follow(lab, node, cause, pid, pidfd);
}

void lab_end_execs(struct lab *lab)
{
	while (!LIST_EMPTY(&lab->execs))
		exec_free(LIST_FIRST(&lab->execs));
}
