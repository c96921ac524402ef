#include "common/cleanup.h"
#include "dwfm/store.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* An instance's row is the API's, which has forgotten or ended what it doesn't want any more. */
#define WANTED "#state IN (:pending, :running)"
/* "owner", "state" and "zone" are words that DynamoDB keeps for itself. */
#define OWNED_BY_ME "#owner = :me"

struct call {
	struct dwfm *dwfm;
	store_done *done;
	store_placed *placed; /* of a placement */
	store_found *found;   /* of a search */
	void *arg;
};

static void on_done(const struct dynamo_reply *reply, void *arg)
{
	struct call *c = arg;

	c->done(reply->outcome == DYNAMO_OK, c->arg);
	free(c);
}

static void on_placed(const struct dynamo_reply *reply, void *arg)
{
	cleanup_free struct call *c = arg;

	c->placed(reply->outcome == DYNAMO_OK                 ? STORE_OK
	          : reply->outcome == DYNAMO_CONDITION_FAILED ? STORE_CONDITION_FAILED
	                                                      : STORE_FAILED,
	          c->arg);
}

static int begin(struct call c, const char *operation, json_t *request, dynamo_done *done)
{
	cleanup_free struct call *copy = malloc(sizeof(*copy));
	int r;

	if (!copy) {
		json_decref(request);
		return -ENOMEM;
	}
	*copy = c;
	if ((r = dynamo_call(c.dwfm->store, operation, request, done, copy, NULL)) == 0) (void)take_ptr(copy);
	return r;
}

int store_put_workflow(struct dwfm *d, const struct store_workflow *row, store_done *done, void *arg)
{
	json_t *item =
	    json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:b}, s:o, s:o}", "workflow", dynamo_s(row->id),
	              "instance", dynamo_s(row->instance), "kind", dynamo_s(lease_order_text(row->kind)),
	              "droplet", dynamo_s(row->droplet), "step", dynamo_s("ordered"), "real", "BOOL",
	              row->real, "cause", dynamo_n((int64_t)row->cause), "owner", dynamo_s(d->holder));

	if (row->service[0]) json_object_set_new(item, "service", dynamo_s(row->service));
	return begin((struct call){ .dwfm = d, .done = done, .arg = arg }, "PutItem",
	             json_pack("{s:s, s:o}", "TableName", "workflows", "Item", item), on_done);
}

int store_forget_workflow(struct dwfm *d, const char *id, store_done *done, void *arg)
{
	return begin((struct call){ .dwfm = d, .done = done, .arg = arg }, "DeleteItem",
	             json_pack("{s:s, s:{s:o}}", "TableName", "workflows", "Key", "workflow", dynamo_s(id)),
	             on_done);
}

int store_place_instance(struct dwfm *d, const char *instance, const struct droplet *p, uint64_t epoch,
                         store_placed *placed, void *arg)
{
	char name[DROPLET_NAME_MAX];

	droplet_name(p, name);
	return begin((struct call){ .dwfm = d, .placed = placed, .arg = arg }, "UpdateItem",
	             json_pack("{s:s, s:{s:o}, s:s, s:s, s:{s:s, s:s}, s:{s:o, s:o, s:o, s:o, s:o}}",
	                       "TableName", "instances", "Key", "instance", dynamo_s(instance),
	                       "ConditionExpression", WANTED, "UpdateExpression",
	                       "SET droplet = :droplet, epoch = :epoch, #zone = :zone",
	                       "ExpressionAttributeNames", "#zone", "zone", "#state", "state",
	                       "ExpressionAttributeValues", ":droplet", dynamo_s(name), ":epoch",
	                       dynamo_n((int64_t)epoch), ":zone", dynamo_s(p->share->zone), ":pending",
	                       dynamo_s("pending"), ":running", dynamo_s("running")),
	             on_placed);
}

/* --- the search -------------------------------------------------------------------------------------- */

static enum lease_order kind_of(const char *text)
{
	for (int kind = LEASE_LAUNCH; kind <= LEASE_REBOOT; kind++) {
		if (!strcmp(text, lease_order_text((enum lease_order)kind))) return (enum lease_order)kind;
	}
	return LEASE_TERMINATE; /* nothing of ours; what can't be understood must not run */
}

static void hand_over(const struct call *c, const json_t *item)
{
	struct store_workflow row = { .id = dynamo_get_s(item, "workflow", ""),
		                      .kind = kind_of(dynamo_get_s(item, "kind", "")),
		                      .instance = dynamo_get_s(item, "instance", ""),
		                      .droplet = dynamo_get_s(item, "droplet", ""),
		                      .service = dynamo_get_s(item, "service", ""),
		                      .real = node_bool(json_object_get(item, "real"), "BOOL", false),
		                      .cause = (uint64_t)dynamo_get_n(item, "cause", 0) };

	c->found(&row, c->arg);
}

static int search_from(struct call c, const json_t *last_key);

static void on_page(const struct dynamo_reply *reply, void *arg)
{
	cleanup_free struct call *c = arg;
	const json_t *last_key = json_object_get(reply->body, "LastEvaluatedKey");
	json_t *item;
	size_t i;

	if (reply->outcome != DYNAMO_OK) {
		c->done(false, c->arg);
		return;
	}
	json_array_foreach (json_object_get(reply->body, "Items"), i, item)
		hand_over(c, item);
	if (!last_key)
		c->done(true, c->arg);
	else if (search_from(*c, last_key) < 0)
		c->done(false, c->arg);
}

static int search_from(struct call c, const json_t *last_key)
{
	json_t *request =
	    json_pack("{s:s, s:b, s:s, s:{s:s}, s:{s:o}}", "TableName", "workflows", "ConsistentRead", true,
	              "FilterExpression", OWNED_BY_ME, "ExpressionAttributeNames", "#owner", "owner",
	              "ExpressionAttributeValues", ":me", dynamo_s(c.dwfm->holder));

	if (last_key) json_object_set(request, "ExclusiveStartKey", (json_t *)last_key);
	return begin(c, "Scan", request, on_page);
}

int store_find_workflows(struct dwfm *d, store_found *found, store_done *done, void *arg)
{
	return search_from((struct call){ .dwfm = d, .done = done, .found = found, .arg = arg }, NULL);
}
