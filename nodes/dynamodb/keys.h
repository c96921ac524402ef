/* keys.h - the keys under which items lie in the store: bytes whose order is that of partition, then sort
 * key.
 *
 *   table (4 bytes) | partition key | sort key        each part: no part is the beginning of another one
 *
 * LMDB takes keys of up to 511 bytes, the protocol partition keys of 2,048 and sort keys of 1,024: a part
 * that is too long is cut, and a hash of all of it takes the place of the rest. Sort keys that have their
 * first 232 bytes in common are then not in order, but still apart. Pure. */
#ifndef AZLAB_DYNAMODB_KEYS_H
#define AZLAB_DYNAMODB_KEYS_H
#include "dynamodb/errors.h"
#include "dynamodb/value.h"
#include <stdint.h>

enum { KEY_PART_MAX = 250, KEY_BYTES_MAX = 4 + 2 * KEY_PART_MAX };

struct key {
	size_t len;
	uint8_t bytes[KEY_BYTES_MAX];
};

/* Begins a key: all of a table's items come behind it, and before that of the next number. */
void key_table(struct key *k, uint32_t table);
/* Adds a part: a string, number or binary. */
void key_add(struct key *k, const json_t *value);
/* Is the value's part cut, so that its place is right only as far as it goes? */
bool key_is_cut(const json_t *value);
/* Adds what all strings or binaries have in common that begin so; comes before all of them. */
void key_add_beginning(struct key *k, const json_t *value);
/* Turns a key into the first that comes behind all that begin like it; false if there is none. */
bool key_after(struct key *k);
#endif
