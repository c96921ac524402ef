#include "orchestrator/faults/fault_plane.h"
#include "common/cleanup.h"
#include "fault.skel.h"
#include "orchestrator/faults/fault_addr.h"
#include "orchestrator/faults/fault_attach.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* One namespace with devices of ours. */
struct site {
	unsigned number; /* the caller's */
	struct mnl_socket *rtnl;
	int packet;             /* the delay line sends through it */
	int port_all, port_own; /* port programs; -1 until needed */
};

struct fault_plane {
	struct fault_bpf *skel;
	const struct fault_line *line; /* mapped */
	size_t n_sites;
	struct site sites[FAULT_SITES_MAX];
	int delay_fds[FAULT_SITES_MAX + 2];
	uint64_t on_since[FAULT_RULES_MAX];
	struct fault_rule *rules; /* as defined, FAULT_RULES_MAX of them */
	int n_cpus;
};

/* --- life -------------------------------------------------------------------------------------------- */

static int map_line(struct fault_plane *f)
{
	void *at = mmap(NULL, sizeof(*f->line), PROT_READ, MAP_SHARED, bpf_map__fd(f->skel->maps.line), 0);

	if (at == MAP_FAILED) return -errno;
	f->line = at;
	return 0;
}

/* What libbpf says of a program that the kernel won't verify matters; of a kernel that lets nobody load any
 * it says five lines, for which one will do. */
static char last_words[2048];

static int keep_words(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t used = strlen(last_words);

	if (level == LIBBPF_WARN) vsnprintf(last_words + used, sizeof(last_words) - used, format, args);
	return 0;
}

static bool kernel_refuses(int error)
{
	return error == -EPERM || error == -EACCES || error == -ENOSYS;
}

static int load(struct fault_plane *f, uint64_t seed)
{
	last_words[0] = '\0';
	libbpf_set_print(keep_words);
	if (!(f->skel = fault_bpf__open())) return -errno;
	f->skel->rodata->seed = seed;
	int r = fault_bpf__load(f->skel);
	return r < 0 ? r : map_line(f);
}

int fault_plane_open(uint64_t seed, struct fault_plane **ret, char *error, size_t size)
{
	struct fault_plane *f = calloc(1, sizeof(*f));
	int r = f && (f->rules = calloc(FAULT_RULES_MAX, sizeof(*f->rules))) ? 0 : -ENOMEM;

	if (r == 0) r = load(f, seed);
	if (r < 0) {
		fault_plane_close(f);
		snprintf(error, size,
		         "cannot load the BPF program of faults: %s; `azlab check --host` says what is "
		         "missing%s%s",
		         strerror(-r), kernel_refuses(r) || !last_words[0] ? "" : "\n",
		         kernel_refuses(r) ? "" : last_words);
		return r;
	}
	f->n_cpus = libbpf_num_possible_cpus();
	*ret = f;
	return 0;
}

static void site_release(struct site *s)
{
	if (s->rtnl) mnl_socket_close(s->rtnl);
	if (s->packet >= 0) close(s->packet);
	if (s->port_all >= 0) close(s->port_all);
	if (s->port_own >= 0) close(s->port_own);
}

void fault_plane_close(struct fault_plane *f)
{
	if (!f) return;
	for (size_t i = 0; i < f->n_sites; i++)
		site_release(&f->sites[i]);
	if (f->line) munmap((void *)f->line, sizeof(*f->line));
	fault_bpf__destroy(f->skel);
	free(f->rules);
	free(f);
}

/* --- devices ----------------------------------------------------------------------------------------- */

