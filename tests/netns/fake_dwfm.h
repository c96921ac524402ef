/* fake_dwfm.h - stands for DWFM's hosts in tests of those who ask them: a process that takes launches as long
 * as a zone has slots. A test tells it over HTTP what to do, and asks it what it was asked:
 *
 *     POST /control {"slots": {"az1": 3}, "error": "overloaded", "silent": true}   each member as given
 *     GET /counts   {"launch": 5, "terminate": 0, "reboot": 1, "used": {"az1": 5}}
 */
#ifndef AZLAB_TESTS_FAKE_DWFM_H
#define AZLAB_TESTS_FAKE_DWFM_H
#include "common/cleanup.h"
#include "common/http_server.h"
#include "common/node.h"
#include "tests/netns/testnet.h"
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct fake_dwfm {
	json_t *slots, *used; /* by zone */
	json_t *where;        /* zone by instance */
	json_t *counts;
	char error[32]; /* what every launch gets; empty: what it asked for */
	bool silent;    /* launches get no answer */
};

static inline void fake_answer(struct http_request *r, unsigned status, json_t *body)
{
	cleanup_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	http_answer(r, status, NULL, text, strlen(text));
}

static inline void fake_add(json_t *numbers, const char *key, int n)
{
	json_int_t so_far = json_integer_value(json_object_get(numbers, key));
	json_object_set_new(numbers, key, json_integer(so_far + n));
}

static inline void fake_launch(struct fake_dwfm *f, struct http_request *r, const json_t *body)
{
	const char *zone = node_string(body, "zone", ""), *instance = node_string(body, "instance", "");
	json_int_t used = json_integer_value(json_object_get(f->used, zone));
	char droplet[64];

	if (f->silent) return; /* never answered: the process ends before the server is freed */
	if (f->error[0] || used >= json_integer_value(json_object_get(f->slots, zone))) {
		fake_answer(r, 503, json_pack("{s:s}", "error", f->error[0] ? f->error : "no-capacity"));
		return;
	}
	fake_add(f->used, zone, 1);
	json_object_set_new(f->where, instance, json_string(zone));
	snprintf(droplet, sizeof(droplet), "%s-%05d", zone, (int)used);
	fake_answer(r, 200,
	            json_pack("{s:s, s:s, s:i}", "instance", instance, "droplet", droplet, "epoch", 1));
}

static inline void fake_order(struct fake_dwfm *f, struct http_request *r, const json_t *body)
{
	const char *instance = node_string(body, "instance", "");
	const char *zone = json_string_value(json_object_get(f->where, instance));

	if (!zone) {
		fake_answer(r, 404, json_pack("{s:s}", "error", "unknown"));
		return;
	}
	if (strcmp(r->path, "/terminate") == 0) {
		fake_add(f->used, zone, -1);
		json_object_del(f->where, instance);
	}
	fake_answer(r, 200, json_pack("{s:s}", "instance", instance));
}

static inline void fake_control(struct fake_dwfm *f, struct http_request *r, const json_t *body)
{
	json_object_update(f->slots, json_object_get(body, "slots"));
	if (json_object_get(body, "error"))
		snprintf(f->error, sizeof(f->error), "%s", node_string(body, "error", ""));
	f->silent = node_bool(body, "silent", f->silent);
	fake_answer(r, 200, json_object());
}

static inline void fake_on_request(struct http_request *r, void *arg)
{
	struct fake_dwfm *f = arg;
	json_t *body = json_loadb(r->body ? r->body : "", r->body_len, 0, NULL);

	if (strcmp(r->path, "/counts") == 0) {
		json_t *counts = json_copy(f->counts);
		json_object_set(counts, "used", f->used);
		fake_answer(r, 200, counts);
	} else if (strcmp(r->path, "/control") == 0) {
		fake_control(f, r, body);
	} else {
		fake_add(f->counts, r->path + 1, 1);
		if (strcmp(r->path, "/launch") == 0)
			fake_launch(f, r, body);
		else
			fake_order(f, r, body);
	}
	json_decref(body);
}

static inline void fake_run(int ns, uint16_t port, int ready)
{
	struct fake_dwfm f = {
		.slots = json_object(), .used = json_object(), .where = json_object(), .counts = json_object()
	};
	struct http_config config = { .max_body = 1 << 16 };
	struct event_base *base;
	struct http_server *server;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	testnet_enter(ns);
	if (!(base = event_base_new()) || http_server_new(base, &config, fake_on_request, &f, &server) < 0 ||
	    http_server_listen(server, port) < 0)
		_exit(1);
	if (write(ready, "", 1) != 1) _exit(1);
	event_base_dispatch(base);
	_exit(0);
}

/* Returns its pid once it listens; ends the program if it can't. */
static inline pid_t fake_dwfm_start(int ns, uint16_t port)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0) abort();
	pid_t pid = fork();
	if (pid < 0) abort();
	if (pid == 0) fake_run(ns, port, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) abort();
	close(ready[0]);
	return pid;
}

static inline void fake_dwfm_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
#endif
