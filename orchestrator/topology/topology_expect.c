/* Expectations: the figures of a run's summary and the bounds that a topology sets for them. */
#include "orchestrator/topology/topology_schema.h"
#include "common/cleanup.h"
#include <errno.h>

const struct topology_figure topology_figures[] = {
	{ "verdict", FIGURE_WORD, "`pass`, `fail` or `untrusted`" },
	{ "seed", FIGURE_NUMBER, "the run's seed" },
	{ "zone_removals", FIGURE_NUMBER, "zones that left the DNS answer, each time" },
	{ "zone_restores", FIGURE_NUMBER, "zones that returned to it" },
	{ "zone_holds", FIGURE_NUMBER, "episodes in which a stage held a removal back" },
	{ "zones", FIGURE_NUMBER, "different zones that were removed" },
	{ "false_removals", FIGURE_NUMBER,
	  "removals of zones with at least `min_healthy` of their targets well" },
	{ "false_removals_overloaded", FIGURE_NUMBER,
	  "those of zones overloaded because of earlier removals" },
	{ "requests", FIGURE_NUMBER, "that clients began" },
	{ "errors", FIGURE_NUMBER, "requests none of whose attempts succeeded in time" },
	{ "error_rate", FIGURE_FRACTION, "errors / requests" },
	{ "capacity_seconds_lost", FIGURE_NUMBER, "target-seconds of well targets kept out of service" },
	{ "time_to_stable_s", FIGURE_SECONDS, "to the last disturbed second; null if there was no calm" },
	{ "metastable", FIGURE_WORD, "`true` if the disturbance outlived the fault to the end" },
	{ "dns", FIGURE_OBJECT,
	  "of a DNS automation: `plans`, `stale_writes`, `emptied`, `empty_seconds`, `stuck`, `repaired_s`, "
	  "`negative_tail_s`" },
	{ "ec2", FIGURE_OBJECT,
	  "of EC2: `leases_held`, `leases_held_min`, `leases_recovered_s`, `good_per_s`, `good_of_calm`, "
	  "`offered_per_s`, `stale_per_s`, `queue_max`, `oldest_max_ms`, `recovery_broken_s`, "
	  "`api_calls`, `api_errors`, `launches`, `launches_failed`, `network_backlog_max`, "
	  "`launch_api_max_ms`, `launch_droplet_max_ms`, `launch_network_max_ms`" },
	{ "fidelity", FIGURE_OBJECT, "how far the run can be believed; its members as `fidelity.NAME`" },
	{ 0 },
};

static const struct topology_figure *find_figure(const char *name)
{
	for (const struct topology_figure *f = topology_figures; f->name; f++) {
		size_t len = strlen(f->name);
		if (!strcmp(f->name, name)) return f->kind == FIGURE_OBJECT ? NULL : f;
		if (f->kind == FIGURE_OBJECT && !strncmp(f->name, name, len) && name[len] == '.' &&
		    name[len + 1])
			return f;
	}
	return NULL;
}

static int unknown_figure(const struct yaml *y, const struct yaml_node *key)
{
	const char *names[32] = { 0 };
	size_t n = 0;
	char hint[96];

	for (const struct topology_figure *f = topology_figures; f->name; f++)
		names[n++] = f->name;
	names[n++] = "in";
	schema_hint(key->text, names, n, hint, sizeof(hint));
	return yaml_fail(y, key, "unknown figure '%.60s'%s", key->text,
	                 *hint ? hint : ", expected one of the summary's (see docs/topology.md)");
}

/* Percentages for shares, durations for seconds, plain numbers for all. */
static bool parse_bound(const struct topology_figure *f, const char *text, double *ret)
{
	mono_ns span;

	if (schema_number(text, ret)) return true;
	if (f->kind == FIGURE_FRACTION || f->kind == FIGURE_OBJECT) return schema_fraction(text, ret);
	if (f->kind != FIGURE_SECONDS || !schema_duration(text, &span)) return false;
	*ret = (double)span / 1e9;
	return true;
}

static int bad_bound(const struct yaml *y, const struct topology_figure *f, const char *key,
                     const struct yaml_node *value)
{
	const char *expected = f->kind == FIGURE_FRACTION  ? "a share such as 0.1% or 0.001"
	                       : f->kind == FIGURE_SECONDS ? "seconds, such as 5 or 5s"
	                                                   : "a number";
	char found[80];

	return yaml_fail(y, value, "%s: expected %s, found %s", key, expected,
	                 yaml_describe(value, found, sizeof(found)));
}

/* FIGURE: VALUE and equals: VALUE. */
static int read_equals(const struct yaml *y, const struct topology_figure *f, const struct yaml_node *value,
                       struct bound *b)
{
	static const char *const words[] = { "true", "false", "pass", "fail", "untrusted" };

