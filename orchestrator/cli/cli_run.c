/* cli_run.c - azlab run and azlab up. */
#include "orchestrator/cli/cli.h"
#include "common/cleanup.h"
#include "orchestrator/verdict/summary.h"
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETS_MAX = 64, REPEAT_MAX = 1000 };
enum { KEY_NAME = 'n', KEY_OUT = 'o', KEY_SEED = 's', KEY_SET = 0x100, KEY_REPEAT, KEY_JSON };

struct run_options {
	struct session_options session;
	const char *sets[SETS_MAX];
	char seed[48];
	unsigned repeat;
	bool json;
};

static const struct argp_option run_argp[] = {
	{ "name", KEY_NAME, "LAB", 0, "name of the lab (default: the topology's file name)", 0 },
	{ "out", KEY_OUT, "DIR", 0, "the run folder, absent or empty (default: runs/LAB-TIME)", 0 },
	{ "seed", KEY_SEED, "N", 0, "instead of the topology's seed", 0 },
	{ "set", KEY_SET, "PATH=VALUE", 0,
	  "change the topology, for instance services.shop.targets.queue=32; may be repeated", 0 },
	{ "repeat", KEY_REPEAT, "N", 0, "run it N times and print the spread", 0 },
	{ "json", KEY_JSON, NULL, 0, "print the summary as JSON", 0 },
	{ 0 },
};
static const struct argp_option up_argp[] = {
	{ "name", KEY_NAME, "LAB", 0, "name of the lab (default: the topology's file name)", 0 },
	{ "out", KEY_OUT, "DIR", 0, "the run folder, absent or empty (default: runs/LAB-TIME)", 0 },
	{ "seed", KEY_SEED, "N", 0, "instead of the topology's seed", 0 },
	{ "set", KEY_SET, "PATH=VALUE", 0, "change the topology; may be repeated", 0 },
	{ 0 },
};

static void add_set(struct run_options *o, const char *set, struct argp_state *state)
{
	if (!strchr(set, '=')) argp_error(state, "--set takes PATH=VALUE, not '%s'", set);
	if (o->session.n_sets == SETS_MAX) argp_error(state, "at most %d --set", SETS_MAX);
	o->sets[o->session.n_sets++] = set;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;
	char *end;

	switch (key) {
	case KEY_NAME:
		o->session.name = arg;
		return 0;
	case KEY_OUT:
		o->session.out = arg;
		return 0;
	case KEY_SET:
		add_set(o, arg, state);
		return 0;
	case KEY_JSON:
		o->json = true;
		return 0;
	case KEY_SEED:
		if (!*arg || strspn(arg, "0123456789") != strlen(arg))
			argp_error(state, "--seed takes a number, not '%s'", arg);
		snprintf(o->seed, sizeof(o->seed), "seed=%s", arg);
		add_set(o, o->seed, state);
		return 0;
	case KEY_REPEAT:
		o->repeat = (unsigned)strtoul(arg, &end, 10);
		if (*end || o->repeat < 1 || o->repeat > REPEAT_MAX)
			argp_error(state, "--repeat takes a number from 1 to %d, not '%s'", REPEAT_MAX, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->session.file) argp_error(state, "one topology at a time, not also '%s'", arg);
		o->session.file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->session.file)
			argp_error(state, "which topology? for instance topologies/az-thrash.yaml");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- what is printed at the end ---------------------------------------------------------------------- */

static void print_row(const char *name, const json_t *figures)
{
	char cell[SUMMARY_CELL_MAX];

	printf("  %-12s", name);
	for (int c = 0; c < SUMMARY_COLUMNS; c++) {
		summary_cell(figures, c, cell);
		printf(" %*s", (int)strlen(summary_headings[c]) > 8 ? (int)strlen(summary_headings[c]) : 8,
		       cell);
	}
	putchar('\n');
}

static void print_summary(const json_t *summary, const char *folder)
{
	const char *phase;
	json_t *figures, *text;
	size_t i;

	printf("\n  %-12s", "phase");
	for (int c = 0; c < SUMMARY_COLUMNS; c++)
		printf(" %8s", summary_headings[c]);
	putchar('\n');
	json_object_foreach (json_object_get(summary, "phases"), phase, figures)
		print_row(phase, figures);
	print_row("run", summary);
	putchar('\n');
	json_array_foreach (json_object_get(summary, "expectations"), i, text)
		printf("  %s  %s\n", json_is_true(json_object_get(text, "pass")) ? "held  " : "FAILED",
		       json_string_value(json_object_get(text, "text")));
	json_array_foreach (json_object_get(json_object_get(summary, "fidelity"), "reasons"), i, text)
		printf("  not to be trusted: %s\n", json_string_value(text));
	char report[PATH_MAX];
	snprintf(report, sizeof(report), "%s/report.html", folder);
	printf("\nverdict: %s\nrun folder: %s%s\n", json_string_value(json_object_get(summary, "verdict")),
	       folder, access(report, F_OK) == 0 ? " (report.html)" : "");
}

/* --- run --------------------------------------------------------------------------------------------- */

/* The command that repeats this run: the same words, with the seed made explicit. */
static char *repeat_command(int argc, char **argv, uint64_t seed, bool has_seed)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out) return NULL;
	fprintf(out, "sudo azlab run");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--repeat") == 0 || strcmp(argv[i], "--out") == 0 ||
		    strcmp(argv[i], "-o") == 0) {
			i++; /* its value; another run needs another folder */
			continue;
		}
		if (strncmp(argv[i], "--repeat=", 9) && strncmp(argv[i], "--out=", 6))
			fprintf(out, " %s", argv[i]);
	}
	if (!has_seed) fprintf(out, " --seed %llu", (unsigned long long)seed);
	fclose(out);
	return text;
}

