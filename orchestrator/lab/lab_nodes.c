/* lab_nodes.c - the processes of the nodes: how each is started, with which privileges, and configured. */
#include "common/cleanup.h"
#include "common/log.h"
#include "orchestrator/lab/dns_servers.h"
#include "orchestrator/lab/lab.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a daemon keeps of root's power; all others keep nothing. */
static const struct {
	const char *daemon;
	int n;
	cap_value_t caps[3];
} privileges[] = {
	{ "nlb", 3, { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON } }, /* given up once its programs are attached */
	{ "network-agent", 1, { CAP_NET_ADMIN } },             /* installs routes all its life */
	{ "delay-line",
	  1,
	  { CAP_SYS_NICE } }, /* becomes real-time at its start: what it holds is due to 0.2 ms */
};

static const char *const system_daemons[] = { "knot", "unbound" };

static bool is_system(const char *daemon)
{
	for (size_t i = 0; i < ARRAY_SIZE(system_daemons); i++)
		if (strcmp(daemon, system_daemons[i]) == 0) return true;
	return false;
}

struct station *lab_station_of(const struct lab *lab, size_t node)
{
	return node < lab->n_stations ? lab->stations[node] : NULL;
}

struct station *lab_station(const struct lab *lab, const char *node)
{
	int found = plan_find(lab->plan, node);
	return found < 0 ? NULL : lab_station_of(lab, (size_t)found);
}

bool lab_runs(const struct lab *lab, size_t node)
{
	const struct station *s = lab_station_of(lab, node);
	return s && s->alive && !s->stopped;
}

static struct station *new_station(struct lab *lab, size_t node)
{
	if (node >= lab->n_stations) {
		struct station **grown = realloc(lab->stations, (node + 1) * sizeof(struct station *));
		if (!grown) return NULL;
		memset(grown + lab->n_stations, 0, (node + 1 - lab->n_stations) * sizeof(struct station *));
		lab->stations = grown;
		lab->n_stations = node + 1;
	}
	struct station *s = calloc(1, sizeof(*s));
	if (!s) return NULL;
	station_free(lab->stations[node]); /* the process that it is started after has ended */
	s->node = node;
	s->pidfd = s->channel = -1;
	s->name = strdup(lab->plan->nodes[node].name); /* the plan's array moves when it grows */
	return lab->stations[node] = s;
}

/* Knot and Unbound have a folder of their own below the lab's, with their configuration and data. */
static int prepare_system(struct lab *lab, size_t node, struct dns_server_command *command, char *dir,
                          size_t size)
{
	const struct plan_node *n = &lab->plan->nodes[node];

	if (mkdirat(own_folder(build_own(lab->build)), n->name, 0700) < 0 && errno != EEXIST) return -errno;
	snprintf(dir, size, OWN_ROOT "/%s/%s", lab->name, n->name);
	return dns_server_prepare(lab->plan, node, dir, &lab->key, SPAWN_UID, SPAWN_UID, command);
}

/* Where daemons keep what outlives their processes: a folder below the lab's own, one for all nodes that
 * share it. They get it as a descriptor, as the way to it is root's. */
static const struct {
	const char *daemon, *folder;
} stores[] = {
	{ "dynamodb", "dynamodb" },
	{ "dns-planner", "plans" },
};

/* -ENOENT if the daemon keeps nothing. */
static int open_store(const struct lab *lab, const char *daemon)
{
	int own = own_folder(build_own(lab->build));

	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		if (strcmp(daemon, stores[i].daemon)) continue;
		if (mkdirat(own, stores[i].folder, 0700) < 0 && errno != EEXIST) return -errno;
		cleanup_close int fd =
		    openat(own, stores[i].folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fchown(fd, SPAWN_UID, SPAWN_UID) < 0) return -errno;
		return take_fd(&fd);
	}
	return -ENOENT;
}

