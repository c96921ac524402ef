/* What a topology file may say, and the message for all it may not. */
#include "tests/unit/topology/load.h"
#include "common/cleanup.h"
#include <glob.h>

static void defaults_need_only_zones_and_services(void **state)
{
	struct loaded l = load_well(MINIMAL);
	const struct service_config *s = &l.t->services[0];

	(void)state;
	assert_int_equal(l.t->n_zones, 2);
	assert_string_equal(l.t->zones[1], "az2");
	assert_int_equal(l.t->seed, 1);
	assert_string_equal(s->name, "shop");
	assert_string_equal(s->dns_name, "shop.lab");
	assert_int_equal(s->port, 80);
	assert_int_equal(s->targets.per_zone, 3);
	assert_int_equal(s->health_check.concurrency, 0);
	assert_int_equal(s->health_check.init_state, INIT_UP);
	assert_true(s->failover.enabled);
	assert_false(s->failover.rate_limit);
	assert_true(s->failover.min_healthy == 0.5);
	assert_int_equal(s->failover.n_stages, 0);
	assert_int_equal(l.t->network.update_time, NS_PER_MS);
	assert_int_equal(l.t->n_clients + l.t->n_faults + l.t->n_phases + l.t->n_expects, 0);
	assert_null(l.warnings);
	unload(&l);
}

static void clients_have_defaults_too(void **state)
{
	struct loaded l =
	    load_well(MINIMAL "clients: [{family: 6, from: az2}, {rate: 90/m, arrivals: constant}]\n");

	(void)state;
	assert_int_equal(l.t->clients[0].family, 6);
	assert_string_equal(l.t->clients[0].from, "az2");
	assert_string_equal(l.t->clients[0].to, "shop");
	assert_true(l.t->clients[0].poisson);
	assert_string_equal(l.t->clients[1].from, "internet");
	assert_true(l.t->clients[1].rate == 1.5);
	assert_false(l.t->clients[1].poisson);
	unload(&l);
}

static void load_shipped(const char *file, struct topology **ret)
{
	struct topology_error error;
	char *warnings = NULL;

	if (topology_load(file, NULL, 0, ret, &warnings, &error) < 0) fail_msg("%s", error.text);
	assert_null(warnings);
}

static void shipped_topologies_are_valid(void **state)
{
	static const char *const files[] = { "topologies/dns-race.yaml",
		                             "topologies/dns-race-slow-wire.yaml",
		                             "topologies/droplet-collapse.yaml",
		                             "topologies/recovery-backlog.yaml",
		                             "topologies/recovery-retry-storm.yaml",
		                             "topologies/recovery-mass-expiry.yaml",
		                             "topologies/recovery-cold-start.yaml" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct topology *t = NULL;
		load_shipped(files[i], &t);
		assert_true(t->n_phases > 2 && t->n_expects > 0);
		assert_true(t->has_dns_automation || t->has_ec2);
		topology_free(t);
	}
}

static void the_thrash_is_read_as_it_is_written(void **state)
{
	static const char *const files[] = { "topologies/az-thrash.yaml",
		                             "topologies/az-thrash-checks.yaml" };
	static const double rates[] = { 545, 530 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct topology *t = NULL;
		load_shipped(files[i], &t);
		assert_int_equal(t->n_phases, 6);
		assert_string_equal(t->phases[1].name, "fault");
		assert_int_equal(t->phases[1].at, 10 * NS_PER_S);
		assert_int_equal(t->services[0].health_check.timeout, 250 * NS_PER_MS);
		assert_string_equal(t->services[0].failover.stages[1].type->name, "hold-down");
		assert_true(t->services[0].failover.stages[0].params[0] == 0.34);
		assert_true(t->clients[0].rate == rates[i]);
		assert_string_equal(t->expects[1].bounds[0].figure, "zone_removals");
		assert_true(t->expects[1].bounds[0].has_min && t->expects[1].bounds[0].min == 8);
		assert_false(t->expects[1].bounds[0].has_max);
		topology_free(t);
	}
}

