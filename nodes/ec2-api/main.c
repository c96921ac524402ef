/* azlab-ec2-api: EC2's API of the region, for the AWS clients: Query protocol 2016-11-15 over HTTP. Requests
 * are accepted signed or not; a signature isn't looked at. docs/ec2.md says what it speaks. */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/rlimit.h"
#include "ec2-api/api.h"
#include "ec2-api/resume.h"
#include "proto/classes.h"
#include <errno.h>
#include <math.h>

enum { UPSTREAM_CONNECTIONS = 4096 }; /* each launch that waits at DWFM or for its network holds one */

static bool read_port(const json_t *config, const char *key, unsigned fallback, uint16_t *ret)
{
	double port = node_number(config, key, fallback);

	if (!(port >= 1 && port <= UINT16_MAX)) return false;
	*ret = (uint16_t)port;
	return true;
}

/* What may change while it runs; -ERANGE leaves all as it was. */
static int read_knobs(struct api *api, const json_t *config)
{
	double rate = node_number(config, "rate_per_s", 0), burst = node_number(config, "burst", 100);
	double timeout = node_number(config, "timeout_ms", 10000);

	if (!(rate >= 0 && rate < 1e9) || !(burst >= 1 && burst < 1e9) || !(timeout >= 10 && timeout < 1e9))
		return -ERANGE;
	bucket_set(&api->bucket, rate, burst);
	api->timeout = llround(timeout * (double)NS_PER_MS);
	return 0;
}

static int on_set(struct node *n, json_t *body)
{
	return read_knobs(n->self, json_object_get(body, "config"));
}

/* --- upstreams --------------------------------------------------------------------------------------- */

static int open_dynamodb(struct api *api, const json_t *config)
{
	struct http_client_config http = { .seed = api->node->seed };
	struct dynamo_retries retries;
	int r = dynamo_client_config(json_object_get(config, "dynamodb"), &http, &retries);

	if (r < 0) return log_errno(r, "dynamodb: name, port, timeout_ms, attempts");
	http.resolver = node_string(config, "resolver", NULL);
	http.max_body = 8 << 20; /* a page of a scan */
	return dynamo_client_new(api->node->base, &http, &retries, &api->dynamo);
}

static int open_upstream(struct api *api, const json_t *where, unsigned port, struct http_client **ret)
{
	struct http_client_config http = { .host = node_string(where, "address", ""),
		                           .max_connections = UPSTREAM_CONNECTIONS,
		                           .dscp = DSCP_CS6,
		                           .seed = api->node->seed };

	if (!http.host[0] || !read_port(where, "port", port, &http.port)) return -EINVAL;
	return http_client_new(api->node->base, &http, ret);
}

static int open_upstreams(struct api *api, const json_t *config)
{
	const json_t *hosts = json_object_get(config, "dwfm");
	size_t i;
	json_t *host;
	int r;

	if ((r = open_dynamodb(api, config)) < 0) return log_errno(r, "cannot open DynamoDB's client");
	if (json_array_size(hosts) < 1 || json_array_size(hosts) > API_HOSTS_MAX)
		return log_errno(-ERANGE, "dwfm: from 1 to %d hosts", API_HOSTS_MAX);
	json_array_foreach (hosts, i, host) {
		if ((r = open_upstream(api, host, PORT_DWFM, &api->hosts[i])) < 0)
			return log_errno(r, "dwfm host %zu: address, port", i);
		api->n_hosts++;
	}
	r = open_upstream(api, json_object_get(config, "network_manager"), PORT_NETWORK_MANAGER,
	                  &api->network);
	return r < 0 ? log_errno(r, "network_manager: address, port") : 0;
}

static int read_zones(struct api *api, const json_t *zones)
{
	size_t i;
	json_t *zone;

	if (json_array_size(zones) < 1 || json_array_size(zones) > API_ZONES_MAX)
		return log_errno(-ERANGE, "zones: from 1 to %d names", API_ZONES_MAX);
	json_array_foreach (zones, i, zone) {
		const char *name = json_string_value(zone);
		if (!name || !name[0]) return log_errno(-EINVAL, "zone %zu has no name", i);
		api->zones[api->n_zones++] = name;
	}
	return 0;
}

/* --- figures ----------------------------------------------------------------------------------------- */

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;

	(void)fd, (void)what;
	for (int code = API_OK + 1; code < API_CODES_N; code++) {
		if (stats_episode_ends(&api->stats, (enum api_code)code))
			node_event(api->node, "api.error", 0,
			           json_pack("{s:s, s:s}", "code", api_code_text((enum api_code)code),
			                     "state", "end"));
	}
	node_sample(api->node, "api", stats_take(&api->stats));
}

/* --- start ------------------------------------------------------------------------------------------- */

static int serve(struct api *api, const json_t *config)
{
	double age = node_number(config, "max_connection_age_ms", 0);
	struct http_config http = { .max_body = QUERY_BYTES_MAX,
		                    .max_connection_age = llround(age * (double)NS_PER_MS) };
	uint16_t port;
	int r;

	if (!read_port(config, "port", PORT_EC2_API, &port)) return log_errno(-ERANGE, "port");
	if ((r = http_server_new(api->node->base, &http, call_take, api, &api->server)) < 0 ||
	    (r = http_server_listen(api->server, port)) < 0)
		return log_errno(r, "cannot serve on TCP port %u", port);
	api->sample = event_new(api->node->base, -1, EV_PERSIST, on_sample, api);
	if (!api->sample || event_add(api->sample, &(struct timeval){ .tv_sec = 1 }) < 0) return -ENOMEM;
	return 0;
}

static int start(struct node *n, json_t *config)
{
	static struct api api;
	int r;

	n->self = &api;
	api.node = n;
	api.random = random_of(n->seed, n->name);
	api.began_ms = wall_ms();
	LIST_INIT(&api.launches);
	if ((r = read_knobs(&api, config)) < 0)
		return log_errno(r, "rate_per_s >= 0, burst >= 1, timeout_ms >= 10");
	api.bucket = bucket_full(api.bucket.rate_per_s, api.bucket.burst, mono_now());
	if ((r = rlimit_raise_files()) < 0) return log_errno(r, "cannot raise the limit of open files");
	if ((r = read_zones(&api, json_object_get(config, "zones"))) < 0) return r;
	if ((r = open_upstreams(&api, config)) < 0) return r;
	if (resume_begin(&api) < 0) return -ENOMEM;
	return serve(&api, config);
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set }, { 0 } };
	static const struct node_ops ops = { .daemon = "ec2-api", .start = start, .messages = messages };

	return node_run(&ops);
}
