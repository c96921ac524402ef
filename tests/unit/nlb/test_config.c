#include "nlb/config.h"
#include <errno.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char good[] =
    "{'zone_index':2,'address4':'10.1.0.2','address6':'fd00::2','checker':'10.1.0.3','services':"
    "[{'service':4,'name':'shop','port':80,'zonal4':'10.1.0.9','zonal6':'fd00::9'}]}";
static struct nlb_config config;
static char why[WHY_MAX];

/* Single quotes stand for double ones. */
static json_t *json(const char *text)
{
	char buf[2048];
	json_error_t at;

	snprintf(buf, sizeof(buf), "%s", text);
	for (char *c = buf; *c; c++)
		if (*c == '\'') *c = '"';
	json_t *object = json_loads(buf, 0, &at);
	if (!object) fail_msg("%s: %s", text, at.text);
	return object;
}
static int parse(const char *text)
{
	json_t *object = json(text);
	int result = nlb_config_parse(object, &config, why);
	json_decref(object);
	return result;
}

static void everything_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse(good), 0);
	assert_int_equal(config.zone, 2);
	assert_int_equal(config.n_services, 1);
	assert_int_equal(config.services[0].number, 4);
	assert_int_equal(ntohs(config.services[0].at.port), 80);
	assert_int_equal(ntohl(config.own4.word[3]), 0x0a010002);
	assert_int_equal(ntohl(config.own4.word[2]), 0xffff);
	assert_int_equal(ntohl(config.own6.word[0]), 0xfd000000);
	assert_int_equal(ntohl(config.checker.s_addr), 0x0a010003);
	assert_int_equal(config.timeouts.idle, sweep_ticks(350 * NS_PER_S));
	assert_int_equal(config.timeouts.time_wait, sweep_ticks(64 * NS_PER_S));
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "{}", "services: expected 1..64 of them" },
		{ "{'address4':'10.1.0'}", "address4: '10.1.0' is no address" },
		{ "{'services':[{'name':'x'}]}", "'service': expected 0 to 65535" },
		{ "{'services':[{'service':0,'port':0}]}", "'port': expected 1 to 65535" },
		{ "{'services':[{'service':0,'port':1,'name':'x'}]}", "service 'x' has no zonal address" },
		{ "{'services':[{'service':0,'port':1,'zonal6':'1.2.3.4'}]}",
		  "zonal6: '1.2.3.4' is no address" },
		{ "{'services':[{'service':0,'port':1,'zonal4':'1.2.3.4'}]}", "address4: missing" },
		{ "{'idle_timeout_ms':0,'services':[{'service':0,'port':1,'zonal4':'1.2.3.4'}]}",
		  "'idle_timeout_ms': expected 1 to 86400000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text), -EINVAL);
		assert_string_equal(why, cases[i].error);
	}
}

static int parse_targets(const char *text, struct registry_target **ret, size_t *ret_n, uint64_t *ret_cause)
{
	json_t *object = json(text);
	int result = nlb_targets_parse(object, htons(80), ret, ret_n, ret_cause, why);
	json_decref(object);
	return result;
}

static void targets_are_read(void **state)
{
	struct registry_target *targets;
	size_t n;
	uint64_t cause;

	(void)state;
	assert_int_equal(parse_targets("{'targets':[{'id':7,'addr4':'10.0.0.7','addr6':'fd00::7','cause':5},"
	                               "{'id':8,'addr4':'10.0.0.8','cause':4}]}",
	                               &targets, &n, &cause),
	                 0);
	assert_int_equal(n, 2);
	assert_int_equal(cause, 5);
	assert_int_equal(targets[0].id, 7);
	assert_int_equal(ntohl(targets[1].at.addr4.word[3]), 0x0a000008);
	assert_int_equal(targets[1].at.addr6.word[3], 0); /* has none */
	assert_int_equal(ntohs(targets[1].at.port), 80);
	free(targets);
	assert_int_equal(parse_targets("{'targets':[]}", &targets, &n, &cause), 0);
	assert_int_equal(n, 0);
	free(targets);
}

static void bad_targets_are_refused(void **state)
{
	struct registry_target *targets;
	size_t n;
	uint64_t cause;

	(void)state;
	assert_int_equal(parse_targets("{}", &targets, &n, &cause), -EINVAL);
	assert_int_equal(parse_targets("{'targets':[{'addr4':'10.0.0.7'}]}", &targets, &n, &cause), -EINVAL);
	assert_int_equal(parse_targets("{'targets':[{'id':1,'addr4':'ten'}]}", &targets, &n, &cause),
	                 -EINVAL);
	assert_string_equal(why, "addr4: 'ten' is no address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(targets_are_read),
		cmocka_unit_test(bad_targets_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
