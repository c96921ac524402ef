#include "ec2-api/instance.h"
#include "common/cleanup.h"
#include "common/dynamo_client.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum instance_state state;
	const char *text;
} states[] = {
	{ INSTANCE_PENDING, "pending" },
	{ INSTANCE_RUNNING, "running" },
	{ INSTANCE_SHUTTING_DOWN, "shutting-down" },
	{ INSTANCE_TERMINATED, "terminated" },
};
static const char *const stage_names[STAGES] = { "api", "droplet", "network" };

const char *instance_state_text(enum instance_state state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (states[i].state == state) return states[i].text;
	}
	return "unknown";
}

const char *stage_text(enum stage stage)
{
	return stage_names[stage];
}

void instance_release(struct instance *i)
{
	json_decref(take_ptr(i->tags));
}

void instance_id(char ret[INSTANCE_ID_MAX], char kind, uint64_t random_high, uint64_t random_low)
{
	snprintf(ret, INSTANCE_ID_MAX, "%c-%01x%016" PRIx64, kind, (unsigned)(random_high & 15), random_low);
}

bool instance_id_valid(const char *id)
{
	return strlen(id) == 19 && strncmp(id, "i-", 2) == 0 && strspn(id + 2, "0123456789abcdef") == 17;
}

/* --- DynamoDB's JSON --------------------------------------------------------------------------------- */

static json_t *tags_to_map(const json_t *tags)
{
	json_t *map = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)tags, key, value)
		json_object_set_new(map, key, json_pack("{s:O}", "S", value));
	return json_pack("{s:o}", "M", map);
}

static void stage_key(char ret[32], int stage)
{
	snprintf(ret, 32, "%s_us", stage_names[stage]);
}

json_t *instance_to_item(const struct instance *i)
{
	json_t *item = json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:b}, s:o}",
	    "instance", dynamo_s(i->id), "reservation", dynamo_s(i->reservation), "zone", dynamo_s(i->zone),
	    "image", dynamo_s(i->image), "type", dynamo_s(i->type), "token", dynamo_s(i->token), "state",
	    dynamo_s(instance_state_text(i->state)), "droplet", dynamo_s(i->droplet), "address",
	    dynamo_s(i->address), "launch_index", dynamo_n(i->index), "launched_ms", dynamo_n(i->launched_ms),
	    "ended_ms", dynamo_n(i->ended_ms), "epoch", dynamo_n(i->epoch), "dwfm_host", dynamo_n(i->host),
	    "real", "BOOL", i->real, "tags", tags_to_map(i->tags));

	for (int s = 0; s < STAGES; s++) {
		char key[32];
		stage_key(key, s);
		if (i->stage_us[s] >= 0) json_object_set_new(item, key, dynamo_n(i->stage_us[s]));
	}
	return item;
}

static void get_text(const json_t *item, const char *key, char *ret, size_t size)
{
	snprintf(ret, size, "%s", dynamo_get_s(item, key, ""));
}

static json_t *map_to_tags(const json_t *map)
{
	json_t *tags = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)map, key, value) {
		json_t *text = json_object_get(value, "S");
		if (json_is_string(text)) json_object_set(tags, key, text);
	}
	return tags;
}

static int get_state(const json_t *item, enum instance_state *ret)
{
	const char *text = dynamo_get_s(item, "state", "");

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (strcmp(states[i].text, text)) continue;
		*ret = states[i].state;
		return 0;
	}
	return -EBADMSG;
}

int instance_from_item(struct instance *ret, const json_t *item)
{
	struct instance i = { 0 };

	get_text(item, "instance", i.id, sizeof(i.id));
	if (!instance_id_valid(i.id) || get_state(item, &i.state) < 0) return -EBADMSG;
	get_text(item, "reservation", i.reservation, sizeof(i.reservation));
	get_text(item, "zone", i.zone, sizeof(i.zone));
	get_text(item, "image", i.image, sizeof(i.image));
	get_text(item, "type", i.type, sizeof(i.type));
	get_text(item, "token", i.token, sizeof(i.token));
	get_text(item, "droplet", i.droplet, sizeof(i.droplet));
	get_text(item, "address", i.address, sizeof(i.address));
	i.index = (unsigned)dynamo_get_n(item, "launch_index", 0);
	i.launched_ms = dynamo_get_n(item, "launched_ms", 0);
	i.ended_ms = dynamo_get_n(item, "ended_ms", 0);
	i.epoch = dynamo_get_n(item, "epoch", 0);
	i.host = (unsigned)dynamo_get_n(item, "dwfm_host", 0);
	i.real = json_is_true(json_object_get(json_object_get(item, "real"), "BOOL"));
	for (int s = 0; s < STAGES; s++) {
		char key[32];
		stage_key(key, s);
		i.stage_us[s] = dynamo_get_n(item, key, -1);
	}
	i.tags = map_to_tags(json_object_get(json_object_get(item, "tags"), "M"));
	*ret = i;
	return 0;
}
