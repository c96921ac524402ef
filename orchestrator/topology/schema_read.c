/* Reading YAML by the tables. */
#include "orchestrator/topology/schema.h"
#include <errno.h>

enum { FIELDS_MAX = 32 };

static bool limited(const struct schema_field *f)
{
	return f->min < f->max;
}

static const char *format_limit(const struct schema_field *f, double value, char *buf, size_t size)
{
	switch (f->kind) {
	case FIELD_DURATION:
		return schema_format_duration((mono_ns)value, buf, size);
	case FIELD_RATE:
		return schema_format_rate(value, buf, size);
	case FIELD_FRACTION:
		return schema_format_fraction(value, buf, size);
	default:
		snprintf(buf, size, "%.0f", value);
		return buf;
	}
}

static const char *expected_choices(const struct schema_field *f, const char *more, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "%s", more);

	for (const struct schema_choice *c = f->choices; c && c->name && used < size; c++) {
		const char *glue = used == 0 ? "" : c[1].name ? ", " : " or ";
		used += (size_t)snprintf(buf + used, size - used, "%s%s", glue, c->name);
	}
	return buf;
}

static const char *noun_of(const struct schema_field *f)
{
	switch (f->kind) {
	case FIELD_COUNT:
		return "a whole number";
	case FIELD_SEED:
		return "a whole number";
	case FIELD_PORT:
		return "a port";
	case FIELD_DURATION:
		return "a duration such as 250ms or 30s";
	case FIELD_RATE:
		return "a rate such as 400/s";
	case FIELD_FRACTION:
		return "a share such as 50% or 0.5";
	case FIELD_NAME:
		return "a name of lower-case letters, digits and inner hyphens";
	case FIELD_TEXT:
		return "a text";
	case FIELD_SWITCH:
		return "on or off";
	case FIELD_NAMES:
		return "a list of names";
	case FIELD_TEXTS:
		return "a list of texts";
	case FIELD_LIST:
		return "a list of maps";
	case FIELD_NAMED:
		return "a map of names";
	default:
		return "a map";
	}
}

const char *schema_expected(const struct schema_field *f, char *buf, size_t size)
{
	char range[96] = "", from[32], to[32], all[192];

	if (f->kind == FIELD_CUSTOM) return f->custom->expected;
	if (f->kind == FIELD_CHOICE || (f->kind == FIELD_SWITCH && f->choices))
		return expected_choices(f, "", buf, size);
	if (f->kind == FIELD_NAME) {
		snprintf(range, sizeof(range), ", %.0f at most", f->max);
	} else if (f->kind == FIELD_NAMES || f->kind == FIELD_TEXTS || f->kind == FIELD_LIST ||
	           f->kind == FIELD_NAMED) {
		if (limited(f)) snprintf(range, sizeof(range), ", %.0f to %.0f of them", f->min, f->max);
	} else if (limited(f)) {
		snprintf(range, sizeof(range), " from %s to %s", format_limit(f, f->min, from, sizeof(from)),
		         format_limit(f, f->max, to, sizeof(to)));
	}
	snprintf(all, sizeof(all), "%s%s", noun_of(f), range);
	return expected_choices(f, all, buf, size);
}

static int unexpected(const struct yaml *y, const struct schema_field *f, const struct yaml_node *value)
{
	char expected[256], found[80];

	return yaml_fail(y, value, "%s: expected %s, found %s", f->key,
	                 schema_expected(f, expected, sizeof(expected)),
	                 yaml_describe(value, found, sizeof(found)));
}

/* --- scalars ----------------------------------------------------------------------------------------- */

static const struct schema_choice *find_choice(const struct schema_choice *choices, const char *text)
{
	for (const struct schema_choice *c = choices; c && c->name; c++) {
		if (!strcmp(c->name, text)) return c;
	}
	return NULL;
}

