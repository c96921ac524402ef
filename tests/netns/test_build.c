/* The lab's network against the real kernel: what is built works and looks as planned, what is taken down
 * leaves nothing, and what belongs to others stays. */
#include "tests/netns/test_build_host.h"
#include "tests/netns/test_build_plan.h"
#include "orchestrator/network/build.h"
#include "common/cleanup.h"
#include "common/mono.h"
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

static struct plan *plan;
static char lab[OWN_LAB_MAX + 1];

static int enter_host(void **state)
{
	(void)state;
	test_host_enter();
	plan = test_plan(3);
	snprintf(lab, sizeof(lab), "t%d", getpid());
	return 0;
}

static int free_plan(void **state)
{
	(void)state;
	test_plan_free(plan);
	return 0;
}

static struct build *up(const char *name)
{
	struct build_error e = { "" };
	struct build *b = NULL;

	if (build_up(plan, name, &b, &e) < 0) fail_msg("%s", e.text);
	return b;
}

static void assert_state(const char *before)
{
	cleanup_free char *after = test_host_state();
	assert_string_equal(before, after);
}

/* An address of a node as text; two results are valid at a time. */
static const char *address(const char *node, int family, bool zonal)
{
	static char texts[2][INET6_ADDRSTRLEN];
	static unsigned turn;
	const struct plan_node *n = &plan->nodes[test_find(plan, node)];
	const struct plan_addr *a = zonal ? n->zonal : &n->addr;

	return inet_ntop(family, family == AF_INET ? (const void *)&a->v4 : &a->v6, texts[++turn % 2],
	                 INET6_ADDRSTRLEN);
}

static int ping(const char *from, const char *address, int count, const char *expected)
{
	return sh("timeout 20 ip netns exec %s.%s ping -qc%d -i0.01 -W1 %s | grep -q '%s'", lab, from, count,
	          address, expected);
}

/* One ping is enough: a link that isn't ready when build_up() returns would lose it. */
static void first_packet_arrives(void **state)
{
	struct build *b = up(lab);

	(void)state;
	assert_int_equal(ping("az1.nlb", address("az2.nlb", AF_INET, true), 1, " 0% packet loss"), 0);
	assert_int_equal(ping("az2.nlb", address("az3.nlb", AF_INET6, true), 1, " 0% packet loss"), 0);
	assert_int_equal(
	    ping("internet.client-1", address("az3.checker", AF_INET, false), 1, " 0% packet loss"), 0);
	assert_int_equal(
	    ping("region.az-failover", address("internet.client-1", AF_INET6, false), 1, " 0% packet loss"),
	    0);
	build_down(b);
}

static void instance_is_unreachable_without_its_route(void **state)
{
	struct build *b = up(lab);

	(void)state;
	/* IPv6 errors have no limit left; IPv4's to one source have the kernel's fixed one (burst of 5,
	 * docs/network.md) */
	assert_int_equal(ping("az1.nlb", address("az1.shop-1", AF_INET, false), 5, "+5 errors"), 0);
	assert_int_equal(ping("az1.nlb", address("az1.shop-1", AF_INET6, false), 200, "+200 errors"), 0);
	assert_int_equal(
	    sh("ip -n %s.az1 route add %s/32 dev shop-1", lab, address("az1.shop-1", AF_INET, false)), 0);
	assert_int_equal(ping("az1.nlb", address("az1.shop-1", AF_INET, false), 1, " 0% packet loss"), 0);
	build_down(b);
}

static void sources_are_the_nodes_own(void **state)
{
	struct build *b = up(lab);

	(void)state;
	assert_int_equal(sh("ip -n %s.az1.nlb route get %s | grep -q 'src %s '", lab,
	                    address("az2.nlb", AF_INET, false), address("az1.nlb", AF_INET, false)),
	                 0);
	/* by RFC 6724 alone it would be the zonal address, which is likest to itself in another zone */
	assert_int_equal(sh("ip -n %s.az1.nlb route get %s | grep -q 'src %s '", lab,
	                    address("az2.nlb", AF_INET6, true), address("az1.nlb", AF_INET6, false)),
	                 0);
	build_down(b);
}

static void expect_sysctl(const char *node, const char *path, const char *value)
{
	if (sh("test \"$(ip netns exec %s.%s cat /proc/sys/net/%s)\" = '%s'", lab, node, path, value))
		fail_msg("%s in %s isn't %s", path, node, value);
}

/* Also that what was found in the first namespace, a forwarding one, was rightly expected of all the others.
 */
