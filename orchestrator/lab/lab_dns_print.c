/* lab_dns_print.c - what `azlab dns` shows to people, and the plans out of their store. */
#include "common/cleanup.h"
#include "common/node.h"
#include "orchestrator/lab/dns_automation.h"
#include "orchestrator/lab/lab_dns.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- status ------------------------------------------------------------------------------------------ */

static void print_enactor(const json_t *e, FILE *out)
{
	fprintf(out, "  %-10s %s", node_string(e, "zone", ""),
	        node_bool(e, "paused", false) ? "PAUSED" : node_string(e, "doing", "silent"));
	if (node_number(e, "plan", 0) > 0)
		fprintf(out, " plan %.0f (%.0f endpoints done)", node_number(e, "plan", 0),
		        node_number(e, "endpoints_done", 0));
	fprintf(out, ", applied %.0f, locks lost %.0f\n", node_number(e, "applied", 0),
	        node_number(e, "locks_lost", 0));
}

static void print_endpoint(const json_t *e, FILE *out)
{
	size_t n = json_array_size(json_object_get(e, "addresses"));
	fprintf(out, "  %-20s plan %-6.0f ", node_string(e, "name", ""), node_number(e, "plan", 0));
	if (n)
		fprintf(out, "%zu addresses", n);
	else
		fprintf(out, "EMPTY (resolvers keep that for %.0f s)", node_number(e, "negative_ttl_s", 0));
	fprintf(out, "  -> %s\n", node_string(e, "root", "nowhere"));
}

void lab_dns_print_status(const json_t *status, FILE *out)
{
	const json_t *planner = json_object_get(status, "planner");
	json_t *item;
	size_t i;

	fprintf(out, "%s in %s: planner %s, newest plan %.0f, %.0f made\n",
	        node_string(status, "service", ""), node_string(status, "zone", ""),
	        node_bool(planner, "paused", false) ? "PAUSED" : "runs", node_number(planner, "newest", 0),
	        node_number(planner, "made", 0));
	fputs("enactors\n", out);
	json_array_foreach (json_object_get(status, "enactors"), i, item)
		print_enactor(item, out);
	fputs("endpoints\n", out);
	json_array_foreach (json_object_get(status, "endpoints"), i, item)
		print_endpoint(item, out);
	fputs("trees of plans:", out);
	json_array_foreach (json_object_get(status, "trees"), i, item)
		fprintf(out, " %.0f", node_number(item, "plan", 0));
	fputc('\n', out);
}

/* --- plans ------------------------------------------------------------------------------------------- */

static json_t *plan_json(const struct dns_plan *p)
{
	json_t *balancers = json_array();

	for (size_t i = 0; i < p->n_balancers; i++)
		json_array_append_new(balancers, json_pack("{s:s, s:i}", "name", p->balancers[i].name,
		                                           "weight", p->balancers[i].weight));
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:o}", "plan", (json_int_t)p->number, "tree",
	                 p->tree, "kind", dns_plan_kind_text(p->kind), "made_ms", (json_int_t)p->made_ms,
	                 "endpoints", (json_int_t)p->n_endpoints, "records", (json_int_t)dns_plan_records(p),
	                 "load_balancers", balancers);
}

/* A file of the store as JSON: the plan, or why it is none. */
static json_t *read_plan(int store, const char *name)
{
	cleanup_close int fd = openat(store, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char why[DNS_PLAN_WHY_MAX] = "cannot be read";
	struct dns_plan plan;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > DNS_PLAN_TEXT_MAX)
		return json_pack("{s:s, s:s}", "file", name, "refused", why);
	cleanup_free char *text = malloc((size_t)st.st_size + 1);
	ssize_t n = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (n < 0 || dns_plan_read(text, (size_t)n, INT64_MAX / 2, &plan, why) < 0)
		return json_pack("{s:s, s:s}", "file", name, "refused", why);
	json_t *json = plan_json(&plan);
	dns_plan_release(&plan);
	return json;
}

static int plans_only(const struct dirent *entry)
{
	return strncmp(entry->d_name, "plan-", 5) == 0;
}

json_t *lab_dns_plans(const struct lab *lab)
{
	json_t *plans = json_array();
	struct dirent **entries = NULL;
	cleanup_close int store =
	    openat(own_folder(build_own(lab->build)), "plans", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = store < 0 ? 0 : scandirat(store, ".", &entries, plans_only, versionsort);

	for (int i = 0; i < n; i++) {
		json_array_append_new(plans, read_plan(store, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	return plans;
}

void lab_dns_print_plans(const json_t *plans, FILE *out)
{
	json_t *plan, *balancer;
	size_t i, k;

	json_array_foreach ((json_t *)plans, i, plan) {
		if (json_object_get(plan, "refused")) {
			fprintf(out, "%s: %s\n", node_string(plan, "file", ""),
			        node_string(plan, "refused", ""));
			continue;
		}
		fprintf(out, "plan %-6.0f %-8s tree %s, %.0f records:", node_number(plan, "plan", 0),
		        node_string(plan, "kind", ""), node_string(plan, "tree", ""),
		        node_number(plan, "records", 0));
		json_array_foreach (json_object_get(plan, "load_balancers"), k, balancer)
			fprintf(out, " %s=%.0f", node_string(balancer, "name", ""),
			        node_number(balancer, "weight", 0));
		fputc('\n', out);
	}
}

/* --- history ----------------------------------------------------------------------------------------- */

void lab_dns_print_history(const json_t *history, FILE *out)
{
	static const char *const known[] = { "t", "id", "cause", "node", "zone", "event" };
	json_t *event, *value;
	const char *key;
	size_t i;

	json_array_foreach ((json_t *)history, i, event) {
		fprintf(out, "%9.3f  %-17s %-20s", node_number(event, "t", 0),
		        node_string(event, "event", ""), node_string(event, "node", ""));
		json_object_foreach (event, key, value) {
			bool common = false;
			for (size_t k = 0; k < ARRAY_SIZE(known); k++)
				common |= !strcmp(key, known[k]);
			cleanup_free char *text =
			    common ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
			if (text) fprintf(out, " %s %s", key, text);
		}
		fputc('\n', out);
	}
}
