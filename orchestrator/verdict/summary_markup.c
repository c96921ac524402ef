#include "orchestrator/verdict/summary_markup.h"
#include <stdarg.h>

void markup_escape(FILE *out, const char *text)
{
	static const char *const entities[128] = {
		['&'] = "&amp;",  ['<'] = "&lt;",   ['>'] = "&gt;", ['"'] = "&quot;",
		['\''] = "&#39;", ['\n'] = "&#10;", /* an attribute would make a line feed a blank */
		['\t'] = "&#9;",
	};

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 128 && entities[c]) {
			fputs(entities[c], out);
		} else if (c < ' ') {
			fputs("\xef\xbf\xbd", out);
		} else {
			putc(c, out);
		}
	}
}

void markup_put(FILE *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (format[0] != '%') {
			putc(*format, out);
		} else {
			const char *text = va_arg(args, const char *);
			markup_escape(out, text ? text : "");
			format++;
		}
	}
	va_end(args);
}