static void sysctls_do_not_come_from_the_host(void **state)
{
	static const char *const everywhere[][2] = {
		{ "ipv4/conf/all/rp_filter", "0" },
		{ "ipv4/conf/lo/rp_filter", "0" },
		{ "ipv4/icmp_ratelimit", "0" },
		{ "ipv4/icmp_ratemask", "0" },
		{ "ipv6/icmp/ratemask", "255" },
		{ "ipv6/conf/all/disable_ipv6", "0" },
		{ "ipv4/tcp_reflect_tos", "1" },
		{ "ipv4/ip_local_port_range", "1024\t65535" },
		{ "ipv4/tcp_tw_reuse", "1" },
		{ "ipv4/tcp_congestion_control", "reno" },
		{ "ipv4/tcp_rmem", "4096\t131072\t6291456" },
		{ "ipv4/tcp_wmem", "4096\t16384\t4194304" },
		{ "ipv4/ip_unprivileged_port_start", "0" },
	};
	static const char *const leaves[] = { "az1.nlb", "az1.shop-1", "az3.shop-3", "internet.client-1" };
	static const char *const routers[] = { "backbone", "az1", "az3" };
	/* what new namespaces copy: these are read from the host's own ("init") namespace, and from the
	   maker's where the kernel is told so */
	assert_int_equal(
	    sh("cd /proc/sys/net/ipv4 && echo 1 >conf/all/rp_filter && echo 2 >conf/default/rp_filter"
	       " && echo 1 >ip_forward && echo 1 >../ipv6/conf/default/disable_ipv6"
	       " && echo '4096 16384 65536' >tcp_wmem && echo 1 >icmp_ratemask"),
	    0);
	struct build *b = up(lab);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(everywhere); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(leaves); k++)
			expect_sysctl(leaves[k], everywhere[i][0], everywhere[i][1]);
		for (size_t k = 0; k < ARRAY_SIZE(routers); k++)
			expect_sysctl(routers[k], everywhere[i][0], everywhere[i][1]);
	}
	for (size_t k = 0; k < ARRAY_SIZE(leaves); k++) {
		expect_sysctl(leaves[k], "ipv4/ip_forward", "0");
		expect_sysctl(leaves[k], "ipv4/conf/eth0/forwarding", "0");
		expect_sysctl(leaves[k], "ipv4/conf/eth0/rp_filter", "0");
		expect_sysctl(leaves[k], "ipv6/conf/eth0/forwarding", "0");
		expect_sysctl(leaves[k], "ipv6/conf/eth0/disable_ipv6", "0");
	}
	for (size_t k = 0; k < ARRAY_SIZE(routers); k++) {
		expect_sysctl(routers[k], "ipv4/ip_forward", "1");
		expect_sysctl(routers[k], "ipv6/conf/all/forwarding", "1");
		expect_sysctl(routers[k], "ipv4/conf/all/send_redirects", "0");
		expect_sysctl(routers[k], "ipv4/conf/default/send_redirects", "0");
	}
	expect_sysctl("az1", "ipv6/conf/backbone/forwarding", "1");
	build_down(b);
}

static void resolver_files(void **state)
{
	struct build *b = up(lab);

	(void)state;
	assert_int_equal(sh("ip netns exec %s.az2.shop-1 grep -q '^nameserver %s$' /etc/resolv.conf", lab,
	                    address("az2.resolver", AF_INET, false)),
	                 0);
	assert_int_equal(sh("ip netns exec %s.region.az-failover grep -q '^nameserver %s$' /etc/resolv.conf",
	                    lab, address("internet.resolver", AF_INET, false)),
	                 0);
	assert_int_equal(
	    sh("ip netns exec %s.az2.shop-1 grep -q '^hosts: files dns$' /etc/nsswitch.conf", lab), 0);
	build_down(b);
}

static void down_leaves_the_host_as_it_was(void **state)
{
	cleanup_free char *before = test_host_state();

	(void)state;
	build_down(up(lab));
	assert_state(before);
}

static void what_others_put_beside_stays(void **state)
{
	struct build *b = up(lab);

	(void)state;
	assert_int_equal(sh("ip netns add guest%s && mkdir /etc/netns/guest%s", lab, lab), 0);
	build_down(b);
	assert_int_equal(sh("ip netns exec guest%s true && ip netns del guest%s && rmdir /etc/netns/guest%s",
	                    lab, lab, lab),
	                 0);
	assert_int_equal(sh("umount /run/netns && rmdir /run/netns /etc/netns"), 0);
}

