#include "orchestrator/network/build_sysctl.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

/* The kernel keeps the entries that all namespaces have under one name in /proc/sys/net in one hash chain of
 * each mounted proc: looking one up for the first time walks past those of every namespace seen before, some
 * 45 us a folder with 300 of them. An instance of proc that only this process knows starts empty; making one
 * costs 130 us, so it serves this many. */
enum { NAMESPACES_PER_PROC = 16, VALUE_MAX = 128 };

struct sysctl {
	const char *path;
	const char *value;  /* of a node that ends traffic, NULL: it doesn't matter there */
	const char *router; /* of one that forwards it, NULL: the same */
	bool optional;      /* younger than the kernel floor, or absent from some kernels */
};

static const struct sysctl sysctls[] = {
	/* forwarding: a leaf must not become a path round its router */
	{ "ipv4/ip_forward", "0", "1", false },
	{ "ipv4/conf/default/forwarding", "0", "1", false },
	{ "ipv6/conf/all/disable_ipv6", "0", NULL, false },
	{ "ipv6/conf/default/disable_ipv6", "0", NULL, false },
	{ "ipv6/conf/all/forwarding", "0", "1", false },
	{ "ipv6/conf/default/forwarding", "0", "1", false },
	/* a /32 at the end of an unnumbered link fails any reverse path check */
	{ "ipv4/conf/all/rp_filter", "0", NULL, false },
	{ "ipv4/conf/default/rp_filter", "0", NULL, false },
	/* routes come from the plan and the network agents, from nowhere else: only who forwards can send
	   redirects, and where none are sent nobody has to refuse them */
	{ "ipv4/conf/all/send_redirects", NULL, "0", false },
	{ "ipv4/conf/default/send_redirects", NULL, "0", false },
	/* addresses are only those of the plan: 1 is "none". Without a link-local address nobody sends router
	   advertisements or IPv6 redirects either (RFC 4861, 4.2 and 4.5), so none have to be refused;
	   duplicate address detection isn't done on links without neighbour discovery (NOARP) */
	{ "ipv6/conf/default/addr_gen_mode", "1", NULL, false },
	/* "unreachable" is never withheld; the masks lift the limit over all destinations that is left at
	   rate 0 */
	{ "ipv4/icmp_ratelimit", "0", NULL, false },
	{ "ipv4/icmp_ratemask", "0", NULL, false },
	{ "ipv6/icmp/ratemask", "255", NULL,
	  false }, /* a type that nobody sends: an empty mask can't be written */
	/* classes are DSCPs: answers carry that of what they answer */
	{ "ipv4/tcp_reflect_tos", "1", NULL, true },
	/* many short connections from few addresses */
	{ "ipv4/ip_local_port_range", "1024 65535", NULL, false },
	{ "ipv4/tcp_tw_reuse", "1", NULL, false },
	{ "ipv4/tcp_max_tw_buckets", "262144", NULL, false },
	{ "ipv4/tcp_fin_timeout", "60", NULL, false },
	/* what overflows a server's backlog is answered by cookies, as by default; tcp_max_syn_backlog counts
	   only without them, and net.core.somaxconn is 4096 in every fresh namespace */
	{ "ipv4/tcp_syncookies", "1", NULL, true },
	{ "ipv4/tcp_abort_on_overflow", "0", NULL, false },
	/* a connection learns nothing from earlier ones: a fault's round trips must not outlive it */
	{ "ipv4/tcp_no_metrics_save", "1", NULL, false },
	/* copied from the host: buffers as the kernel ships them */
	{ "ipv4/tcp_rmem", "4096 131072 6291456", NULL, false },
	{ "ipv4/tcp_wmem", "4096 16384 4194304", NULL, false },
	/* the one that every kernel has and lets namespaces choose */
	{ "ipv4/tcp_congestion_control", "reno", NULL, false },
	{ "ipv6/route/max_size", "2147483647", NULL, true }, /* 4096 before Linux 6.3 */
	/* nodes have no privileges */
	{ "ipv4/ip_unprivileged_port_start", "0", NULL, false },
};

