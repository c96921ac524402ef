/* testnode.h - starts a daemon of the lab in a test's namespace and is its orchestrator: speaks the messages
 * of docs/management.md with it.
 *
 * Every message that a node sends is kept. A test asks for messages by a pattern, a JSON object: a message
 * matches if it has all of the pattern's members with the same values, objects within likewise. Waiting
 * takes in the messages of all nodes that are running, so that none loses any meanwhile.
 *
 * Ownership: JSON handed over is consumed, patterns too; messages handed out are borrowed until
 * testnode_forget() or testnode_stop(). Failing to start or to send ends the program with a message. */
#ifndef AZLAB_TESTNODE_H
#define AZLAB_TESTNODE_H
#include "common/mono.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	TESTNODE_FDS_MAX = 16,
	PATIENCE_MS =
	    20000 /* with what has to come: only a failure takes that long, on a slow machine as well */
};

struct testnode;
struct testnode_spec {
	int ns;             /* where it runs; testnet_home() or testnet_new() */
	const char *daemon; /* "network-agent": azlab-network-agent of the same build as the test program */
	const char *name, *zone; /* "az1.nlb", "az1" */
	uint32_t number;         /* 0: a number of its own */
	uint64_t seed;
	json_t *config;
	const int *fds; /* sent with the configuration; stay the caller's */
	size_t n_fds;
	const int *keep_caps; /* not NULL: runs unprivileged, as in the lab, with these n capabilities left */
	int n_keep_caps;
};

/* Starts the daemon, configures it and waits until it is ready. */
struct testnode *testnode_start(const struct testnode_spec *spec);
/* The same, without waiting for "ready": for configurations that must be refused. */
struct testnode *testnode_launch(const struct testnode_spec *spec);
/* Sends a message as it is: json_pack("{s:s, ...}", "type", "attach", ...). */
void testnode_send(struct testnode *t, json_t *message);
/* {"type":"start"}: the scenario starts at t0. */
void testnode_begin(struct testnode *t, mono_ns t0);
/* {"type":"set"} with the whole configuration, and {"type":"targets"} with the whole table. */
void testnode_set(struct testnode *t, json_t *config);
void testnode_targets(struct testnode *t, int service, json_t *targets);

/* The first kept message that matches, waiting for it if need be; NULL when timeout_ms have passed, which is
 * also said on standard error. */
const json_t *testnode_wait(struct testnode *t, json_t *pattern, int timeout_ms);
/* The same for {"event": event, "fields": {key: value}}; key NULL: any event of that name. */
const json_t *testnode_wait_event(struct testnode *t, const char *event, const char *key, const char *value,
                                  int timeout_ms);
/* Waits until n messages match; returns how many do. */
size_t testnode_wait_count(struct testnode *t, json_t *pattern, size_t n, int timeout_ms);
/* How many of the messages received so far match; does not wait. */
size_t testnode_count(struct testnode *t, json_t *pattern);
/* All messages kept, in the order of their arrival. */
const json_t *testnode_messages(struct testnode *t);
/* Drops the messages kept so far, so that later waits see only new ones. */
void testnode_forget(struct testnode *t);
/* Takes in the messages of all nodes for so long: the way to let time pass in a test that needs some. */
void testnode_idle(int ms);

pid_t testnode_pid(const struct testnode *t);
/* Closes the channel, waits for the end and frees t. Returns the exit status, 128 + signal if killed. */
int testnode_stop(struct testnode *t);
/* The same after a SIGKILL. */
int testnode_kill(struct testnode *t);
#endif
