/* store.h - what is kept on disk, in LMDB: named tables' descriptions, and items under their keys.
 *
 * Several processes may have one store open; LMDB lets one at a time write, and the lock of one that was
 * killed goes to the next. Writes gather in one *batch*, which store_commit() brings to the disk with all
 * that is in it, or not at all. While a batch is open, everything is read as it will be after it.
 *
 * What is read points into the map, and stays until the next write, commit, abort or store_end_read().
 * Errors are -errno; -ENOSPC means that the map or the disk is full, -ENOENT that nothing is there. After any
 * other failed write the batch can only be aborted. */
#ifndef AZLAB_DYNAMODB_STORE_H
#define AZLAB_DYNAMODB_STORE_H
#include "dynamodb/keys.h"
#include <stdbool.h>

struct store;
struct store_value {
	const void *bytes;
	size_t len;
};

/* The folder has to exist. */
int store_open(const char *folder, size_t map_bytes, struct store **ret);
void store_close(struct store *s);

/* Begins a batch unless one is open; waits while another process writes. */
int store_begin_write(struct store *s);
/* Begins reading what is committed, unless a batch is open. */
int store_begin_read(struct store *s);
void store_end_read(struct store *s);
bool store_in_batch(const struct store *s);
int store_commit(struct store *s);
void store_abort(struct store *s);
/* Gives back what processes that were killed while reading have held. */
void store_tidy(struct store *s);

int store_get(struct store *s, const struct key *k, struct store_value *ret);
int store_put(struct store *s, const struct key *k, const void *bytes, size_t len);
int store_delete(struct store *s, const struct key *k);

/* Gets an item; false ends the walk. May not write. */
typedef bool store_visit(const struct store_value *value, void *arg);
/* Visits from <= keys < to, upwards or downwards. */
int store_walk(struct store *s, const struct key *from, const struct key *to, bool down, store_visit *visit,
               void *arg);
/* Deletes the keys from <= keys < to. */
int store_delete_range(struct store *s, const struct key *from, const struct key *to);

int store_get_table(struct store *s, const char *name, struct store_value *ret);
int store_put_table(struct store *s, const char *name, const void *bytes, size_t len);
int store_delete_table(struct store *s, const char *name);
/* The first name behind `after` (NULL: of all), copied into ret. */
int store_next_table(struct store *s, const char *after, char *ret, size_t size);
/* A number that no table has had. Writes. */
int store_new_table_number(struct store *s, uint32_t *ret);
#endif
