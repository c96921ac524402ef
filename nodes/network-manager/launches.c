#include "network-manager/launches.h"
#include "common/cleanup.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/node.h"
#include <arpa/inet.h>
#include <errno.h>
#include <search.h>
#include <string.h>

enum { BODY_MAX = 4096 };

enum attachment_state {
	ASKED,      /* for; the node of a real instance hasn't been attached yet */
	CONNECTING, /* its change is in the backlog */
	CONNECTED,
	DETACHED
};
struct waiter {
	SLIST_ENTRY(waiter) link;
	struct http_request *request;
};
struct attachment {
	char instance[ROUTE_NAME_MAX]; /* EC2's id */
	struct route_update update;    /* the last one; update.instance is the node's name of a real one */
	enum attachment_state state;
	SLIST_HEAD(, waiter) waiters;
};
struct launches {
	struct http_server *server;
	struct backlog *backlog;
	void *by_instance, *by_node; /* tsearch trees of attachments; only real ones are in the second */
	uint32_t last_id;
	void (*changed)(void *arg);
	void *arg;
};

static int compare_instances(const void *a, const void *b)
{
	return strcmp(((const struct attachment *)a)->instance, ((const struct attachment *)b)->instance);
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct attachment *)a)->update.instance,
	              ((const struct attachment *)b)->update.instance);
}

static struct attachment *find(const struct launches *l, const char *instance)
{
	struct attachment key = { 0 };

	snprintf(key.instance, sizeof(key.instance), "%s", instance);
	struct attachment **found = tfind(&key, &l->by_instance, compare_instances);
	return found ? *found : NULL;
}

static struct attachment *find_node(const struct launches *l, const char *node)
{
	struct attachment key = { 0 };

	snprintf(key.update.instance, sizeof(key.update.instance), "%s", node);
	struct attachment **found = tfind(&key, &l->by_node, compare_nodes);
	return found ? *found : NULL;
}

/* The attachment of an instance, a new one if need be; NULL without memory. */
static struct attachment *find_or_add(struct launches *l, const char *instance)
{
	struct attachment *a = find(l, instance);

	if (a) return a;
	if (!(a = calloc(1, sizeof(*a)))) return NULL;
	snprintf(a->instance, sizeof(a->instance), "%s", instance);
	SLIST_INIT(&a->waiters);
	if (tsearch(a, &l->by_instance, compare_instances)) return a;
	free(a);
	return NULL;
}

/* --- answers ----------------------------------------------------------------------------------------- */

static void answer(struct http_request *r, unsigned status, json_t *body)
{
	cleanup_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	http_answer(r, text ? status : 500, "Content-Type: application/json\r\n", text ? text : "",
	            text ? strlen(text) : 0);
}

static void refuse(struct http_request *r, unsigned status, const char *why)
{
	answer(r, status, json_pack("{s:s}", "error", why));
}

static void answer_connected(const struct attachment *a, struct http_request *r)
{
	char v4[INET_ADDRSTRLEN] = "";

	if (!a->update.virtual) inet_ntop(AF_INET, &a->update.address.v4, v4, sizeof(v4));
	answer(r, 200,
	       json_pack("{s:s, s:s, s:s}", "instance", a->instance, "zone", a->update.zone, "addr4", v4));
}

/* Answers whoever waits, if there is something to say by now. */
static void tell(struct attachment *a)
{
	struct waiter *w;

	if (a->state == ASKED || a->state == CONNECTING) return;
	while ((w = SLIST_FIRST(&a->waiters))) {
		SLIST_REMOVE_HEAD(&a->waiters, link);
		if (a->state == CONNECTED)
			answer_connected(a, w->request);
		else
			refuse(w->request, 409, "detached");
		free(w);
	}
}

/* Those that have hung up (and perhaps ask again) don't add up while a node is waited for. */
static void drop_gone(struct attachment *a)
{
	struct waiter *w, *next;

	for (w = SLIST_FIRST(&a->waiters); w; w = next) {
		next = SLIST_NEXT(w, link);
		if (!http_client_gone(w->request)) continue;
		SLIST_REMOVE(&a->waiters, w, waiter, link);
		refuse(w->request, 408, "gone");
		free(w);
	}
}

static void wait_for(struct attachment *a, struct http_request *r)
{
	struct waiter *w = malloc(sizeof(*w));

	drop_gone(a);

	if (!w) {
		refuse(r, 500, "no memory");
		return;
	}
	w->request = r;
	SLIST_INSERT_HEAD(&a->waiters, w, link);
	tell(a);
}

/* --- virtual instances ------------------------------------------------------------------------------- */

/* Stands for an instance that has no address. 100::/64 leads nowhere by definition (RFC 6666), and the lab
 * has none of it; below it the name's hash (FNV-1a). */
static struct route_address key_of(const char *instance)
{
	struct route_address key = { .v6 = { .s6_addr = { [0] = 0x01 } } };
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *instance; instance++)
		h = (h ^ (uint8_t)*instance) * UINT64_C(0x100000001b3);
	memcpy(&key.v6.s6_addr[8], &h, sizeof(h));
	return key;
}

