#include "orchestrator/verdict/expect.h"
#include "common/cleanup.h"
#include <string.h>

/* --- finding the figure ------------------------------------------------------------------------------- */

/* The member at a dotted path; an exact name wins over a path, so that names may hold dots. */
static const json_t *find_path(const json_t *object, const char *path)
{
	const json_t *exact = json_object_get(object, path);
	const char *dot = strchr(path, '.');

	if (exact || !dot) return exact;
	cleanup_free char *head = strndup(path, (size_t)(dot - path));
	return head ? find_path(json_object_get(object, head), dot + 1) : NULL;
}

static const json_t *find_actual(const struct expect_config *e, const char *figure, const json_t *summary)
{
	if (!e->phase) return find_path(summary, figure);
	return find_path(json_object_get(json_object_get(summary, "phases"), e->phase), figure);
}

/* --- comparing --------------------------------------------------------------------------------------- */

/* A value as a topology would write it. */
static void value_text(const json_t *value, char *text, size_t size)
{
	if (!value) {
		snprintf(text, size, "unknown");
	} else if (json_is_string(value)) {
		snprintf(text, size, "%s", json_string_value(value));
	} else if (json_is_number(value)) {
		snprintf(text, size, "%.6g", json_number_value(value));
	} else {
		snprintf(text, size, "%s",
		         json_is_null(value)   ? "null"
		         : json_is_true(value) ? "true"
		                               : "false");
	}
}

static bool equals(const json_t *actual, const char *wanted)
{
	char text[128], *end;
	double number = strtod(wanted, &end);

	if (json_is_number(actual))
		return end != wanted && *end == '\0' && json_number_value(actual) == number;
	value_text(actual, text, sizeof(text));
	return actual && strcmp(text, wanted) == 0;
}

static bool within(const json_t *actual, const struct bound *b)
{
	if (b->has_equals && !equals(actual, b->equals)) return false;
	if (!b->has_min && !b->has_max) return true;
	if (!json_is_number(actual)) return false;
	double value = json_number_value(actual);
	return (!b->has_min || value >= b->min) && (!b->has_max || value <= b->max);
}

static void bound_text(const struct bound *b, char *text, size_t size)
{
	char equal[160] = "", min[48] = "", max[48] = "";

	if (b->has_equals) snprintf(equal, sizeof(equal), "%.150s", b->equals);
	if (b->has_min) snprintf(min, sizeof(min), "%sat least %.6g", *equal ? ", " : "", b->min);
	if (b->has_max) snprintf(max, sizeof(max), "%sat most %.6g", *equal || *min ? ", " : "", b->max);
	snprintf(text, size, "%s%s%s", equal, min, max);
}

/* --- results ----------------------------------------------------------------------------------------- */

static json_t *evaluate(const struct expect_config *e, const struct bound *b, const json_t *summary)
{
	const json_t *actual = find_actual(e, b->figure, summary);
	bool pass = actual && within(actual, b);
	char bound[300], value[128];

	bound_text(b, bound, sizeof(bound));
	value_text(actual, value, sizeof(value));
	return json_pack(
	    "{s:s?, s:s, s:s, s:O?, s:b, s:o}", "in", e->phase, "figure", b->figure, "bound", bound, "actual",
	    actual, "pass", pass, "text",
	    json_sprintf("%s: %s is %s, expected %s", e->phase ? e->phase : "run", b->figure, value, bound));
}

json_t *expect_evaluate(const struct topology *t, const json_t *summary)
{
	json_t *results = json_array();

	for (size_t i = 0; results && i < t->n_expects; i++) {
		const struct expect_config *e = &t->expects[i];
		for (size_t k = 0; k < e->n_bounds; k++) {
			if (json_array_append_new(results, evaluate(e, &e->bounds[k], summary)) == 0)
				continue;
			json_decref(results);
			return NULL;
		}
	}
	return results;
}

size_t expect_failures(const json_t *results)
{
	size_t failures = 0, i;
	json_t *result;

	json_array_foreach ((json_t *)results, i, result)
		failures += !json_is_true(json_object_get(result, "pass"));
	return failures;
}

void expect_record(struct record *r, double t, const json_t *results)
{
	size_t i;
	json_t *result;

	json_array_foreach ((json_t *)results, i, result) {
		bool pass = json_is_true(json_object_get(result, "pass"));
		record_event(r, t, 0, 0, "azlab", "", pass ? "expect.pass" : "expect.fail",
		             json_incref(result));
	}
}
