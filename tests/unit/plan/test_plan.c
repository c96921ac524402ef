/* Plans: whole ones against golden files, and the rules that every plan keeps.
 * AZLAB_UPDATE=1 writes the golden files anew. */
#include "tests/unit/topology/load.h"
#include "orchestrator/plan/plan.h"
#include "common/cleanup.h"
#include <arpa/inet.h>

static struct plan *plan_of(const struct topology *t)
{
	struct plan *p = NULL;
	struct topology_error error;
	if (plan_make(t, &p, &error) < 0) fail_msg("%s", error.text);
	return p;
}

static int print_route(const struct plan_route *r, void *arg)
{
	char v4[64], v6[64];

	inet_ntop(AF_INET, &r->dst.v4, v4, sizeof(v4));
	inet_ntop(AF_INET6, &r->dst.v6, v6, sizeof(v6));
	fprintf(arg, "  %s/%u %s/%u %s%s%s\n", v4, r->len4, v6, r->len6, r->dev ? "dev " : "unreachable",
	        r->dev ? r->dev : "", r->via_gateway ? " via the far router" : "");
	return 0;
}

static char *plan_text(const struct plan *p)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	plan_print(p, "lab", out);
	for (size_t i = 0; i < p->n_nodes; i++) {
		fprintf(out, "\nroutes of %s:\n", p->nodes[i].name);
		assert_int_equal(plan_routes(p, (int)i, print_route, out), 0);
	}
	fclose(out);
	return text;
}

