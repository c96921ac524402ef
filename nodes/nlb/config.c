#include "nlb/config.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Time-outs, in the order of struct sweep_timeouts. Idle: a Network Load Balancer's default for TCP.
 * Half-open: longer than a Linux client's waits up to the fifth SYN (16 s). TIME_WAIT: Linux holds it for 60
 * s, and its timer wheel fires up to 2 s late at HZ=250; the rest is for packets on their way. */
enum { IDLE_MS = 350000, HALF_OPEN_MS = 30000, CLOSING_MS = 10000, TIME_WAIT_MS = 64000 };
enum { TIMEOUT_MAX_MS = 24 * 3600 * 1000 }; /* a tick counter compares over 26 days */

/* An address of that family; an empty or missing member is all zero: "no such address". */
static int parse_address(const json_t *object, const char *key, int family, struct nlb_addr *ret,
                         char why[WHY_MAX])
{
	const char *text = node_string(object, key, "");

	memset(ret, 0, sizeof(*ret));
	if (!text[0]) return 0;
	void *into = family == AF_INET ? (void *)&ret->word[3] : (void *)ret;
	if (inet_pton(family, text, into) != 1) return wrong(why, "%s: '%s' is no address", key, text);
	if (family == AF_INET) ret->word[2] = htonl(NLB_V4_PREFIX);
	return 0;
}

static int parse_port(const json_t *object, uint16_t *ret, char why[WHY_MAX])
{
	double port;
	int r = take_number(object, "port", 0, 1, UINT16_MAX, &port, why);

	if (r < 0) return r;
	*ret = htons((uint16_t)port);
	return 0;
}

static int parse_service(const json_t *object, struct nlb_service_config *ret, char why[WHY_MAX])
{
	double number;
	int result = take_number(object, "service", -1, 0, UINT16_MAX, &number, why);

	if (result < 0) return result;
	ret->number = (unsigned)number;
	ret->name = node_string(object, "name", "?");
	if ((result = parse_port(object, &ret->at.port, why)) < 0 ||
	    (result = parse_address(object, "zonal4", AF_INET, &ret->at.zonal4, why)) < 0 ||
	    (result = parse_address(object, "zonal6", AF_INET6, &ret->at.zonal6, why)) < 0)
		return result;
	if (!ret->at.zonal4.word[3] && !ret->at.zonal6.word[3])
		return wrong(why, "service '%s' has no zonal address", ret->name);
	return 0;
}

static int parse_services(const json_t *array, struct nlb_config *c, char why[WHY_MAX])
{
	size_t i;
	json_t *object;

	c->n_services = json_array_size(array);
	if (c->n_services < 1 || c->n_services > NLB_SERVICES_MAX)
		return wrong(why, "services: expected 1..%d of them", NLB_SERVICES_MAX);
	json_array_foreach (array, i, object) {
		int result = parse_service(object, &c->services[i], why);
		if (result < 0) return result;
	}
	return 0;
}

static int parse_timeout(const json_t *config, const char *key, unsigned fallback_ms, uint32_t *ret,
                         char why[WHY_MAX])
{
	double ms;
	int r = take_number(config, key, fallback_ms, 1, TIMEOUT_MAX_MS, &ms, why);

	if (r < 0) return r;
	*ret = sweep_ticks((mono_ns)(ms * NS_PER_MS));
	return 0;
}

static int parse_timeouts(const json_t *config, struct sweep_timeouts *t, char why[WHY_MAX])
{
	int result;

	if ((result = parse_timeout(config, "idle_timeout_ms", IDLE_MS, &t->idle, why)) < 0 ||
	    (result = parse_timeout(config, "half_open_timeout_ms", HALF_OPEN_MS, &t->half_open, why)) < 0 ||
	    (result = parse_timeout(config, "closing_ms", CLOSING_MS, &t->closing, why)) < 0)
		return result;
	return parse_timeout(config, "time_wait_ms", TIME_WAIT_MS, &t->time_wait, why);
}

int nlb_config_parse(const json_t *config, struct nlb_config *ret, char why[WHY_MAX])
{
	struct nlb_config c = { .zone = (unsigned)node_number(config, "zone_index", 0),
		                .via_peer = node_bool(config, "via_peer", false) };
	struct nlb_addr checker;
	int result;

	if ((result = parse_address(config, "address4", AF_INET, &c.own4, why)) < 0 ||
	    (result = parse_address(config, "address6", AF_INET6, &c.own6, why)) < 0 ||
	    (result = parse_address(config, "checker", AF_INET, &checker, why)) < 0 ||
	    (result = parse_services(json_object_get(config, "services"), &c, why)) < 0 ||
	    (result = parse_timeouts(config, &c.timeouts, why)) < 0)
		return result;
	if (!c.own4.word[3]) return wrong(why, "address4: missing");
	c.address4.s_addr = c.own4.word[3];
	c.checker.s_addr = checker.word[3];
	*ret = c;
	return 0;
}

static int parse_target(const json_t *object, uint16_t port, struct registry_target *ret, char why[WHY_MAX])
{
	double id;
	int result = take_number(object, "id", -1, 0, UINT32_MAX, &id, why);

	if (result < 0) return result;
	ret->id = (uint32_t)id;
	ret->at.port = port;
	if ((result = parse_address(object, "addr4", AF_INET, &ret->at.addr4, why)) < 0) return result;
	return parse_address(object, "addr6", AF_INET6, &ret->at.addr6, why);
}

int nlb_targets_parse(const json_t *body, uint16_t port, struct registry_target **ret, size_t *ret_n,
                      uint64_t *ret_cause, char why[WHY_MAX])
{
	const json_t *array = json_object_get(body, "targets");
	size_t i, n = json_array_size(array);
	uint64_t cause = 0;
	json_t *object;

	if (!json_is_array(array) || n > NLB_TARGETS_MAX)
		return wrong(why, "targets: expected at most %d of them", NLB_TARGETS_MAX);
	cleanup_free struct registry_target *targets = calloc(n + 1, sizeof(*targets));
	if (!targets) return -ENOMEM;
	json_array_foreach (array, i, object) {
		int result = parse_target(object, port, &targets[i], why);
		if (result < 0) return result;
		uint64_t its_cause = (uint64_t)json_integer_value(json_object_get(object, "cause"));
		if (its_cause > cause) cause = its_cause;
	}
	*ret = take_ptr(targets);
	*ret_n = n;
	*ret_cause = cause;
	return 0;
}
