#include "dwfm/store.h"
#include "common/cleanup.h"
#include <errno.h>

/* Taking also takes what is ours already: a write that timed out may have succeeded. */
#define MAY_TAKE "attribute_not_exists(droplet) OR (holder = :me AND until_ms <= :until) OR until_ms < :now"
#define MAY_RENEW "holder = :me AND epoch = :epoch AND until_ms <= :until"

struct lease_write {
	store_lease_done *done;
	void *arg;
};

static void on_lease(const struct dynamo_reply *reply, void *arg)
{
	struct lease_write *w = arg;
	int64_t epoch = dynamo_get_n(json_object_get(reply->body, "Attributes"), "epoch", 0);
	enum store_outcome outcome = STORE_FAILED;

	if (reply->outcome == DYNAMO_CONDITION_FAILED)
		outcome = STORE_CONDITION_FAILED;
	else if (reply->outcome == DYNAMO_OK && epoch > 0)
		outcome = STORE_OK;
	w->done(outcome, (uint64_t)epoch, w->arg);
	free(w);
}

static json_t *lease_request(const struct dwfm *d, const char *droplet, uint64_t epoch, mono_ns length)
{
	int64_t now = wall_ms();
	json_t *values = json_pack("{s:o, s:o}", ":me", dynamo_s(d->holder), ":until",
	                           dynamo_n(now + (length + NS_PER_MS - 1) / NS_PER_MS));

	if (epoch) {
		json_object_set_new(values, ":epoch", dynamo_n((int64_t)epoch));
	} else {
		json_object_set_new(values, ":now", dynamo_n(now));
		json_object_set_new(values, ":one", dynamo_n(1));
	}
	return json_pack(
	    "{s:s, s:{s:o}, s:s, s:s, s:o, s:s}", "TableName", "leases", "Key", "droplet", dynamo_s(droplet),
	    "ConditionExpression", epoch ? MAY_RENEW : MAY_TAKE, "UpdateExpression",
	    epoch ? "SET until_ms = :until" : "SET holder = :me, until_ms = :until ADD epoch :one",
	    "ExpressionAttributeValues", values, "ReturnValues", "ALL_NEW");
}

int store_write_lease(struct dwfm *d, const char *droplet, uint64_t epoch, mono_ns length,
                      store_lease_done *done, void *arg)
{
	cleanup_free struct lease_write *w = malloc(sizeof(*w));
	int r;

	if (!w) return -ENOMEM;
	*w = (struct lease_write){ .done = done, .arg = arg };
	r = dynamo_call(d->store, "UpdateItem", lease_request(d, droplet, epoch, length), on_lease, w, NULL);
	if (r == 0) (void)take_ptr(w);
	return r;
}
