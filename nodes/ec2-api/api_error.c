#include "ec2-api/api_error.h"
#include <stdio.h>
#include <string.h>

static const struct {
	const char *text;
	unsigned status;
} codes[API_CODES_N] = { [API_OK] = { "OK", 200 },
#define X(name, text, status) [API_##name] = { text, status },
	                 API_CODES(X)
#undef X
};

const char *api_code_text(enum api_code code)
{
	return codes[code].text;
}

unsigned api_code_status(enum api_code code)
{
	return codes[code].status;
}

/* A value that a message repeats may have been cut in the middle of a character, which XML would not bear. */
static void cut_at_character(char *text)
{
	size_t len = strlen(text), lead = len;

	do {
		if (lead == 0) return;
		lead--;
	} while (((unsigned char)text[lead] & 0xc0) == 0x80);
	unsigned char c = (unsigned char)text[lead];
	size_t whole = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (lead + whole > len) text[lead] = '\0';
}

void api_vfail(struct api_error *e, enum api_code code, const char *format, va_list args)
{
	e->code = code;
	if (vsnprintf(e->message, sizeof(e->message), format, args) >= (int)sizeof(e->message))
		cut_at_character(e->message);
}

bool api_fail(struct api_error *e, enum api_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	api_vfail(e, code, format, args);
	va_end(args);
	return false;
}
