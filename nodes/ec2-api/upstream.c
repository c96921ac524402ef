#include "ec2-api/upstream.h"
#include "common/cleanup.h"
#include "common/http_client.h"
#include <errno.h>
#include <string.h>

enum { ATTACH_TIMEOUT_S = 60, DETACH_TIMEOUT_S = 10 };

/* --- DWFM -------------------------------------------------------------------------------------------- */

struct order {
	struct api *api;
	char path[16];
	json_t *body;
	mono_ns until;
	unsigned first, tried;     /* hosts */
	enum dwfm_outcome outcome; /* the best reason not to have done it so far */
	dwfm_done *done;
	void *arg;
};

static const struct {
	const char *error; /* DWFM's word */
	enum api_code code;
} dwfm_outcomes[DWFM_OUTCOMES] = {
	[DWFM_DONE] = { "", API_OK },
	[DWFM_NO_CAPACITY] = { "no-capacity", API_CAPACITY },
	[DWFM_OVERLOADED] = { "overloaded", API_THROTTLED },
	[DWFM_TIMED_OUT] = { "timed-out", API_UNAVAILABLE },
	[DWFM_UNAVAILABLE] = { "unavailable", API_UNAVAILABLE },
	[DWFM_UNKNOWN] = { "unknown", API_NO_INSTANCE },
};

enum api_code dwfm_code(enum dwfm_outcome outcome)
{
	return dwfm_outcomes[outcome].code;
}

static void end_order(struct order *o, const struct dwfm_reply *reply)
{
	o->done(reply, o->arg);
	json_decref(o->body);
	free(o);
}

static enum dwfm_outcome read_error(const struct http_reply *reply)
{
	json_t *body = json_loadb(reply->body, reply->body_len, 0, NULL);
	const char *error = node_string(body, "error", "unavailable");
	enum dwfm_outcome outcome = reply->status == 404 ? DWFM_UNKNOWN : DWFM_UNAVAILABLE;

	for (int i = DWFM_NO_CAPACITY; i < DWFM_OUTCOMES; i++) {
		if (strcmp(dwfm_outcomes[i].error, error) == 0) outcome = (enum dwfm_outcome)i;
	}
	json_decref(body);
	return outcome;
}

static enum dwfm_outcome outcome_of(const struct http_reply *reply)
{
	if (reply->outcome == CALL_TIMED_OUT || reply->outcome == CALL_RESET) return DWFM_TIMED_OUT;
	if (reply->outcome != CALL_ANSWERED) return DWFM_UNAVAILABLE;
	return reply->status == 200 ? DWFM_DONE : read_error(reply);
}

/* Of several hosts' reasons the one that tells the caller most: that DWFM is overloaded or out of reach says
 * nothing about how much room there is. */
static enum dwfm_outcome weightier(enum dwfm_outcome a, enum dwfm_outcome b)
{
	static const int weight[DWFM_OUTCOMES] = { [DWFM_UNKNOWN] = 1,
		                                   [DWFM_NO_CAPACITY] = 2,
		                                   [DWFM_UNAVAILABLE] = 3,
		                                   [DWFM_OVERLOADED] = 4,
		                                   [DWFM_TIMED_OUT] = 5 };
	return weight[a] >= weight[b] ? a : b;
}

static void ask_host(struct order *o);

static unsigned host_of(const struct order *o)
{
	return (o->first + o->tried) % o->api->n_hosts;
}

static void on_host(const struct http_reply *reply, void *arg)
{
	struct order *o = arg;
	struct dwfm_reply r = { .outcome = outcome_of(reply), .host = host_of(o), .droplet = "" };

	if (r.outcome == DWFM_DONE) {
		json_t *body = json_loadb(reply->body, reply->body_len, 0, NULL);
		r.droplet = node_string(body, "droplet", "");
		r.epoch = json_integer_value(json_object_get(body, "epoch"));
		end_order(o, &r);
		json_decref(body);
		return;
	}
	o->outcome = weightier(o->outcome, r.outcome);
	if (r.outcome != DWFM_TIMED_OUT && ++o->tried < o->api->n_hosts)
		ask_host(o);
	else
		end_order(o, &(struct dwfm_reply){ .outcome = o->outcome, .droplet = "" });
}

