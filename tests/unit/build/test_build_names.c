/* What of the network's building needs no kernel: lab names, resolver files, error lines. */
#include "orchestrator/network/build_etc.h"
#include "common/cleanup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void lab_names(void **state)
{
	static const char *const good[] = { "a", "az-thrash", "Lab_2", "12345678901234567890123456789012" };
	static const char *const bad[] = {
		"",   ".",   "..",       "a.b", "a/b",
		"-a", "a b", "\xc3\xa4", "a\n", "123456789012345678901234567890123"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(own_lab_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(own_lab_valid(bad[i]));
}

static void resolvers_by_zone(void **state)
{
	struct plan_node nodes[] = {
		{ .name = "az1.resolver", .zone = 0 },
		{ .name = "az1.resolver-2", .zone = 0 }, /* a target that is named nearly so */
		{ .name = "internet.resolver", .zone = PLAN_INTERNET },
	};
	const struct plan p = { .n_nodes = ARRAY_SIZE(nodes), .nodes = nodes };
	struct build_etc etc;

	(void)state;
	inet_pton(AF_INET, "10.1.0.4", &nodes[0].addr.v4);
	inet_pton(AF_INET6, "fd00::4", &nodes[0].addr.v6);
	inet_pton(AF_INET, "10.1.0.9", &nodes[1].addr.v4);
	inet_pton(AF_INET, "198.18.0.2", &nodes[2].addr.v4);
	build_etc_init(&etc, &p);
	assert_string_equal(build_etc_resolv(&etc, 0),
	                    "nameserver 10.1.0.4\nnameserver fd00::4\noptions timeout:1\n");
	assert_string_equal(build_etc_resolv(&etc, 1), "");
	assert_non_null(strstr(build_etc_resolv(&etc, PLAN_REGION), "nameserver 198.18.0.2\n"));
	assert_string_equal(build_etc_resolv(&etc, PLAN_CORE), build_etc_resolv(&etc, PLAN_INTERNET));
}

static void error_lines(void **state)
{
	struct build_error e;

	(void)state;
	assert_int_equal(build_fail(&e, EPERM, "run as root", "cannot make '%s'", "x"), -EPERM);
	assert_string_equal(e.text, "cannot make 'x': Operation not permitted; run as root");
	assert_int_equal(build_fail(&e, EBUSY, NULL, "no"), -EBUSY);
	assert_string_equal(e.text, "no: Device or resource busy");
	assert_int_equal(build_fail(NULL, EBUSY, NULL, "no"), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lab_names),
		cmocka_unit_test(resolvers_by_zone),
		cmocka_unit_test(error_lines),
	};
	return cmocka_run_group_tests_name("build_names", tests, NULL, NULL);
}
