/* api_error.h - what the API answers when it doesn't do as asked: EC2's codes, their HTTP status. Pure. */
#ifndef AZLAB_EC2_API_API_ERROR_H
#define AZLAB_EC2_API_API_ERROR_H
#include <stdarg.h>
#include <stdbool.h>

/* EC2's own codes. The statuses decide what clients do: every SDK repeats a 5xx, so that a lack of capacity
 * makes its own storm, as the real one does. */
#define API_CODES(X)                                                                                         \
	X(DRY_RUN, "DryRunOperation", 412)                                                                   \
	X(CAPACITY, "InsufficientInstanceCapacity", 500)                                                     \
	X(INTERNAL, "InternalError", 500)                                                                    \
	X(THROTTLED, "RequestLimitExceeded", 503)                                                            \
	X(UNAVAILABLE, "Unavailable", 503)                                                                   \
	X(TOKEN_MISMATCH, "IdempotentParameterMismatch", 400)                                                \
	X(INVALID_ACTION, "InvalidAction", 400)                                                              \
	X(NO_VERSION, "NoSuchVersion", 400)                                                                  \
	X(MALFORMED_ID, "InvalidInstanceID.Malformed", 400)                                                  \
	X(NO_INSTANCE, "InvalidInstanceID.NotFound", 400)                                                    \
	X(INVALID_TOKEN, "InvalidPaginationToken", 400)                                                      \
	X(COMBINATION, "InvalidParameterCombination", 400)                                                   \
	X(INVALID_VALUE, "InvalidParameterValue", 400)                                                       \
	X(TAG_LIMIT, "TagLimitExceeded", 400)                                                                \
	X(MALFORMED, "MalformedQueryString", 400)                                                            \
	X(MISSING, "MissingParameter", 400)                                                                  \
	X(STATE, "IncorrectInstanceState", 400)

enum api_code {
	API_OK,
#define X(name, text, status) API_##name,
	API_CODES(X)
#undef X
	    API_CODES_N
};

struct api_error {
	enum api_code code; /* API_OK: none */
	char message[256];
};

const char *api_code_text(enum api_code code);
unsigned api_code_status(enum api_code code);
/* Fills in *e and returns false, so that `return api_fail(e, ...)` reads well. */
bool api_fail(struct api_error *e, enum api_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void api_vfail(struct api_error *e, enum api_code code, const char *format, va_list args);
#endif