static int call_host(struct order *o)
{
	mono_ns left = o->until - mono_now();

	if (left < NS_PER_MS) return -ETIMEDOUT;
	/* its own time-out comes first, so that it can say what became of it */
	json_object_set_new(o->body, "timeout_ms", json_integer((left - left / 10) / NS_PER_MS));
	cleanup_free char *text = json_dumps(o->body, JSON_COMPACT);
	if (!text) return -ENOMEM;
	struct http_call_spec spec = { .method = "POST",
		                       .path = o->path,
		                       .headers = "Content-Type: application/json\r\n",
		                       .body = text,
		                       .body_len = strlen(text),
		                       .timeout = left };
	return http_client_call(o->api->hosts[host_of(o)], &spec, on_host, o, NULL);
}

static void ask_host(struct order *o)
{
	int r = call_host(o);

	if (r == 0) return;
	o->outcome = weightier(o->outcome, r == -ETIMEDOUT ? DWFM_TIMED_OUT : DWFM_UNAVAILABLE);
	end_order(o, &(struct dwfm_reply){ .outcome = o->outcome, .droplet = "" });
}

static void begin_order(struct api *api, const char *what, unsigned first, json_t *body, mono_ns until,
                        dwfm_done *done, void *arg)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o || api->n_hosts == 0) {
		free(o);
		json_decref(body);
		done(&(struct dwfm_reply){ .outcome = DWFM_UNAVAILABLE, .droplet = "" }, arg);
		return;
	}
	*o = (struct order){ .api = api,
		             .body = body,
		             .until = until,
		             .first = first,
		             .outcome = DWFM_UNKNOWN,
		             .done = done,
		             .arg = arg };
	snprintf(o->path, sizeof(o->path), "/%s", what);
	ask_host(o);
}

void dwfm_launch(struct api *api, const struct instance *i, uint64_t cause, mono_ns until, dwfm_done *done,
                 void *arg)
{
	const char *service = json_string_value(json_object_get(i->tags, "azlab:service"));

	begin_order(api, "launch", api->next_host++,
	            json_pack("{s:s, s:s, s:b, s:s*, s:I}", "instance", i->id, "zone", i->zone, "real",
	                      i->real, "service", service, "cause", (json_int_t)cause),
	            until, done, arg);
}

void dwfm_order(struct api *api, const char *what, const struct instance *i, uint64_t cause, mono_ns until,
                dwfm_done *done, void *arg)
{
	begin_order(api, what, i->host,
	            json_pack("{s:s, s:s, s:I}", "instance", i->id, "droplet", i->droplet, "cause",
	                      (json_int_t)cause),
	            until, done, arg);
}

/* --- the network manager ----------------------------------------------------------------------------- */

struct change {
	network_done *done;
	void *arg;
};

static int call_network(struct api *api, const char *path, const struct instance *i, uint64_t cause,
                        int timeout_s, http_done *done, void *arg)
{
	json_t *body = json_pack("{s:s, s:s, s:b, s:I}", "instance", i->id, "zone", i->zone, "real", i->real,
	                         "cause", (json_int_t)cause);
	cleanup_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (!text) return -ENOMEM;
	struct http_call_spec spec = { .method = "POST",
		                       .path = path,
		                       .headers = "Content-Type: application/json\r\n",
		                       .body = text,
		                       .body_len = strlen(text),
		                       .timeout = timeout_s * NS_PER_S };
	return http_client_call(api->network, &spec, done, arg, NULL);
}

static void on_network(const struct http_reply *reply, void *arg)
{
	struct change *c = arg;
	bool answered = reply->outcome == CALL_ANSWERED;
	enum network_outcome outcome = answered && reply->status == 200   ? NETWORK_DONE
	                               : answered && reply->status == 409 ? NETWORK_DETACHED
	                                                                  : NETWORK_FAILED;
	json_t *body = answered ? json_loadb(reply->body, reply->body_len, 0, NULL) : NULL;

	c->done(outcome, node_string(body, "addr4", ""), c->arg);
	json_decref(body);
	free(c);
}

static void change(struct api *api, const char *path, const struct instance *i, uint64_t cause, int timeout_s,
                   network_done *done, void *arg)
{
	struct change *c = malloc(sizeof(*c));

	if (c) *c = (struct change){ done, arg };
	if (c && call_network(api, path, i, cause, timeout_s, on_network, c) == 0) return;
	free(c);
	done(NETWORK_FAILED, "", arg);
}

void network_attach(struct api *api, const struct instance *i, uint64_t cause, network_done *done, void *arg)
{
	change(api, "/attach", i, cause, ATTACH_TIMEOUT_S, done, arg);
}

void network_detach(struct api *api, const struct instance *i, uint64_t cause, network_done *done, void *arg)
{
	change(api, "/detach", i, cause, DETACH_TIMEOUT_S, done, arg);
}