static bool store_whole(const struct schema_field *f, const char *text, void *at)
{
	const struct schema_choice *word = find_choice(f->choices, text);
	uint64_t value;

	if (word) {
		*(unsigned *)at = (unsigned)word->value;
		return true;
	}
	if (!schema_count(text, &value)) return false;
	if (f->kind == FIELD_SEED) {
		*(uint64_t *)at = value;
		return true;
	}
	if ((double)value < f->min || (double)value > f->max) return false;
	if (f->kind == FIELD_PORT) {
		*(uint16_t *)at = (uint16_t)value;
	} else {
		*(unsigned *)at = (unsigned)value;
	}
	return true;
}

static bool store_duration(const struct schema_field *f, const char *text, void *at)
{
	mono_ns value;

	if (!schema_duration(text, &value) || (double)value < f->min || (double)value > f->max) return false;
	*(mono_ns *)at = value;
	return true;
}

static bool store_real(const struct schema_field *f, const char *text, void *at)
{
	double value;
	bool (*parse)(const char *, double *) = f->kind == FIELD_RATE ? schema_rate : schema_fraction;

	if (!parse(text, &value) || value < f->min || value > f->max) return false;
	*(double *)at = value;
	return true;
}

static bool store_choice(const struct schema_field *f, const char *text, void *at)
{
	static const struct schema_choice switches[] = {
		{ "on", 1 }, { "off", 0 }, { "true", 1 }, { "false", 0 }, { "yes", 1 }, { "no", 0 }, { 0 },
	};
	const struct schema_choice *c = find_choice(f->choices ? f->choices : switches, text);

	if (!c) return false;
	if (f->kind == FIELD_SWITCH) {
		*(bool *)at = c->value;
	} else {
		*(int *)at = c->value;
	}
	return true;
}

static bool store_text(const struct yaml *y, const struct schema_field *f, const char *text, void *at)
{
	if (f->kind == FIELD_NAME && !schema_label(text, (size_t)f->max)) return false;
	*(const char **)at = arena_text(y->arena, text, strlen(text));
	return true;
}

static bool store(const struct yaml *y, const struct schema_field *f, const char *text, void *at)
{
	switch (f->kind) {
	case FIELD_COUNT:
	case FIELD_PORT:
	case FIELD_SEED:
		return store_whole(f, text, at);
	case FIELD_DURATION:
		return store_duration(f, text, at);
	case FIELD_RATE:
	case FIELD_FRACTION:
		return store_real(f, text, at);
	case FIELD_SWITCH:
	case FIELD_CHOICE:
		return store_choice(f, text, at);
	case FIELD_NAME:
	case FIELD_TEXT:
		return store_text(y, f, text, at);
	default:
		return false;
	}
}

/* --- lists and maps ---------------------------------------------------------------------------------- */

static bool counted(const struct schema_field *f, size_t n)
{
	return !limited(f) || ((double)n >= f->min && (double)n <= f->max);
}

static int read_texts(const struct yaml *y, const struct schema_field *f, const struct yaml_node *list,
                      void *base)
{
	bool names = f->kind == FIELD_NAMES;
	const struct schema_field element = { .key = f->key,
		                              .kind = names ? FIELD_NAME : FIELD_TEXT,
		                              .max = 15 };
	const char **texts = names ? (const char **)((char *)base + f->offset)
	                           : arena_alloc(y->arena, list->n, sizeof(char *));

	if (list->kind != YAML_LIST || !counted(f, list->n)) return unexpected(y, f, list);
	for (size_t i = 0; i < list->n; i++) {
		const struct yaml_node *item = list->items[i];
		if (item->kind != YAML_SCALAR || !store(y, &element, item->text, &texts[i])) {
			return unexpected(y, &element, item);
		}
		for (size_t j = 0; names && j < i; j++) {
			if (!strcmp(texts[i], texts[j]))
				return yaml_fail(y, item, "'%s' stands here twice", texts[i]);
		}
	}
	if (!names) *(const char ***)((char *)base + f->offset) = texts;
	*(size_t *)((char *)base + f->count_offset) = list->n;
	return 0;
}

