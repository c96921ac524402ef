/* errors.h - what a request is refused with, in the words of the real service. */
#ifndef AZLAB_DYNAMODB_ERRORS_H
#define AZLAB_DYNAMODB_ERRORS_H
#include <stddef.h>

enum error_code {
	ERROR_NONE,
	ERROR_VALIDATION,
	ERROR_SERIALIZATION, /* the body is no JSON, or a member has a wrong type */
	ERROR_UNKNOWN_OPERATION,
	ERROR_NOT_FOUND,
	ERROR_IN_USE,
	ERROR_CONDITION,
	ERROR_THROTTLED,
	ERROR_INTERNAL,
	ERROR_CODES
};

enum { ERROR_TEXT_MAX = 1024 };

struct fault {
	enum error_code code;
	char text[ERROR_TEXT_MAX]; /* UTF-8; cut where it is too long */
};

/* Fills in the fault and returns -EBADMSG, so that `return refuse(f, ...)` reads well. */
int refuse(struct fault *f, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ERROR_VALIDATION, by far the most frequent one. */
int invalid(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *error_name(enum error_code code); /* "ValidationException" */
const char *error_type(enum error_code code); /* the same with its namespace, as in `__type` */
unsigned error_status(enum error_code code);  /* of HTTP */
#endif
