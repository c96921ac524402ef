/* ec2lab.h - EC2's control plane in one namespace, on loopback: DynamoDB, the API, the network manager with
 * one agent, and a fake DWFM; and the AWS command line to use it with. */
#ifndef AZLAB_TESTS_EC2LAB_H
#define AZLAB_TESTS_EC2LAB_H
#include "proto/classes.h"
#include "tests/netns/command.h"
#include "tests/netns/fake_dwfm.h"
#include "tests/netns/testnode.h"
#include <linux/capability.h>
#include <setjmp.h>
#include <cmocka.h>

enum { EC2LAB_TIMEOUT_MS = 60000, EC2LAB_DYNAMODB_PORT = 8000 };

struct ec2lab {
	int ns;
	char store[32];
	struct testnode *dynamodb, *manager, *agent, *api;
	pid_t dwfm;
};

/* What a command line needs; none of it is looked at by the API. Debian's own (version 2), whatever else is
 * in the path: how often it tries is asserted. */
#define EC2LAB_AWS                                                                                           \
	"env -u AWS_MAX_ATTEMPTS -u AWS_RETRY_MODE AWS_ACCESS_KEY_ID=AKIDEXAMPLE "                           \
	"AWS_SECRET_ACCESS_KEY=example AWS_DEFAULT_REGION=us-east-1 "                                        \
	"AWS_EC2_METADATA_DISABLED=true AWS_PAGER= AWS_CONFIG_FILE=/dev/null "                               \
	"/usr/bin/aws --endpoint-url http://127.0.0.1:8080 --output text ec2 "

static inline json_t *ec2lab_table(const char *name, const char *key)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "name", name, "hash", "name", key, "type", "S");
}

static inline struct testnode *ec2lab_dynamodb(const struct ec2lab *lab)
{
	return testnode_start(&(struct testnode_spec){
	    .ns = lab->ns,
	    .daemon = "dynamodb",
	    .name = "az1.dynamodb-1",
	    .zone = "az1",
	    .config = json_pack("{s:i, s:s, s:i, s:[o, o, o, o]}", "port", EC2LAB_DYNAMODB_PORT, "store",
	                        lab->store, "map_size_mb", 64, "tables",
	                        ec2lab_table("instances", "instance"), ec2lab_table("tokens", "token"),
	                        ec2lab_table("leases", "droplet"), ec2lab_table("workflows", "workflow")) });
}

static inline struct testnode *ec2lab_manager(const struct ec2lab *lab)
{
	return testnode_start(&(struct testnode_spec){
	    .ns = lab->ns,
	    .daemon = "network-manager",
	    .name = "region.network-manager",
	    .zone = "region",
	    .config = json_pack("{s:i, s:i, s:i, s:[{s:s, s:s}]}", "workers", 2, "update_time_ms", 1,
	                        "retransmit_ms", 100, "agents", "zone", "az1", "address", "127.0.0.1") });
}

static inline json_t *ec2lab_api_config(double rate_per_s, int burst, int timeout_ms)
{
	return json_pack(
	    "{s:i, s:[s, s], s:{s:s, s:i, s:i, s:i}, s:[{s:s, s:i}], s:{s:s, s:i}, s:f, s:i, s:i}", "port",
	    PORT_EC2_API, "zones", "az1", "az2", "dynamodb", "name", "127.0.0.1", "port",
	    EC2LAB_DYNAMODB_PORT, "timeout_ms", 1000, "attempts", 2, "dwfm", "address", "127.0.0.1", "port",
	    PORT_DWFM, "network_manager", "address", "127.0.0.1", "port", PORT_NETWORK_MANAGER, "rate_per_s",
	    rate_per_s, "burst", burst, "timeout_ms", timeout_ms);
}

static inline struct testnode *ec2lab_api(const struct ec2lab *lab, json_t *config)
{
	return testnode_start(&(struct testnode_spec){ .ns = lab->ns,
	                                               .daemon = "ec2-api",
	                                               .name = "region.ec2-api",
	                                               .zone = "region",
	                                               .seed = (uint64_t)mono_now(), /* ids of its own */
	                                               .config = config,
	                                               .keep_caps = (const int[]){ 0 } });
}

