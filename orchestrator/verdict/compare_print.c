/* compare_print.c - a comparison as a table for people: measured first, then printed, by the same walk. */
#include "orchestrator/verdict/compare.h"
#include "common/cleanup.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

struct table {
	FILE *out;        /* NULL while it is measured */
	size_t names;     /* width of the first column */
	size_t *widths;   /* of the runs' */
	size_t n_columns; /* the runs */
};

/* Names come from files that anyone may have written: nothing in them steers a terminal. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++)
		putc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static void pad(FILE *out, size_t width, const char *text)
{
	for (size_t used = strlen(text); used < width; used++)
		putc(' ', out);
}

static void widen(size_t *width, const char *text)
{
	if (strlen(text) > *width) *width = strlen(text);
}

static void put_row(struct table *t, bool differs, const char *name, const json_t *values)
{
	char buf[COMPARE_TEXT_MAX];

	widen(&t->names, name);
	if (t->out) {
		fputs(differs ? "* " : "  ", t->out);
		put_text(t->out, name);
		pad(t->out, t->names, name);
	}
	for (size_t i = 0; i < t->n_columns; i++) {
		const char *text = compare_text(json_array_get(values, i), buf);
		widen(&t->widths[i], text);
		if (!t->out) continue;
		fputs("  ", t->out);
		pad(t->out, t->widths[i], text);
		put_text(t->out, text);
	}
	if (t->out) putc('\n', t->out);
}

static void put_rows(struct table *t, const char *heading, const char *name, json_t *rows)
{
	const char *figure;
	json_t *row;

	if (t->out) {
		fprintf(t->out, "\n%s", heading);
		put_text(t->out, name);
		putc('\n', t->out);
	}
	json_object_foreach (rows, figure, row) {
		put_row(t, json_is_true(json_object_get(row, "differs")), figure,
		        json_object_get(row, "values"));
	}
}

/* One line of the table's head: the runs' lab, seed, ... */
static void put_head(struct table *t, const char *name, const char *key, const json_t *runs)
{
	json_t *values = json_array(), *run;
	bool differs = false;
	size_t i;

	json_array_foreach (runs, i, run) {
		const json_t *first = json_object_get(json_array_get(runs, 0), key);
		differs |= !json_equal(json_object_get(run, key), first);
		json_array_append(values, json_object_get(run, key));
	}
	/* folders always differ */
	put_row(t, differs && strcmp(key, "folder") != 0, name, values);
	json_decref(values);
}

static void put_table(struct table *t, const json_t *comparison)
{
	const json_t *runs = json_object_get(comparison, "runs");
	const char *name;
	json_t *rows;

	put_head(t, "run", "folder", runs);
	put_head(t, "lab", "lab", runs);
	put_head(t, "seed", "seed", runs);
	put_head(t, "verdict", "verdict", runs);
	put_rows(t, "whole run", "", json_object_get(comparison, "figures"));
	json_object_foreach (json_object_get(comparison, "phases"), name, rows) {
		put_rows(t, "phase ", name, rows);
	}
}

static void put_knobs(FILE *out, json_t *knobs)
{
	const char *path;
	json_t *texts, *text;
	size_t i;

	if (!json_is_object(knobs)) return;
	fputs(json_object_size(knobs) ? "\ntopology:\n" : "\ntopology: the same\n", out);
	json_object_foreach (knobs, path, texts) {
		fputs("  ", out);
		put_text(out, path);
		json_array_foreach (texts, i, text) {
			fputs(i == 0 ? ": " : " -> ", out);
			put_text(out, json_is_string(text) ? json_string_value(text) : "(none)");
		}
		putc('\n', out);
	}
}

int compare_print(const json_t *comparison, FILE *out)
{
	size_t n = json_array_size(json_object_get(comparison, "runs"));
	cleanup_free size_t *widths = calloc(n ? n : 1, sizeof(*widths));
	struct table t = { .widths = widths, .n_columns = n };

	if (!widths) return -ENOMEM;
	put_table(&t, comparison);
	t.out = out;
	put_table(&t, comparison);
	fputs("\n* differs\n", out);
	put_knobs(out, json_object_get(comparison, "knobs"));
	return ferror(out) ? -EIO : 0;
}
