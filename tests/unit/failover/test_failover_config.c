/* az-failover's configuration: every member that is wrong is named. */
#include "az-failover/config.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static json_t *good(void)
{
	json_t *c = json_loads(
	    "{\"zones\": [\"az1\", \"az2\"],"
	    " \"dns\": {\"server\": \"10.0.0.5\", \"key\": {\"name\": \"k\", \"algorithm\": \"hmac-sha256\", "
	    "\"secret\": \"eA==\"}},"
	    " \"services\": [{\"service\": 0, \"name\": \"shop\", \"dns_name\": \"shop.lab\", \"ttl_s\": 1.0,"
	    "  \"enabled\": true, \"rate_limit\": true, \"min_healthy\": 0.5,"
	    "  \"stages\": [{\"stage\": \"velocity\", \"params\": [0.2, 30e9]}, {\"stage\": \"hold-down\", "
	    "\"params\": [15e9]}],"
	    "  \"zonal\": [{\"v4\": \"10.1.0.9\", \"v6\": \"fd00:A21A::01\"}, {\"v4\": \"10.2.0.9\", \"v6\": "
	    "\"fd00::2\"}]}]}",
	    0, NULL);
	assert_non_null(c);
	return c;
}

static void all_is_taken(void **state)
{
	json_t *json = good();
	struct azf_config c;
	char why[200];

	(void)state;
	assert_int_equal(azf_config_read(json, &c, why), 0);
	assert_int_equal(c.n_zones, 2);
	assert_string_equal(c.zones[1], "az2");
	assert_string_equal(c.key.secret, "eA==");
	const struct azf_service_config *s = &c.services[0];
	assert_string_equal(s->dns_name, "shop.lab");
	assert_int_equal(s->ttl_s, 1);
	assert_int_equal(s->policy.n_stages, 2);
	assert_string_equal(s->policy.stages[1].type->name, "hold-down");
	assert_true(s->policy.stages[0].params[0] == 0.2 && s->policy.stages[0].params[1] == 30e9);
	assert_true(s->policy.stages[1].params[1] == 2000);  /* what is left out has its default */
	assert_string_equal(s->zonal[0].v6, "fd00:a21a::1"); /* as a server writes it */
	azf_config_release(&c);
	json_decref(json);
}

/* Sets a member of an object on the way "services.0.ttl_s" to a JSON value and expects the complaint. */
static void refused(const char *path, const char *value, const char *complaint)
{
	json_t *json = good(), *at = json, *new = json_loads(value, JSON_DECODE_ANY, NULL);
	struct azf_config c;
	char why[200], copy[100], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, ".", &save), *next; key; key = next) {
		next = strtok_r(NULL, ".", &save);
		if (next)
			at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key))
			                       : json_object_get(at, key);
		else
			json_object_set_new(at, key, new);
	}
	assert_int_equal(azf_config_read(json, &c, why), -EINVAL);
	if (!strstr(why, complaint)) fail_msg("%s = %s: complained of \"%s\"", path, value, why);
	json_decref(json);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	refused("zones", "[]", "1 to 64 zones");
	refused("zones", "[1, 2]", "no name");
	refused("dns.server", "null", "'server'");
	refused("dns.key.secret", "\"\"", "'secret'");
	refused("services.0.service", "1", "not in order");
	refused("services.0.dns_name", "7", "'dns_name'");
	refused("services.0.ttl_s", "-1", "'ttl_s'");
	refused("services.0.min_healthy", "1.5", "'min_healthy'");
	refused("services.0.stages.0.stage", "\"speed\"", "unknown stage 'speed'");
	refused("services.0.stages.0.params", "[7]", "velocity: max_removed");
	refused("services.0.zonal", "[]", "'zonal'");
	refused("services.0.zonal.1.v6", "\"10.0.0.1\"", "'v6' is no address");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_is_taken),
		                            cmocka_unit_test(what_is_wrong_is_named) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