static int run_once(struct run_options *o, int argc, char **argv, json_t **ret_summary)
{
	struct session s;
	cleanup_free char *repeat = NULL, *folder = NULL;
	int status = session_open(&s, &o->session);

	if (status == EXIT_FINE) {
		repeat = repeat_command(argc, argv, s.lab->seed, o->seed[0]);
		o->session.repeat = repeat;
		status = session_up(&s);
	}
	if (status == EXIT_FINE) status = session_play(&s);
	json_t *summary = json_incref(s.summary);
	folder = s.rundir ? strdup(s.rundir->path) : NULL;
	status = session_close(&s, status);
	if (summary && o->json)
		json_dumpf(summary, stdout, JSON_INDENT(2)), putchar('\n');
	else if (summary)
		print_summary(summary, folder);
	else if (folder)
		printf("what there is of the run: %s\n", folder);
	if (status == EXIT_EXPECTATION && repeat) printf("again: %s\n", repeat);
	fflush(stdout);
	*ret_summary = summary;
	return status;
}

/* Several runs: the folder that --out names then holds one folder a run. */
static int run_repeatedly(struct run_options *o, int argc, char **argv)
{
	char out[PATH_MAX];
	const char *base = o->session.out;
	unsigned passed = 0;
	int worst = EXIT_FINE;
	double least = INFINITY, most = 0;

	for (unsigned i = 1; i <= o->repeat; i++) {
		json_t *summary;
		if (base) {
			snprintf(out, sizeof(out), "%s/%u", base, i);
			o->session.out = out;
		}
		printf("run %u of %u\n", i, o->repeat);
		int status = run_once(o, argc, argv, &summary);
		double removals = json_number_value(json_object_get(summary, "zone_removals"));
		json_decref(summary);
		if (status == EXIT_USAGE || status == EXIT_BROKEN || status == EXIT_PRIVILEGES) return status;
		passed += status == EXIT_FINE;
		least = fmin(least, removals), most = fmax(most, removals);
		if (status > worst) worst = status;
	}
	printf("\n%u of %u runs passed; zone removals from %.0f to %.0f\n", passed, o->repeat, least, most);
	return worst;
}

int cli_run(const struct verb *v, int argc, char **argv)
{
	struct run_options o = { 0 };
	json_t *summary = NULL;

	o.session.sets = o.sets;
	o.session.keep = RECORD_KEEP_ALL;
	cli_parse(v, run_argp, take, &o, false, argc, argv);
	if (o.repeat > 1) return run_repeatedly(&o, argc, argv);
	int status = run_once(&o, argc, argv, &summary);
	json_decref(summary);
	return status;
}

/* --- up ---------------------------------------------------------------------------------------------- */

/* The orchestrator goes on in the background; the caller returns when it has told that the lab is up. */
static int live(struct session_options *o, int told)
{
	struct session s;
	int status = session_open(&s, o);

	if (status == EXIT_FINE) status = session_up(&s);
	if (status != EXIT_FINE) return session_close(&s, status);
	printf("%s is up; `azlab down %s` ends it. Run folder: %s\n", s.name, s.name, s.rundir->path);
	fflush(stdout);
	s.progress.quiet = true;
	/* from here on nobody watches: the terminal, and its Ctrl-C, are free */
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);
	if (write(told, &status, sizeof(status)) < 0) s.lab->stopping = true;
	close(told);
	while (lab_wait(s.lab, NULL, mono_now() + 3600 * NS_PER_S) == -ETIMEDOUT)
		;
	return session_close(&s, s.lab->broken ? EXIT_BROKEN : EXIT_FINE);
}

int cli_up(const struct verb *v, int argc, char **argv)
{
	struct run_options o = { 0 };
	int told[2], status;

	o.session.sets = o.sets;
	o.session.keep = RECORD_KEEP_RECENT;
	cli_parse(v, up_argp, take, &o, false, argc, argv);
	if (pipe2(told, O_CLOEXEC) < 0) return EXIT_BROKEN;
	pid_t child = fork();
	if (child < 0) return EXIT_BROKEN;
	if (child == 0) {
		close(told[0]);
		exit(live(&o.session, told[1]));
	}
	close(told[1]);
	signal(SIGINT, SIG_IGN); /* Ctrl-C while it comes up is the orchestrator's to answer */
	if (read(told[0], &status, sizeof(status)) == sizeof(status)) return status;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BROKEN;
}