static void faults_act_as_written(void **state)
{
	struct loaded l = load_well(
	    MINIMAL "faults:\n"
	            "  a: {delay: 4s, jitter: 2us, class: route-update, to: az1}\n"
	            "  b: {drop: 60%, per: packet, from: region.route53, on_for: 1s, off_for: 2s}\n"
	            "  c: {drop_every: 3, rate: 500/s, from: internet, to: az2.shop-1, reject: on}\n");
	const struct fault_config *f = l.t->faults;

	(void)state;
	assert_int_equal(topology_fault(l.t, "c"), 2);
	assert_int_equal(topology_fault(l.t, "d"), -ENOENT);
	assert_int_equal(f[0].delay, 4 * NS_PER_S);
	assert_int_equal(f[0].jitter, 2 * NS_PER_US);
	assert_int_equal(f[0].class, CLASS_ROUTE_UPDATE);
	assert_null(f[0].from);
	assert_true(f[1].drop == 0.6 && f[1].per == PER_PACKET && f[1].off_for == 2 * NS_PER_S);
	assert_string_equal(f[1].from, "region.route53");
	assert_true(f[2].drop_every == 3 && f[2].rate == 500 && f[2].reject && f[2].drop == 0);
	unload(&l);
}

static void expectations_take_bounds_of_many_kinds(void **state)
{
	struct loaded l =
	    load_well(MINIMAL "scenario: [{phase: a, at: 0s}, {phase: end, at: 9s}]\n"
	                      "expect:\n"
	                      "  - {in: a, error_rate: {min: 0.1%, max: 0.5}, zones: 2}\n"
	                      "  - {metastable: true, time_to_stable_s: null, verdict: {equals: pass}}\n"
	                      "  - {time_to_stable_s: {max: 1500ms}, fidelity.p99_ms: {max: 3}}\n");
	const struct bound *first = l.t->expects[0].bounds, *second = l.t->expects[1].bounds,
	                   *third = l.t->expects[2].bounds;

	(void)state;
	assert_string_equal(l.t->expects[0].phase, "a");
	assert_null(l.t->expects[1].phase);
	assert_int_equal(l.t->expects[1].line, 6);
	assert_true(first[0].min == 0.001 && first[0].max == 0.5);
	assert_true(first[1].has_min && first[1].has_max && first[1].min == 2 && first[1].max == 2);
	assert_true(second[0].has_equals);
	assert_string_equal(second[0].equals, "true");
	assert_string_equal(second[1].equals, "null");
	assert_string_equal(second[2].equals, "pass");
	assert_true(third[0].max == 1.5 && third[1].max == 3);
	assert_string_equal(third[1].figure, "fidelity.p99_ms");
	unload(&l);
}

#define AUTOMATED                                                                                            \
	"zones: [az1, az2]\nservices:\n  shop: \n  dynamodb: {dns: {name: dynamodb.east.lab}}\n"             \
	"dns_automation: "

static void a_dns_automation_is_there_or_not(void **state)
{
	struct loaded without = load_well(MINIMAL);
	struct loaded with =
	    load_well(AUTOMATED "{service: dynamodb, lanes: fast-slow, leader: lease}\n"
	                        "faults: {f: {drop: 1%, from: az2.dns-enactor, to: region.dns-planner}}\n"
	                        "expect: [{dns.stale_writes: {min: 1}, dns.stuck: true}]\n");
	const struct dns_automation_config *a = &with.t->dns_automation;

	(void)state;
	assert_int_equal(without.t->has_dns_automation, 0);
	assert_int_equal(with.t->has_dns_automation, 1);
	assert_true(topology_automated(with.t, 1) && !topology_automated(with.t, 0));
	assert_int_equal(a->accounts, 17);
	assert_int_equal(a->freshness, FRESHNESS_ONCE);
	assert_int_equal(a->cleanup, CLEANUP_BY_AGE);
	assert_true(a->alias_check && !a->refuse_empty && !a->auto_rollback);
	assert_true(a->fast_slow && a->leader);
	char *first = print_text(with.t), *none = print_text(without.t);
	struct loaded again = load_well(first);
	char *second = print_text(again.t);
	assert_string_equal(first, second);
	assert_null(strstr(none, "dns_automation"));
	free(first);
	free(second);
	free(none);
	unload(&without);
	unload(&with);
	unload(&again);
}

