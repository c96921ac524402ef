#include "dynamodb/store.h"
#include "common/cleanup.h"
#include <errno.h>
#include <lmdb.h>
#include <string.h>

enum { READERS_MAX = 256, FILE_MODE = 0600 };

struct store {
	MDB_env *env;
	MDB_dbi items, tables, numbers;
	MDB_txn *batch; /* NULL: none is open */
	MDB_txn *read;  /* kept from read to read */
	bool reading;
};

/* LMDB's own codes are negative and none of errno's. */
static int error_of(int code)
{
	if (code == MDB_SUCCESS) return 0;
	if (code == MDB_NOTFOUND) return -ENOENT;
	if (code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT) return -ENOSPC;
	return code > 0 ? -code : -EIO;
}

static MDB_txn *txn_of(const struct store *s)
{
	return s->batch ? s->batch : s->read;
}

/* --- life -------------------------------------------------------------------------------------------- */

static int open_databases(struct store *s)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(s->env, NULL, 0, &txn);

	if (code) return error_of(code);
	code = mdb_dbi_open(txn, "items", MDB_CREATE, &s->items);
	if (!code) code = mdb_dbi_open(txn, "tables", MDB_CREATE, &s->tables);
	if (!code) code = mdb_dbi_open(txn, "numbers", MDB_CREATE, &s->numbers);
	if (!code) return error_of(mdb_txn_commit(txn));
	mdb_txn_abort(txn);
	return error_of(code);
}

static int open_environment(struct store *s, const char *folder, size_t map_bytes)
{
	int code = mdb_env_create(&s->env);

	if (!code) code = mdb_env_set_mapsize(s->env, map_bytes);
	if (!code) code = mdb_env_set_maxdbs(s->env, 3);
	if (!code) code = mdb_env_set_maxreaders(s->env, READERS_MAX);
	/* one thread, whose reading and writing transactions live side by side */
	if (!code) code = mdb_env_open(s->env, folder, MDB_NOTLS | MDB_NORDAHEAD, FILE_MODE);
	return error_of(code);
}

void store_close(struct store *s)
{
	if (!s) return;
	store_abort(s);
	if (s->read) mdb_txn_abort(s->read);
	if (s->env) mdb_env_close(s->env);
	free(s);
}

int store_open(const char *folder, size_t map_bytes, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));
	int result = s ? open_environment(s, folder, map_bytes) : -ENOMEM;

	if (result == 0) store_tidy(s);
	if (result == 0) result = open_databases(s);
	if (result < 0) {
		store_close(s);
		return result;
	}
	*ret = s;
	return 0;
}

void store_tidy(struct store *s)
{
	int dead;
	mdb_reader_check(s->env, &dead);
}

/* --- transactions ------------------------------------------------------------------------------------ */

/* Another process was told to have a larger map: takes it over. */
static int begin(struct store *s, unsigned flags, MDB_txn **ret)
{
	int code = mdb_txn_begin(s->env, NULL, flags, ret);

	if (code == MDB_MAP_RESIZED && mdb_env_set_mapsize(s->env, 0) == 0)
		code = mdb_txn_begin(s->env, NULL, flags, ret);
	return error_of(code);
}

int store_begin_write(struct store *s)
{
	store_end_read(s);
	return s->batch ? 0 : begin(s, 0, &s->batch);
}

int store_begin_read(struct store *s)
{
	if (s->batch || s->reading) return 0;
	if (s->read && mdb_txn_renew(s->read) != 0) {
		mdb_txn_abort(s->read);
		s->read = NULL;
	}
	int result = s->read ? 0 : begin(s, MDB_RDONLY, &s->read);
	s->reading = result == 0;
	return result;
}

void store_end_read(struct store *s)
{
	if (s->reading) mdb_txn_reset(s->read);
	s->reading = false;
}

bool store_in_batch(const struct store *s)
{
	return s->batch != NULL;
}

int store_commit(struct store *s)
{
	return error_of(s->batch ? mdb_txn_commit(take_ptr(s->batch)) : 0);
}

void store_abort(struct store *s)
{
	if (s->batch) mdb_txn_abort(take_ptr(s->batch));
}

/* --- items ------------------------------------------------------------------------------------------- */

static MDB_val key_value(const struct key *k)
{
	return (MDB_val){ .mv_size = k->len, .mv_data = (void *)k->bytes };
}