static int open_packet_socket(int *ret)
{
	cleanup_close int fd =
	    socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: receives nothing */
	const int yes = 1, mark = FAULT_MARK, room = 32 << 20;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

static int open_sockets(struct site *s)
{
	int r = open_packet_socket(&s->packet);

	if (r < 0) return r;
	if (!(s->rtnl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)) ||
	    mnl_socket_bind(s->rtnl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return mnl_socket_setsockopt(s->rtnl, NETLINK_CAP_ACK, &(int){ 1 }, sizeof(int)) < 0 ? -errno : 0;
}

/* Sockets belong to the namespace they were opened in: visit it, and come home. */
static int open_sockets_in(struct site *s, int netns)
{
	cleanup_close int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0 || setns(netns, CLONE_NEWNET) < 0) return -errno;
	int r = open_sockets(s);
	if (setns(home, CLONE_NEWNET) < 0)
		abort(); /* nothing this process does from here on would be right */
	return r;
}

static int site_of(struct fault_plane *f, int netns, unsigned number, struct site **ret)
{
	for (size_t i = 0; i < f->n_sites; i++) {
		*ret = &f->sites[i];
		if ((*ret)->number == number) return 0;
	}
	if (f->n_sites == FAULT_SITES_MAX) return -ENOSPC;
	struct site s = { .number = number, .packet = -1, .port_all = -1, .port_own = -1 };
	int r = open_sockets_in(&s, netns);
	if (r < 0) {
		site_release(&s);
		return r;
	}
	*ret = &f->sites[f->n_sites++];
	**ret = s;
	return 0;
}

/* The site's port program of one kind, loaded when first needed. */
static int port_program(struct fault_plane *f, struct site *s, bool own)
{
	int *fd = own ? &s->port_own : &s->port_all;
	uint32_t where = (uint32_t)(s - f->sites) | (own ? FAULT_PORT_OWN : 0);

	if (*fd < 0) *fd = fault_port_load(bpf_map__fd(f->skel->maps.decision), where);
	return *fd;
}

static int add_own(struct fault_plane *f, const struct plan_addr *own)
{
	struct fault_addr both[] = { fault_addr_v4(own->v4), fault_addr_v6(own->v6) };
	uint8_t present = 1;

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		int r = bpf_map__update_elem(f->skel->maps.own, &both[i], sizeof(both[i]), &present,
		                             sizeof(present), BPF_ANY);
		if (r < 0) return r;
	}
	return 0;
}

static int index_of(const struct site *s, const char *ifname)
{
	struct ifreq name = { 0 };

	if (strlen(ifname) >= sizeof(name.ifr_name)) return -ENAMETOOLONG;
	strcpy(name.ifr_name, ifname);
	return ioctl(s->packet, SIOCGIFINDEX, &name) < 0 ? -errno : name.ifr_ifindex;
}

int fault_plane_attach(struct fault_plane *f, int netns, unsigned number, const char *ifname,
                       const struct plan_addr *own)
{
	struct site *s;
	int ifindex, program, r;

	if ((r = site_of(f, netns, number, &s)) < 0) return r;
	if ((ifindex = index_of(s, ifname)) < 0) return ifindex;
	if (own && (r = add_own(f, own)) < 0) return r;
	if ((program = port_program(f, s, own != NULL)) < 0) return program;
	return fault_port_attach(s->rtnl, (unsigned)ifindex, program);
}

const int *fault_plane_delay_fds(struct fault_plane *f, size_t *n)
{
	*n = 0;
	f->delay_fds[(*n)++] = bpf_map__fd(f->skel->maps.ring);
	f->delay_fds[(*n)++] = bpf_map__fd(f->skel->maps.line);
	for (size_t i = 0; i < f->n_sites; i++)
		f->delay_fds[(*n)++] = f->sites[i].packet;
	return f->delay_fds;
}

/* --- rules ------------------------------------------------------------------------------------------- */

/* Writes the copy that no packet reads, then turns to it with one store. */
static int publish(struct fault_plane *f, unsigned index)
{
	uint64_t bit = UINT64_C(1) << index, second = f->skel->bss->second;
	uint32_t copy = index + (second & bit ? 0 : FAULT_RULES_MAX);
	struct fault_rule *r = &f->rules[index];

	r->on_since = f->on_since[index];
	int result = bpf_map__update_elem(f->skel->maps.rules, &copy, sizeof(copy), r, sizeof(*r), BPF_ANY);
	if (result < 0) return result;
	__atomic_store_n(&f->skel->bss->second, second ^ bit, __ATOMIC_RELEASE);
	return 0;
}

