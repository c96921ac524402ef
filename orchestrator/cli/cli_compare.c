/* cli_compare.c - azlab compare: run folders beside each other. */
#include "common/cleanup.h"
#include "orchestrator/cli/cli.h"
#include "orchestrator/verdict/compare.h"
#include "orchestrator/verdict/report.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct compare_options {
	bool json;
	struct compare_phases phases;
};

static const struct argp_option compare_argp[] = {
	{ "phase", 'p', "NAME", 0, "the figures of this phase, too", 0 },
	{ "phases", 'a', NULL, 0, "the figures of every phase, too", 0 },
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

static error_t take_compare(int key, char *arg, struct argp_state *state)
{
	struct compare_options *o = state->input;

	switch (key) {
	case 'p':
		o->phases.only = arg;
		return 0;
	case 'a':
		o->phases.all = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A run's figures may be compared without its knobs: a full disk loses the one and keeps the other. */
static void load_knobs(int fd, struct compare_run *run)
{
	cleanup_free char *text = report_read(fd, "topology.yaml");
	char why[256] = "it has no topology.yaml that can be read";

	if (text) run->knobs = compare_knobs(text, why);
	if (run->knobs) return;
	fprintf(stderr, "azlab compare: '%s': %s: knobs are not compared\n", run->folder, why);
}

static int load_run(const char *folder, struct compare_run *run)
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	json_error_t why;

	run->folder = folder;
	if (fd < 0) {
		int r = -errno;
		fprintf(stderr, "azlab compare: cannot open '%s': %s\n", folder, strerror(-r));
		return r;
	}
	cleanup_free char *text = report_read(fd, "summary.json");
	if (!text) {
		fprintf(stderr,
		        "azlab compare: '%s' has no summary.json that can be read: not a run folder\n",
		        folder);
		return -ENOENT;
	}
	run->summary = json_loads(text, 0, &why);
	if (!run->summary) {
		fprintf(stderr, "azlab compare: %s/summary.json:%d:%d: %s\n", folder, why.line, why.column,
		        why.text);
		return -EINVAL;
	}
	if (!json_is_string(json_object_get(run->summary, "verdict"))) {
		fprintf(stderr, "azlab compare: '%s': summary.json has no verdict: not a run folder\n",
		        folder);
		return -EINVAL;
	}
	load_knobs(fd, run);
	return 0;
}

/* True if some run has the phase; otherwise says which there are. */
static bool phase_known(const char *phase, const struct compare_run *runs, size_t n)
{
	json_t *names = compare_phase_names(runs, n), *name;
	bool known = false;
	size_t i;

	json_array_foreach (names, i, name) {
		known |= strcmp(phase, json_string_value(name)) == 0;
	}
	if (!known) {
		fprintf(stderr, "azlab compare: no run has a phase '%s'; there are:", phase);
		json_array_foreach (names, i, name) {
			fprintf(stderr, " %s", json_string_value(name));
		}
		fputc('\n', stderr);
	}
	json_decref(names);
	return known;
}

static int show(const struct compare_run *runs, size_t n, const struct compare_options *o)
{
	json_t *comparison;
	int r;

	if (o->phases.only && !phase_known(o->phases.only, runs, n)) return EXIT_USAGE;
	comparison = compare_make(runs, n, &o->phases);
	if (!comparison) {
		fputs("azlab compare: out of memory\n", stderr);
		return EXIT_BROKEN;
	}
	r = o->json ? json_dumpf(comparison, stdout, JSON_INDENT(2)) : compare_print(comparison, stdout);
	if (o->json) putchar('\n');
	json_decref(comparison);
	if (r == 0 && fflush(stdout) == 0) return EXIT_FINE;
	fputs("azlab compare: cannot write it all\n", stderr);
	return EXIT_BROKEN;
}

int cli_compare(const struct verb *v, int argc, char **argv)
{
	struct compare_options o = { 0 };
	int at = cli_parse(v, compare_argp, take_compare, &o, false, argc, argv);
	size_t n = (size_t)(argc - at);
	int status = EXIT_FINE;

	if (n < 2) return cli_wrong(v, "which run folders? It takes two or more");
	cleanup_free struct compare_run *runs = calloc(n, sizeof(*runs));
	if (!runs) return EXIT_BROKEN;
	for (size_t i = 0; i < n; i++)
		if (load_run(argv[at + (int)i], &runs[i]) < 0) status = EXIT_USAGE;
	if (status == EXIT_FINE) status = show(runs, n, &o);
	for (size_t i = 0; i < n; i++) {
		json_decref(runs[i].summary);
		json_decref(runs[i].knobs);
	}
	return status;
}
