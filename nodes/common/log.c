#include "common/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *program_name = "azlab";
static const char *instance_name;

void log_init(const char *program, const char *name)
{
	program_name = program;
	instance_name = name;
}

static void log_vline(const char *format, va_list args, int error)
{
	char line[1024];
	int n = instance_name ? snprintf(line, sizeof(line), "%s[%s]: ", program_name, instance_name)
	                      : snprintf(line, sizeof(line), "%s: ", program_name);
	size_t used = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;

	vsnprintf(line + used, sizeof(line) - used, format, args);
	/* one call a line: lines of several processes on one stream stay whole */
	if (error)
		fprintf(stderr, "%s: %s\n", line, strerror(error));
	else
		fprintf(stderr, "%s\n", line);
}

void log_line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_vline(format, args, 0);
	va_end(args);
}

int log_errno(int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_vline(format, args, error < 0 ? -error : error);
	va_end(args);
	return error;
}
