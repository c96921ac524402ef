/* station.h - a node of the plan while it runs: its process and its management channel.
 *
 * Ownership: station_free() ends the process, if it still runs, and releases all. JSON handed to
 * station_send() is consumed. Errors are -errno. */
#ifndef AZLAB_STATION_H
#define AZLAB_STATION_H
#include "orchestrator/lab/spawn.h"
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct station;
/* What the lab wants to hear of its stations. */
struct station_handlers {
	void (*message)(void *arg, struct station *s, json_t *message); /* borrowed */
	void (*ended)(void *arg, struct station *s);                    /* s->status says how */
	void (*stopped)(void *arg, struct station *s);                  /* s->stopped has changed */
	void *arg;
};

struct station {
	size_t node; /* index in the plan */
	char *name;  /* its own copy, allocated */
	pid_t pid;
	bool alive, stopped, ready;
	bool restart;    /* it is to be started again when it has ended */
	bool ending;     /* azlab itself is ending it: its end is no surprise */
	int status;      /* as waitpid() gives it, once not alive */
	uint64_t lost;   /* messages that did not arrive */
	json_t *config;  /* the configuration as last sent, or NULL */
	json_t *samples; /* the last sample of each kind, by kind */
	/* private: */
	int pidfd, channel;
	struct event *readable, *exited;
	const struct station_handlers *handlers;
};

struct station_request {
	const char *daemon;      /* one of ours, or a system program if argv is given */
	const char *const *argv; /* NULL for our own daemons */
	const char *workdir;
	int netns_fd, log_fd;
	const cap_value_t *caps;
	int n_caps;
	const char *variable; /* as spawn_request's */
	int inherit_fd;
};

/* Starts the process of a node; s is zeroed but for node and name. What went wrong is in *ret_step. */
int station_start(struct station *s, struct event_base *base, const struct station_handlers *handlers,
                  const struct station_request *r, const char **ret_step);
/* Sends one message, with descriptors if n_fds > 0. */
int station_send(struct station *s, json_t *message, const int *fds, size_t n_fds);
/* Sends a signal to the process, if it still runs. */
void station_signal(struct station *s, int signal);
/* Looks whether the process was stopped or continued: call it after SIGCHLD. */
void station_poll_stopped(struct station *s);
void station_free(struct station *s);
#endif
