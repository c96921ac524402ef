/* What `azlab check --host` asks the machine. A probe tries the very thing, in a child process and in a
 * network namespace of its own where it needs one, so that nothing remains of it. */
#include "orchestrator/network/build.h"
#include "orchestrator/network/netlink.h"
#include "orchestrator/network/netns.h"
#include "common/cleanup.h"
#include "fault.skel.h"
#include "nlb.h"
#include "nlb.skel.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* Probes return 0 or -errno. */
static int probe_capabilities(void)
{
	static const cap_value_t needed[] = { CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW,    CAP_SETUID,
		                              CAP_SETGID,    CAP_SETPCAP,   CAP_SYS_PTRACE, CAP_KILL };
	cap_t caps = cap_get_proc();
	cap_flag_value_t has;
	int result = caps ? 0 : -errno;

	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(needed); i++)
		if (cap_get_flag(caps, needed[i], CAP_EFFECTIVE, &has) < 0 || has != CAP_SET) result = -EPERM;
	cap_free(caps);
	return result;
}

static int probe_kernel(void)
{
	struct utsname u;
	unsigned major, minor;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2) return -EINVAL;
	return major > 6 || (major == 6 && minor >= 1) ? 0 : -ENOSYS;
}

static int probe_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) < 0 ? -errno : 0;
}

static int probe_ipv6(void)
{
	return access("/proc/sys/net/ipv6/conf/all", F_OK) < 0 ? -errno : 0;
}

static int probe_namespace(void)
{
	return 0; /* being called in one is the proof */
}

static int probe_sysctl(void)
{
	cleanup_close int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "1", 1) < 0 ? -errno : 0;
}

static int probe_veth(void)
{
	struct netlink_batch b = { .socket = netlink_open() };
	struct ifinfomsg *link;
	struct nlmsghdr *m;
	int result;

	if (b.socket < 0) return b.socket;
	result =
	    netlink_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, sizeof(*link), &m, (void **)&link);
	if (result < 0) return result;
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(m, info);
	return netlink_flush(&b);
}

/* A program that lets every packet pass: r0 = TC_ACT_OK; exit. */
static int load_program(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "azlab_check", "GPL", pass, ARRAY_SIZE(pass), NULL);
	return fd < 0 ? -errno : fd;
}

static int probe_bpf(void)
{
	int fd = load_program();
	return fd < 0 ? fd : 0;
}

static int probe_clsact(void)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = 1, .attach_point = BPF_TC_EGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = load_program());
	int result;

	if (opts.prog_fd < 0) return opts.prog_fd;
	if ((result = bpf_tc_hook_create(&hook)) < 0) return result;
	return bpf_tc_attach(&hook, &opts);
}

static int probe_ringbuf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "azlab_check", 0, 0, 65536, NULL);
	return fd < 0 ? -errno : 0;
}

/* The programs themselves: each kernel's verifier draws its own line. */
static int probe_fault_program(void)
{
	return fault_bpf__open_and_load() ? 0 : -errno;
}

static int probe_nlb_program(void)
{
	return nlb_bpf__open_and_load() ? 0 : -errno;
}

static int probe_run(void)
{
	return access("/run", W_OK) < 0 ? -errno : 0;
}

static int probe_etc(void)
{
	return access("/etc", W_OK) < 0 ? -errno : 0;
}

static int find_program(const char *name)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0) return 0;
	}
	return -ENOENT;
}

static int probe_knot(void)
{
	return find_program("knotd");
}

static int probe_unbound(void)
{
	return find_program("unbound");
}

static int probe_capture(void)
{
	return find_program("dumpcap") == 0 ? 0 : find_program("tcpdump");
}

enum needs { NEEDS_NOTHING, NEEDS_ROOT, NEEDS_NAMESPACE };

static const struct prerequisite {
	const char *name;
	enum needs needs;
	int (*probe)(void);
	const char *remedy;
} prerequisites[] = {
	{ "root privileges", NEEDS_NOTHING, probe_capabilities,
	  "run with sudo; a container needs --privileged" },
	{ "Linux 6.1 or later", NEEDS_NOTHING, probe_kernel, "boot a newer kernel (Debian 12 has 6.1)" },
	{ "IPv6", NEEDS_NOTHING, probe_ipv6, "boot without ipv6.disable=1, or load the ipv6 module" },
	{ "kernel type information (BTF)", NEEDS_NOTHING, probe_btf,
	  "use a kernel with CONFIG_DEBUG_INFO_BTF=y" },
	{ "knotd", NEEDS_NOTHING, probe_knot,
	  "apt install knot (keep its service from starting: policy-rc.d)" },
	{ "unbound", NEEDS_NOTHING, probe_unbound,
	  "apt install unbound (keep its service from starting: policy-rc.d)" },
	{ "dumpcap or tcpdump", NEEDS_NOTHING, probe_capture, "apt install wireshark-common or tcpdump" },
	{ "writable /run", NEEDS_ROOT, probe_run,
	  "azlab names its namespaces in /run/netns: mount a tmpfs on /run" },
	{ "writable /etc", NEEDS_ROOT, probe_etc,
	  "azlab puts resolver configurations into /etc/netns: mount / read-write" },
	{ "network namespaces", NEEDS_NAMESPACE, probe_namespace,
	  "use a kernel with CONFIG_NET_NS=y; a container needs --privileged" },
	{ "writable /proc/sys/net", NEEDS_NAMESPACE, probe_sysctl,
	  "run the container with --privileged, or mount -o remount,rw /proc/sys" },
	{ "veth links", NEEDS_NAMESPACE, probe_veth,
	  "modprobe veth; a container can't load it, its host must" },
	{ "BPF programs", NEEDS_ROOT, probe_bpf,
	  "use a kernel with CONFIG_BPF_SYSCALL=y; a container needs --privileged" },
	{ "BPF ring buffers", NEEDS_ROOT, probe_ringbuf,
	  "use Linux 5.8 or later; raise ulimit -l in a container" },
	{ "azlab's fault program", NEEDS_ROOT, probe_fault_program,
	  "if BPF programs are fine, this kernel's verifier refuses this one: report its version" },
	{ "azlab's load balancer program", NEEDS_ROOT, probe_nlb_program,
	  "if BPF programs are fine, this kernel's verifier refuses this one: report its version" },
	{ "BPF on links (clsact, cls_bpf)", NEEDS_NAMESPACE, probe_clsact,
	  "modprobe sch_ingress cls_bpf; the kernel needs CONFIG_NET_CLS_ACT=y" },
};

/* Runs the probe in a child: what it makes goes with it. */
static int run_probe(const struct prerequisite *p)
{
	int status;
	pid_t child = fork();

	if (child < 0) return -errno;
	if (child == 0) {
		libbpf_set_print(NULL);
		int result = p->needs == NEEDS_NAMESPACE ? netns_new() : 0;
		_exit(result < 0 ? -result : -p->probe());
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static bool check_one(const struct prerequisite *p, FILE *out)
{
	if (p->needs != NEEDS_NOTHING && geteuid() != 0) {
		fprintf(out, "unknown  %s: only root can find out\n", p->name);
		return true;
	}
	int result = run_probe(p);
	if (result == 0)
		fprintf(out, "yes      %s\n", p->name);
	else
		fprintf(out, "no       %s (%s): %s\n", p->name, strerror(-result), p->remedy);
	return result == 0;
}

int build_check_host(FILE *out)
{
	int missing = 0;

	fflush(NULL); /* or the children would write what is buffered once more */
	for (size_t i = 0; i < ARRAY_SIZE(prerequisites); i++)
		missing += !check_one(&prerequisites[i], out);
	return missing;
}
