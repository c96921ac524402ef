#include "orchestrator/network/build.h"
#include "orchestrator/network/build_etc.h"
#include "orchestrator/network/build_follow.h"
#include "orchestrator/network/build_links.h"
#include "orchestrator/network/build_sysctl.h"
#include "orchestrator/network/netns.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* CHUNK: how many namespaces are made before their links; bounds the sockets that are open at once. */
enum { CHUNK = 64, SPARE_FILES = 256, SWEEPERS = 8 };

struct built {
	int ns;     /* -1: not built, or removed */
	int socket; /* rtnetlink inside it: kept in routers, for their later links; elsewhere only during
	               bring-up */
	struct own_netns name_added;
	struct own_etc etc_added;
	char name[OWN_NAME_MAX];
};

struct build {
	struct own *own;
	char lab[OWN_LAB_MAX + 1];
	size_t n;
	struct built *nodes;
	struct netlink_batch batch;
};

/* What one bring-up needs besides. */
struct bringup {
	struct build *b;
	const struct plan *p;
	struct build_error *e;
	struct build_etc etc;
	struct build_sysctls sysctls;
	struct build_error furnish_error; /* of the thread that furnishes namespaces */
};

static bool forwards(const struct plan_node *n)
{
	return n->kind == PLAN_ROUTER || n->kind == PLAN_BACKBONE;
}

/* A helper is a process in its parent's namespace: there is nothing to build. */
static bool stands_alone(const struct plan_node *n)
{
	return n->kind != PLAN_HELPER;
}

static void raise_file_limit(size_t nodes)
{
	const rlim_t wanted = 2 * nodes + SPARE_FILES;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= wanted) return;
	files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files); /* if that isn't enough, what needs a descriptor says so */
}

static int grow(struct build *b, size_t n)
{
	struct built *grown = n > b->n ? reallocarray(b->nodes, n, sizeof(*grown)) : b->nodes;

	if (!grown) return -ENOMEM;
	b->nodes = grown;
	for (; b->n < n; b->n++)
		grown[b->n] = (struct built){ .ns = -1, .socket = -1 };
	return 0;
}

static int name_node(struct build *b, const struct plan *p, size_t node)
{
	struct built *n = &b->nodes[node];
	int len = snprintf(n->name, sizeof(n->name), "%s.%s", b->lab, p->nodes[node].name);

	return len >= (int)sizeof(n->name) ? -ENAMETOOLONG : 0;
}

static int make_namespace(struct bringup *up, size_t node)
{
	struct built *n = &up->b->nodes[node];
	int result;

	if ((n->ns = result = netns_new()) < 0 || (n->socket = result = netlink_open()) < 0)
		return build_fail(up->e, -result,
		                  result == -EMFILE ? "raise the limit of open files (ulimit -n)" : NULL,
		                  "cannot make namespace '%s'", n->name);
	return 0;
}

/* All that a namespace needs before it has links, in the calling thread, which stays in it. The first one of
 * a bring-up of many shows what the others are like. */
static int furnish(void *arg, size_t node)
{
	struct bringup *up = arg;
	struct build *b = up->b;
	struct built *n = &b->nodes[node];
	uint64_t cookie;
	int result;

	if (!stands_alone(&up->p->nodes[node])) return 0;
	if ((result = netns_enter(n->ns)) < 0 || (result = netns_cookie_of_socket(n->socket, &cookie)) < 0)
		return build_fail(&up->furnish_error, -result, NULL, "cannot use namespace '%s'", n->name);
	if (node == 0) build_sysctls_learn(&up->sysctls);
	result =
	    build_sysctls_apply(&up->sysctls, forwards(&up->p->nodes[node]), n->name, &up->furnish_error);
	if (result == 0)
		result = own_netns_add(b->own, n->name, n->ns, cookie, &n->name_added, &up->furnish_error);
	if (result == 0)
		result =
		    build_etc_add(&up->etc, b->own, up->p, node, n->name, &n->etc_added, &up->furnish_error);
	return result;
}

/* Making a namespace is mostly the kernel's work under its lock of links; furnishing it, with files, isn't.
 */
