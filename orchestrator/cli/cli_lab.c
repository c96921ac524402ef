/* cli_lab.c - verbs that ask a running lab, and those about labs as such. */
#include "orchestrator/cli/cli.h"
#include "common/cleanup.h"
#include "orchestrator/verdict/report.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static const struct argp_option json_argp[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};
static const struct argp_option follow_argp[] = {
	{ "follow", 'f', NULL, 0, "go on with new events until Ctrl-C", 0 },
	{ 0 },
};
static const struct argp_option host_argp[] = {
	{ "plan", 'p', NULL, 0, "print the namespaces, addresses and processes that it would create", 0 },
	{ "host", 'h', NULL, 0, "check this machine: each prerequisite, yes or no, and the remedy", 0 },
	{ "set", 's', "PATH=VALUE", 0, "check it with this change; may be repeated", 0 },
	{ 0 },
};

static error_t take_flag(int key, char *arg, struct argp_state *state)
{
	bool *flag = state->input;
	(void)arg;
	if (key != 'j' && key != 'f') return ARGP_ERR_UNKNOWN;
	*flag = true;
	return 0;
}

static error_t take_nothing(int key, char *arg, struct argp_state *state)
{
	(void)key, (void)arg, (void)state;
	return ARGP_ERR_UNKNOWN;
}

/* --- asking a running lab ---------------------------------------------------------------------------- */

static int lost(const struct verb *v, const char *lab, int error)
{
	const char *why = error == -ENOENT ? "it is still coming up" : strerror(-error);
	fprintf(stderr, "azlab %s: the lab %s does not answer: %s\n", v->name, lab, why);
	return EXIT_BROKEN;
}

int cli_call(const struct verb *v, int argc, char **argv)
{
	bool events = strcmp(v->name, "events") == 0, flag = false;
	char lab[OWN_LAB_MAX + 1];
	const char *words[128] = { v->name };
	size_t n = 1;
	int taken, at = cli_parse(v, events ? follow_argp : json_argp, take_flag, &flag, false, argc, argv);
	int status = cli_lab(v, argc - at, argv + at, lab, &taken);

	if (status != EXIT_FINE) return status;
	for (int i = at + taken; i < argc && n < ARRAY_SIZE(words) - 1; i++)
		words[n++] = argv[i];
	if (events && flag) words[n++] = "--follow";
	status = control_call(lab, n, words, flag && !events, stdout);
	if (status == -EPIPE && events) return EXIT_FINE; /* the lab went down while we followed */
	return status < 0 ? lost(v, lab, status) : status;
}

/* The orchestrator has released the lab when the process is gone. */
static void await_end(pid_t orchestrator)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, orchestrator, 0);
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0) poll(&fd, 1, 60 * 1000);
}

static pid_t orchestrator_of(const char *lab)
{
	cleanup_free struct own_lab *labs = NULL;
	size_t n = 0;

	if (own_labs(&labs, &n, NULL) < 0) return 0;
	for (size_t i = 0; i < n; i++)
		if (labs[i].alive && strcmp(labs[i].name, lab) == 0) return labs[i].pid;
	return 0;
}

int cli_down(const struct verb *v, int argc, char **argv)
{
	char lab[OWN_LAB_MAX + 1];
	const char *words[] = { "down" };
	int taken, at = cli_parse(v, NULL, take_nothing, NULL, false, argc, argv);
	int status = cli_lab(v, argc - at, argv + at, lab, &taken);

	if (status != EXIT_FINE) return status;
	if (at + taken < argc) {
		fprintf(stderr, "azlab down: no lab is called '%s'; `azlab ls` lists them\n",
		        argv[at + taken]);
		return EXIT_USAGE;
	}
	pid_t pid = orchestrator_of(lab);
	status = control_call(lab, 1, words, false, stdout);
	/* while it comes up it doesn't listen yet, but minds signals */
	if (status == -ENOENT && pid > 0) status = kill(pid, SIGTERM) < 0 && errno != ESRCH ? -errno : 0;
	if (status < 0 && status != -EPIPE) return lost(v, lab, status);
	if (pid > 0) await_end(pid);
	return EXIT_FINE;
}