/* The host's monitor sees the address before and the one after, and nothing between. */
static void no_link_event_reaches_the_host(void **state)
{
	static const char wait[] =
	    "i=0; until grep -q '%s' /run/events || test $i = 500; do i=$((i+1)); %s; sleep 0.01; done;"
	    " test $i != 500";

	(void)state;
	assert_int_equal(
	    sh("ip monitor link address route >/run/events 2>&1 </dev/null & echo $! >/run/monitor"), 0);
	assert_int_equal(
	    sh(wait, "192.0.2.1", "ip addr add 192.0.2.1/32 dev lo; ip addr del 192.0.2.1/32 dev lo"), 0);
	assert_int_equal(sh("ip addr add 192.0.2.2/32 dev lo"), 0);
	build_down(up(lab));
	assert_int_equal(sh("ip addr del 192.0.2.2/32 dev lo"), 0);
	assert_int_equal(sh(wait, "Deleted.*192.0.2.2/32", "true"), 0);
	cleanup_free char *seen = sh_output("grep -cE '@if|veth|link/ether|eth0|netns' /run/events");
	sh("kill $(cat /run/monitor); rm /run/monitor /run/events");
	assert_string_equal(seen, "0\n");
}

static void two_labs_with_the_same_addresses(void **state)
{
	cleanup_free char *before = test_host_state();
	struct own_lab *labs;
	struct build_error e;
	size_t n;

	(void)state;
	struct build *a = up("one"), *b = up("two");
	assert_int_equal(
	    sh("ip netns exec one.az1.nlb ping -qc1 -W1 %s >/dev/null", address("az2.nlb", AF_INET, true)),
	    0);
	assert_int_equal(own_labs(&labs, &n, &e), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_true(labs[i].alive);
		assert_int_equal(labs[i].pid, getpid());
	}
	free(labs);
	build_down(a);
	assert_int_equal(own_clean(NULL, &e), 0);
	assert_int_equal(
	    sh("ip netns exec two.az1.nlb ping -qc1 -W1 %s >/dev/null", address("az2.nlb", AF_INET, true)),
	    0);
	build_down(b);
	assert_state(before);
}

static void a_name_is_claimed_once(void **state)
{
	struct build *b = up(lab), *second = NULL;
	struct build_error e;

	(void)state;
	assert_int_equal(build_up(plan, lab, &second, &e), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(e.text, lab));
	assert_int_equal(ping("az1.nlb", address("az2.nlb", AF_INET, true), 1, " 0% packet loss"), 0);
	build_down(b);
	assert_int_equal(build_up(plan, "a.b", &second, &e), -EINVAL);
	assert_int_equal(build_up(plan, "../x", &second, &e), -EINVAL);
}

static void a_foreign_namespace_is_an_error_before_anything_is_made(void **state)
{
	struct build *b = NULL;
	struct build_error e;

	(void)state;
	assert_int_equal(sh("ip netns add %s.az3.shop-2 && mkdir /etc/netns", lab), 0);
	cleanup_free char *before = test_host_state();
	assert_int_equal(build_up(plan, lab, &b, &e), -EEXIST);
	assert_non_null(strstr(e.text, "az3.shop-2"));
	assert_state(before);
	assert_int_equal(
	    sh("ip netns del %s.az3.shop-2 && umount /run/netns && rmdir /run/netns /etc/netns", lab), 0);
}

static void a_build_that_fails_halfway_leaves_nothing(void **state)
{
	cleanup_free char *before = test_host_state();
	size_t last = test_find(plan, "az3.shop-3");
	char name[PLAN_IFNAME_MAX];
	struct build *b = NULL;
	struct build_error e;

	(void)state;
	memcpy(name, plan->nodes[last].ifname, sizeof(name));
	strcpy(plan->nodes[last].ifname, "shop-2"); /* taken already */
	assert_int_equal(build_up(plan, lab, &b, &e), -EEXIST);
	assert_non_null(strstr(e.text, "az3.shop-3"));
	memcpy(plan->nodes[last].ifname, name, sizeof(name));
	assert_state(before);
}

static bool link_gone(const char *router, const char *link)
{
	const mono_ns deadline = mono_now() + 5 * NS_PER_S;

	while (mono_now() < deadline)
		if (sh("ip -n %s.%s link show %s >/dev/null 2>&1", lab, router, link)) return true;
	return false;
}