static int make_namespaces(struct bringup *up, size_t from, size_t to)
{
	cleanup_close int home = netns_current();
	struct follower furnishing;
	int result = 0, furnished;

	if (home < 0)
		return build_fail(up->e, -home, "mount /proc", "cannot open the current network namespace");
	follower_start(&furnishing, from, furnish, up);
	for (size_t i = from; result == 0 && i < to; i++) {
		if (stands_alone(&up->p->nodes[i])) result = make_namespace(up, i);
		/* each is born from home: from its predecessor it could inherit what that was set to
		   (net.core.devconf_inherit_init_net = 3) */
		netns_return(home);
		if (result == 0) follower_lead(&furnishing, i + 1);
	}
	furnished = follower_join(&furnishing);
	netns_return(home); /* the follower may have been this thread */
	if (result == 0 && furnished < 0 && up->e) *up->e = up->furnish_error;
	return result < 0 ? result : furnished;
}

/* An instance launched into a running lab: by then the kernel lets the orchestrator start no thread, because
 * its children are born in another PID namespace than its own (EINVAL). */
static int make_one_namespace(struct bringup *up, size_t node)
{
	cleanup_close int home = netns_current();

	if (home < 0)
		return build_fail(up->e, -home, "mount /proc", "cannot open the current network namespace");
	int result = make_namespace(up, node);
	if (result == 0) {
		result = furnish(up, node);
		if (result < 0 && up->e) *up->e = up->furnish_error;
	}
	netns_return(home);
	return result;
}

static int make_links(struct bringup *up, size_t from, size_t to)
{
	struct build *b = up->b;
	int result = 0;

	for (size_t i = from; result == 0 && i < to; i++) {
		int parent = up->p->nodes[i].parent;
		if (parent < 0 || !stands_alone(&up->p->nodes[i])) continue;
		if (b->nodes[parent].socket != b->batch.socket) {
			if ((result = netlink_flush(&b->batch)) < 0) break;
			netlink_start(&b->batch, b->nodes[parent].socket);
		}
		result = build_link(&b->batch, up->p, i, b->nodes[i].ns);
	}
	if (result == 0) result = netlink_flush(&b->batch);
	return result == 0 ? 0 : build_explain(&b->batch, up->p, result, up->e);
}

/* Addresses and, in leaves, whose links are all there, routes. */
static int configure(struct bringup *up, size_t node)
{
	struct build *b = up->b;
	int result;

	netlink_start(&b->batch, b->nodes[node].socket);
	result = build_addresses(&b->batch, up->p, node);
	if (result == 0 && !forwards(&up->p->nodes[node])) result = build_routes(&b->batch, up->p, node);
	if (result == 0) result = netlink_flush(&b->batch);
	return result == 0 ? 0 : build_explain(&b->batch, up->p, result, up->e);
}

static void drop_socket(struct built *n)
{
	if (n->socket >= 0) close(n->socket);
	n->socket = -1;
}

static int build_nodes(struct bringup *up, size_t from, size_t to)
{
	struct build *b = up->b;
	int result = to - from == 1 ? make_one_namespace(up, from) : make_namespaces(up, from, to);

	if (result == 0) result = make_links(up, from, to);
	for (size_t i = from; result == 0 && i < to; i++) {
		if (!stands_alone(&up->p->nodes[i])) continue;
		result = configure(up, i);
		if (!forwards(&up->p->nodes[i])) drop_socket(&b->nodes[i]);
	}
	return result;
}

/* Routers' routes name links to nodes that came after them. */
static int finish_router(struct bringup *up, size_t node)
{
	struct build *b = up->b;
	int result;

	netlink_start(&b->batch, b->nodes[node].socket);
	if ((result = build_routes(&b->batch, up->p, node)) < 0 || (result = netlink_flush(&b->batch)) < 0)
		return build_explain(&b->batch, up->p, result, up->e);
	if ((result = build_settle(b->nodes[node].socket)) < 0)
		return build_fail(up->e, -result, NULL, "the links of '%s' did not come up",
		                  b->nodes[node].name);
	return 0;
}

static int check_names(struct bringup *up)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < up->b->n; i++) {
		if (!stands_alone(&up->p->nodes[i])) continue;
		if ((result = name_node(up->b, up->p, i)) < 0)
			return build_fail(up->e, -result, NULL, "cannot name '%s'", up->p->nodes[i].name);
		result = own_check_free(up->b->own, up->b->nodes[i].name, up->e);
	}
	return result;
}

