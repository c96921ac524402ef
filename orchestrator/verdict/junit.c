#include "orchestrator/verdict/junit.h"
#include "orchestrator/verdict/expect.h"
#include "orchestrator/verdict/summary_markup.h"
#include "orchestrator/verdict/summary.h"
#include "common/node.h"
#include <errno.h>
#include <string.h>

static void put_reasons(FILE *out, const json_t *summary)
{
	json_t *reason;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(summary, "fidelity"), "reasons"), i, reason) {
		markup_put(out, "%s&#10;", json_string_value(reason));
	}
}

static void put_case(FILE *out, const json_t *summary, const json_t *result)
{
	const char *phase = node_string(result, "in", "");

	markup_put(out, "    <testcase classname=\"%s.%s\" name=\"%s: %s\"", node_string(summary, "lab", ""),
	           *phase ? phase : "run", node_string(result, "figure", ""),
	           node_string(result, "bound", ""));
	if (summary_verdict(summary) == VERDICT_UNTRUSTED) {
		markup_put(out, "><error type=\"untrusted\" message=\"the run can't be believed; %s\">",
		           node_string(result, "text", ""));
		put_reasons(out, summary);
		markup_put(out, "</error></testcase>\n");
	} else if (!json_is_true(json_object_get(result, "pass"))) {
		markup_put(out, "><failure type=\"expectation\" message=\"%s\"/></testcase>\n",
		           node_string(result, "text", ""));
	} else {
		markup_put(out, "/>\n");
	}
}

/* Without any expectation there is still whether the run can be believed. */
static json_t *cases_of(const json_t *summary)
{
	json_t *results = json_object_get(summary, "expectations");

	if (json_array_size(results) > 0) return json_incref(results);
	return json_pack("[{s:s, s:s, s:b, s:s}]", "figure", "verdict", "bound", "to be believed", "pass", 1,
	                 "text", "");
}

int junit_write(const json_t *summary, FILE *out)
{
	json_t *results = cases_of(summary), *result;
	size_t total = json_array_size(results), failed = expect_failures(results), i;
	bool untrusted = summary_verdict(summary) == VERDICT_UNTRUSTED;
	double seconds = json_number_value(json_object_get(summary, "to_s"));

	errno = 0;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	markup_put(out, "  <testsuite name=\"azlab %s\" timestamp=\"%s\"", node_string(summary, "lab", ""),
	           node_string(summary, "started", ""));
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n", total,
	        untrusted ? 0 : failed, untrusted ? total : 0, seconds);
	json_array_foreach (results, i, result)
		put_case(out, summary, result);
	fputs("  </testsuite>\n</testsuites>\n", out);
	json_decref(results);
	return fflush(out) == 0 && !ferror(out) ? 0 : errno ? -errno : -EIO;
}
