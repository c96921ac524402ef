/* SIGKILL at any instant of up and down: what is left is removed to the last name, and nothing else is. */
#include "tests/netns/test_build_host.h"
#include "tests/netns/test_build_plan.h"
#include "orchestrator/network/build.h"
#include "common/cleanup.h"
#include "common/mono.h"
#include "common/random.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { KILLS = 30 };

static struct plan *plan;

static int enter_host(void **state)
{
	(void)state;
	test_host_enter();
	plan = test_plan(3);
	return 0;
}

static int free_plan(void **state)
{
	(void)state;
	test_plan_free(plan);
	return 0;
}

static void clean(int labs)
{
	struct build_error e = { "" };
	int cleaned = own_clean(NULL, &e);

	if (cleaned < 0) fail_msg("%s", e.text);
	if (labs >= 0) assert_int_equal(cleaned, labs);
}

/* Builds in a child; when `told` is not -1, writes a byte there when the lab is up and waits to be killed. */
static pid_t start_child(const char *lab, int told)
{
	struct build *b;
	struct build_error e;
	pid_t child = fork();

	if (child != 0) return child;
	if (build_up(plan, lab, &b, &e) < 0) _exit(1);
	if (told >= 0) {
		if (write(told, "u", 1) != 1) _exit(2);
		for (;;)
			pause();
	}
	build_down(b);
	_exit(0);
}

static void kill_child(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

/* A lab left by a process that was killed when it was up. */
static void leave_dead_lab(const char *lab)
{
	int told[2];
	char byte;

	assert_int_equal(pipe(told), 0);
	pid_t child = start_child(lab, told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	kill_child(child);
	close(told[0]);
	close(told[1]);
}

static mono_ns whole_life(void)
{
	const mono_ns begin = mono_now();
	int status;

	assert_int_equal(waitpid(start_child("life", -1), &status, 0) > 0, 1);
	assert_int_equal(status, 0);
	return mono_now() - begin;
}

static void killed_at_random_moments(void **state)
{
	cleanup_free char *before = test_host_state();
	struct random random = random_of(1, "kills");
	mono_ns life = whole_life();

	(void)state;
	for (int i = 0; i < KILLS; i++) {
		mono_ns at = (mono_ns)(random_unit(&random) * (double)life);
		pid_t child = start_child("doomed", -1);
		nanosleep(&(struct timespec){ .tv_nsec = at % NS_PER_S }, NULL);
		kill_child(child);
		clean(-1);
		cleanup_free char *after = test_host_state();
		if (strcmp(before, after) != 0)
			fail_msg("killed after %.2f ms: the host isn't as it was", (double)at / 1e6);
	}
}

static void the_next_up_cleans(void **state)
{
	cleanup_free char *before = test_host_state();
	struct build_error e = { "" };
	struct build *b = NULL;

	(void)state;
	leave_dead_lab("doomed");
	if (build_up(plan, "doomed", &b, &e) < 0) fail_msg("%s", e.text);
	build_down(b);
	cleanup_free char *after = test_host_state();
	assert_string_equal(before, after);
}

static void dead_labs_are_listed(void **state)
{
	struct build_error e = { "" };
	struct own_lab *labs = NULL;
	size_t n;

	(void)state;
	leave_dead_lab("doomed");
	assert_int_equal(own_labs(&labs, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(labs[0].name, "doomed");
	assert_false(labs[0].alive);
	free(labs);
	clean(1);
}

static void what_others_put_in_its_place_stays(void **state)
{
	(void)state;
	leave_dead_lab("doomed");
	/* somebody else's namespace under a name of ours, which likely even has the old one's inode number */
	assert_int_equal(sh("ip netns del doomed.az1.nlb && ip netns add doomed.az1.nlb"), 0);
	/* a symbolic link where our folder was, to files named like ours; a file of the user's in another
	 * folder */
	assert_int_equal(
	    sh("cp -a /etc/netns/doomed.az2.nlb /run/precious && rm -r /etc/netns/doomed.az2.nlb &&"
	       " ln -s /run/precious /etc/netns/doomed.az2.nlb && touch /etc/netns/doomed.az3.nlb/hosts"),
	    0);
	/* an ordinary file under another name */
	assert_int_equal(sh("ip netns del doomed.az3 && echo mine >/run/netns/doomed.az3"), 0);
	clean(1);
	assert_int_equal(sh("ip netns exec doomed.az1.nlb true && test -L /etc/netns/doomed.az2.nlb &&"
	                    " test -e /run/precious/resolv.conf -a -e /run/precious/nsswitch.conf &&"
	                    " test -e /etc/netns/doomed.az3.nlb/hosts && grep -q mine /run/netns/doomed.az3"),
	                 0);
	assert_int_equal(
	    sh("test $(ls /run/netns | wc -l) = 2 -a $(ls /etc/netns | wc -l) = 2 -a ! -e /run/azlab"), 0);
	assert_int_equal(sh("ip netns del doomed.az1.nlb; rm -r /run/netns/* /etc/netns /run/precious;"
	                    " umount /run/netns && rmdir /run/netns"),
	                 0);
}

static void a_living_lab_is_never_cleaned(void **state)
{
	cleanup_free char *before = test_host_state();
	struct build_error e = { "" };
	struct build *b = NULL;

	(void)state;
	if (build_up(plan, "living", &b, &e) < 0) fail_msg("%s", e.text);
	leave_dead_lab("doomed");
	clean(1);
	clean(0);
	assert_int_equal(sh("ip netns exec living.az1.nlb true && test ! -e /run/netns/doomed.az1.nlb"), 0);
	build_down(b);
	cleanup_free char *after = test_host_state();
	assert_string_equal(before, after);
}

static void folders_from_before_a_reboot(void **state)
{
	(void)state;
	leave_dead_lab("doomed");
	/* a reboot empties /run and leaves /etc */
	assert_int_equal(sh("umount -l /run/netns/*; umount /run/netns && rm -r /run/netns /run/azlab"), 0);
	assert_int_equal(sh("mkdir /etc/netns/doomed.guest && echo nameserver 192.0.2.1 "
	                    ">/etc/netns/doomed.guest/resolv.conf"),
	                 0);
	clean(0);
	assert_int_equal(sh("test \"$(ls /etc/netns)\" = doomed.guest && rm -r /etc/netns"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_random_moments),
		cmocka_unit_test(the_next_up_cleans),
		cmocka_unit_test(dead_labs_are_listed),
		cmocka_unit_test(what_others_put_in_its_place_stays),
		cmocka_unit_test(a_living_lab_is_never_cleaned),
		cmocka_unit_test(folders_from_before_a_reboot),
	};
	return cmocka_run_group_tests_name("build_kill", tests, enter_host, free_plan);
}