#define TABS_20 "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"
#define TABS_100 TABS_20 TABS_20 TABS_20 TABS_20 TABS_20

/* Each mistake with the whole message but for the file's name. */
static const struct {
	const char *text, *message;
} mistakes[] = {
	{ "", "1:1: missing key 'zones': expected a list of names, 1 to 64 of them" },
	{ "zones: [a]\n", "1:1: missing key 'services': expected a map of names, 1 to 64 of them" },
	{ "zones: a\nservices: {s: }\n", "1:8: zones: expected a list of names, 1 to 64 of them, found 'a'" },
	{ "zones: []\nservices: {s: }\n",
	  "1:8: zones: expected a list of names, 1 to 64 of them, found a list" },
	{ "zones: [a, A]\nservices: {s: }\n", "1:12: zones: expected a name of lower-case letters, digits "
	                                      "and inner hyphens, 15 at most, found 'A'" },
	{ "zones: [a, b, a]\nservices: {s: }\n", "1:15: 'a' stands here twice" },
	{ "zones: [region]\nservices: {s: }\n",
	  "1:9: 'region' is a name of the lab's own, no zone can have it" },
	{ "zones: [a]\nservices: {client: }\n",
	  "2:12: no service can be named 'client': client-1 is a client" },
	{ "zones: [a]\nservices: {x_y: }\n", "2:12: name: expected a name of lower-case letters, digits and "
	                                     "inner hyphens, 32 at most, found 'x_y'" },
	{ MINIMAL "servces: {}\n", "3:1: unknown key 'servces', did you mean 'services'?" },
	{ MINIMAL "quux: {}\n", "3:1: unknown key 'quux' (see docs/topology.md)" },
	{ MINIMAL "seed: -1\n", "3:7: seed: expected a whole number, found '-1'" },
	{ MINIMAL "clients: {}\n", "3:10: clients: expected a list of maps, 0 to 256 of them, found a map" },
	{ MINIMAL "clients: [x]\n", "3:11: expected a map, found 'x'" },
	{ MINIMAL "clients: [{rate: 400}]\n",
	  "3:18: rate: expected a rate such as 400/s from 0/s to 100000/s, found '400'" },
	{ MINIMAL "clients: [{timeout: 0s}]\n",
	  "3:21: timeout: expected a duration such as 250ms or 30s from 1ms to 3600s, found '0s'" },
	{ MINIMAL "clients: [{family: 5}]\n", "3:20: family: expected any, 4 or 6, found '5'" },
	{ MINIMAL "clients: [{from: az3}]\n", "3:18: no zone 'az3', did you mean 'az1'?" },
	{ MINIMAL "clients: [{to: shap}]\n", "3:16: no service 'shap', did you mean 'shop'?" },
	{ MINIMAL "clients: [{to: warehouse}]\n", "3:16: no service 'warehouse' (there are: shop)" },
	{ MINIMAL "clients: [{path: x}]\n",
	  "3:18: path: expected a path that begins with /, without blanks, found 'x'" },
	{ "zones: [a]\nservices:\n  s:\n    port: 70000\n",
	  "4:11: port: expected a port from 1 to 65535, found '70000'" },
	{ "zones: [a]\nservices:\n  s:\n    targets: {per_zone: 1001}\n",
	  "4:25: per_zone: expected a whole number from 0 to 1000, found '1001'" },
	{ "zones: [a]\nservices:\n  s:\n    health_check:\n      rise: [1]\n",
	  "5:13: rise: expected a whole number from 1 to 1000, found a list" },
	{ "zones: [a]\nservices:\n  s:\n    health_check: {concurrency: 0}\n",
	  "4:33: concurrency: expected a whole number from 1 to 100000 or unlimited, found '0'" },
	{ "zones: [a]\nservices:\n  s:\n    health_check: {protocol: https}\n",
	  "4:30: protocol: expected tcp or http, found 'https'" },
	{ "zones: [a]\nservices:\n  s:\n    dns: {name: shop..lab}\n",
	  "4:17: name: expected a DNS name such as s.lab, lower case, without a final dot, found "
	  "'shop..lab'" },
	{ "zones: [a]\nservices:\n  s: {dns: {ttl: 1500ms}}\n", "3:18: ttl: DNS counts whole seconds" },
	{ "zones: [a]\nservices:\n  r: {dns: {name: x.lab}}\n  s: {dns: {name: x.lab}}\n",
	  "4:19: name: service r has 'x.lab' already" },
	{ "zones: [a]\nservices:\n  s: {failover: {min_healthy: 120%}}\n",
	  "3:31: min_healthy: expected a share such as 50% or 0.5 from 0% to 100%, found '120%'" },
	{ "zones: [a]\nservices:\n  s: {failover: {rate_limit: maybe}}\n",
	  "3:30: rate_limit: expected on or off, found 'maybe'" },
	{ "zones: [a]\nservices:\n  s: {failover: {stages: velocity}}\n",
	  "3:26: stages: expected a list such as [{velocity: {max_removed: 34%}}], found 'velocity'" },
	{ "zones: [a]\nservices:\n  s: {failover: {stages: [{velocity: {max_remove: 50%}}]}}\n",
	  "3:39: stage velocity has no parameter 'max_remove', did you mean 'max_removed'?" },
	{ "zones: [a]\nservices:\n  s: {failover: {stages: [{velocity: {max_removed: lots}}]}}\n",
	  "3:52: max_removed: expected a share such as 50% or 0.5 from 0% to 100%, found 'lots'" },
	{ "zones: [a]\nservices:\n  s: {failover: {stages: [{velocity: 3}]}}\n",
	  "3:38: velocity: expected a map of its parameters, found '3'" },
	{ MINIMAL "faults:\n  f: {to: az1}\n",
	  "4:6: fault f does nothing: expected drop, delay, rate, duplicate, "
	  "reorder, corrupt or reject" },
	{ MINIMAL "faults:\n  f: {drop: 1%, to: az9}\n",
	  "4:21: to: expected a zone, a node, internet or region, found 'az9'" },
	{ MINIMAL "faults:\n  f: {drop: 1%, from: az1.shop-0}\n",
	  "4:23: from: expected a zone, a node, internet or region, found 'az1.shop-0'" },
	{ MINIMAL "faults:\n  f: {drop: 1%, drop_every: 2}\n", "4:29: drop_every: can't stand beside drop" },
	{ MINIMAL "faults:\n  f: {drop: 1%, on_for: 2s}\n",
	  "4:25: a duty cycle needs both on_for and off_for" },
	{ MINIMAL "faults:\n  f: {drop: 1%, class: helth-check}\n",
	  "4:24: class: expected any, route-update, health-check, control, dns, lease or user, found "
	  "'helth-check'" },
	{ MINIMAL "scenario:\n  - {at: 1s}\n",
	  "4:5: missing key 'phase': expected a name of lower-case letters, "
	  "digits and inner hyphens, 32 at most" },
	{ MINIMAL "scenario:\n  - {phase: b, at: 2s}\n  - {phase: c, at: 1s}\n",
	  "5:20: at: before the phase above, 'b'" },
	{ MINIMAL "scenario:\n  - {phase: b, at: 2s}\n  - {phase: b, at: 3s}\n",
	  "5:13: phase: 'b' stands above already" },
	{ MINIMAL "scenario:\n  - {phase: b, at: 2s, do: [failover enable]}\n",
	  "4:28: do: the last entry only ends the run" },
	{ MINIMAL "scenario:\n  - {phase: b, at: 2s, do: [fault on f]}\n  - {phase: c, at: 3s}\n",
	  "4:29: no fault 'f'" },
	{ MINIMAL
	  "scenario:\n  - {phase: b, at: 0s}\n  - {phase: end, at: 3s}\nexpect:\n  - {in: end, zones: 1}\n",
	  "7:10: no phase 'end' (there are: b)" },
	{ MINIMAL "expect:\n  - {zone_removal: {max: 1}}\n",
	  "4:6: unknown figure 'zone_removal', did you mean 'zone_removals'?" },
	{ MINIMAL "expect:\n  - {zones: {most: 1}}\n",
	  "4:14: unknown key 'most', expected min, max or equals" },
	{ MINIMAL "expect:\n  - {zones: {max: many}}\n", "4:19: max: expected a number, found 'many'" },
	{ MINIMAL "expect:\n  - {zones: {min: 3, max: 2}}\n",
	  "4:13: zones: min is above max: nothing can fulfil that" },
	{ MINIMAL "expect:\n  - {metastable: {max: 2}}\n",
	  "4:19: metastable is no number: expected metastable: VALUE" },
	{ MINIMAL "expect: [{}]\n", "3:10: an expectation needs a figure, such as zone_removals: {max: 0}" },
	{ AUTOMATED "{}\n", "5:17: missing key 'service': expected a name of lower-case letters, digits and "
	                    "inner hyphens, 32 at most" },
	{ AUTOMATED "{service: dynamo}\n", "5:27: no service 'dynamo', did you mean 'dynamodb'?" },
	{ AUTOMATED "{service: shop}\n",
	  "4:26: name: 'dynamodb.east.lab' lies in 'lab', where the DNS automation "
	  "of shop writes" },
	{ AUTOMATED "{service: dynamodb, freshness: twice}\n",
	  "5:48: freshness: expected once, per-write or compare-and-set, found 'twice'" },
	{ AUTOMATED "{service: dynamodb, backoff: 2s, backoff_max: 1s}\n",
	  "5:63: backoff_max: is less than backoff" },
	{ "zones: [a]\nservices: {s: {dns: {name: s}}}\ndns_automation: {service: s}\n",
	  "3:27: service: its DNS name 's' has no zone above it: give s a dns.name such as s.lab" },
	{ MINIMAL "faults: {f: {drop: 1%, to: az1.dns-enactor}}\n",
	  "3:28: to: expected a zone, a node, internet or region, found 'az1.dns-enactor'" },
	/* YAML itself, and what it would allow but a topology doesn't */
	{ "zones: [a\n", "2:1: flow sequence without a closing bracket" },
	{ "zones:\n\t- a\n", "2:1: tab character may not be used as indentation" },
	{ "zones: [a]\nzones: [b]\nservices: {s: }\n",
	  "2:1: key 'zones' stands here twice, first in line 1" },
	{ "zones: &z [a]\nservices: {s: }\n",
	  "1:11: anchors (&), aliases (*) and tags (!) are not used here: write the value out" },
	{ "zones: [a]\nservices: *z\n",
	  "2:11: anchors (&), aliases (*) and tags (!) are not used here: write the value out" },
	{ "zones: !!seq [a]\nservices: {s: }\n",
	  "1:14: anchors (&), aliases (*) and tags (!) are not used here: write the value out" },
	{ "zones: [a]\n---\nservices: {s: }\n", "2:1: a second document begins" },
	{ "? [zones]\n: [a]\n", "1:3: expected a plain word as the key" },
	{ "zones: [a\xff]\n", "1:10: byte 0xff is not UTF-8" },
	{ "# \xc3\xa4\xc0\xaf\n", "1:4: byte 0xc0 is not UTF-8" },
	{ "zones: [a\x01]\n", "1:10: control character 0x01: a topology is plain text" },
	{ MINIMAL "seed: 'x'\n", "3:7: seed: expected a whole number, found 'x'" },
	{ "region: \"a\\0b\"\n", "1:9: a text must not contain NUL" },
	{ "region: 'a''''b'\n", "1:9: '' right after '' is not understood: put this text in double quotes" },
	{ "region: 'a''b'''\n", "1:9: region: expected a name of lower-case letters, digits and inner "
	                        "hyphens, 63 at most, found 'a'b''" },
	{ "a:" TABS_100 "e\n" TABS_100 "e\n:\n", "1:103: invalid multiline plain key" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "1:33: nested deeper than 32 levels" },
};