static void compare_with_file(const char *text, const char *path)
{
	char *golden = calloc(1, 1 << 20);
	FILE *f = fopen(path, getenv("AZLAB_UPDATE") ? "w+e" : "re");

	assert_non_null(f);
	if (getenv("AZLAB_UPDATE")) fputs(text, f), rewind(f);
	assert_true(fread(golden, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	if (strcmp(text, golden))
		fail_msg("differs from %s; see what changed with AZLAB_UPDATE=1 and git diff", path);
	free(golden);
}

static void golden(const char *topology, const char *plan)
{
	struct topology *t = NULL;
	struct topology_error error;

	if (topology_load(topology, NULL, 0, &t, NULL, &error) < 0) fail_msg("%s", error.text);
	struct plan *p = plan_of(t);
	char *text = plan_text(p);
	compare_with_file(text, plan);
	free(text);
	plan_free(p);
	topology_free(t);
}

static void plans_are_as_ever(void **state)
{
	(void)state;
	golden("topologies/az-thrash.yaml", "tests/unit/plan/golden/az-thrash.plan");
	golden("tests/unit/plan/golden/names.yaml", "tests/unit/plan/golden/names.plan");
}

/* --- rules ------------------------------------------------------------------------------------------- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void assert_unique(char **texts, size_t n)
{
	qsort(texts, n, sizeof(*texts), compare_text);
	for (size_t i = 1; i < n; i++) {
		if (!strcmp(texts[i - 1], texts[i])) fail_msg("'%s' is there twice", texts[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static char *format(const char *text, int number, const struct plan_addr *a)
{
	char *ret = NULL, v4[64] = "", v6[64] = "";

	if (a) inet_ntop(AF_INET, &a->v4, v4, sizeof(v4)), inet_ntop(AF_INET6, &a->v6, v6, sizeof(v6));
	assert_true(asprintf(&ret, "%s %d %s %s", text, number, v4, v6) > 0);
	return ret;
}

static void check_rules(const struct plan *p)
{
	size_t n = p->n_nodes, addresses = 0;
	char **names = calloc(n, sizeof(char *)), **ifnames = calloc(n, sizeof(char *));
	char **addrs = calloc(n * (1 + TOPOLOGY_SERVICES_MAX), sizeof(char *));
	char **numbers = calloc(n, sizeof(char *));

	for (size_t i = 0; i < n; i++) {
		const struct plan_node *node = &p->nodes[i];
		assert_true(node->parent < (int)i);
		assert_true(strlen(node->ifname) < PLAN_IFNAME_MAX);
		names[i] = format(node->name, 0, NULL);
		numbers[i] = format("", (int)node->number, NULL);
		bool helper = node->kind == PLAN_HELPER || node->parent < 0;
		ifnames[i] = format(helper ? node->name : node->ifname, node->parent, NULL);
		if (node->kind != PLAN_HELPER) addrs[addresses++] = format("", 0, &node->addr);
		for (size_t z = 0; z < node->n_zonal; z++)
			addrs[addresses++] = format("", 0, &node->zonal[z]);
	}
	assert_unique(names, n);
	assert_unique(numbers, n);
	assert_unique(ifnames, n);
	assert_unique(addrs, addresses);
}

static const char crowded[] =
    "zones: [az1, lo, route53, fifteen-letters, n6, client-1]\n"
    "services: {a-service-of-thirty-two-letters1: {targets: {per_zone: 12}}, b: {targets: {per_zone: 0}}}\n"
    "clients: [{}, {from: az1}, {from: lo}]\n";

static void every_name_number_and_address_is_unique(void **state)
{
	struct loaded l = load_well(crowded);
	struct plan *p = plan_of(l.t);

	(void)state;
	for (int i = 0; i < 100; i++) {
		size_t index;
		assert_int_equal(plan_launch(p, i % 2, i % 6, &index), 0);
	}
	check_rules(p);
	plan_free(p);
	unload(&l);
}

static void launched_instances_continue_names_and_addresses(void **state)
{
	struct loaded l = load_well("zones: [az1, az2]\nservices: {shop: {targets: {per_zone: 2}}}\n");
	struct plan *p = plan_of(l.t);
	size_t before = p->n_nodes, index;
	struct plan_addr expected = plan_host(1, 18);

	(void)state;
	assert_int_equal(plan_launch(p, 0, 1, &index), 0);
	assert_int_equal(index, before);
	assert_string_equal(p->nodes[index].name, "az2.shop-3");
	assert_string_equal(p->nodes[index].daemon, "backend");
	assert_string_equal(p->nodes[index].ifname, "shop-3");
	assert_memory_equal(&p->nodes[index].addr, &expected, sizeof(expected));
	assert_int_equal(p->nodes[index].parent, plan_find(p, "az2"));
	assert_int_equal(p->nodes[index].mac[0], 0x02);
	assert_int_equal(plan_launch(p, 0, 1, &index), 0);
	assert_string_equal(p->nodes[index].name, "az2.shop-4");
	plan_free(p);
	unload(&l);
}

static void the_same_topology_gives_the_same_plan(void **state)
{
	struct loaded l = load_well(crowded);
	struct plan *a = plan_of(l.t), *b = plan_of(l.t);
	char *first = plan_text(a), *second = plan_text(b);

	(void)state;
	assert_string_equal(first, second);
	free(first);
	free(second);
	plan_free(a);
	plan_free(b);
	unload(&l);
}

static void a_zone_has_an_end(void **state)
{
	struct loaded l = load_well("zones: [a]\nservices: {s: {targets: {per_zone: 0}}}\n");
	struct plan *p = plan_of(l.t);
	size_t index, before = p->n_nodes;

	(void)state;
	p->next_host[0] = 0xefff;
	assert_int_equal(plan_launch(p, 0, 0, &index), 0);
	assert_int_equal(plan_launch(p, 0, 0, &index), -ENOSPC);
	assert_int_equal(p->n_nodes, before + 1);
	plan_free(p);
	unload(&l);
}

static void too_many_instances_are_refused(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct plan *p = NULL;
	struct topology_error error;

	(void)state;
	fputs("zones: [a]\nservices:\n", out);
	for (int i = 0; i < 64; i++)
		fprintf(out, "  s%d: {targets: {per_zone: 1000}}\n", i);
	fclose(out);
	struct loaded l = load_well(text);
	assert_int_equal(plan_make(l.t, &p, &error), -ENOSPC);
	assert_non_null(
	    strstr(error.text, "64000 instances in each zone, but a zone has addresses for 61424"));
	free(text);
	unload(&l);
}

/* --- routes ------------------------------------------------------------------------------------------ */

struct lookup {
	struct in_addr v4;
	struct in6_addr v6;
	int best4, best6; /* prefix lengths */
	const char *dev4, *dev6;
};

static bool matches(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++) {
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8)) return false;
	}
	return true;
}

static int longest_match(const struct plan_route *r, void *arg)
{
	struct lookup *l = arg;

	if ((int)r->len4 > l->best4 && matches((uint8_t *)&l->v4, (uint8_t *)&r->dst.v4, r->len4)) {
		l->best4 = (int)r->len4;
		l->dev4 = r->dev;
	}
	if ((int)r->len6 > l->best6 && matches(l->v6.s6_addr, r->dst.v6.s6_addr, r->len6)) {
		l->best6 = (int)r->len6;
		l->dev6 = r->dev;
	}
	return 0;
}