static int build_all(struct bringup *up)
{
	size_t n = up->b->n;
	int result = check_names(up);

	for (size_t from = 0; result == 0 && from < n; from += CHUNK)
		result = build_nodes(up, from, from + CHUNK < n ? from + CHUNK : n);
	for (size_t i = 0; result == 0 && i < n; i++)
		if (forwards(&up->p->nodes[i])) result = finish_router(up, i);
	return result;
}

int build_up(const struct plan *p, const char *lab, struct build **ret, struct build_error *e)
{
	struct build *b = calloc(1, sizeof(*b));
	struct bringup up = { .b = b, .p = p, .e = e, .sysctls = BUILD_SYSCTLS_NONE };
	int result;

	raise_file_limit(p->n_nodes);
	if (!b || grow(b, p->n_nodes) < 0) {
		free(b);
		return build_fail(e, ENOMEM, NULL, "cannot build lab '%s'", lab);
	}
	b->batch.socket = -1;
	if ((result = build_sysctls_open(&up.sysctls, e)) == 0 &&
	    (result = own_claim(lab, &b->own, e)) == 0) {
		strcpy(b->lab, lab); /* own_claim() checked it */
		build_etc_init(&up.etc, p);
		result = build_all(&up);
	}
	build_sysctls_close(&up.sysctls);
	if (result == 0)
		*ret = b;
	else
		build_down(b);
	return result;
}

int build_launch(struct build *b, const struct plan *p, size_t node, struct build_error *e)
{
	struct bringup up = { .b = b, .p = p, .e = e, .sysctls = BUILD_SYSCTLS_NONE };
	int result;

	raise_file_limit(p->n_nodes);
	if (node >= p->n_nodes || (node < b->n && b->nodes[node].ns >= 0) || grow(b, node + 1) < 0 ||
	    name_node(b, p, node) < 0)
		return build_fail(e, EINVAL, NULL, "cannot launch node %zu of lab '%s'", node, b->lab);
	build_etc_init(&up.etc, p);
	b->batch.socket = -1;
	result = own_check_free(b->own, b->nodes[node].name, e);
	if (result == 0) result = build_sysctls_open(&up.sysctls, e);
	if (result == 0) result = build_nodes(&up, node, node + 1);
	build_sysctls_close(&up.sysctls);
	if (result < 0) build_remove(b, node);
	return result;
}

int build_remove(struct build *b, size_t node)
{
	if (node >= b->n || b->nodes[node].ns < 0) return -ENOENT;
	struct built *n = &b->nodes[node];
	own_netns_remove(b->own, n->name, &n->name_added);
	own_etc_remove(b->own, n->name, &n->etc_added);
	drop_socket(n);
	close(n->ns);
	*n = (struct built){ .ns = -1, .socket = -1 };
	return 0;
}

int build_netns_fd(const struct build *b, size_t node)
{
	return node < b->n && b->nodes[node].ns >= 0 ? b->nodes[node].ns : -ENOENT;
}

int build_in_netns(const struct build *b, size_t node, int (*fn)(void *arg), void *arg)
{
	int ns = build_netns_fd(b, node);
	return ns < 0 ? ns : netns_run(ns, fn, arg);
}

const struct own *build_own(const struct build *b)
{
	return b->own;
}

/* Every SWEEPERSth node, from one on. */
struct sweep {
	struct build *build;
	size_t from;
	pthread_t thread;
	bool started;
};

static void *sweep(void *arg)
{
	const struct sweep *s = arg;

	for (size_t i = s->from; i < s->build->n; i += SWEEPERS)
		build_remove(s->build, i);
	return NULL;
}

/* Unmounting a name waits for a grace period of the kernel's, one that others may wait for as well. */
static void remove_all(struct build *b)
{
	struct sweep sweeps[SWEEPERS];

	for (size_t i = 0; i < SWEEPERS; i++) {
		sweeps[i] = (struct sweep){ .build = b, .from = i };
		sweeps[i].started = pthread_create(&sweeps[i].thread, NULL, sweep, &sweeps[i]) == 0;
		if (!sweeps[i].started) sweep(&sweeps[i]);
	}
	for (size_t i = 0; i < SWEEPERS; i++)
		if (sweeps[i].started) pthread_join(sweeps[i].thread, NULL);
}

void build_down(struct build *b)
{
	if (!b) return;
	remove_all(b);
	own_release(b->own);
	free(b->nodes);
	free(b);
}
