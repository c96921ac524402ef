#include "orchestrator/verdict/compare.h"
#include "common/cleanup.h"
#include "orchestrator/topology/topology_yaml.h"
#include <math.h>
#include <string.h>

static const char *const plain_figures[] = { "zone_removals",    "false_removals", "zone_holds",
	                                     "error_rate",       "requests",       "capacity_seconds_lost",
	                                     "time_to_stable_s", "metastable" };
/* Objects of figures that only some topologies have. */
static const char *const groups[] = { "dns", "ec2" };

/* --- knobs ------------------------------------------------------------------------------------------- */

static int flatten(const struct yaml_node *node, const char *path, json_t *into);

static int flatten_member(const struct yaml_node *node, size_t i, const char *path, json_t *into)
{
	const struct yaml_node *value = node->kind == YAML_MAP ? node->items[2 * i + 1] : node->items[i];
	const char *dot = *path ? "." : "";
	cleanup_free char *below = NULL;
	int r = node->kind == YAML_MAP ? asprintf(&below, "%s%s%s", path, dot, node->items[2 * i]->text)
	                               : asprintf(&below, "%s%s%zu", path, dot, i);

	if (r < 0) {
		below = NULL; /* undefined after a failure */
		return -1;
	}
	return flatten(value, below, into);
}

/* Depth is bounded by the parser. An empty list is a value too: it may stand against one with members. */
static int flatten(const struct yaml_node *node, const char *path, json_t *into)
{
	int r = 0;

	if (node->kind == YAML_SCALAR) return json_object_set_new(into, path, json_string(node->text));
	if (node->kind == YAML_NULL) return json_object_set_new(into, path, json_string("null"));
	if (node->n == 0)
		return json_object_set_new(into, path, json_string(node->kind == YAML_MAP ? "{}" : "[]"));
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = flatten_member(node, i, path, into);
	return r;
}

json_t *compare_knobs(const char *yaml, char error[256])
{
	struct arena arena = { 0 };
	struct topology_error why;
	const struct yaml y = { .file = "topology.yaml", .arena = &arena, .error = &why };
	struct yaml_node *root;
	json_t *knobs = NULL;

	if (yaml_parse(&y, yaml, strlen(yaml), &root) < 0) {
		snprintf(error, 256, "%.255s", why.text);
	} else {
		knobs = json_object();
		if (flatten(root, "", knobs) < 0) {
			snprintf(error, 256, "out of memory");
			json_decref(knobs);
			knobs = NULL;
		}
	}
	arena_release(&arena);
	return knobs;
}

static bool knobs_known(const struct compare_run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!runs[i].knobs) return false;
	return true;
}

/* Adds a line for the path if the runs differ in it. */
static int add_knob(json_t *lines, const struct compare_run *runs, size_t n, const char *path)
{
	const json_t *first = json_object_get(runs[0].knobs, path);
	json_t *texts = json_array();
	bool differs = false;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		json_t *text = json_object_get(runs[i].knobs, path);
		differs |= !text != !first || (text && !json_equal(text, first));
		r |= json_array_append(texts, text ? text : json_null());
	}
	if (r == 0 && differs) return json_object_set_new(lines, path, texts);
	json_decref(texts);
	return r;
}

static json_t *knob_lines(const struct compare_run *runs, size_t n)
{
	json_t *lines = json_object(), *knob;
	const char *path;

	if (!knobs_known(runs, n)) {
		json_decref(lines);
		return json_null();
	}
	for (size_t i = 0; i < n; i++) {
		json_object_foreach (runs[i].knobs, path, knob) {
			if (json_object_get(lines, path)) continue;
			if (add_knob(lines, runs, n, path) == 0) continue;
			json_decref(lines);
			return NULL;
		}
	}
	return lines;
}

/* --- figures ----------------------------------------------------------------------------------------- */

