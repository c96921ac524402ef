/* text.h - a growing text, reused from answer to answer. Memory that runs out ends the process. */
#ifndef AZLAB_DYNAMODB_TEXT_H
#define AZLAB_DYNAMODB_TEXT_H
#include <jansson.h>
#include <stddef.h>

struct text {
	char *bytes; /* not ended by '\0' */
	size_t len, size;
};

void text_add(struct text *t, const void *bytes, size_t len);
void text_add_string(struct text *t, const char *string);
void text_add_json(struct text *t, const json_t *value);
void text_free(struct text *t);
#endif
