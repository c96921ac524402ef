/* spawn.h - the lab's processes: one PID namespace, whose first process dies with the orchestrator and takes
 * all others along, however the orchestrator ends.
 *
 * Errors are -errno; *ret_step then names the step that failed. Not thread-safe: call from one thread. */
#ifndef AZLAB_SPAWN_H
#define AZLAB_SPAWN_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/types.h>

enum {
	/* Nodes run as this user and group: in the range that Debian's policy keeps unallocated for programs
	 * that need a number of their own (9.2.2), and no login, file or service has it. */
	SPAWN_UID = 64900,
	SPAWN_FILES_MAX = 65536,
};

struct spawner {
	pid_t init;   /* first process of the PID namespace, as the orchestrator sees it; 0: none */
	int lifeline; /* the namespace ends when this descriptor is closed */
};

/* Begins the PID namespace: from here on every child of the calling process is born in it. */
int spawner_start(struct spawner *s);
/* Kills everything in it and waits until all is gone. Harmless if it was not started. */
void spawner_stop(struct spawner *s);

struct spawn_request {
	int program_fd;          /* opened by spawn_open_program(); stays the caller's */
	const char *const *argv; /* ends with NULL */
	const char *workdir;     /* NULL: "/" */
	int netns_fd;
	int management_fd;       /* becomes descriptor 3; -1: none */
	int log_fd;              /* becomes standard output and error */
	bool privileged;         /* stays root (capture programs of the user's own) */
	const cap_value_t *caps; /* capabilities to keep, beside uid SPAWN_UID */
	int n_caps;
	const char *variable; /* one more of its environment, "NAME=VALUE"; NULL: none */
	int inherit_fd;       /* one more descriptor that stays open, under its number; 0: none */
};

/* Opens a daemon of ours ("backend": azlab-backend beside the running program) or, with a system program's
 * name ("knotd"), that one from the usual folders. */
int spawn_open_daemon(const char *daemon, int *ret_fd);
int spawn_open_system(const char *program, int *ret_fd);
/* Starts a process; it has passed exec when this returns 0. *ret_pidfd is the caller's. */
int spawn_process(const struct spawn_request *r, pid_t *ret_pid, int *ret_pidfd, const char **ret_step);
#endif