/* All but DWFM and the API. */
static inline void ec2lab_begin_below(struct ec2lab *lab)
{
	static const int net_admin[] = { CAP_NET_ADMIN };

	lab->ns = testnet_new();
	snprintf(lab->store, sizeof(lab->store), "/tmp/azlab-ec2-XXXXXX");
	if (!mkdtemp(lab->store)) abort();
	lab->dynamodb = ec2lab_dynamodb(lab);
	lab->manager = ec2lab_manager(lab);
	lab->agent = testnode_start(&(struct testnode_spec){ .ns = lab->ns,
	                                                     .daemon = "network-agent",
	                                                     .name = "az1",
	                                                     .zone = "az1",
	                                                     .keep_caps = net_admin,
	                                                     .n_keep_caps = 1 });
}

static inline void ec2lab_begin(struct ec2lab *lab)
{
	ec2lab_begin_below(lab);
	lab->dwfm = fake_dwfm_start(lab->ns, PORT_DWFM);
	lab->api = ec2lab_api(lab, ec2lab_api_config(0, 100, 5000));
}

static inline void ec2lab_end(struct ec2lab *lab)
{
	testnode_stop(lab->api);
	if (lab->dwfm) fake_dwfm_stop(lab->dwfm);
	testnode_stop(lab->agent);
	testnode_stop(lab->manager);
	testnode_stop(lab->dynamodb);
	testnet_run(testnet_home(), "rm -rf '%s'", lab->store);
	close(lab->ns);
}

/* Tells the fake DWFM what to do. */
static inline void ec2lab_dwfm(const struct ec2lab *lab, const char *control)
{
	testnet_run(lab->ns, "curl -sf -m 30 -o /dev/null http://127.0.0.1:%d/control -d '%s'", PORT_DWFM,
	            control);
}

/* How often it was asked for something; a path below its counts: "launch", "used.az1". */
static inline json_int_t ec2lab_dwfm_count(const struct ec2lab *lab, const char *what)
{
	struct command c = command_start(lab->ns, "curl -sf -m 30 http://127.0.0.1:%d/counts | jq '.%s // 0'",
	                                 PORT_DWFM, what);

	command_end(&c);
	assert_int_equal(c.status, 0);
	json_int_t n = strtoll(c.said, NULL, 10);
	command_release(&c);
	return n;
}

/* Runs the AWS command line; what it says without the newlines at its end, or its errors. */
__attribute__((format(printf, 2, 3))) static inline struct command ec2lab_aws(const struct ec2lab *lab,
                                                                              const char *format, ...)
{
	cleanup_free char *line = NULL, *whole = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0 || asprintf(&whole, EC2LAB_AWS "%s", line) < 0) abort();
	va_end(args);
	struct command c = command_start(lab->ns, "%s", whole);
	command_end(&c);
	for (size_t len = strlen(c.said); len > 0 && c.said[len - 1] == '\n';)
		c.said[--len] = '\0';
	return c;
}

/* The sum of a figure of the samples "api" since the last testnode_forget(): "requests", "RunInstances". */
static inline json_int_t ec2lab_figure(const struct ec2lab *lab, const char *group, const char *key)
{
	const json_t *messages = testnode_messages(lab->api), *m;
	json_int_t sum = 0;
	size_t i;

	json_array_foreach (messages, i, m)
		if (strcmp(node_string(m, "kind", ""), "api") == 0)
			sum += json_integer_value(json_object_get(json_object_get(m, group), key));
	return sum;
}

/* Waits for two more samples: what was asked before is in them. */
static inline void ec2lab_settle(const struct ec2lab *lab)
{
	size_t so_far = testnode_count(lab->api, json_pack("{s:s}", "kind", "api"));

	assert_true(testnode_wait_count(lab->api, json_pack("{s:s}", "kind", "api"), so_far + 2,
	                                EC2LAB_TIMEOUT_MS) >= so_far + 2);
}
#endif
