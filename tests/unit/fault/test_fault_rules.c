/* A topology's faults as rules of the program: probabilities, times, and who is meant by a name. */
#include "orchestrator/faults/fault_addr.h"
#include "orchestrator/faults/fault_rules.h"
#include "common/cleanup.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char yaml[] = "zones: [az1, az2]\n"
                           "services:\n"
                           "  shop: {port: 80, targets: {per_zone: 2}, dns: {name: shop.lab}}\n"
                           "  api: {port: 81, targets: {per_zone: 1}, dns: {name: api.lab}}\n"
                           "clients:\n"
                           "  - {from: internet, to: shop, rate: 10/s}\n";

struct fixture {
	struct topology *t;
	struct plan *p;
};

static int open_fixture(void **state)
{
	static struct fixture x;
	struct topology_error error = { "" };
	char path[] = "/tmp/azlab-fault-rules-XXXXXX", *warnings = NULL;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, yaml, sizeof(yaml) - 1) != (ssize_t)sizeof(yaml) - 1) return -1;
	close(fd);
	int r = topology_load(path, NULL, 0, &x.t, &warnings, &error);
	unlink(path);
	free(warnings);
	if (r == 0) r = plan_make(x.t, &x.p, &error);
	if (r < 0) print_error("%s\n", error.text);
	*state = &x;
	return r;
}

static int close_fixture(void **state)
{
	struct fixture *x = *state;

	plan_free(x->p);
	topology_free(x->t);
	return 0;
}

static bool side_has(const struct fault_side *side, const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	struct fault_addr a;

	if (strchr(address, ':')) {
		assert_int_equal(inet_pton(AF_INET6, address, &v6), 1);
		a = fault_addr_v6(v6);
	} else {
		assert_int_equal(inet_pton(AF_INET, address, &v4), 1);
		a = fault_addr_v4(v4);
	}
	for (uint32_t i = 0; i < side->n; i++) {
		const struct fault_prefix *x = &side->prefix[i];
		if ((a.word[0] & x->mask.word[0]) == x->addr.word[0] &&
		    (a.word[1] & x->mask.word[1]) == x->addr.word[1])
			return true;
	}
	return false;
}

static struct fault_rule resolve(const struct fixture *x, struct fault_config c)
{
	struct topology_error error = { "" };
	struct fault_rule r;

	if (!c.name) c.name = "f";
	if (fault_rule_resolve(&c, x->p, &r, &error) < 0) fail_msg("%s", error.text);
	return r;
}

static void a_zone_means_all_of_it(void **state)
{
	struct fault_rule r = resolve(*state, (struct fault_config){ .from = "az1", .to = "internet" });

	assert_true(side_has(&r.from, "10.1.0.1"));
	assert_true(side_has(&r.from, "10.1.255.254"));
	assert_true(side_has(&r.from, "fd00:a21a:b:1::77"));
	assert_false(side_has(&r.from, "10.2.0.1"));
	assert_false(side_has(&r.from, "fd00:a21a:b:2::1"));
	assert_true(side_has(&r.to, "198.18.3.4"));
	assert_true(side_has(&r.to, "fd00:a21a:b:ffff::9"));
	assert_false(side_has(&r.to, "10.1.0.1"));
	r = resolve(*state, (struct fault_config){ .to = "region" });
	assert_int_equal(r.from.n, 0); /* anywhere */
	assert_true(side_has(&r.to, "10.0.0.5"));
	assert_false(side_has(&r.to, "10.1.0.5"));
}

