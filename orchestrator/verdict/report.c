#include "orchestrator/verdict/report.h"
#include "orchestrator/verdict/report_dns.h"
#include "orchestrator/verdict/report_ec2.h"
#include "orchestrator/verdict/report_table.h"
#include "orchestrator/verdict/summary.h"
#include "orchestrator/verdict/summary_markup.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define DYGRAPHS "/usr/share/javascript/dygraphs/"

/* --- tables ------------------------------------------------------------------------------------------ */

static void put_head(FILE *out, const json_t *summary)
{
	markup_put(out, "<header>\n<p class=\"badge %s\">%s</p>\n<div><h1>%s</h1>\n<p>",
	           node_string(summary, "verdict", ""), node_string(summary, "verdict", ""),
	           node_string(summary, "lab", ""));
	markup_put(out, "<span>%s</span> <span>%s</span> ", node_string(summary, "region", ""),
	           node_string(summary, "topology", ""));
	fprintf(out, "<span>seed %lld</span> ",
	        (long long)json_integer_value(json_object_get(summary, "seed")));
	markup_put(out, "<span>%s</span></p></div>\n</header>\n", node_string(summary, "started", ""));
}

static void put_findings(FILE *out, const json_t *summary)
{
	json_t *item;
	size_t i;

	fputs("<ul class=\"findings\">\n", out);
	json_array_foreach (json_object_get(json_object_get(summary, "fidelity"), "reasons"), i, item) {
		markup_put(out, "<li class=\"untrusted\">%s</li>\n", json_string_value(item));
	}
	json_array_foreach (json_object_get(summary, "expectations"), i, item) {
		bool pass = json_is_true(json_object_get(item, "pass"));
		markup_put(out, "<li class=\"%s\">%s</li>\n", pass ? "pass" : "fail",
		           node_string(item, "text", ""));
	}
	fputs("</ul>\n", out);
}

static const char *figures_heading(int column)
{
	return summary_headings[column];
}

static void put_figures(FILE *out, const json_t *summary)
{
	static const struct report_table table = { SUMMARY_COLUMNS, figures_heading, summary_cell };

	fputs("<section><h2>Figures</h2>", out);
	report_table_put(out, &table, summary);
	fputs("</section>\n", out);
}

static const char *class_heading(int column)
{
	static const char *const headings[FIGURES_CLASSES] = { "no address", "unreachable", "refused",
		                                               "reset",      "timed out",   "HTTP status" };

	return headings[column];
}

static void class_cell(const json_t *figures, int column, char text[SUMMARY_CELL_MAX])
{
	const json_t *classes = json_object_get(figures, "errors_by_class");

	snprintf(text, SUMMARY_CELL_MAX, "%lld",
	         (long long)json_integer_value(json_object_get(classes, figures_classes[column])));
}

/* How requests failed; nothing where none did. */
static void put_classes(FILE *out, const json_t *summary)
{
	static const struct report_table table = { FIGURES_CLASSES, class_heading, class_cell };

	if (json_integer_value(json_object_get(summary, "errors")) == 0) return;
	fputs("<section><h2>How requests failed</h2>", out);
	report_table_put(out, &table, summary);
	fputs("</section>\n", out);
}

static void put_fact(FILE *out, const char *term, const json_t *value, double factor, const char *unit)
{
	markup_put(out, "<div><dt>%s</dt><dd>", term);
	if (json_is_string(value)) {
		markup_put(out, "%s", json_string_value(value));
	} else if (json_is_number(value)) {
		fprintf(out, "%.6g%s", json_number_value(value) * factor + 0.0, unit); /* -0 + 0 is 0 */
	} else {
		fputs("unknown", out);
	}
	fputs("</dd></div>\n", out);
}

static void put_fidelity(FILE *out, const json_t *summary)
{
	const json_t *f = json_object_get(summary, "fidelity");

	fputs("<section><h2>Can it be believed?</h2><dl>\n", out);
	put_fact(out, "latest loop", json_object_get(f, "worst_node"), 1, "");
	put_fact(out, "its lateness, p99", json_object_get(f, "late_p99_ms"), 1, " ms");
	put_fact(out, "limit", json_object_get(f, "limit_ms"), 1, " ms");
	put_fact(out, "events lost", json_object_get(f, "lost_events"), 1, "");
	put_fact(out, "delayed packets lost", json_object_get(f, "fault_lost"), 1, "");
	put_fact(out, "time waiting for a CPU", json_object_get(f, "cpu_pressure"), 100, " %");
	put_fact(out, "clock jump", json_object_get(f, "clock_jump_s"), 1, " s");
	fputs("</dl></section>\n", out);
}