static void every_mistake_has_its_place_and_what_was_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct loaded l = load_text(mistakes[i].text);
		if (l.result != -EINVAL || strcmp(l.message, mistakes[i].message)) {
			fail_msg("%s\n  expected %s\n  got %d %s", mistakes[i].text, mistakes[i].message,
			         l.result, l.message);
		}
		unload(&l);
	}
}

static void huge_files_are_refused(void **state)
{
	size_t len = (1 << 20) + 1;
	char *text = malloc(len);

	(void)state;
	memset(text, ' ', len);
	struct loaded l = load_bytes(text, len, NULL, 0);
	assert_int_equal(l.result, -EINVAL);
	assert_string_equal(l.message, "1:1: larger than 1 MiB: this is no topology");
	free(text);
}

/* libfyaml's own documents need minutes for this one. */
static void maps_of_many_keys_take_no_time(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	mono_ns begin = mono_now();

	(void)state;
	for (int i = 0; i < 60000; i++)
		fprintf(out, "k%d: 1\n", i);
	fclose(out);
	struct loaded l = load_bytes(text, size, NULL, 0);
	assert_string_equal(l.message, "1:1: unknown key 'k0' (see docs/topology.md)");
	assert_true(mono_now() - begin < 10 * NS_PER_S);
	free(text);
}