int fault_plane_rule(struct fault_plane *f, unsigned index, const struct fault_rule *r)
{
	if (index >= FAULT_RULES_MAX) return -ENOSPC;
	if (r->from.n > FAULT_PREFIXES_MAX || r->to.n > FAULT_PREFIXES_MAX) return -EINVAL;
	f->rules[index] = *r;
	int result = publish(f, index);
	if (result < 0) return result;
	if (index >= f->skel->bss->n_rules) f->skel->bss->n_rules = index + 1;
	return 0;
}

int fault_plane_switch(struct fault_plane *f, unsigned index, bool on)
{
	if (index >= FAULT_RULES_MAX || index >= f->skel->bss->n_rules) return -ENOENT;
	uint64_t bit = UINT64_C(1) << index, active = f->skel->bss->active;
	if (on == !!(active & bit)) return 0;
	if (on) {
		f->on_since[index] = (uint64_t)mono_now();
		int r = publish(f, index);
		if (r < 0) return r;
	}
	__atomic_store_n(&f->skel->bss->active, active ^ bit, __ATOMIC_RELEASE);
	return 0;
}

/* --- what they did ----------------------------------------------------------------------------------- */

int fault_plane_counters(const struct fault_plane *f, unsigned index, struct fault_counters *ret)
{
	enum { FIELDS = sizeof(struct fault_counters) / sizeof(uint64_t) };
	size_t bytes = (size_t)f->n_cpus * sizeof(struct fault_counters);
	cleanup_free uint64_t *values = calloc((size_t)f->n_cpus, sizeof(struct fault_counters));
	uint64_t sum[FIELDS] = { 0 };

	if (!values) return -ENOMEM;
	if (index >= FAULT_RULES_MAX) return -ENOENT;
	int r = bpf_map__lookup_elem(f->skel->maps.counters, &index, sizeof(index), values, bytes, 0);
	if (r < 0) return r;
	for (size_t i = 0; i < (size_t)f->n_cpus * FIELDS; i++)
		sum[i % FIELDS] += values[i];
	memcpy(ret, sum, sizeof(*ret));
	return 0;
}

uint64_t fault_plane_lost(const struct fault_plane *f)
{
	uint64_t lost = __atomic_load_n(&f->line->lost, __ATOMIC_RELAXED);
	struct fault_counters c;

	for (unsigned i = 0; i < f->skel->bss->n_rules; i++) {
		if (fault_plane_counters(f, i, &c) == 0) lost += c.lost;
	}
	return lost;
}

/* The program's order of a flow's ends. */
static bool end_before(const struct fault_end *x, const struct fault_end *y)
{
	for (int i = 0; i < 2; i++) {
		if (x->addr.word[i] != y->addr.word[i]) return x->addr.word[i] < y->addr.word[i];
	}
	return x->port < y->port;
}

static struct fault_flow_key key_of(const struct fault_flow *flow)
{
	bool v6 = flow->family == AF_INET6;
	struct fault_end src = { .port = flow->sport, .proto = flow->protocol },
	                 dst = { .port = flow->dport, .proto = flow->protocol };

	src.addr = v6 ? fault_addr_v6(flow->src.v6) : fault_addr_v4(flow->src.v4);
	dst.addr = v6 ? fault_addr_v6(flow->dst.v6) : fault_addr_v4(flow->dst.v4);
	return end_before(&src, &dst) ? (struct fault_flow_key){ src, dst }
	                              : (struct fault_flow_key){ dst, src };
}

int fault_plane_blame(const struct fault_plane *f, const struct fault_flow *flow)
{
	struct fault_flow_key key = key_of(flow);
	struct fault_flow_state s;

	int r = bpf_map__lookup_elem(f->skel->maps.flows, &key, sizeof(key), &s, sizeof(s), 0);
	if (r < 0) return r;
	uint64_t guilty = s.dropped ? s.dropped : s.touched;
	if (!guilty || (mono_ns)s.touched_ns < flow->since) return -ENOENT;
	return __builtin_ctzll(guilty);
}
