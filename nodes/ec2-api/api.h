/* api.h - what the parts of the EC2 API share: its upstreams, its books, and a request being answered.
 *
 * | file        | what it does |
 * | call.c      | a request from its first byte to its answer: throttle, dispatch, errors |
 * | launch.c    | RunInstances: who waits for it, and when it has succeeded or failed |
 * | token.c     | ... its ClientToken: a repeated request joins the first, or gets what that has made |
 * | part.c      | ... one instance of it: written, started by DWFM, given its network, written again |
 * | ending.c    | TerminateInstances: answered at once, carried out behind it |
 * | describe.c  | DescribeInstances, DescribeInstanceStatus |
 * | reboot.c    | RebootInstances |
 * | upstream.c  | calls to DWFM's hosts and to the network manager |
 *
 * All state is in DynamoDB: with that out of reach every request fails with Unavailable. What runs here
 * without a request waiting for it (a network that isn't propagated yet, an instance that is ending) is
 * taken up again from the table after a restart (resume.c). */
#ifndef AZLAB_EC2_API_API_H
#define AZLAB_EC2_API_API_H
#include "common/dynamo_client.h"
#include "common/http_server.h"
#include "common/node.h"
#include "common/random.h"
#include "ec2-api/answer.h"
#include "ec2-api/bucket.h"
#include "ec2-api/query.h"
#include "ec2-api/stats.h"
#include <sys/queue.h>

enum { API_ZONES_MAX = 16, API_HOSTS_MAX = 64, API_REQUEST_ID_MAX = 40 };

struct launch;
LIST_HEAD(launches, launch);

struct api {
	struct node *node;
	struct random random;
	unsigned n_zones, n_hosts;
	const char *zones[API_ZONES_MAX];
	struct dynamo_client *dynamo;
	struct http_client *hosts[API_HOSTS_MAX]; /* of DWFM */
	struct http_client *network;              /* the network manager */
	unsigned next_zone, next_host;            /* where the next launch that may go anywhere begins */
	struct http_server *server;
	struct bucket bucket;
	mono_ns timeout;          /* of a request */
	int64_t began_ms;         /* wall clock: rows that are older are an earlier API's */
	struct launches launches; /* those that somebody waits for, or that aren't over yet */
	struct stats stats;
	struct event *sample;
};

/* One request; the code that it was handed to ends it with call_answer() or call_fail(), exactly once. */
struct call {
	struct api *api;
	struct http_request *http;
	struct query query;
	enum api_action action;
	char request_id[API_REQUEST_ID_MAX];
	mono_ns received;
};

/* call.c: where requests come in (arg: the struct api), and how they are answered. */
void call_take(struct http_request *http, void *arg);
/* Begins an answer to be filled in; call_answer() ends both it and the call. */
void call_begin(const struct call *c, struct answer *a);
void call_answer(struct call *c, struct answer *a);
void call_error(struct call *c, const struct api_error *e);
void call_fail(struct call *c, enum api_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One function an action; each owns the call from then on. */
void launch_call(struct call *c);
void terminate_call(struct call *c);
void describe_call(struct call *c);
void reboot_call(struct call *c);

/* What an outcome of DynamoDB's means to a caller of the API. */
enum api_code api_code_of(enum dynamo_outcome outcome);
/* As dynamo_call(), which can't fail here: without memory done() is called at once, so call it last. */
void api_store(struct api *api, const char *operation, json_t *request, dynamo_done *done, void *arg);
#endif
