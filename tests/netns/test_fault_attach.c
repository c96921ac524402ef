/* What the fault program costs at bring-up, and that nothing of it outlives its namespaces. */
#include "tests/netns/faultnet.h"
#include "common/node.h"
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { DEVICES = 300 };

/* How long RCU takes to see every CPU pass by: what the removal of one link costs. The shortest of five. */
static mono_ns grace_period(void)
{
	mono_ns least = MONO_NEVER;

	for (int i = 0; i < 5; i++) {
		mono_ns begun = mono_now();
		assert_return_code(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), errno);
		mono_ns took = mono_now() - begun;
		if (took < least) least = took;
	}
	return least;
}

/* A grace period each would make that 300 of them. */
static void three_hundred_devices_attach_without_waiting_for_rcu(void **state)
{
	int ns = testnet_new();
	struct fault_plane *plane;
	char why[256], name[16];
	(void)state;

	testnet_run(ns,
	            "for i in $(seq 0 2 %d); do echo link add d$i type veth peer name d$((i + 1)); done | ip "
	            "-batch -",
	            DEVICES - 1);
	mono_ns start = mono_now();
	assert_int_equal(fault_plane_open(1, &plane, why, sizeof(why)), 0);
	mono_ns loaded = mono_now();
	for (int i = 0; i < DEVICES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(fault_plane_attach(plane, ns, 1, name, NULL), 0);
	}
	mono_ns attached = mono_now(), grace = grace_period();
	print_message("# loaded in %.1f ms, %d devices attached in %.1f ms; a grace period: %.1f ms\n",
	              mono_ms(loaded - start), DEVICES, mono_ms(attached - loaded), mono_ms(grace));
	assert_true(attached - loaded < DEVICES * grace / 3);
	fault_plane_close(plane);
	close(ns);
}

/* 64 zones and the backbone; one more is refused with a reason, and what is there goes on working. */
static void as_many_namespaces_as_a_topology_may_have(void **state)
{
	struct faultnet f = faultnet_new(1);
	size_t n;
	(void)state;

	for (unsigned i = 0; i < FAULT_SITES_MAX; i++) {
		int r = fault_plane_attach(f.plane, f.router, 1000 + i, "lo", NULL);
		assert_int_equal(r, i == 0 ? 0 : i < FAULT_SITES_MAX - 1 ? -EEXIST : -ENOSPC);
	}
	fault_plane_delay_fds(f.plane, &n);
	assert_int_equal(n, FAULT_SITES_MAX + 2);
	assert_true(n <= NODE_FDS_MAX);
	faultnet_free(&f);
}

static void bad_rules_are_refused(void **state)
{
	struct faultnet f = faultnet_new(1);
	struct fault_rule r = { .drop = 1 };
	struct fault_counters c;
	(void)state;

	assert_int_equal(fault_plane_switch(f.plane, 0, true), -ENOENT);
	assert_int_equal(fault_plane_rule(f.plane, FAULT_RULES_MAX, &r), -ENOSPC);
	assert_int_equal(fault_plane_counters(f.plane, FAULT_RULES_MAX, &c), -ENOENT);
	r.to.n = FAULT_PREFIXES_MAX + 1;
	assert_int_equal(fault_plane_rule(f.plane, 0, &r), -EINVAL);
	r.to.n = FAULT_PREFIXES_MAX;
	assert_int_equal(fault_plane_rule(f.plane, FAULT_RULES_MAX - 1, &r), 0);
	assert_int_equal(fault_plane_switch(f.plane, FAULT_RULES_MAX - 1, true), 0);
	assert_int_equal(fault_plane_switch(f.plane, FAULT_RULES_MAX - 1, true), 0);
	assert_int_equal(fault_plane_attach(f.plane, f.router, 7, "none", NULL), -ENODEV);
	assert_int_equal(fault_plane_attach(f.plane, f.router, 7, "a-name-that-is-too-long", NULL),
	                 -ENAMETOOLONG);
	faultnet_free(&f);
}

/* The caller is in its own namespace after each visit. */
static void attaching_leaves_the_thread_at_home(void **state)
{
	struct stat before, after;
	(void)state;

	assert_int_equal(stat("/proc/thread-self/ns/net", &before), 0);
	struct faultnet f = faultnet_new(1);
	assert_int_equal(stat("/proc/thread-self/ns/net", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	faultnet_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_hundred_devices_attach_without_waiting_for_rcu),
		cmocka_unit_test(as_many_namespaces_as_a_topology_may_have),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(attaching_leaves_the_thread_at_home),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