static int read_elements(const struct yaml *y, const struct schema_field *f, const struct yaml_node *value,
                         void *base)
{
	bool named = f->kind == FIELD_NAMED;
	const struct schema_field name = { .key = "name", .kind = FIELD_NAME, .max = 32 };
	char *elements = arena_alloc(y->arena, value->n, f->schema->size);

	if (value->kind != (named ? YAML_MAP : YAML_LIST) || !counted(f, value->n))
		return unexpected(y, f, value);
	for (size_t i = 0; i < value->n; i++) {
		char *element = elements + i * f->schema->size;
		const struct yaml_node *key = named ? value->items[2 * i] : NULL;
		if (named && !store(y, &name, key->text, element)) return unexpected(y, &name, key);
		int r = schema_read(y, f->schema, value->items[named ? 2 * i + 1 : i], element);
		if (r < 0) return r;
	}
	*(void **)((char *)base + f->offset) = elements;
	*(size_t *)((char *)base + f->count_offset) = value->n;
	return 0;
}

int schema_read_value(const struct yaml *y, const struct schema_field *f, const struct yaml_node *value,
                      void *base)
{
	switch (f->kind) {
	case FIELD_NAMES:
	case FIELD_TEXTS:
		return read_texts(y, f, value, base);
	case FIELD_LIST:
	case FIELD_NAMED:
		return read_elements(y, f, value, base);
	case FIELD_MAP:
		if (f->count_offset) *(size_t *)((char *)base + f->count_offset) = 1;
		return schema_read(y, f->schema, value, (char *)base + f->offset);
	case FIELD_CUSTOM:
		return f->custom->read(y, value, base);
	default:
		break;
	}
	if (value->kind == YAML_SCALAR && store(y, f, value->text, (char *)base + f->offset)) return 0;
	return unexpected(y, f, value);
}

static int unknown_key(const struct yaml *y, const struct schema *s, const struct yaml_node *key)
{
	const char *names[FIELDS_MAX] = { 0 };
	size_t n = 0;
	char hint[96];

	for (const struct schema_field *f = s->fields; f->key; f++)
		names[n++] = f->key;
	schema_hint(key->text, names, n, hint, sizeof(hint));
	return yaml_fail(y, key, "unknown key '%.60s'%s", key->text,
	                 *hint ? hint : " (see docs/topology.md)");
}

static int check_keys(const struct yaml *y, const struct schema *s, const struct yaml_node *map)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct schema_field *f = s->fields;
		while (f->key && strcmp(f->key, map->items[2 * i]->text))
			f++;
		if (!f->key) return unknown_key(y, s, map->items[2 * i]);
	}
	return 0;
}

/* A key that the map doesn't have: its default, an empty map or list, or an error. */
static int read_missing(const struct yaml *y, const struct schema_field *f, const struct yaml_node *map,
                        void *base)
{
	char expected[256];
	struct yaml_node empty = *map;

	if (f->fallback) {
		if (store(y, f, f->fallback, (char *)base + f->offset)) return 0;
		return yaml_fail(y, map, "%s: bad default '%s' in the schema", f->key, f->fallback);
	}
	if (f->kind == FIELD_MAP && !f->count_offset) {
		empty.kind = YAML_NULL;
		empty.n = 0;
		return schema_read(y, f->schema, &empty, (char *)base + f->offset);
	}
	if (f->otherwise) return 0;
	return yaml_fail(y, map, "missing key '%s': expected %s", f->key,
	                 schema_expected(f, expected, sizeof(expected)));
}

int schema_read(const struct yaml *y, const struct schema *s, const struct yaml_node *map, void *base)
{
	char found[80];
	int r = 0;

	/* "shop:" with nothing behind it is a map in which everything is default */
	if (map->kind != YAML_MAP && map->kind != YAML_NULL) {
		return yaml_fail(y, map, "expected a map, found %s",
		                 yaml_describe(map, found, sizeof(found)));
	}
	if (!s->rest && (r = check_keys(y, s, map)) < 0) return r;
	for (const struct schema_field *f = s->fields; r == 0 && f->key; f++) {
		const struct yaml_node *value = yaml_get(map, f->key);
		r = value ? schema_read_value(y, f, value, base) : read_missing(y, f, map, base);
	}
	if (r == 0 && s->rest) r = s->rest->read(y, map, base);
	if (s->line_offset) *(int *)((char *)base + s->line_offset) = map->line;
	return r;
}
