/* instance.h - an instance as the API knows it, and as a row of DynamoDB's table "instances". Pure.
 *
 * Ownership: struct instance owns its tags; instance_release(). Text is cut to what fits. */
#ifndef AZLAB_EC2_API_INSTANCE_H
#define AZLAB_EC2_API_INSTANCE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { INSTANCE_ID_MAX = 24, INSTANCE_NAME_MAX = 64, INSTANCE_TOKEN_MAX = 65 };

/* EC2's numbers. */
enum instance_state {
	INSTANCE_PENDING = 0,
	INSTANCE_RUNNING = 16,
	INSTANCE_SHUTTING_DOWN = 32,
	INSTANCE_TERMINATED = 48
};

/* A launch is this many pieces of work, one after another; each is timed. */
enum stage {
	STAGE_API,     /* from the request to DWFM: what had to be written first */
	STAGE_DROPLET, /* DWFM: found a droplet with a lease, which started the instance */
	STAGE_NETWORK, /* the network manager: every zone's agent has its network state */
	STAGES
};

struct instance {
	char id[INSTANCE_ID_MAX], reservation[INSTANCE_ID_MAX];
	char zone[INSTANCE_NAME_MAX], image[INSTANCE_NAME_MAX], type[INSTANCE_NAME_MAX];
	char token[INSTANCE_TOKEN_MAX]; /* ClientToken; may be empty */
	unsigned index;                 /* in its reservation */
	enum instance_state state;
	int64_t launched_ms, ended_ms; /* wall clock; 0: not yet */
	bool real;
	char droplet[INSTANCE_NAME_MAX]; /* empty: none yet */
	int64_t epoch;                   /* of the droplet's lease then */
	unsigned host; /* the DWFM host that launched it, by its place in the configuration */
	char address[INSTANCE_NAME_MAX]; /* IPv4; empty for a virtual instance: it has none */
	int64_t stage_us[STAGES];        /* how long each took; -1: not reached */
	json_t *tags;                    /* {key: value} */
};

const char *instance_state_text(enum instance_state state);
const char *stage_text(enum stage stage); /* "api", "droplet", "network" */
void instance_release(struct instance *i);

/* "i-" or "r-" and 17 hex digits, as EC2's; from 68 random bits. */
void instance_id(char ret[INSTANCE_ID_MAX], char kind, uint64_t random_high, uint64_t random_low);
bool instance_id_valid(const char *id);

/* A row as DynamoDB's JSON has it: {"instance": {"S": "i-..."}, ...}. The caller's. */
json_t *instance_to_item(const struct instance *i);
/* -EBADMSG for what is no row of an instance. */
int instance_from_item(struct instance *ret, const json_t *item);
#endif