static void a_missing_file_is_named(void **state)
{
	struct topology *t = NULL;
	struct topology_error error;

	(void)state;
	assert_int_equal(topology_load("no/such.yaml", NULL, 0, &t, NULL, &error), -ENOENT);
	assert_string_equal(error.text, "cannot read 'no/such.yaml': No such file or directory");
	assert_int_equal(topology_load("topologies", NULL, 0, &t, NULL, &error), -EISDIR);
}

static void a_velocity_below_a_zones_share_is_warned_of(void **state)
{
	struct loaded l =
	    load_well("zones: [a, b, c]\nservices:\n  s:\n    failover:\n"
	              "      stages: [{velocity: {max_removed: 33%}}]\n    health_check: {timeout: 3s}\n");

	(void)state;
	assert_non_null(l.warnings);
	assert_non_null(strstr(l.warnings,
	                       ":5:41: warning: velocity: max_removed 33% is less than one zone's share "
	                       "(33.3%): no zone can ever be removed\n"));
	assert_non_null(strstr(l.warnings, ":6:29: warning: timeout is longer than the interval"));
	unload(&l);
}

/* What a topology prints, loaded; it prints the same again. */
static struct loaded printed_and_loaded(const struct topology *t)
{
	cleanup_free char *first = print_text(t);
	struct loaded again = load_well(first);
	cleanup_free char *second = print_text(again.t);

