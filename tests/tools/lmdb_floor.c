/* What LMDB alone does on a disk: items of 100 bytes written to 10,000 keys in commits of 16, one after
 * another, without any protocol or caller. Prints writes per second. lmdb_floor FOLDER SECONDS */
#include "common/mono.h"
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 10000, A_COMMIT = 16, ITEM_BYTES = 100, MAP_BYTES = 1 << 30 };

static void must(int code, const char *what)
{
	if (code == 0) return;
	fprintf(stderr, "lmdb_floor: %s: %s\n", what, mdb_strerror(code));
	exit(1);
}

static void write_some(MDB_env *env, MDB_dbi db)
{
	char item[ITEM_BYTES] = { 0 }, name[32];
	MDB_txn *txn;

	must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	for (int i = 0; i < A_COMMIT; i++) {
		MDB_val key = { .mv_data = name,
			        .mv_size =
			            (size_t)snprintf(name, sizeof(name), "lease-%ld", random() % KEYS) };
		MDB_val value = { .mv_data = item, .mv_size = sizeof(item) };
		must(mdb_put(txn, db, &key, &value, 0), "put");
	}
	must(mdb_txn_commit(txn), "commit");
}

int main(int argc, char **argv)
{
	mono_ns span = argc == 3 ? (mono_ns)(atof(argv[2]) * NS_PER_S) : 0;
	unsigned long written = 0;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi db;

	if (span <= 0) {
		fputs("usage: lmdb_floor FOLDER SECONDS\n", stderr);
		return 2;
	}
	must(mdb_env_create(&env), "environment");
	must(mdb_env_set_mapsize(env, MAP_BYTES), "map size");
	must(mdb_env_open(env, argv[1], MDB_NORDAHEAD, 0600), argv[1]);
	must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	must(mdb_dbi_open(txn, NULL, 0, &db), "open");
	must(mdb_txn_commit(txn), "commit");
	/* not counted: a tree that grows */
	for (int i = 0; i < 3 * KEYS / A_COMMIT; i++)
		write_some(env, db);
	mono_ns begun = mono_now();
	for (; mono_now() - begun < span; written += A_COMMIT)
		write_some(env, db);
	printf("%.0f\n", (double)written * NS_PER_S / (double)(mono_now() - begun));
	mdb_env_close(env);
	return 0;
}