	if (value->kind == YAML_NULL) {
		b->has_equals = true;
		b->equals = "null";
		return 0;
	}
	if (value->kind == YAML_SCALAR && f->kind != FIGURE_WORD && parse_bound(f, value->text, &b->min)) {
		b->max = b->min;
		b->has_min = b->has_max = true;
		return 0;
	}
	if (f->kind != FIGURE_WORD && f->kind != FIGURE_OBJECT) return bad_bound(y, f, b->figure, value);
	for (size_t i = 0; value->kind == YAML_SCALAR && i < ARRAY_SIZE(words); i++) {
		if (!strcmp(value->text, words[i])) {
			b->has_equals = true;
			b->equals = words[i];
			return 0;
		}
	}
	return yaml_fail(y, value, "%s: expected true, false, pass, fail, untrusted or null", b->figure);
}

static int read_bound_key(const struct yaml *y, const struct topology_figure *f, const struct yaml_node *key,
                          const struct yaml_node *value, struct bound *b)
{
	bool is_min = !strcmp(key->text, "min");

	if (!strcmp(key->text, "equals")) return read_equals(y, f, value, b);
	if (!is_min && strcmp(key->text, "max")) {
		return yaml_fail(y, key, "unknown key '%.60s', expected min, max or equals", key->text);
	}
	if (f->kind == FIGURE_WORD)
		return yaml_fail(y, key, "%s is no number: expected %s: VALUE", b->figure, b->figure);
	if (value->kind != YAML_SCALAR || !parse_bound(f, value->text, is_min ? &b->min : &b->max)) {
		return bad_bound(y, f, key->text, value);
	}
	*(is_min ? &b->has_min : &b->has_max) = true;
	return 0;
}

static int read_bound(const struct yaml *y, const struct yaml_node *key, const struct yaml_node *value,
                      struct bound *b)
{
	const struct topology_figure *f = find_figure(key->text);

	if (!f) return unknown_figure(y, key);
	b->figure = arena_text(y->arena, key->text, strlen(key->text));
	if (value->kind != YAML_MAP) return read_equals(y, f, value, b);
	if (value->n == 0) return yaml_fail(y, value, "%s: expected min, max or equals", b->figure);
	for (size_t i = 0; i < value->n; i++) {
		int r = read_bound_key(y, f, value->items[2 * i], value->items[2 * i + 1], b);
		if (r < 0) return r;
	}
	if (b->has_equals && (b->has_min || b->has_max)) {
		return yaml_fail(y, value, "%s: equals can't stand beside min or max", b->figure);
	}
	if (b->has_min && b->has_max && b->min > b->max) {
		return yaml_fail(y, value, "%s: min is above max: nothing can fulfil that", b->figure);
	}
	return 0;
}

static int read_bounds(const struct yaml *y, const struct yaml_node *map, void *base)
{
	struct expect_config *e = base;

	e->bounds = arena_alloc(y->arena, map->n + 1, sizeof(*e->bounds));
	for (size_t i = 0; i < map->n; i++) {
		if (!strcmp(map->items[2 * i]->text, "in")) continue;
		int r = read_bound(y, map->items[2 * i], map->items[2 * i + 1], &e->bounds[e->n_bounds]);
		if (r < 0) return r;
		e->n_bounds++;
	}
	if (e->n_bounds == 0)
		return yaml_fail(y, map, "an expectation needs a figure, such as zone_removals: {max: 0}");
	return 0;
}

static void print_number(FILE *out, double value)
{
	char buf[64];
	/* a fraction's text without a unit is a plain number, exact for any double */
	for (int digits = 0; digits <= 24; digits++) {
		double again;
		snprintf(buf, sizeof(buf), "%.*f", digits, value);
		if (schema_number(buf, &again) && again == value) break;
	}
	fputs(buf, out);
}

static void print_bounds(struct printer *p, const char *key, const void *base)
{
	const struct expect_config *e = base;

	(void)key;
	for (size_t i = 0; i < e->n_bounds; i++) {
		const struct bound *b = &e->bounds[i];
		schema_print_key(p, b->figure);
		if (b->has_equals) {
			fprintf(p->out, " {equals: %s}\n", b->equals);
			continue;
		}
		fputs(" {", p->out);
		if (b->has_min) fputs("min: ", p->out), print_number(p->out, b->min);
		if (b->has_max) fputs(b->has_min ? ", max: " : "max: ", p->out), print_number(p->out, b->max);
		fputs("}\n", p->out);
	}
}

static void reference_bounds(FILE *out)
{
	static const char *const values[] = {
		[FIGURE_NUMBER] = "a number",         [FIGURE_FRACTION] = "a share such as 0.1%",
		[FIGURE_SECONDS] = "seconds",         [FIGURE_WORD] = "a word",
		[FIGURE_OBJECT] = "a number or word",
	};

	for (const struct topology_figure *f = topology_figures; f->name; f++) {
		fprintf(out, "| `%s%s` | %s | no bound | %s |\n", f->name,
		        f->kind == FIGURE_OBJECT ? ".NAME" : "", values[f->kind], f->help);
	}
}

const struct schema_custom topology_bounds_custom = {
	.expected = "bounds of figures",
	.read = read_bounds,
	.print = print_bounds,
	.reference = reference_bounds,
};