	assert_string_equal(first, second);
	return again;
}

static void what_is_printed_loads_to_the_same(void **state)
{
	struct loaded l = load_well(
	    "zones: [az1, az2]\nseed: 18446744073709551615\nservices:\n"
	    "  shop: {failover: {stages: [{velocity: {max_removed: 33.3%}}, disabled]}}\n"
	    "  api: {dns: {name: api.example.org}, health_check: {protocol: tcp, family: 6}}\n"
	    "clients: [{rate: 7/h, path: \"/a?b=\\\"c\\\"\"}, {from: az1, to: api, timeout: 1.5ms}]\n"
	    "faults: {f: {drop: 0.1, to: az1}, g: {delay: 2us}}\n"
	    "scenario: [{phase: a, at: 90s, do: ['fault set f drop=12.5%', \"exec az1.nlb -- sh -c 'echo "
	    "\\\\ x'\"]}, "
	    "{phase: b, at: 1h}]\n"
	    "expect: [{in: a, error_rate: {max: 0.1%}, time_to_stable_s: null}, {zones: 2}]\n");
	struct loaded again = printed_and_loaded(l.t);

	(void)state;
	assert_true(again.t->clients[0].rate == l.t->clients[0].rate);
	assert_true(again.t->services[0].failover.stages[0].params[0] ==
	            l.t->services[0].failover.stages[0].params[0]);
	assert_string_equal(again.t->clients[0].path, "/a?b=\"c\"");
	assert_string_equal(again.t->phases[0].actions[1], l.t->phases[0].actions[1]);
	assert_true(again.t->seed == UINT64_MAX);
	unload(&l);
	unload(&again);
}

