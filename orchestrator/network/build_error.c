#include "orchestrator/network/build_error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int build_fail(struct build_error *e, int error, const char *remedy, const char *format, ...)
{
	char message[384];
	va_list args;

	if (!e) return -error;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	snprintf(e->text, sizeof(e->text), "%s: %s%s%s", message, strerror(error), remedy ? "; " : "",
	         remedy ? remedy : "");
	return -error;
}
