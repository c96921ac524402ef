#include "dynamodb/errors.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CORAL "com.amazon.coral.service#"
#define DYNAMO "com.amazonaws.dynamodb.v20120810#"

static const struct {
	const char *type;
	unsigned status;
} kinds[ERROR_CODES] = {
	[ERROR_NONE] = { "", 200 },
	[ERROR_VALIDATION] = { "com.amazon.coral.validate#ValidationException", 400 },
	[ERROR_SERIALIZATION] = { CORAL "SerializationException", 400 },
	[ERROR_UNKNOWN_OPERATION] = { CORAL "UnknownOperationException", 400 },
	[ERROR_NOT_FOUND] = { DYNAMO "ResourceNotFoundException", 400 },
	[ERROR_IN_USE] = { DYNAMO "ResourceInUseException", 400 },
	[ERROR_CONDITION] = { DYNAMO "ConditionalCheckFailedException", 400 },
	[ERROR_THROTTLED] = { DYNAMO "ProvisionedThroughputExceededException", 400 },
	[ERROR_INTERNAL] = { DYNAMO "InternalServerError", 500 },
};

/* Text that was cut within a character is none; the rest of the character goes, too. */
static void end_at_character(char *text, size_t len)
{
	while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
		len--;
	if (len > 0 && (unsigned char)text[len - 1] >= 0x80) len--;
	text[len] = '\0';
}

static int fill(struct fault *f, enum error_code code, const char *format, va_list args)
{
	f->code = code;
	if (vsnprintf(f->text, sizeof(f->text), format, args) >= (int)sizeof(f->text))
		end_at_character(f->text, sizeof(f->text) - 1);
	return -EBADMSG;
}

int refuse(struct fault *f, enum error_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int result = fill(f, code, format, args);
	va_end(args);
	return result;
}

int invalid(struct fault *f, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int result = fill(f, ERROR_VALIDATION, format, args);
	va_end(args);
	return result;
}

const char *error_type(enum error_code code)
{
	return kinds[code].type;
}

const char *error_name(enum error_code code)
{
	const char *hash = strchr(kinds[code].type, '#');
	return hash ? hash + 1 : "";
}

unsigned error_status(enum error_code code)
{
	return kinds[code].status;
}
