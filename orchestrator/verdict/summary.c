#include "orchestrator/verdict/summary.h"
#include "orchestrator/verdict/expect.h"
#include "orchestrator/verdict/figures_dns.h"
#include "orchestrator/verdict/figures_ec2.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <errno.h>
#include <math.h>
#include <string.h>

static const struct {
	enum verdict verdict;
	const char *name;
} verdicts[] = { { VERDICT_PASS, "pass" }, { VERDICT_FAIL, "fail" }, { VERDICT_UNTRUSTED, "untrusted" } };

/* --- making it --------------------------------------------------------------------------------------- */

/* Of the DNS automation, if the topology has one. */
static int add_dns(json_t *object, const struct summary_input *in, struct span span)
{
	const struct topology *t = in->topology;
	struct dns_figures f;

	if (!t->has_dns_automation) return 0;
	const struct service_config *s = &t->services[topology_service(t, t->dns_automation.service)];
	dns_figures_of(in->record, span, s->name, s->dns_name, &f);
	return json_object_set_new(object, "dns", dns_figures_json(&f));
}

/* Of EC2; good work is measured against that of the first phase. */
static int add_ec2(json_t *object, const struct summary_input *in, struct span span)
{
	const struct topology *t = in->topology;
	struct span run = figures_run(t, in->end);
	struct span calm = t->n_phases > 1 ? figures_phase(t, 0, run) : run;

	if (!t->has_ec2) return 0;
	const struct service_config *s = &t->services[topology_service(t, t->ec2.dynamodb)];
	struct ec2_store store = { s->name, s->dns_name ? s->dns_name : "" };
	return json_object_set_new(object, "ec2", figures_ec2_json(in->record, span, calm, &store));
}

static json_t *span_json(const struct summary_input *in, struct span span, struct span window)
{
	struct figures f;
	json_t *object = figures_of(in->record, span, window, &f) == 0 ? figures_json(&f) : NULL;

	if (object) json_object_set_new(object, "from_s", json_real(span.from));
	if (object) json_object_set_new(object, "to_s", json_real(span.to));
	if (object) add_dns(object, in, span);
	if (object) add_ec2(object, in, span);
	return object;
}

static json_t *phases_json(const struct summary_input *in, struct span run, struct span window)
{
	const struct topology *t = in->topology;
	json_t *phases = json_object();

	for (size_t i = 0; phases && i + 1 < t->n_phases; i++) {
		json_t *phase = span_json(in, figures_phase(t, i, run), window);
		if (json_object_set_new(phases, t->phases[i].name, phase) == 0) continue;
		json_decref(phases);
		return NULL;
	}
	return phases;
}

static json_t *zones_json(const struct topology *t)
{
	json_t *zones = json_array();
	for (size_t i = 0; i < t->n_zones; i++)
		json_array_append_new(zones, json_string(t->zones[i]));
	return zones;
}

/* From the fidelity and, once they are there, the expectations. */
static const char *decide(const json_t *summary)
{
	const json_t *reasons = json_object_get(json_object_get(summary, "fidelity"), "reasons");

	if (json_array_size(reasons) > 0) return "untrusted";
	return expect_failures(json_object_get(summary, "expectations")) ? "fail" : "pass";
}

static json_t *head(const struct summary_input *in)
{
	return json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:I, s:o}", "verdict", "untrusted", "lab",
	                 in->lab, "region", in->topology->region, "topology", in->topology->file, "started",
	                 in->started, "repeat", in->repeat, "seed", (json_int_t)in->topology->seed,
	                 "zone_names", zones_json(in->topology));
}

/* The run's "dns" says whose name it is about. */
static int name_endpoint(json_t *summary, const struct topology *t)
{
	if (!t->has_dns_automation) return 0;
	const char *name = t->services[topology_service(t, t->dns_automation.service)].dns_name;
	return json_object_set_new(json_object_get(summary, "dns"), "endpoint", json_string(name));
}

/* The run's "ec2" says what the age of queued work has to be held against. */
static int add_time_out(json_t *summary, const struct topology *t)
{
	if (!t->has_ec2) return 0;
	double timeout_ms = mono_ms(t->ec2.dwfm.timeout);
	return json_object_set_new(json_object_get(summary, "ec2"), "timeout_ms", json_real(timeout_ms));
}

json_t *summary_make(const struct summary_input *in)
{
	struct span run = figures_run(in->topology, in->end);
	struct span window = figures_window(in->record, run);
	json_t *summary = head(in), *figures = span_json(in, run, window);
	int r = json_object_update(summary, figures);

	json_decref(figures);
	r |= name_endpoint(summary, in->topology);
	r |= add_time_out(summary, in->topology);
	r |= json_object_set_new(summary, "window_s", json_pack("[f, f]", window.from, window.to));
	r |= json_object_set_new(summary, "fidelity", fidelity_judge(in->fidelity, in->record, run));
	r |= json_object_set_new(summary, "phases", phases_json(in, run, window));
	r |= json_object_set_new(summary, "verdict",
	                         json_string(decide(summary))); /* as far as they can see it */
	r |= json_object_set_new(summary, "expectations", expect_evaluate(in->topology, summary));
	r |= json_object_set_new(summary, "verdict", json_string(decide(summary)));
	if (r == 0) return summary;
	json_decref(summary);
	return NULL;
}

