/* value.h - attribute values, kept as the protocol writes them: {"S": "text"}, {"N": "10"}, {"M": {...}}.
 *
 * Canonical values have numbers in their one canonical form and sets without duplicates; value_check() makes
 * them so, and everything else here takes canonical ones. An *item* is an object of attribute names and
 * values. Pure; JSON handed in is borrowed unless its name says otherwise. */
#ifndef AZLAB_DYNAMODB_VALUE_H
#define AZLAB_DYNAMODB_VALUE_H
#include "dynamodb/errors.h"
#include "dynamodb/number.h"
#include <jansson.h>

enum value_type {
	VALUE_S,
	VALUE_N,
	VALUE_B,
	VALUE_BOOL,
	VALUE_NULL,
	VALUE_M,
	VALUE_L,
	VALUE_SS,
	VALUE_NS,
	VALUE_BS,
	VALUE_NONE /* not there, or none of these */
};
enum { VALUE_DEPTH_MAX = 32, ITEM_BYTES_MAX = 400 * 1024 };

const char *value_type_name(enum value_type type); /* "SS" */
enum value_type value_type_of_name(const char *name);
/* VALUE_NONE for NULL. */
enum value_type value_type(const json_t *value);
/* What is under the type's name: a string, an array, ...; borrowed. NULL for NULL. */
json_t *value_inner(const json_t *value);
/* The type of a set's members: VALUE_S for VALUE_SS; VALUE_NONE for what is no set. */
enum value_type value_member_type(enum value_type type);

/* Checks a value as a client sent it, and makes it canonical in place. 0, or -EBADMSG with the fault. */
int value_check(json_t *value, struct fault *fault);
/* The same for all attributes of an item (or key), which has to be a JSON object. */
int item_check(json_t *item, struct fault *fault);
/* The size by the service's rules: names and values. */
size_t item_size(const json_t *item);

/* Of the strings that a set has. */
bool value_has_duplicates(const json_t *array);
bool value_equal(const json_t *a, const json_t *b);
/* Are both of one type that has an order: strings, numbers, binaries? If so, *ret is below, equal to, above
 * 0. */
bool value_compare(const json_t *a, const json_t *b, int *ret);
/* Is member in the set, array or text? */
bool value_contains(const json_t *value, const json_t *member);
/* Strings and binaries of one type. */
bool value_begins_with(const json_t *value, const json_t *beginning);
/* Length of a text in characters, of a binary in bytes, of a collection in members; -1 for what has none. */
long value_length(const json_t *value);

bool value_number(const json_t *value, struct number *ret);
json_t *value_of_number(const struct number *n); /* a new {"N": ...} */
/* New sets: of all members of both, of those of a that are not in b (NULL if none is left). */
json_t *value_union(const json_t *a, const json_t *b);
json_t *value_difference(const json_t *a, const json_t *b);

/* The bytes of a string or a binary: the string's own, or decoded into a new buffer, which the caller frees
 * (*ret_buffer; NULL if there is none). */
const char *value_bytes(const json_t *value, size_t *ret_len, char **ret_buffer);
#endif