static int put(struct launches *l, struct attachment *a, enum route_action action, uint64_t cause)
{
	a->update.action = action;
	a->update.generation++;
	int r = backlog_put(l->backlog, &a->update, cause, mono_now());
	if (r < 0) return r;
	l->changed(l->arg);
	return 0;
}

static int attach_virtual(struct launches *l, struct attachment *a, const char *zone, uint64_t cause)
{
	struct route_update *u = &a->update;

	u->virtual = true;
	u->id = ++l->last_id;
	u->address = key_of(a->instance);
	memcpy(u->instance, a->instance, sizeof(u->instance));
	snprintf(u->zone, sizeof(u->zone), "%s", zone);
	snprintf(u->ifname, sizeof(u->ifname), "none");
	a->state = CONNECTING;
	return put(l, a, ROUTE_ATTACH, cause);
}

static void forget(struct launches *l, struct attachment *a)
{
	struct route_address address = a->update.address;

	if (!SLIST_EMPTY(&a->waiters) || !backlog_forget(l->backlog, &address)) return;
	tdelete(a, &l->by_instance, compare_instances);
	free(a);
}

/* --- requests ---------------------------------------------------------------------------------------- */

struct wish {
	const char *instance, *zone;
	bool real;
	uint64_t cause;
};

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	for (const char *at = text; *at; at++) {
		if (*at <= ' ' || *at > '~') return false;
	}
	return len > 0 && len < ROUTE_NAME_MAX;
}

static void on_attach(struct launches *l, struct http_request *r, const struct wish *w)
{
	struct attachment *a = find_or_add(l, w->instance);
	bool begin = a && a->state == ASKED && !w->real && !a->update.virtual;

	if (!a || (begin && attach_virtual(l, a, w->zone, w->cause) < 0))
		refuse(r, 500, "no memory");
	else
		wait_for(a, r);
}

static void on_detach(struct launches *l, struct http_request *r, const struct wish *w)
{
	struct attachment *a = find(l, w->instance);

	if (a && a->update.virtual && a->state != DETACHED) {
		a->state = DETACHED;
		tell(a);
		if (put(l, a, ROUTE_DETACH, w->cause) < 0) log_line("no memory to detach '%s'", w->instance);
	}
	answer(r, 200, json_pack("{s:s}", "instance", w->instance));
}

static void take_wish(struct launches *l, struct http_request *r, const json_t *body)
{
	struct wish w = { .instance = node_string(body, "instance", ""),
		          .zone = node_string(body, "zone", ""),
		          .real = node_bool(body, "real", false),
		          .cause = (uint64_t)json_integer_value(json_object_get(body, "cause")) };

	if (!is_name(w.instance) || !is_name(w.zone))
		refuse(r, 400, "instance and zone are names");
	else if (strcmp(r->path, "/attach") == 0)
		on_attach(l, r, &w);
	else if (strcmp(r->path, "/detach") == 0)
		on_detach(l, r, &w);
	else
		refuse(r, 404, "there are /attach and /detach");
}

static void on_request(struct http_request *r, void *arg)
{
	json_t *body;

	if (strcmp(r->method, "POST"))
		refuse(r, 405, "POST only");
	else if (!(body = json_loadb(r->body, r->body_len, 0, NULL)))
		refuse(r, 400, "not JSON");
	else {
		take_wish(arg, r, body);
		json_decref(body);
	}
}

/* --- from the rest of the manager -------------------------------------------------------------------- */

void launches_node(struct launches *l, const char *instance, const struct route_update *update)
{
	struct attachment *a = find_or_add(l, instance);

	if (!a || a->update.generation >= update->generation) return;
	bool known = a->update.instance[0] != '\0';
	a->update = *update;
	if (!known) tsearch(a, &l->by_node, compare_nodes); /* without memory whoever asks will ask again */
	a->state = update->action == ROUTE_ATTACH ? CONNECTING : DETACHED;
	tell(a);
}

void launches_completed(struct launches *l, const struct backlog_change *change)
{
	const struct route_update *u = &change->update;
	struct attachment *a = u->virtual ? find(l, u->instance) : find_node(l, u->instance);

	if (!a || a->update.generation != u->generation) return;
	if (u->action == ROUTE_ATTACH) {
		a->state = CONNECTED;
		tell(a);
	} else if (u->virtual) {
		forget(l, a);
	}
}

int launches_open(struct event_base *base, uint16_t port, struct backlog *backlog, void (*changed)(void *arg),
                  void *arg, struct launches **ret)
{
	struct http_config http = { .max_body = BODY_MAX };
	struct launches *l = calloc(1, sizeof(*l));
	int r;

	if (!l) return -ENOMEM;
	*l = (struct launches){ .backlog = backlog, .changed = changed, .arg = arg };
	if ((r = http_server_new(base, &http, on_request, l, &l->server)) < 0 ||
	    (r = http_server_listen(l->server, port)) < 0) {
		http_server_free(l->server);
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}