enum verdict summary_verdict(const json_t *summary)
{
	const char *name = json_string_value(json_object_get(summary, "verdict"));

	for (size_t i = 0; name && i < ARRAY_SIZE(verdicts); i++) {
		if (!strcmp(name, verdicts[i].name)) return verdicts[i].verdict;
	}
	return VERDICT_UNTRUSTED;
}

void summary_record(const json_t *summary, struct record *r, double t)
{
	expect_record(r, t, json_object_get(summary, "expectations"));
	json_t *fields = json_pack("{s:O, s:O}", "verdict", json_object_get(summary, "verdict"), "reasons",
	                           json_object_get(json_object_get(summary, "fidelity"), "reasons"));
	record_event(r, t, 0, 0, "azlab", "", "verdict", fields);
}

/* --- the table of figures ---------------------------------------------------------------------------- */

const char *const summary_headings[SUMMARY_COLUMNS] = { "time",     "removed",       "false",
	                                                "restored", "held",          "requests",
	                                                "errors",   "lost capacity", "stable after" };

static double number(const json_t *figures, const char *name)
{
	const json_t *value = json_object_get(figures, name);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void put_number(char text[SUMMARY_CELL_MAX], double value, int decimals, const char *unit)
{
	if (isnan(value)) {
		snprintf(text, SUMMARY_CELL_MAX, "–");
	} else {
		snprintf(text, SUMMARY_CELL_MAX, "%.*f%s", decimals, value, unit);
	}
}

void summary_cell(const json_t *figures, int column, char text[SUMMARY_CELL_MAX])
{
	static const char *const counts[SUMMARY_COLUMNS] = {
		NULL, "zone_removals", "false_removals", "zone_restores", "zone_holds", "requests"
	};

	if (counts[column]) {
		put_number(text, number(figures, counts[column]), 0, "");
	} else if (column == 0) {
		snprintf(text, SUMMARY_CELL_MAX, "%.6g–%.6g s", number(figures, "from_s"),
		         number(figures, "to_s"));
	} else if (column == 6) {
		put_number(text, 100 * number(figures, "error_rate"), 2, " %");
	} else if (column == 7) {
		put_number(text, number(figures, "capacity_seconds_lost"), 1, " target-s");
	} else if (json_is_true(json_object_get(figures, "metastable"))) {
		snprintf(text, SUMMARY_CELL_MAX, "never");
	} else {
		put_number(text, number(figures, "time_to_stable_s"), 1, " s");
	}
}

/* --- files ------------------------------------------------------------------------------------------- */

static int finished(FILE *out)
{
	return fflush(out) == 0 && !ferror(out) ? 0 : errno ? -errno : -EIO;
}

int summary_write_json(const json_t *summary, FILE *out)
{
	errno = 0;
	json_dumpf(summary, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	putc('\n', out);
	return finished(out);
}

/* Text inside a table's cell: a bar would end it, a line feed the table. */
static void put_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|') fputs("\\|", out);
		if (*text != '|') putc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
	}
}

static void put_row(FILE *out, const char *name, const json_t *figures)
{
	char text[SUMMARY_CELL_MAX];

	fputs("| ", out);
	put_cell(out, name);
	for (int i = 0; i < SUMMARY_COLUMNS; i++) {
		summary_cell(figures, i, text);
		fprintf(out, " | %s", text);
	}
	fputs(" |\n", out);
}

static void put_table(FILE *out, const json_t *summary)
{
	const char *name;
	json_t *figures;

	fputs("| phase", out);
	for (int i = 0; i < SUMMARY_COLUMNS; i++)
		fprintf(out, " | %s", summary_headings[i]);
	fputs(" |\n| :--", out);
	for (int i = 0; i < SUMMARY_COLUMNS; i++)
		fputs(" | --:", out);
	fputs(" |\n", out);
	json_object_foreach (json_object_get(summary, "phases"), name, figures)
		put_row(out, name, figures);
	put_row(out, "**run**", summary);
}

static void put_findings(FILE *out, const json_t *summary)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(summary, "fidelity"), "reasons"), i, item) {
		fputs("- untrusted: ", out);
		put_cell(out, json_string_value(item));
		putc('\n', out);
	}
	json_array_foreach (json_object_get(summary, "expectations"), i, item) {
		if (json_is_true(json_object_get(item, "pass"))) continue;
		fputs("- failed: ", out);
		put_cell(out, node_string(item, "text", ""));
		putc('\n', out);
	}
}

int summary_write_markdown(const json_t *summary, FILE *out)
{
	const json_t *expectations = json_object_get(summary, "expectations");
	size_t total = json_array_size(expectations), failed = expect_failures(expectations);

	errno = 0;
	fprintf(out, "**azlab: %s**, `%s`, seed %lld, %zu of %zu expectations met\n\n",
	        node_string(summary, "verdict", ""), node_string(summary, "lab", ""),
	        (long long)json_integer_value(json_object_get(summary, "seed")), total - failed, total);
	put_table(out, summary);
	putc('\n', out);
	put_findings(out, summary);
	if (*node_string(summary, "repeat", ""))
		fprintf(out, "- repeat: `%s`\n", node_string(summary, "repeat", ""));
	return finished(out);
}
