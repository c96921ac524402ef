#include "dynamodb/text.h"
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 1024 };

void text_add(struct text *t, const void *bytes, size_t len)
{
	size_t size = t->size ? t->size : FIRST_SIZE;

	while (size - t->len < len)
		size *= 2;
	if (size != t->size) {
		char *grown = realloc(t->bytes, size);
		if (!grown) abort();
		t->bytes = grown;
		t->size = size;
	}
	if (len) memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

void text_add_string(struct text *t, const char *string)
{
	text_add(t, string, strlen(string));
}

static int add_piece(const char *piece, size_t len, void *arg)
{
	text_add(arg, piece, len);
	return 0;
}

void text_add_json(struct text *t, const json_t *value)
{
	json_dump_callback(value, add_piece, t, JSON_COMPACT | JSON_ENCODE_ANY);
}

void text_free(struct text *t)
{
	free(t->bytes);
	*t = (struct text){ 0 };
}