/* --- about labs -------------------------------------------------------------------------------------- */

int cli_ls(const struct verb *v, int argc, char **argv)
{
	cleanup_free struct own_lab *labs = NULL;
	struct build_error why;
	bool json = false;
	size_t n = 0;

	if (cli_parse(v, json_argp, take_flag, &json, false, argc, argv) < argc)
		return cli_wrong(v, "it takes no words");
	int status = cli_need_root(v);
	if (status != EXIT_FINE) return status;
	if (own_labs(&labs, &n, &why) < 0) {
		fprintf(stderr, "azlab ls: %s\n", why.text);
		return EXIT_BROKEN;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list,
		                      json_pack("{s:s, s:i, s:s}", "lab", labs[i].name, "pid",
		                                (int)labs[i].pid, "state", labs[i].alive ? "up" : "dead"));
		if (!json)
			printf("%-24s %s (pid %d)\n", labs[i].name,
			       labs[i].alive ? "up" : "dead; azlab clean removes it", labs[i].pid);
	}
	if (json) json_dumpf(list, stdout, JSON_INDENT(2)), putchar('\n');
	if (!json && n == 0) puts("no labs");
	json_decref(list);
	return EXIT_FINE;
}

int cli_clean(const struct verb *v, int argc, char **argv)
{
	struct build_error why;

	if (cli_parse(v, NULL, take_nothing, NULL, false, argc, argv) < argc)
		return cli_wrong(v, "it takes no words");
	int status = cli_need_root(v);
	if (status != EXIT_FINE) return status;
	int removed = own_clean(stdout, &why);
	if (removed < 0) {
		fprintf(stderr, "azlab clean: %s\n", why.text);
		return EXIT_BROKEN;
	}
	if (removed == 0) puts("nothing to clean");
	return EXIT_FINE;
}

int cli_report(const struct verb *v, int argc, char **argv)
{
	char why[256];
	int at = cli_parse(v, NULL, take_nothing, NULL, false, argc, argv);

	if (argc - at != 1) return cli_wrong(v, "which run folder?");
	if (report_folder(argv[at], why) < 0) {
		fprintf(stderr, "azlab report: %s\n", why);
		return EXIT_USAGE;
	}
	printf("%s/report.html\n", argv[at]);
	return EXIT_FINE;
}

/* --- check ------------------------------------------------------------------------------------------- */

struct check_options {
	bool plan, host;
	size_t n_sets;
	const char *sets[64];
};

static error_t take_check(int key, char *arg, struct argp_state *state)
{
	struct check_options *o = state->input;

	switch (key) {
	case 'p':
		o->plan = true;
		return 0;
	case 'h':
		o->host = true;
		return 0;
	case 's':
		if (!strchr(arg, '=')) argp_error(state, "--set takes PATH=VALUE, not '%s'", arg);
		if (o->n_sets == ARRAY_SIZE(o->sets)) argp_error(state, "too many --set");
		o->sets[o->n_sets++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int check_topology(const char *file, const struct check_options *o)
{
	struct topology_error why;
	struct topology *t = NULL;
	struct plan *p = NULL;
	cleanup_free char *warnings = NULL;
	int result = topology_load(file, o->sets, o->n_sets, &t, &warnings, &why);

	if (result == 0 && warnings && *warnings) fputs(warnings, stderr);
	if (result == 0) result = plan_make(t, &p, &why);
	if (result < 0)
		fprintf(stderr, "%s\n", why.text);
	else if (o->plan)
		plan_print(p, "LAB", stdout);
	plan_free(p);
	topology_free(t);
	return result < 0 ? EXIT_USAGE : EXIT_FINE;
}

int cli_check(const struct verb *v, int argc, char **argv)
{
	struct check_options o = { 0 };
	int at = cli_parse(v, host_argp, take_check, &o, false, argc, argv);

	if (o.host && at == argc) return build_check_host(stdout) > 0 ? EXIT_BROKEN : EXIT_FINE;
	if (argc - at != 1) return cli_wrong(v, "which topology?");
	return check_topology(argv[at], &o);
}
