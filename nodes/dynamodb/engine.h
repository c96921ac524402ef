/* engine.h - one request of the protocol after another, from the JSON that came to the JSON that goes.
 *
 * What a request writes is in the store's open batch, and its answer must wait for the commit; so must the
 * answer of any request that was run while a batch is open, since it may have seen what is in it. */
#ifndef AZLAB_DYNAMODB_ENGINE_H
#define AZLAB_DYNAMODB_ENGINE_H
#include "dynamodb/errors.h"
#include "dynamodb/store.h"
#include "dynamodb/text.h"

struct engine;

struct answer {
	struct text body;      /* JSON; the caller's, emptied before it is written */
	enum error_code code;  /* ERROR_NONE: 200 */
	const char *operation; /* "PutItem"; "unknown" */
	int store_error;       /* not 0: -errno of a write that failed; the batch has to be aborted */
};

int engine_new(struct store *s, struct engine **ret);
void engine_free(struct engine *e);
/* target: the header X-Amz-Target, NULL if it was missing. */
void engine_run(struct engine *e, const char *target, const char *body, size_t len, struct answer *ret);
/* Writes an error's answer. */
void answer_fault(struct answer *a, const struct fault *fault);
#endif