const char *compare_text(const json_t *value, char buf[COMPARE_TEXT_MAX])
{
	double number = json_number_value(value);

	if (json_is_string(value)) return json_string_value(value);
	if (json_is_true(value)) return "true";
	if (json_is_false(value)) return "false";
	if (!json_is_number(value)) return "-";
	/* counts whole, whichever kind of number a summary has them as */
	bool whole = number == floor(number) && fabs(number) < 1e15;
	if (json_is_integer(value))
		snprintf(buf, COMPARE_TEXT_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(buf, COMPARE_TEXT_MAX, whole ? "%.0f" : "%.6g", number);
	return buf;
}

static bool values_differ(const json_t *values)
{
	char a[COMPARE_TEXT_MAX], b[COMPARE_TEXT_MAX];
	const char *first = compare_text(json_array_get(values, 0), a);

	for (size_t i = 1; i < json_array_size(values); i++)
		if (strcmp(first, compare_text(json_array_get(values, i), b)) != 0) return true;
	return false;
}

/* Spans are an array of the runs' objects of figures, null where a run has none. */
static int add_row(json_t *rows, const json_t *spans, const char *group, const char *figure)
{
	cleanup_free char *name = NULL;
	json_t *values = json_array(), *span;
	size_t i;
	int r = 0;

	json_array_foreach (spans, i, span) {
		json_t *value = json_object_get(group ? json_object_get(span, group) : span, figure);
		r |= json_array_append(values, value ? value : json_null());
	}
	if (r < 0 || asprintf(&name, "%s%s%s", group ? group : "", group ? "." : "", figure) < 0) {
		name = NULL; /* undefined after a failure */
		json_decref(values);
		return -1;
	}
	bool differs = values_differ(values);
	return json_object_set_new(rows, name, json_pack("{s:o, s:b}", "values", values, "differs", differs));
}

/* What any run has in the group, in the order of first sight; setting a row again keeps its place. */
static int add_group(json_t *rows, const json_t *spans, const char *group)
{
	json_t *span, *value;
	const char *figure;
	size_t i;
	int r = 0;

	json_array_foreach (spans, i, span) {
		json_object_foreach (json_object_get(span, group), figure, value) {
			if (json_is_object(value) || json_is_array(value)) continue;
			r |= add_row(rows, spans, group, figure);
		}
	}
	return r;
}

/* Takes the spans over. */
static json_t *rows_of(json_t *spans)
{
	json_t *rows = json_object();
	int r = spans ? 0 : -1;

	for (size_t i = 0; i < ARRAY_SIZE(plain_figures); i++)
		r |= add_row(rows, spans, NULL, plain_figures[i]);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		r |= add_group(rows, spans, groups[i]);
	json_decref(spans);
	if (r == 0) return rows;
	json_decref(rows);
	return NULL;
}

/* Of a phase, or of the whole runs. */
static json_t *spans_of(const struct compare_run *runs, size_t n, const char *phase)
{
	json_t *spans = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *span = runs[i].summary;
		if (phase) span = json_object_get(json_object_get(span, "phases"), phase);
		if (json_array_append(spans, span ? span : json_null()) == 0) continue;
		json_decref(spans);
		return NULL;
	}
	return spans;
}

json_t *compare_phase_names(const struct compare_run *runs, size_t n)
{
	json_t *seen = json_object(), *names = json_array(), *phase;
	const char *name;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		json_object_foreach (json_object_get(runs[i].summary, "phases"), name, phase) {
			if (json_object_get(seen, name)) continue;
			r |= json_object_set_new(seen, name, json_true());
			r |= json_array_append_new(names, json_string(name));
		}
	}
	json_decref(seen);
	if (r == 0) return names;
	json_decref(names);
	return NULL;
}

static json_t *phases_of(const struct compare_run *runs, size_t n, const struct compare_phases *wanted)
{
	json_t *names = compare_phase_names(runs, n), *phases = json_object(), *name;
	int r = names ? 0 : -1;
	size_t i;

	json_array_foreach (names, i, name) {
		const char *phase = json_string_value(name);
		if (wanted->only ? strcmp(wanted->only, phase) != 0 : !wanted->all) continue;
		r |= json_object_set_new(phases, phase, rows_of(spans_of(runs, n, phase)));
	}
	json_decref(names);
	if (r == 0) return phases;
	json_decref(phases);
	return NULL;
}

static json_t *heads_of(const struct compare_run *runs, size_t n)
{
	static const char *const keys[] = { "lab", "seed", "verdict" };
	json_t *heads = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		json_t *head = json_pack("{s:s}", "folder", runs[i].folder);
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			json_t *value = json_object_get(runs[i].summary, keys[k]);
			r |= json_object_set(head, keys[k], value ? value : json_null());
		}
		r |= json_array_append_new(heads, head);
	}
	if (r == 0) return heads;
	json_decref(heads);
	return NULL;
}

json_t *compare_make(const struct compare_run *runs, size_t n, const struct compare_phases *phases)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "runs", heads_of(runs, n), "figures",
	                 rows_of(spans_of(runs, n, NULL)), "phases", phases_of(runs, n, phases), "knobs",
	                 knob_lines(runs, n));
}