_Static_assert(ARRAY_SIZE(sysctls) <= 64, "struct build_sysctls has a bit for each");

static const char *wanted(const struct sysctl *s, bool router)
{
	return router && s->router ? s->router : s->value;
}

/* --- where they are ---------------------------------------------------------------------------------- */

static int open_private_proc(void)
{
	cleanup_close int fs = fsopen("proc", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) return -1;
	cleanup_close int proc = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return proc < 0 ? -1 : openat(proc, "sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* /proc/sys/net for one namespace more. Who may not mount proc uses the machine's. */
static int net_folder(struct build_sysctls *s)
{
	if (s->used++ % NAMESPACES_PER_PROC == 0) {
		if (s->proc >= 0) close(s->proc);
		s->proc = open_private_proc();
	}
	return s->proc >= 0 ? s->proc : s->host;
}

static const char *remedy(int error)
{
	switch (error) {
	case -EROFS:
		return "/proc/sys is read-only here: run the container with --privileged, or "
		       "mount -o remount,rw /proc/sys";
	case -ENOENT:
		return "the kernel lacks it: azlab needs Linux 6.1 or later with IPv4 and IPv6";
	case -EACCES:
	case -EPERM:
		return "run as root";
	default:
		return NULL;
	}
}

int build_sysctls_open(struct build_sysctls *s, struct build_error *e)
{
	*s = (struct build_sysctls)BUILD_SYSCTLS_NONE;
	if ((s->host = open("/proc/sys/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return build_fail(e, errno, "mount /proc", "cannot open /proc/sys/net");
	if (faccessat(s->host, "ipv6/conf/all", F_OK, 0) < 0)
		return build_fail(e, EAFNOSUPPORT,
		                  "boot without ipv6.disable=1, or load the ipv6 module; "
		                  "ipv6.disable_ipv6=1 does no harm",
		                  "this kernel runs without IPv6");
	/* an instance of our own would be writable all the same: what somebody has closed stays closed */
	if (faccessat(s->host, "ipv4/ip_forward", W_OK, 0) < 0)
		return build_fail(e, errno, remedy(-errno), "cannot write to /proc/sys/net");
	return 0;
}

void build_sysctls_close(struct build_sysctls *s)
{
	if (s->host >= 0) close(s->host);
	if (s->proc >= 0) close(s->proc);
	*s = (struct build_sysctls)BUILD_SYSCTLS_NONE;
}

/* --- what they are ----------------------------------------------------------------------------------- */

/* Numbers come parted by tabs, and are set parted by spaces. */
static bool read_sysctl(int net, const struct sysctl *s, char ret[VALUE_MAX])
{
	cleanup_close int fd = openat(net, s->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, VALUE_MAX - 1);

	if (n <= 0) return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	for (char *tab = ret; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	return true;
}

void build_sysctls_learn(struct build_sysctls *s)
{
	int net = net_folder(s);
	char value[VALUE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		const char *leaf = wanted(&sysctls[i], false), *router = wanted(&sysctls[i], true);
		if (!read_sysctl(net, &sysctls[i], value)) continue; /* to write it will tell why */
		s->fresh_leaf |= (uint64_t)(leaf && !strcmp(value, leaf)) << i;
		s->fresh_router |= (uint64_t)!strcmp(value, router) << i;
	}
}

static int write_sysctl(int net, const struct sysctl *s, const char *value)
{
	cleanup_close int fd = openat(net, s->path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, value, strlen(value)) >= 0) return 0;
	return s->optional && errno == ENOENT ? 0 : -errno;
}

int build_sysctls_apply(struct build_sysctls *s, bool router, const char *namespace, struct build_error *e)
{
	const uint64_t fresh = router ? s->fresh_router : s->fresh_leaf;
	int net = net_folder(s);

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		const char *value = wanted(&sysctls[i], router);
		if (!value || fresh >> i & 1) continue;
		int result = write_sysctl(net, &sysctls[i], value);
		if (result < 0)
			return build_fail(e, -result, remedy(result), "cannot set net/%s = %s in '%s'",
			                  sysctls[i].path, value, namespace);
	}
	return 0;
}
