/* A service's policy chain: stages and their parameters come from stage_types[] (nodes/policy/). */
#include "orchestrator/topology/topology_schema.h"
#include <errno.h>

enum { STAGE_NAMES_MAX = 64 };

static size_t stage_names(const char **names)
{
	size_t n = 0;
	for (; n < STAGE_NAMES_MAX && stage_types[n]; n++)
		names[n] = stage_types[n]->name;
	return n;
}

static size_t param_count(const struct stage_type *type)
{
	size_t n = 0;
	while (n < STAGE_PARAMS_MAX && type->params[n].key)
		n++;
	return n;
}

bool topology_stage_init(struct stage_config *s, const char *name)
{
	const struct stage_type *type = stage_find(name);

	*s = (struct stage_config){ .type = type };
	for (size_t i = 0; type && i < param_count(type); i++)
		s->params[i] = type->params[i].fallback;
	return type;
}

/* The row that a parameter would have, so that it reads and prints like any other value. */
static struct schema_field field_of(const struct stage_param *p)
{
	static const enum schema_kind kinds[] = {
		[STAGE_FRACTION] = FIELD_FRACTION,
		[STAGE_DURATION] = FIELD_DURATION,
		[STAGE_COUNT] = FIELD_COUNT,
	};
	return (struct schema_field){
		.key = p->key, .kind = kinds[p->kind], .min = p->min, .max = p->max, .help = p->help
	};
}

static const char *format_param(const struct stage_param *p, double value, char *buf, size_t size)
{
	switch (p->kind) {
	case STAGE_FRACTION:
		return schema_format_fraction(value, buf, size);
	case STAGE_DURATION:
		return schema_format_duration((mono_ns)value, buf, size);
	case STAGE_COUNT:
		break;
	}
	snprintf(buf, size, "%.0f", value);
	return buf;
}

static bool parse_param(const struct stage_param *p, const char *text, double *ret)
{
	mono_ns span;
	uint64_t count;
	double value = 0;
	bool ok = false;

	switch (p->kind) {
	case STAGE_FRACTION:
		ok = schema_fraction(text, &value);
		break;
	case STAGE_DURATION:
		ok = schema_duration(text, &span);
		if (ok) value = (double)span;
		break;
	case STAGE_COUNT:
		ok = schema_count(text, &count);
		if (ok) value = (double)count;
		break;
	}
	if (!ok || value < p->min || value > p->max) return false;
	*ret = value;
	return true;
}

static const struct stage_param *find_param(const struct stage_type *type, const char *key)
{
	for (size_t i = 0; i < param_count(type); i++) {
		if (!strcmp(type->params[i].key, key)) return &type->params[i];
	}
	return NULL;
}

static int unknown_param(const struct stage_type *type, const char *key, char *error, size_t size)
{
	const char *names[STAGE_PARAMS_MAX];
	size_t n = param_count(type);
	char hint[96];

	for (size_t i = 0; i < n; i++)
		names[i] = type->params[i].key;
	schema_hint(key, names, n, hint, sizeof(hint));
	snprintf(error, size, "stage %s has no parameter '%.60s'%s", type->name, key, hint);
	return -EINVAL;
}

int topology_stage_set(struct stage_config *s, const char *key, const char *value, char *error, size_t size)
{
	const struct stage_param *p = find_param(s->type, key);
	char expected[256];

	if (!p) return unknown_param(s->type, key, error, size);
	if (parse_param(p, value, &s->params[p - s->type->params])) return 0;
	const struct schema_field f = field_of(p);
	snprintf(error, size, "%s: expected %s, found '%.60s'", key,
	         schema_expected(&f, expected, sizeof(expected)), value);
	return -EINVAL;
}

