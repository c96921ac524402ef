/* cli.c - what the verbs share: options, and which lab is meant. */
#include "orchestrator/cli/cli.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cli_parse(const struct verb *v, const struct argp_option *options,
              error_t (*take)(int, char *, struct argp_state *), void *input, bool in_order, int argc,
              char **argv)
{
	cleanup_free char *doc = NULL;
	char name[64];
	int first = argc;

	if (asprintf(&doc, "%s\v%s", v->brief, v->help) < 0) exit(EXIT_BROKEN);
	struct argp argp = { .options = options, .parser = take, .args_doc = v->args, .doc = doc };
	snprintf(name, sizeof(name), "azlab %s", v->name);
	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, in_order ? ARGP_IN_ORDER : 0, &first, input);
	argv[0] = (char *)v->name;
	return first;
}

int cli_wrong(const struct verb *v, const char *what)
{
	fprintf(stderr, "azlab %s: %s\nusage: azlab %s %s\n", v->name, what, v->name, v->args);
	return EXIT_USAGE;
}

int cli_need_root(const struct verb *v)
{
	if (geteuid() == 0) return EXIT_FINE;
	fprintf(stderr, "azlab %s: a lab belongs to root: run it with sudo\n", v->name);
	return EXIT_PRIVILEGES;
}

static int choose(const struct verb *v, const struct own_lab *labs, size_t n, char name[OWN_LAB_MAX + 1])
{
	size_t alive = 0;

	for (size_t i = 0; i < n; i++) {
		if (!labs[i].alive) continue;
		if (alive++ == 0) snprintf(name, OWN_LAB_MAX + 1, "%s", labs[i].name);
	}
	if (alive == 1) return EXIT_FINE;
	if (alive == 0) {
		fprintf(stderr, "azlab %s: no lab is up; `azlab up TOPOLOGY` starts one\n", v->name);
		return EXIT_USAGE;
	}
	fprintf(stderr, "azlab %s: several labs are up; say which:", v->name);
	for (size_t i = 0; i < n; i++)
		if (labs[i].alive) fprintf(stderr, " %s", labs[i].name);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int cli_lab(const struct verb *v, int argc, char **argv, char name[OWN_LAB_MAX + 1], int *ret_taken)
{
	cleanup_free struct own_lab *labs = NULL;
	struct build_error why;
	size_t n = 0;
	int status = cli_need_root(v);

	*ret_taken = 0;
	if (status != EXIT_FINE) return status;
	if (own_labs(&labs, &n, &why) < 0) {
		fprintf(stderr, "azlab %s: %s\n", v->name, why.text);
		return EXIT_BROKEN;
	}
	for (size_t i = 0; argc > 0 && i < n; i++) {
		if (!labs[i].alive || strcmp(labs[i].name, argv[0])) continue;
		snprintf(name, OWN_LAB_MAX + 1, "%s", labs[i].name);
		*ret_taken = 1;
		return EXIT_FINE;
	}
	return choose(v, labs, n, name);
}