/* The device by which a node sends to another one, in both families; NULL: unreachable. */
static const char *device_towards(const struct plan *p, const char *from, const struct plan_addr *to)
{
	struct lookup l = {
		.v4 = to->v4, .v6 = to->v6, .best4 = -1, .best6 = -1, .dev4 = "none", .dev6 = "none"
	};

	assert_int_equal(plan_routes(p, plan_find(p, from), longest_match, &l), 0);
	assert_true((l.dev4 && l.dev6) ? !strcmp(l.dev4, l.dev6) : l.dev4 == l.dev6);
	return l.dev4;
}

static void routes_lead_to_infrastructure_and_not_yet_to_instances(void **state)
{
	struct loaded l =
	    load_well("zones: [az1, az2]\nservices: {shop: , api: }\nclients: [{}, {from: az2}]\n");
	struct plan *p = plan_of(l.t);
	const struct plan_addr nlb = p->nodes[plan_find(p, "az1.nlb")].addr;
	const struct plan_addr zonal = p->nodes[plan_find(p, "az1.nlb")].zonal[1];
	const struct plan_addr agent = p->nodes[plan_find(p, "az1")].addr;
	const struct plan_addr shop = p->nodes[plan_find(p, "az1.shop-1")].addr;
	const struct plan_addr manager = p->nodes[plan_find(p, "region.network-manager")].addr;
	const struct plan_addr client = p->nodes[plan_find(p, "internet.client-1")].addr;
	const struct plan_addr inner = p->nodes[plan_find(p, "az2.client-2")].addr;

	(void)state;
	assert_string_equal(device_towards(p, "az1", &nlb), "nlb");
	assert_string_equal(device_towards(p, "az1", &zonal), "nlb");
	assert_string_equal(device_towards(p, "az1", &inner), "backbone");
	assert_string_equal(device_towards(p, "az2", &inner), "client-2");
	assert_string_equal(device_towards(p, "az2", &nlb), "backbone");
	assert_string_equal(device_towards(p, "az2", &zonal), "backbone");
	assert_string_equal(device_towards(p, "az2", &agent), "backbone");
	assert_null(device_towards(p, "az1", &shop));
	assert_null(device_towards(p, "az2", &shop));
	assert_string_equal(device_towards(p, "az1", &manager), "backbone");
	assert_string_equal(device_towards(p, "az1", &client), "backbone");
	assert_string_equal(device_towards(p, "backbone", &shop), "az1");
	assert_string_equal(device_towards(p, "backbone", &agent), "az1");
	assert_string_equal(device_towards(p, "backbone", &manager), "network-manager");
	assert_string_equal(device_towards(p, "backbone", &client), "client-1");
	assert_string_equal(device_towards(p, "az1.shop-1", &client), "eth0");
	/* the lab ends at the backbone: no default */
	const struct plan_addr elsewhere = { .v4.s_addr = inet_addr("192.0.2.1") };
	assert_string_equal(device_towards(p, "backbone", &elsewhere), "none");
	assert_int_equal(plan_routes(p, plan_find(p, "backbone.delay-line"), longest_match, NULL), 0);
	plan_free(p);
	unload(&l);
}

static int stop_at_third(const struct plan_route *r, void *arg)
{
	(void)r;
	return ++*(int *)arg == 3 ? 42 : 0;
}

static void a_result_stops_the_walk(void **state)
{
	struct loaded l = load_well(MINIMAL);
	struct plan *p = plan_of(l.t);
	int seen = 0;

	(void)state;
	assert_int_equal(plan_routes(p, plan_find(p, "az1"), stop_at_third, &seen), 42);
	assert_int_equal(seen, 3);
	assert_int_equal(plan_find(p, "az3"), -ENOENT);
	plan_free(p);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_as_ever),
		cmocka_unit_test(every_name_number_and_address_is_unique),
		cmocka_unit_test(launched_instances_continue_names_and_addresses),
		cmocka_unit_test(the_same_topology_gives_the_same_plan),
		cmocka_unit_test(a_zone_has_an_end),
		cmocka_unit_test(too_many_instances_are_refused),
		cmocka_unit_test(routes_lead_to_infrastructure_and_not_yet_to_instances),
		cmocka_unit_test(a_result_stops_the_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