static int unknown_stage(const struct yaml *y, const struct yaml_node *name)
{
	const char *names[STAGE_NAMES_MAX] = { 0 };
	size_t n = stage_names(names);
	char hint[96], list[512] = "";

	schema_hint(name->text, names, n, hint, sizeof(hint));
	for (size_t i = 0, used = 0; i < n && used < sizeof(list); i++) {
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	return yaml_fail(y, name, "unknown stage '%.60s'%s (there are: %s)", name->text, hint, list);
}

static int read_params(const struct yaml *y, const struct yaml_node *params, struct stage_config *s)
{
	char error[512], found[80];

	if (params->kind != YAML_MAP && params->kind != YAML_NULL) {
		return yaml_fail(y, params, "%s: expected a map of its parameters, found %s", s->type->name,
		                 yaml_describe(params, found, sizeof(found)));
	}
	for (size_t i = 0; i < params->n; i++) {
		const struct yaml_node *key = params->items[2 * i], *value = params->items[2 * i + 1];
		const char *text =
		    value->kind == YAML_SCALAR ? value->text : yaml_describe(value, found, sizeof(found));
		if (topology_stage_set(s, key->text, text, error, sizeof(error)) == 0) continue;
		return yaml_fail(y, find_param(s->type, key->text) ? value : key, "%s", error);
	}
	return 0;
}

static int read_stage(const struct yaml *y, const struct yaml_node *item, struct stage_config *s)
{
	static const struct yaml_node none = { .kind = YAML_NULL };
	bool map = item->kind == YAML_MAP && item->n == 1;
	const struct yaml_node *name = map ? item->items[0] : item;
	char found[80];

	if (!map && item->kind != YAML_SCALAR) {
		return yaml_fail(y, item,
		                 "stages: expected one stage an element, such as {velocity: {max_removed: "
		                 "34%%}}, found %s",
		                 yaml_describe(item, found, sizeof(found)));
	}
	if (!topology_stage_init(s, name->text)) return unknown_stage(y, name);
	return read_params(y, map ? item->items[1] : &none, s);
}

static int read_stages(const struct yaml *y, const struct yaml_node *list, void *base)
{
	struct failover_config *f = base;
	char found[80];

	if (list->kind != YAML_LIST) {
		return yaml_fail(
		    y, list, "stages: expected a list such as [{velocity: {max_removed: 34%%}}], found %s",
		    yaml_describe(list, found, sizeof(found)));
	}
	if (list->n > TOPOLOGY_STAGES_MAX) {
		return yaml_fail(y, list, "stages: expected %d at most, found %zu", TOPOLOGY_STAGES_MAX,
		                 list->n);
	}
	for (f->n_stages = 0; f->n_stages < list->n; f->n_stages++) {
		int r = read_stage(y, list->items[f->n_stages], &f->stages[f->n_stages]);
		if (r < 0) return r;
	}
	return 0;
}

/* velocity: {max_removed: 34%, per: 60s} */
static void print_stage(const struct stage_config *s, FILE *out)
{
	char buf[64];

	fprintf(out, "%s: {", s->type->name);
	for (size_t i = 0; i < param_count(s->type); i++) {
		fprintf(out, "%s%s: %s", i ? ", " : "", s->type->params[i].key,
		        format_param(&s->type->params[i], s->params[i], buf, sizeof(buf)));
	}
	putc('}', out);
}

void topology_stages_print(const struct stage_config *stages, size_t n, FILE *out)
{
	putc('[', out);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", {" : "{", out);
		print_stage(&stages[i], out);
		putc('}', out);
	}
	putc(']', out);
}

static void print_stages(struct printer *p, const char *key, const void *base)
{
	const struct failover_config *f = base;

	schema_print_key(p, key);
	if (f->n_stages == 0) fputs(" []", p->out);
	putc('\n', p->out);
	for (size_t i = 0; i < f->n_stages; i++) {
		fprintf(p->out, "%*s- ", p->indent + 2, "");
		print_stage(&f->stages[i], p->out);
		putc('\n', p->out);
	}
}

static void reference_stages(FILE *out)
{
	char expected[256], fallback[64];

	fputs("| stage | parameter | value | default | meaning |\n|---|---|---|---|---|\n", out);
	for (const struct stage_type *const *type = stage_types; *type; type++) {
		fprintf(out, "| `%s` | | | | %s |\n", (*type)->name, (*type)->help);
		for (size_t i = 0; i < param_count(*type); i++) {
			const struct stage_param *p = &(*type)->params[i];
			const struct schema_field f = field_of(p);
			fprintf(out, "| | `%s` | %s | `%s` | %s |\n", p->key,
			        schema_expected(&f, expected, sizeof(expected)),
			        format_param(p, p->fallback, fallback, sizeof(fallback)), p->help);
		}
	}
}

const struct schema_custom topology_stages_custom = {
	.expected = "a list of stages",
	.read = read_stages,
	.print = print_stages,
	.reference = reference_stages,
};