static void put_topology(FILE *out, const struct report_input *in)
{
	fputs("<section><h2>Topology, as run</h2><details><summary>YAML with every default filled "
	      "in</summary><pre>",
	      out);
	markup_escape(out, in->topology_text ? in->topology_text : "");
	fputs("</pre></details></section>\n", out);
	if (!*node_string(in->summary, "repeat", "")) return;
	markup_put(out, "<footer>Repeat it: <code>%s</code></footer>\n",
	           node_string(in->summary, "repeat", ""));
}

/* --- script and style -------------------------------------------------------------------------------- */

/* Inlines one of dygraphs' files, without the reference to a source map beside it. */
static bool put_library(FILE *out, const char *open, const char *path, const char *close)
{
	cleanup_free char *text = report_read(AT_FDCWD, path);
	char *map = text ? strstr(text, "# sourceMappingURL=") : NULL;

	if (!text || strcasestr(text, "</script") || strcasestr(text, "</style")) return false;
	if (map && map - text >= 2)
		map[-2] = '\0'; /* its comment is the file's last, in a script or a style */
	fprintf(out, "%s%s%s\n", open, text, close);
	return true;
}

/* JSON inside a script element: "<" can only stand in a string, where \u003c means the same. */
static int put_json(FILE *out, json_t *data)
{
	cleanup_free char *text = data ? json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

	json_decref(data);
	if (!text) return -ENOMEM;
	fputs("<script type=\"application/json\" id=\"data\">", out);
	for (const char *c = text; *c; c++)
		*c == '<' ? fputs("\\u003c", out) : putc(*c, out);
	fputs("</script>\n", out);
	return 0;
}

static int put_scripts(FILE *out, const struct report_input *in)
{
	bool library = put_library(out, "<style>", DYGRAPHS "dygraph.min.css", "</style>") &&
	               put_library(out, "<script>", DYGRAPHS "dygraph.min.js", "</script>") &&
	               put_library(out, "<script>", DYGRAPHS "src-es5/extras/synchronizer.js", "</script>");

	if (!library) {
		fputs("<p class=\"missing\">The charts need dygraphs (Debian: libjs-dygraphs). Install it "
		      "and write the report "
		      "again with <code>azlab report</code>.</p>\n",
		      out);
	}
	int r = put_json(out, report_data(in->record, in->summary));
	fprintf(out, "<script>%s</script>\n", report_js);
	return r;
}

/* --- the page ---------------------------------------------------------------------------------------- */

static void put_open(FILE *out, const json_t *summary)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      /* nothing on this page may ask any network for anything */
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	      "'unsafe-inline'; "
	      "script-src 'unsafe-inline'; img-src data:\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n",
	      out);
	markup_put(out, "<title>%s: %s</title>\n", node_string(summary, "lab", ""),
	           node_string(summary, "verdict", ""));
	fprintf(out, "<style>%s</style></head>\n<body>\n", report_css);
}

int report_write(const struct report_input *in, FILE *out)
{
	errno = 0;
	put_open(out, in->summary);
	put_head(out, in->summary);
	put_findings(out, in->summary);
	fputs(
	    "<noscript><p class=\"missing\">The charts and the event table need JavaScript.</p></noscript>\n"
	    "<section id=\"charts\"><h2>What happened</h2></section>\n",
	    out);
	put_figures(out, in->summary);
	put_classes(out, in->summary);
	report_dns(out, in->record, in->summary);
	report_ec2(out, in->summary);
	put_fidelity(out, in->summary);
	fputs("<section id=\"events\"><h2>Events and their causes</h2></section>\n", out);
	put_topology(out, in);
	int r = put_scripts(out, in);
	fputs("</body></html>\n", out);
	if (r == 0 && (fflush(out) != 0 || ferror(out))) r = errno ? -errno : -EIO;
	return r;
}