static void launch_and_remove(void **state)
{
	struct build *b = up(lab);
	size_t node;
	struct build_error e;

	(void)state;
	assert_int_equal(plan_launch(plan, 0, 1, &node), 0);
	const char *name = plan->nodes[node].name, *ifname = plan->nodes[node].ifname;
	if (build_launch(b, plan, node, &e) < 0) fail_msg("%s", e.text);
	assert_int_equal(build_launch(b, plan, node, &e), -EINVAL);
	assert_int_equal(
	    sh("ip -n %s.az2 route add %s/32 dev %s", lab, address(name, AF_INET, false), ifname), 0);
	assert_int_equal(ping("internet.client-1", address(name, AF_INET, false), 1, " 0% packet loss"), 0);
	assert_true(build_netns_fd(b, node) >= 0);
	assert_int_equal(build_remove(b, node), 0);
	assert_int_equal(build_remove(b, node), -ENOENT);
	assert_int_equal(build_netns_fd(b, node), -ENOENT);
	assert_int_equal(sh("test ! -e /run/netns/%s.%s -a ! -e /etc/netns/%s.%s", lab, name, lab, name), 0);
	assert_true(link_gone("az2", ifname));
	build_down(b);
}

static int up_and_launch(struct build_error *e)
{
	struct build *b = NULL;
	size_t node;
	int result;

	if (unshare(CLONE_NEWPID) < 0) return -errno;
	if ((result = build_up(plan, lab, &b, e)) == 0 && (result = plan_launch(plan, 0, 1, &node)) == 0)
		result = build_launch(b, plan, node, e);
	build_down(b);
	return result;
}

/* A lab's nodes live in a PID namespace of their own; while its orchestrator's children are born into that,
 * the kernel refuses it threads. */
static void builds_without_threads_too(void **state)
{
	cleanup_free char *before = test_host_state();
	struct build_error e = { "" };
	int status;

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		int result = up_and_launch(&e);
		if (result < 0) fprintf(stderr, "%s\n", *e.text ? e.text : strerror(-result));
		_exit(result < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_state(before);
}

static int read_namespace(void *arg)
{
	return readlink("/proc/thread-self/ns/net", arg, 63) < 0 ? -errno : 7;
}

static void comes_home(void **state)
{
	char before[64] = "", inside[64] = "", after[64] = "";
	struct build *b = up(lab);

	(void)state;
	read_namespace(before);
	assert_int_equal(build_in_netns(b, test_find(plan, "az1"), read_namespace, inside), 7);
	read_namespace(after);
	assert_string_equal(before, after);
	assert_string_not_equal(before, inside);
	assert_int_equal(build_in_netns(b, plan->n_nodes, read_namespace, inside), -ENOENT);
	build_down(b);
}

static int up_on_readonly_sysctls(struct build_error *e)
{
	struct build *b;

	if (unshare(CLONE_NEWNS) < 0 || mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return 0;
	return build_up(plan, lab, &b, e);
}

static void readonly_sysctls_are_explained(void **state)
{
	struct build_error e = { "" };
	int status;

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		int result = up_on_readonly_sysctls(&e);
		_exit(result == -EROFS && strstr(e.text, "--privileged") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void host_check_says_yes_where_the_lab_runs(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	build_check_host(out);
	fclose(out);
	assert_non_null(strstr(text, "yes      network namespaces"));
	assert_non_null(strstr(text, "yes      veth links"));
	assert_non_null(strstr(text, "yes      BPF on links"));
	assert_non_null(strstr(text, "yes      azlab's fault program"));
	assert_non_null(strstr(text, "yes      azlab's load balancer program"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_packet_arrives),
		cmocka_unit_test(instance_is_unreachable_without_its_route),
		cmocka_unit_test(sources_are_the_nodes_own),
		cmocka_unit_test(resolver_files),
		cmocka_unit_test(down_leaves_the_host_as_it_was),
		cmocka_unit_test(what_others_put_beside_stays),
		cmocka_unit_test(no_link_event_reaches_the_host),
		cmocka_unit_test(two_labs_with_the_same_addresses),
		cmocka_unit_test(a_name_is_claimed_once),
		cmocka_unit_test(a_foreign_namespace_is_an_error_before_anything_is_made),
		cmocka_unit_test(a_build_that_fails_halfway_leaves_nothing),
		cmocka_unit_test(launch_and_remove),
		cmocka_unit_test(builds_without_threads_too),
		cmocka_unit_test(comes_home),
		cmocka_unit_test(readonly_sysctls_are_explained),
		cmocka_unit_test(host_check_says_yes_where_the_lab_runs),
		cmocka_unit_test(sysctls_do_not_come_from_the_host), /* last: it changes the host's */
	};
	return cmocka_run_group_tests_name("build", tests, enter_host, free_plan);
}