static int send_config(struct lab *lab, struct station *s)
{
	const struct plan_node *n = &lab->plan->nodes[s->node];
	cleanup_close int store = open_store(lab, n->daemon);
	const int *fds = &store;
	size_t n_fds = store >= 0;

	if (store < 0 && store != -ENOENT) return store;
	s->config = node_config(lab->plan, s->node, &lab->key);
	if (!s->config) return 0;
	if (strcmp(n->daemon, "delay-line") == 0) fds = fault_plane_delay_fds(lab->faults, &n_fds);
	json_t *message =
	    json_pack("{s:s, s:s, s:s, s:I, s:I, s:O}", "type", "config", "node", n->name, "zone",
	              plan_zone_name(lab->plan, n->zone), "number", (json_int_t)n->number, "seed",
	              (json_int_t)lab->seed, "config", s->config);
	int result = station_send(s, message, fds, n_fds);
	/* one that comes when the clocks already run must know them */
	if (result == 0 && lab->t0)
		result = station_send(
		    s, json_pack("{s:s, s:I}", "type", "start", "t0_ns", (json_int_t)lab->t0), NULL, 0);
	return result;
}

/* A helper has no namespace of its own: it stands in its parent's. */
static int namespace_of(const struct lab *lab, size_t node)
{
	const struct plan_node *n = &lab->plan->nodes[node];
	return build_netns_fd(lab->build, n->kind == PLAN_HELPER ? (size_t)n->parent : node);
}

int lab_start_node(struct lab *lab, size_t node)
{
	const struct plan_node *n = &lab->plan->nodes[node];
	struct dns_server_command command;
	char dir[PATH_MAX];
	const char *step = "prepare it";
	int result = 0;

	struct station_request r = { .daemon = n->daemon, .netns_fd = namespace_of(lab, node) };
	struct station *s = new_station(lab, node);
	if (!s || !s->name) return -ENOMEM;
	if (is_system(n->daemon)) {
		if ((result = prepare_system(lab, node, &command, dir, sizeof(dir))) == 0)
			r.argv = command.argv, r.daemon = command.argv[0], r.workdir = dir;
		if (result == 0 && command.clock)
			r.variable = command.clock->variable, r.inherit_fd = command.clock->fd;
	}
	for (size_t i = 0; i < ARRAY_SIZE(privileges); i++)
		if (strcmp(n->daemon, privileges[i].daemon) == 0)
			r.caps = privileges[i].caps, r.n_caps = privileges[i].n;
	r.log_fd = rundir_log(lab->rundir, n->name);
	if (result == 0 && r.log_fd < 0) result = r.log_fd;
	if (result == 0) result = station_start(s, lab->base, &lab->handlers, &r, &step);
	if (r.log_fd >= 0) close(r.log_fd);
	if (result == 0) result = send_config(lab, s);
	if (result < 0)
		lab_fail(lab, result, "cannot start %s (%s): %s: %s", n->name, n->daemon, step,
		         strerror(-result));
	return result;
}

int lab_restart_node(struct lab *lab, struct station *s)
{
	if (!s->alive) return lab_start_node(lab, s->node);
	s->restart = s->ending = true;
	station_signal(s, SIGKILL);
	return 0;
}

int lab_start_nodes(struct lab *lab)
{
	for (size_t i = 0; i < lab->plan->n_nodes; i++) {
		int result = lab->plan->nodes[i].daemon ? lab_start_node(lab, i) : 0;
		if (result < 0) return result;
	}
	return 0;
}

void lab_reconfigure(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_stations; i++) {
		struct station *s = lab->stations[i];
		if (!s || !s->alive || !s->config) continue;
		json_t *config = node_config(lab->plan, i, &lab->key);
		if (json_equal(config, s->config)) {
			json_decref(config);
			continue;
		}
		json_decref(s->config);
		s->config = config;
		int result =
		    station_send(s, json_pack("{s:s, s:O}", "type", "set", "config", config), NULL, 0);
		if (result < 0) log_errno(result, "cannot tell %s its new configuration", s->name);
	}
}
