#include "autoscaler/ec2.h"
#include "common/cleanup.h"
#include "common/timer.h"
#include <errno.h>
#include <event2/http.h>
#include <stdarg.h>
#include <string.h>

struct ec2 {
	struct event_base *base;
	struct http_client *http;
	struct retry_policy policy;
	mono_ns timeout;
	struct random random;
	struct ec2_counts counts;
};
struct ec2_call {
	struct ec2 *ec2;
	struct evbuffer *form;
	struct event *again;
	unsigned attempts;
	ec2_done *done;
	void *arg;
};

/* --- forms ------------------------------------------------------------------------------------------- */

struct evbuffer *ec2_form(const char *action)
{
	struct evbuffer *form = evbuffer_new();

	if (form) evbuffer_add_printf(form, "Action=%s&Version=2016-11-15", action);
	return form;
}

void ec2_add(struct evbuffer *form, const char *value, const char *name_format, ...)
{
	cleanup_free char *encoded = evhttp_uriencode(value, -1, 0);
	va_list args;

	evbuffer_add(form, "&", 1);
	va_start(args, name_format);
	evbuffer_add_vprintf(form, name_format, args);
	va_end(args);
	evbuffer_add_printf(form, "=%s", encoded ? encoded : "");
}

/* --- calls ------------------------------------------------------------------------------------------- */

static void finish(struct ec2_call *c, const struct reply *reply)
{
	if (!reply) c->ec2->counts.failed++;
	c->done(reply, c->arg);
	evbuffer_free(c->form);
	event_free(c->again);
	free(c);
}

static void try_again(struct ec2_call *c)
{
	c->ec2->counts.retries++;
	timer_after(c->again, retry_pause(&c->ec2->policy, c->attempts, &c->ec2->random));
}

static void on_reply(const struct http_reply *http, void *arg)
{
	struct ec2_call *c = arg;
	struct reply reply = { 0 };
	bool answered = http->outcome == CALL_ANSWERED;
	bool read = answered && reply_read(&reply, http->body, http->body_len, EC2_GROUP_TAG) == 0;

	if (read && http->status == 200) {
		finish(c, &reply);
	} else if (retry_worthy(http->outcome, http->status, reply.error) &&
	           c->attempts < c->ec2->policy.attempts) {
		try_again(c);
	} else {
		finish(c, NULL);
	}
	reply_release(&reply);
}

static int attempt(struct ec2_call *c)
{
	struct http_call_spec spec = { .method = "POST",
		                       .path = "/",
		                       .headers = "Content-Type: application/x-www-form-urlencoded\r\n"
		                                  "Connection: close\r\n",
		                       .body = evbuffer_pullup(c->form, -1),
		                       .body_len = evbuffer_get_length(c->form),
		                       .timeout = c->ec2->timeout };

	c->attempts++;
	return http_client_call(c->ec2->http, &spec, on_reply, c, NULL);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	if (attempt(arg) < 0) finish(arg, NULL);
}

int ec2_call(struct ec2 *e, struct evbuffer *form, ec2_done *done, void *arg)
{
	struct ec2_call *c = calloc(1, sizeof(*c));

	if (c) {
		*c = (struct ec2_call){ .ec2 = e, .form = form, .done = done, .arg = arg };
		c->again = evtimer_new(e->base, on_again, c);
	}
	if (c && c->again && attempt(c) == 0) {
		e->counts.calls++;
		return 0;
	}
	if (c && c->again) event_free(c->again);
	evbuffer_free(form);
	free(c);
	return -ENOMEM;
}

struct ec2_counts ec2_take_counts(struct ec2 *e)
{
	struct ec2_counts counts = e->counts;

	e->counts = (struct ec2_counts){ 0 };
	return counts;
}

/* --- life -------------------------------------------------------------------------------------------- */

int ec2_new(struct event_base *base, const struct http_client_config *http, const struct retry_policy *policy,
            mono_ns timeout, struct ec2 **ret)
{
	struct ec2 *e = calloc(1, sizeof(*e));
	int r;

	if (!e) return -ENOMEM;
	*e = (struct ec2){ .base = base, .random = random_of(http->seed, "autoscaler-retries") };
	ec2_set(e, policy, timeout);
	if ((r = http_client_new(base, http, &e->http)) < 0) {
		free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void ec2_set(struct ec2 *e, const struct retry_policy *policy, mono_ns timeout)
{
	e->policy = *policy;
	e->timeout = timeout;
}
