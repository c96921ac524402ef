/* leasestore.h - for tests: the DynamoDB that leases are kept in, azlab-dynamodb with its store in a folder
 * of its own, and a look at the rows of leases. */
#ifndef AZLAB_LEASESTORE_H
#define AZLAB_LEASESTORE_H
#include "common/dynamo_client.h"
#include "tests/netns/leaselab.h"
#include <ftw.h>
#include <sys/stat.h>

struct leasestore_lease {
	char holder[32];
	int64_t epoch, until_ms;
};
struct leasestore {
	struct testnode *node;
	char folder[64];
	struct event_base *base;
	struct dynamo_client *client;
};
static struct leasestore leasestore;

static inline json_t *leasestore_key(const char *table, const char *key)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "name", table, "hash", "name", key, "type", "S");
}

static inline struct testnode *leasestore_node(void)
{
	static const int none;

	strcpy(leasestore.folder, "/tmp/azlab-leases-XXXXXX");
	/* the daemon has another uid */
	if (!mkdtemp(leasestore.folder) || chmod(leasestore.folder, 0777) < 0) leaselab_die("mkdtemp");
	return testnode_start(&(struct testnode_spec){
	    .ns = leaselab.ns,
	    .daemon = "dynamodb",
	    .name = "az1.dynamodb-1",
	    .zone = "az1",
	    .config =
	        json_pack("{s:i, s:s, s:[o, o, o]}", "port", LEASELAB_STORE_PORT, "store", leasestore.folder,
	                  "tables", leasestore_key("leases", "droplet"),
	                  leasestore_key("workflows", "workflow"), leasestore_key("instances", "instance")),
	    .keep_caps = &none });
}

static inline void leasestore_start(void)
{
	struct http_client_config http = { .host = LEASELAB_STORE, .port = LEASELAB_STORE_PORT };
	struct dynamo_retries retries = { .timeout = 10 * NS_PER_S, .attempts = 10, .pause = 10 * NS_PER_MS };

	leasestore.node = leasestore_node();
	leasestore.base = event_base_new();
	if (!leasestore.base || dynamo_client_new(leasestore.base, &http, &retries, &leasestore.client) < 0)
		leaselab_die("leasestore");
}

static inline int leasestore_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void leasestore_stop(void)
{
	testnode_stop(leasestore.node);
	dynamo_client_free(leasestore.client);
	event_base_free(leasestore.base);
	nftw(leasestore.folder, leasestore_unlink, 8, FTW_DEPTH | FTW_PHYS);
	memset(&leasestore, 0, sizeof(leasestore));
}

static inline void leasestore_on_row(const struct dynamo_reply *reply, void *arg)
{
	struct leasestore_lease *l = arg;
	const json_t *item = json_object_get(reply->body, "Item");

	l->epoch = dynamo_get_n(item, "epoch", 0);
	l->until_ms = dynamo_get_n(item, "until_ms", 0);
	snprintf(l->holder, sizeof(l->holder), "%s", dynamo_get_s(item, "holder", ""));
	if (reply->outcome != DYNAMO_OK) leaselab_die("no row of a lease");
	event_base_loopbreak(leasestore.base);
}

/* Makes a call whose done() breaks the loop. */
static inline void leasestore_call(const char *operation, json_t *request, dynamo_done *done, void *arg)
{
	testnet_enter(leaselab.ns);
	if (dynamo_call(leasestore.client, operation, request, done, arg, NULL) < 0)
		leaselab_die("dynamo_call");
	event_base_dispatch(leasestore.base);
	testnet_enter(testnet_home());
}

/* The row of a droplet of az1. */
static inline struct leasestore_lease leasestore_row(int number)
{
	struct leasestore_lease l = { 0 };
	char name[32];

	snprintf(name, sizeof(name), "az1-%05d", number);
	leasestore_call("GetItem",
	                json_pack("{s:s, s:{s:o}, s:b}", "TableName", "leases", "Key", "droplet",
	                          dynamo_s(name), "ConsistentRead", 1),
	                leasestore_on_row, &l);
	return l;
}

static inline void leasestore_on_written(const struct dynamo_reply *reply, void *arg)
{
	(void)arg;
	if (reply->outcome != DYNAMO_OK) leaselab_die("cannot write an instance's row");
	event_base_loopbreak(leasestore.base);
}

/* Writes an instance's row, as the EC2 API does before it asks for the launch. */
static inline void leasestore_want(const char *instance)
{
	leasestore_call("PutItem",
	                json_pack("{s:s, s:{s:o, s:o}}", "TableName", "instances", "Item", "instance",
	                          dynamo_s(instance), "state", dynamo_s("pending")),
	                leasestore_on_written, NULL);
}
#endif
