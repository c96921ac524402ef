#include "orchestrator/verdict/report_table.h"
#include "orchestrator/verdict/summary_markup.h"

static void put_row(FILE *out, const struct report_table *t, const char *name, const json_t *figures)
{
	char text[SUMMARY_CELL_MAX];

	markup_put(out, "<tr><th scope=\"row\">%s</th>", name);
	for (int i = 0; i < t->columns; i++) {
		t->cell(figures, i, text);
		markup_put(out, "<td>%s</td>", text);
	}
	fputs("</tr>\n", out);
}

void report_table_put(FILE *out, const struct report_table *t, const json_t *summary)
{
	const char *name;
	json_t *figures;

	fputs("<div class=\"scroll\"><table class=\"figures\">\n<thead><tr><th>phase</th>", out);
	for (int i = 0; i < t->columns; i++)
		markup_put(out, "<th>%s</th>", t->heading(i));
	fputs("</tr></thead>\n<tbody>\n", out);
	json_object_foreach (json_object_get(summary, "phases"), name, figures)
		put_row(out, t, name, figures);
	fputs("</tbody><tfoot>\n", out);
	put_row(out, t, "whole run", summary);
	fputs("</tfoot></table></div>\n", out);
}
