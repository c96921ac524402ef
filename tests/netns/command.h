/* command.h - runs a shell command in a test's namespace and takes in what it says. One can run beside
 * others: started here, ended there. */
#ifndef AZLAB_TESTS_COMMAND_H
#define AZLAB_TESTS_COMMAND_H
#include "tests/netns/testnet.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

struct command {
	FILE *output;
	char *said; /* standard output and error, once it has ended */
	int status; /* its exit status */
};

static inline struct command command_vstart(int ns, const char *format, va_list args)
{
	struct command c = { 0 };
	char *text, *line;

	if (vasprintf(&text, format, args) < 0 || asprintf(&line, "{ %s; } 2>&1", text) < 0) abort();
	testnet_enter(ns);
	c.output = popen(line, "re");
	testnet_enter(testnet_home());
	if (!c.output) abort();
	free(text);
	free(line);
	return c;
}

__attribute__((format(printf, 2, 3))) static inline struct command command_start(int ns, const char *format,
                                                                                 ...)
{
	va_list args;

	va_start(args, format);
	struct command c = command_vstart(ns, format, args);
	va_end(args);
	return c;
}

/* Waits for its end. */
static inline void command_end(struct command *c)
{
	size_t room = 0;

	if (getdelim(&c->said, &room, '\0', c->output) < 0) {
		free(c->said);
		c->said = calloc(1, 1);
	}
	int status = pclose(c->output);
	c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void command_release(struct command *c)
{
	free(c->said);
	c->said = NULL;
}
#endif
