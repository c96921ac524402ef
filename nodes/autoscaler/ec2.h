/* ec2.h - calls of EC2's API as the AWS CLI makes them: one after another process, so each on a connection of
 * its own; retried by a policy, with the same ClientToken.
 *
 * Ownership: ec2_call() consumes the form. done() comes once, later; the reply is borrowed until it returns.
 */
#ifndef AZLAB_AUTOSCALER_EC2_H
#define AZLAB_AUTOSCALER_EC2_H
#include "autoscaler/reply.h"
#include "autoscaler/retry.h"
#include <event2/buffer.h>

#define EC2_GROUP_TAG "azlab:group"

struct ec2_counts { /* since the last ec2_take_counts() */
	unsigned calls, retries, failed;
};
struct ec2;
/* NULL reply: every attempt failed. */
typedef void ec2_done(const struct reply *reply, void *arg);

int ec2_new(struct event_base *base, const struct http_client_config *http, const struct retry_policy *policy,
            mono_ns timeout, struct ec2 **ret);
void ec2_set(struct ec2 *e, const struct retry_policy *policy, mono_ns timeout);
/* A form that begins with the action; NULL without memory. */
struct evbuffer *ec2_form(const char *action);
/* Adds "&NAME=VALUE"; the format makes the name, the value is encoded. */
void ec2_add(struct evbuffer *form, const char *value, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));
/* -ENOMEM: done() won't come. */
int ec2_call(struct ec2 *e, struct evbuffer *form, ec2_done *done, void *arg);
struct ec2_counts ec2_take_counts(struct ec2 *e);
#endif