static void a_node_means_its_addresses(void **state)
{
	const struct fixture *x = *state;
	struct fault_rule r = resolve(x, (struct fault_config){ .from = "az2.nlb", .to = "az1.shop-1" });
	int nlb = plan_find(x->p, "az2.nlb");
	char text[INET6_ADDRSTRLEN];

	assert_true(nlb >= 0);
	const struct plan_node *n = &x->p->nodes[nlb];
	assert_int_equal(r.from.n, 2 + 2 * n->n_zonal);
	assert_true(side_has(&r.from, inet_ntop(AF_INET, &n->addr.v4, text, sizeof(text))));
	assert_true(side_has(&r.from, inet_ntop(AF_INET6, &n->zonal[1].v6, text, sizeof(text))));
	assert_int_equal(r.to.n, 2);
	assert_false(side_has(&r.to, inet_ntop(AF_INET, &n->addr.v4, text, sizeof(text))));
}

static void unknown_names_are_said(void **state)
{
	const struct fixture *x = *state;
	struct fault_config c = { .name = "lossy", .to = "az9" };
	struct topology_error error = { "" };
	struct fault_rule r;

	assert_int_equal(fault_rule_resolve(&c, x->p, &r, &error), -EINVAL);
	assert_non_null(strstr(error.text, "'lossy'"));
	assert_non_null(strstr(error.text, "'az9'"));
}

static void actions_become_numbers(void **state)
{
	struct fault_rule r = resolve(*state, (struct fault_config){
	                                          .class = CLASS_HEALTH_CHECK,
	                                          .per = PER_PACKET,
	                                          .drop = 0.25,
	                                          .corrupt = 2,
	                                          .duplicate = -1,
	                                          .delay = 4 * NS_PER_S,
	                                          .jitter = NS_PER_MS,
	                                          .rate = 50,
	                                          .on_for = 3 * NS_PER_S,
	                                          .off_for = 2 * NS_PER_S,
	                                      });

	assert_int_equal(r.class, FAULT_CLASS_HEALTH_CHECK);
	assert_int_equal(r.per, FAULT_PER_PACKET);
	assert_int_equal(r.drop, FAULT_CERTAIN / 4);
	assert_int_equal(r.corrupt, FAULT_CERTAIN);
	assert_int_equal(r.duplicate, 0);
	assert_int_equal(r.delay_ns, 4 * NS_PER_S);
	assert_int_equal(r.jitter_ns, NS_PER_MS);
	assert_int_equal(r.gap_ns, 20 * NS_PER_MS);
	assert_int_equal(r.on_ns, 3 * NS_PER_S);
	assert_int_equal(r.off_ns, 2 * NS_PER_S);
}

static void reject_alone_refuses_all(void **state)
{
	assert_int_equal(resolve(*state, (struct fault_config){ .reject = true }).drop, FAULT_CERTAIN);
	assert_int_equal(resolve(*state, (struct fault_config){ .reject = true, .drop = 0.5 }).drop,
	                 FAULT_CERTAIN / 2);
	assert_int_equal(resolve(*state, (struct fault_config){ .reject = true, .drop_every = 3 }).drop, 0);
}

static void choices_differ_by_the_rules_name(void **state)
{
	struct fault_rule a = resolve(*state, (struct fault_config){ .name = "a" });
	struct fault_rule b = resolve(*state, (struct fault_config){ .name = "b" });

	assert_true(a.salt != b.salt);
	assert_true(a.salt == resolve(*state, (struct fault_config){ .name = "a", .drop = 1 }).salt);
}

static void class_names(void **state)
{
	(void)state;
	for (int c = CLASS_ANY; c <= CLASS_USER; c++)
		assert_int_equal(fault_class_parse(fault_class_name((enum fault_class)c)), c);
	assert_int_equal(fault_class_parse("health-check"), CLASS_HEALTH_CHECK);
	assert_int_equal(fault_class_parse("health"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zone_means_all_of_it),
		cmocka_unit_test(a_node_means_its_addresses),
		cmocka_unit_test(unknown_names_are_said),
		cmocka_unit_test(actions_become_numbers),
		cmocka_unit_test(reject_alone_refuses_all),
		cmocka_unit_test(choices_differ_by_the_rules_name),
		cmocka_unit_test(class_names),
	};
	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