static void what_is_shipped_is_printed_whole(void **state)
{
	glob_t files;

	(void)state;
	assert_int_equal(glob("topologies/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct topology *t = NULL;
		load_shipped(files.gl_pathv[i], &t);
		struct loaded again = printed_and_loaded(t);
		assert_int_equal(again.t->n_phases, t->n_phases);
		assert_int_equal(again.t->n_faults, t->n_faults);
		assert_int_equal(again.t->ec2.autoscaler.n_groups, t->ec2.autoscaler.n_groups);
		unload(&again);
		topology_free(t);
	}
	globfree(&files);
}

/* --- PATH=VALUE -------------------------------------------------------------------------------------- */

static void settings_reach_any_value(void **state)
{
	static const char *const sets[] = { "clients.0.rate=288/s",
		                            "services.shop.targets.queue=32",
		                            "zones=[az1, az2, az3]",
		                            "services.shop.failover.stages=[{velocity: }]",
		                            "services.shop.failover.stages.0.velocity.per=5m",
		                            "clients.1.from=az3" };
	static const char text[] = MINIMAL "clients: [{rate: 1/s}, {}]\n";
	struct loaded l = load_bytes(text, strlen(text), sets, ARRAY_SIZE(sets));

	(void)state;
	if (l.result < 0) fail_msg("%s", l.message);
	assert_true(l.t->clients[0].rate == 288);
	assert_int_equal(l.t->services[0].targets.queue, 32);
	assert_int_equal(l.t->n_zones, 3);
	assert_true(l.t->services[0].failover.stages[0].params[1] == 300e9);
	assert_string_equal(l.t->clients[1].from, "az3");
	unload(&l);
}

static void bad_settings_are_named(void **state)
{
	static const struct {
		const char *set, *message;
	} bad[] = {
		{ "seed", "seed: expected PATH=VALUE, such as clients.0.rate=288/s" },
		{ "=1", "=1: expected PATH=VALUE, such as clients.0.rate=288/s" },
		{ "a..b=1", "a..b=1: expected PATH=VALUE, such as clients.0.rate=288/s" },
		{ "sed=1", "sed=1: unknown key 'sed', did you mean 'seed'?" },
		{ "seed=x", "seed=x: seed: expected a whole number, found 'x'" },
		{ "services.shop.targets.quue=3",
		  "services.shop.targets.quue=3: unknown key 'quue', did you mean 'queue'?" },
		{ "clients.2.rate=1/s",
		  "clients.2.rate=1/s: no element '2' in a list of 1 (the first is 0)" },
		{ "clients.0.from=az9", "clients.0.from=az9: no zone 'az9', did you mean 'az1'?" },
		{ "zones.0.x=1", "zones.0.x=1: 'x' lies below 'az1', which is no map" },
		{ "seed=[", "seed=[: flow sequence without a closing bracket" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct loaded l = load_with(MINIMAL "clients: [{rate: 1/s}]\n", bad[i].set);
		if (l.result != -EINVAL || strcmp(l.message, bad[i].message)) {
			fail_msg("%s\n  expected %s\n  got %d %s", bad[i].set, bad[i].message, l.result,
			         l.message);
		}
	}
}

static void a_setting_makes_a_new_topology(void **state)
{
	struct loaded l = load_well(MINIMAL "clients: [{rate: 1/s}]\n");
	struct topology *second = NULL, *third = NULL;
	struct topology_error error;

	(void)state;
	assert_int_equal(topology_with(l.t, "clients.0.rate=2/s", &second, &error), 0);
	assert_int_equal(topology_with(second, "clients.0.retries=3", &third, &error), 0);
	assert_true(l.t->clients[0].rate == 1);
	assert_true(second->clients[0].rate == 2 && second->clients[0].retries == 0);
	unload(&l);
	topology_free(second);
	assert_true(third->clients[0].rate == 2 && third->clients[0].retries == 3);
	assert_int_equal(topology_with(third, "clients.0.rate=none", &second, &error), -EINVAL);
	assert_non_null(strstr(error.text, "clients.0.rate=none: rate: expected a rate"));
	assert_int_equal(
	    topology_with_all(third, (const char *[]){ "clients.0.rate=5/s", "seed=9" }, 2, &second, &error),
	    0);
	assert_true(second->clients[0].rate == 5 && second->clients[0].retries == 3 && second->seed == 9);
	topology_free(second);
	topology_free(third);
}

/* --- the reference ----------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void the_reference_is_current(void **state)
{
	(void)state;
	char *now = NULL, *then = calloc(1, 1 << 20);
	size_t size;
	FILE *out = open_memstream(&now, &size);

	topology_reference(out);
	fclose(out);
	if (getenv("AZLAB_UPDATE")) write_file("docs/topology.md", now);
	FILE *in = fopen("docs/topology.md", "re");
	assert_non_null(in);
	assert_true(fread(then, 1, (1 << 20) - 1, in) > 0);
	fclose(in);
	if (strcmp(now, then)) fail_msg("docs/topology.md is old: AZLAB_UPDATE=1 makes this test write it");
	free(now);
	free(then);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_need_only_zones_and_services),
		cmocka_unit_test(clients_have_defaults_too),
		cmocka_unit_test(shipped_topologies_are_valid),
		cmocka_unit_test(the_thrash_is_read_as_it_is_written),
		cmocka_unit_test(faults_act_as_written),
		cmocka_unit_test(expectations_take_bounds_of_many_kinds),
		cmocka_unit_test(a_dns_automation_is_there_or_not),
		cmocka_unit_test(every_mistake_has_its_place_and_what_was_expected),
		cmocka_unit_test(huge_files_are_refused),
		cmocka_unit_test(maps_of_many_keys_take_no_time),
		cmocka_unit_test(a_missing_file_is_named),
		cmocka_unit_test(a_velocity_below_a_zones_share_is_warned_of),
		cmocka_unit_test(what_is_printed_loads_to_the_same),
		cmocka_unit_test(what_is_shipped_is_printed_whole),
		cmocka_unit_test(settings_reach_any_value),
		cmocka_unit_test(bad_settings_are_named),
		cmocka_unit_test(a_setting_makes_a_new_topology),
		cmocka_unit_test(the_reference_is_current),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
