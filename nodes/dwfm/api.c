#include "common/cleanup.h"
#include "common/http_server.h"
#include "dwfm/workflow.h"
#include <string.h>

enum { BODY_MAX = 16384, CONNECTIONS_MAX = 1024, TIMEOUT_MS = 10000 };

static void answer_json(struct http_request *r, unsigned status, json_t *body)
{
	cleanup_free char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	http_answer(r, status, "Content-Type: application/json\r\n", text, text ? strlen(text) : 0);
}

static void answer_error(struct http_request *r, unsigned status, const char *error)
{
	answer_json(r, status, json_pack("{s:s}", "error", error));
}

/* --- what is asked ----------------------------------------------------------------------------------- */

static void on_health(struct dwfm *d, struct http_request *r)
{
	(void)d;
	answer_json(r, 200, json_pack("{s:b}", "ok", true));
}

static json_t *zone_capacity(const struct dwfm *d, const struct share *s)
{
	mono_ns now = mono_now();
	json_int_t leased = 0, free = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		const struct droplet *p = &d->droplets[s->base + i];
		if (!lease_holds(&p->lease, now)) continue;
		leased++;
		if (p->used < p->slots) free += p->slots - p->used;
	}
	return json_pack("{s:I, s:I, s:I}", "droplets", (json_int_t)s->count, "leased", leased, "free", free);
}

static void on_capacity(struct dwfm *d, struct http_request *r)
{
	json_t *zones = json_object();

	for (unsigned i = 0; i < d->n_shares; i++)
		json_object_set_new(zones, d->shares[i].zone, zone_capacity(d, &d->shares[i]));
	answer_json(r, 200, json_pack("{s:o}", "zones", zones));
}

/* --- what is ordered --------------------------------------------------------------------------------- */

/* The text of a member, if it fits; else NULL. */
static const char *read_name(const json_t *body, const char *key, size_t size)
{
	const char *name = node_string(body, key, "");

	for (const char *c = name; *c; c++) {
		if (*c <= ' ' || *c > '~') return NULL;
	}
	return strlen(name) < size ? name : NULL;
}

static bool read_spec(const json_t *body, enum lease_order kind, struct workflow_spec *ret)
{
	double timeout_ms = node_number(body, "timeout_ms", TIMEOUT_MS);
	struct workflow_spec spec = {
		.kind = kind,
		.instance = read_name(body, "instance", LEASE_INSTANCE_MAX),
		.zone = read_name(body, "zone", LEASE_NAME_MAX),
		.service = read_name(body, "service", LEASE_NAME_MAX),
		.real = node_bool(body, "real", false),
		.cause = (uint64_t)json_integer_value(json_object_get(body, "cause")),
		.timeout = (mono_ns)(timeout_ms * (double)NS_PER_MS),
	};

	if (!spec.instance || !*spec.instance || !spec.zone || !spec.service ||
	    !(timeout_ms >= 1 && timeout_ms < 1e9))
		return false;
	*ret = spec;
	return true;
}

static void order(struct dwfm *d, struct http_request *r, enum lease_order kind)
{
	json_t *body = json_loadb(r->body, r->body_len, 0, NULL);
	struct workflow_spec spec;

	if (!read_spec(body, kind, &spec)) {
		answer_error(r, 400, "malformed");
	} else if (kind != LEASE_LAUNCH &&
	           !(spec.droplet = droplet_find(d, node_string(body, "droplet", "")))) {
		answer_error(r, 404, "unknown"); /* of another host's, or of nobody's */
	} else {
		workflow_start(d, &spec, r);
	}
	json_decref(body);
}

static void on_launch(struct dwfm *d, struct http_request *r)
{
	order(d, r, LEASE_LAUNCH);
}

static void on_terminate(struct dwfm *d, struct http_request *r)
{
	order(d, r, LEASE_TERMINATE);
}

static void on_reboot(struct dwfm *d, struct http_request *r)
{
	order(d, r, LEASE_REBOOT);
}

/* --- dispatch ---------------------------------------------------------------------------------------- */

static void on_request(struct http_request *r, void *arg)
{
	static const struct {
		const char *path, *method;
		void (*handle)(struct dwfm *d, struct http_request *r);
	} routes[] = { { "/health", "GET", on_health },
		       { "/capacity", "GET", on_capacity },
		       { "/launch", "POST", on_launch },
		       { "/terminate", "POST", on_terminate },
		       { "/reboot", "POST", on_reboot } };

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (strcmp(r->path, routes[i].path)) continue;
		if (strcmp(r->method, routes[i].method))
			answer_error(r, 405, "method");
		else
			routes[i].handle(arg, r);
		return;
	}
	answer_error(r, 404, "path");
}

int api_start(struct dwfm *d, uint16_t port)
{
	struct http_config config = { .max_body = BODY_MAX, .max_connections = CONNECTIONS_MAX };
	int r = http_server_new(d->node->base, &config, on_request, d, &d->api);

	return r < 0 ? r : http_server_listen(d->api, port);
}