static int get(const struct store *s, MDB_dbi db, MDB_val key, struct store_value *ret)
{
	MDB_val value;
	int code = mdb_get(txn_of(s), db, &key, &value);

	if (!code) *ret = (struct store_value){ .bytes = value.mv_data, .len = value.mv_size };
	return error_of(code);
}

static int put(const struct store *s, MDB_dbi db, MDB_val key, const void *bytes, size_t len)
{
	MDB_val value = { .mv_size = len, .mv_data = (void *)bytes };
	return error_of(mdb_put(s->batch, db, &key, &value, 0));
}

int store_get(struct store *s, const struct key *k, struct store_value *ret)
{
	return get(s, s->items, key_value(k), ret);
}

int store_put(struct store *s, const struct key *k, const void *bytes, size_t len)
{
	return put(s, s->items, key_value(k), bytes, len);
}

int store_delete(struct store *s, const struct key *k)
{
	MDB_val key = key_value(k);
	return error_of(mdb_del(s->batch, s->items, &key, NULL));
}

/* To the last key below the limit, or to the first one at or above `from`. */
static int seek(MDB_cursor *cursor, const struct key *from, const struct key *to, bool down, MDB_val *key,
                MDB_val *value)
{
	*key = key_value(down ? to : from);
	int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
	if (!down) return code;
	/* behind all keys there is no first one, but a last one before it */
	return mdb_cursor_get(cursor, key, value, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
}

static bool is_within(const struct store *s, const MDB_val *key, const struct key *from, const struct key *to)
{
	MDB_val low = key_value(from), high = key_value(to);

	return mdb_cmp(txn_of(s), s->items, key, &low) >= 0 && mdb_cmp(txn_of(s), s->items, key, &high) < 0;
}

int store_walk(struct store *s, const struct key *from, const struct key *to, bool down, store_visit *visit,
               void *arg)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(txn_of(s), s->items, &cursor);

	if (code) return error_of(code);
	code = seek(cursor, from, to, down, &key, &value);
	while (!code && is_within(s, &key, from, to)) {
		struct store_value item = { .bytes = value.mv_data, .len = value.mv_size };
		if (!visit(&item, arg)) break;
		code = mdb_cursor_get(cursor, &key, &value, down ? MDB_PREV : MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : error_of(code);
}

int store_delete_range(struct store *s, const struct key *from, const struct key *to)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(s->batch, s->items, &cursor);

	if (code) return error_of(code);
	code = seek(cursor, from, to, false, &key, &value);
	while (!code && is_within(s, &key, from, to)) {
		code = mdb_cursor_del(cursor, 0);
		/* the cursor is at the next one now, which MDB_NEXT knows */
		if (!code) code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : error_of(code);
}

/* --- tables ------------------------------------------------------------------------------------------ */

static MDB_val name_value(const char *name)
{
	return (MDB_val){ .mv_size = strlen(name), .mv_data = (void *)name };
}

int store_get_table(struct store *s, const char *name, struct store_value *ret)
{
	return get(s, s->tables, name_value(name), ret);
}

int store_put_table(struct store *s, const char *name, const void *bytes, size_t len)
{
	return put(s, s->tables, name_value(name), bytes, len);
}

int store_delete_table(struct store *s, const char *name)
{
	MDB_val key = name_value(name);
	return error_of(mdb_del(s->batch, s->tables, &key, NULL));
}

int store_next_table(struct store *s, const char *after, char *ret, size_t size)
{
	MDB_cursor *cursor;
	MDB_val key = name_value(after ? after : ""), value;
	int code = mdb_cursor_open(txn_of(s), s->tables, &cursor);

	if (code) return error_of(code);
	code = mdb_cursor_get(cursor, &key, &value, after ? MDB_SET_RANGE : MDB_FIRST);
	if (!code && after && key.mv_size == strlen(after) && memcmp(key.mv_data, after, key.mv_size) == 0)
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	if (!code) snprintf(ret, size, "%.*s", (int)key.mv_size, (const char *)key.mv_data);
	mdb_cursor_close(cursor);
	return error_of(code);
}

int store_new_table_number(struct store *s, uint32_t *ret)
{
	struct store_value last;
	uint32_t number = 0;
	int result = get(s, s->numbers, name_value("table"), &last);

	if (result == 0 && last.len == sizeof(number)) memcpy(&number, last.bytes, sizeof(number));
	if (result < 0 && result != -ENOENT) return result;
	number++;
	if ((result = put(s, s->numbers, name_value("table"), &number, sizeof(number))) == 0) *ret = number;
	return result;
}
