/* reply.h - what the EC2 API answers, read by libxml2. Pure. Members are what counts; unknown ones are passed
 * over. Errors are -errno. */
#ifndef AZLAB_AUTOSCALER_REPLY_H
#define AZLAB_AUTOSCALER_REPLY_H
#include <stdbool.h>
#include <stddef.h>

enum { REPLY_TEXT_MAX = 64 };

struct reply_instance {
	char id[REPLY_TEXT_MAX], state[REPLY_TEXT_MAX]; /* "running" */
	char launched[REPLY_TEXT_MAX];                  /* ISO 8601: later ones compare greater */
	char group[REPLY_TEXT_MAX];                     /* of the tag that was asked for; else empty */
};
struct reply {
	char error[REPLY_TEXT_MAX]; /* code; empty: none */
	char next_token[REPLY_TEXT_MAX];
	struct reply_instance *instances;
	size_t n;
};

/* tag: the key whose value is an instance's group. -EBADMSG for what is no XML, -ENOMEM. */
int reply_read(struct reply *ret, const char *body, size_t len, const char *tag);
void reply_release(struct reply *r);
#endif
