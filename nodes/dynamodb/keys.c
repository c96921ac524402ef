#include "dynamodb/keys.h"
#include "common/cleanup.h"
#include "dynamodb/number.h"
#include <string.h>

enum { HASH_BYTES = 16, END_BYTES = 2, HEAD_MAX = KEY_PART_MAX - HASH_BYTES - END_BYTES };

void key_table(struct key *k, uint32_t table)
{
	k->len = 4;
	for (int i = 0; i < 4; i++)
		k->bytes[i] = (uint8_t)(table >> (24 - 8 * i));
}

/* FNV-1a of 128 bits */
static void add_hash(struct key *k, const char *bytes, size_t len)
{
	unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
	unsigned __int128 h = (unsigned __int128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)bytes[i]) * prime;
	for (int i = 0; i < HASH_BYTES; i++)
		k->bytes[k->len++] = (uint8_t)(h >> (120 - 8 * i));
}

/* A 0 becomes 0 255, so that 0 1 and 0 2 can end the text and come before all that goes on. Returns how many
 * of the text's bytes found room. */
static size_t add_escaped(struct key *k, const char *bytes, size_t len, size_t room)
{
	size_t limit = k->len + room, i = 0;

	for (; i < len && k->len + (bytes[i] ? 1 : 2) <= limit; i++) {
		k->bytes[k->len++] = (uint8_t)bytes[i];
		if (!bytes[i]) k->bytes[k->len++] = 255;
	}
	return i;
}

static size_t escaped_length(const char *bytes, size_t len)
{
	size_t n = len;

	for (size_t i = 0; i < len; i++)
		n += bytes[i] == 0;
	return n;
}

static void add_end(struct key *k, uint8_t mark)
{
	k->bytes[k->len++] = 0;
	k->bytes[k->len++] = mark;
}

static void add_text(struct key *k, const char *bytes, size_t len)
{
	bool whole = escaped_length(bytes, len) <= HEAD_MAX;

	add_escaped(k, bytes, len, HEAD_MAX);
	/* different ends, so that neither kind can be another's beginning */
	add_end(k, whole ? 1 : 2);
	if (!whole) add_hash(k, bytes, len);
}

void key_add(struct key *k, const json_t *value)
{
	cleanup_free char *buffer = NULL;
	struct number n;
	size_t len;

	if (value_number(value, &n)) {
		k->len += number_key(&n, k->bytes + k->len);
		return;
	}
	const char *bytes = value_bytes(value, &len, &buffer);
	add_text(k, bytes, len);
}

bool key_is_cut(const json_t *value)
{
	cleanup_free char *buffer = NULL;
	size_t len;

	if (value_type(value) == VALUE_N) return false;
	const char *bytes = value_bytes(value, &len, &buffer);
	return escaped_length(bytes, len) > HEAD_MAX;
}

void key_add_beginning(struct key *k, const json_t *value)
{
	cleanup_free char *buffer = NULL;
	size_t len;
	const char *bytes = value_bytes(value, &len, &buffer);

	add_escaped(k, bytes, len, HEAD_MAX);
}

bool key_after(struct key *k)
{
	while (k->len > 0 && k->bytes[k->len - 1] == 255)
		k->len--;
	if (k->len == 0) return false;
	k->bytes[k->len - 1]++;
	return true;
}
