#include "tests/netns/testnet.h"
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int testnet_home(void)
{
	static int home = -1;
	if (home < 0 && (home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
		die("/proc/self/ns/net");
	return home;
}

void testnet_enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0) die("setns");
}

void testnet_run(int ns, const char *format, ...)
{
	char command[2048];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	pid_t child = fork();
	if (child < 0) die("fork");
	if (child == 0) {
		testnet_enter(ns);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (waitpid(child, &status, 0) < 0) die("waitpid");
	if (status) {
		fprintf(stderr, "testnet: status %d from: %s\n", status, command);
		exit(1);
	}
}

int testnet_new(void)
{
	int home = testnet_home();

	if (unshare(CLONE_NEWNET) < 0) die("unshare");
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0) die("/proc/self/ns/net");
	testnet_enter(home);
	testnet_run(ns, "ip link set lo up && cd /proc/sys/net && for f in all default; do"
	                " echo 0 >ipv4/conf/$f/rp_filter; echo 1 >ipv4/conf/$f/forwarding;"
	                " echo 0 >ipv6/conf/$f/disable_ipv6; echo 0 >ipv6/conf/$f/accept_dad;"
	                " echo 1 >ipv6/conf/$f/forwarding; done;"
	                " echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit");
	return ns;
}

void testnet_link(int ns_a, const char *name_a, int ns_b, const char *name_b)
{
	static unsigned links;
	unsigned n = ++links;

	testnet_run(ns_a,
	            "ip link add %s address 02:00:00:00:%02x:%02x type veth"
	            " peer name %s address 02:00:00:00:%02x:%02x netns /proc/%d/fd/%d",
	            name_a, n >> 8, n & 255, name_b, n >> 8, n & 255, getpid(), ns_b);
	testnet_run(ns_a, "ip link set dev %s addrgenmode none arp off up", name_a);
	testnet_run(ns_b, "ip link set dev %s addrgenmode none arp off up", name_b);
}
