/* The EC2 API on top of DWFM's own hosts and their droplets: launches, ends, and what it answers when leases
 * are gone. */
#include "tests/netns/ec2lab.h"

enum { HOSTS = 2, SHARE = 3, LEASE_MS = 3000, RENEW_MS = 500 };

static struct ec2lab lab;
static struct testnode *droplets, *hosts[HOSTS];

static struct testnode *start(const char *daemon, const char *name, const char *zone, json_t *config)
{
	return testnode_start(&(struct testnode_spec){ .ns = lab.ns,
	                                               .daemon = daemon,
	                                               .name = name,
	                                               .zone = zone,
	                                               .config = config,
	                                               .keep_caps = (const int[]){ 0 } });
}

static json_t *host_config(int i)
{
	char holder[32];

	snprintf(holder, sizeof(holder), "dwfm-%d", i + 1);
	return json_pack("{s:s, s:i, s:{s:s, s:i, s:i, s:i}, s:[{s:s, s:s, s:i, s:i, s:i}], s:i, s:i, s:i}",
	                 "holder", holder, "port", PORT_DWFM + i, "dynamodb", "name", "127.0.0.1", "port",
	                 EC2LAB_DYNAMODB_PORT, "timeout_ms", 1000, "attempts", 2, "droplets", "zone", "az1",
	                 "address", "127.0.0.1", "port", PORT_LEASE, "first", 1 + i * SHARE, "count", SHARE,
	                 "lease_ms", LEASE_MS, "renew_every_ms", RENEW_MS, "timeout_ms", 2000);
}

static int begin(void **state)
{
	json_t *config = ec2lab_api_config(0, 100, 5000);

	(void)state;
	ec2lab_begin_below(&lab);
	droplets = start("droplets", "az1.droplets", "az1",
	                 json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "zone", "az1", "first", 1, "count",
	                           HOSTS * SHARE, "slots", 1, "port", PORT_LEASE, "launch_time_ms", 20));
	for (int i = 0; i < HOSTS; i++)
		hosts[i] = start("dwfm", i ? "region.dwfm-2" : "region.dwfm-1", "region", host_config(i));
	json_array_append_new(json_object_get(config, "dwfm"),
	                      json_pack("{s:s, s:i}", "address", "127.0.0.1", "port", PORT_DWFM + 1));
	json_object_set_new(config, "zones", json_pack("[s]", "az1"));
	lab.api = ec2lab_api(&lab, config);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (int i = 0; i < HOSTS; i++)
		testnode_stop(hosts[i]);
	ec2lab_end(&lab);
	testnode_stop(droplets);
	return 0;
}

static void wait_held(int i, int n)
{
	testnode_forget(hosts[i]);
	assert_non_null(
	    testnode_wait(hosts[i], json_pack("{s:s, s:i}", "kind", "work", "held", n), EC2LAB_TIMEOUT_MS));
}

static int all_held(void **state)
{
	(void)state;
	for (int i = 0; i < HOSTS; i++)
		wait_held(i, SHARE);
	return 0;
}

static char *succeeds(const char *line)
{
	struct command c = ec2lab_aws(&lab, "%s", line);

	if (c.status) fail_msg("exit status %d: %s", c.status, c.said);
	return c.said;
}

static void fails(const char *code, const char *line)
{
	struct command c = ec2lab_aws(&lab, "%s", line);

	if (c.status != 254 || !strstr(c.said, code)) fail_msg("exit status %d: %s", c.status, c.said);
	command_release(&c);
}

#define RUN "run-instances --image-id ami-1 "

/* ... and waits until their slots are free again. */
static void end_all(void)
{
	free(succeeds("terminate-instances --instance-ids $(" EC2LAB_AWS
	              "describe-instances --filters Name=instance-state-name,Values=running,pending "
	              "--query 'Reservations[].Instances[].InstanceId')"));
	testnode_forget(droplets);
	assert_non_null(testnode_wait(droplets, json_pack("{s:s, s:i}", "kind", "droplets", "used", 0),
	                              EC2LAB_TIMEOUT_MS));
}

/* Every droplet has one slot: as many as there are, on both hosts, and then none. */
static void droplets_fill_and_empty_again(void **state)
{
	cleanup_free char *launched =
	    succeeds(RUN "--count 6 --query 'length(Instances[].Placement.HostId | sort(@))'");
	cleanup_free char *where =
	    succeeds("describe-instances --filters Name=instance-state-name,Values=running "
	             "--query 'Reservations[].Instances[].Placement.HostId' | tr '\\t' "
	             "'\\n' | sort -u | wc -l");

	(void)state;
	assert_string_equal(launched, "6");
	assert_string_equal(where, "6");
	fails("InsufficientInstanceCapacity", RUN);
	free(succeeds("reboot-instances --instance-ids $(" EC2LAB_AWS
	              "describe-instances --filters Name=instance-state-name,Values=running --query "
	              "'Reservations[].Instances[].InstanceId')"));
	end_all();
	cleanup_free char *again = succeeds(RUN "--query 'length(Instances)'");
	assert_string_equal(again, "1");
	end_all();
}

/* DynamoDB gone for longer than a lease: nothing can be asked for, and afterwards leases come back. */
static void without_dynamodb_leases_run_out_and_come_back(void **state)
{
	(void)state;
	testnode_stop(lab.dynamodb);
	fails("Unavailable", RUN);
	for (int i = 0; i < HOSTS; i++)
		wait_held(i, 0);
	fails("Unavailable", RUN);
	lab.dynamodb = ec2lab_dynamodb(&lab);
	all_held(NULL);
	cleanup_free char *n = succeeds(RUN "--query 'length(Instances)'");
	assert_string_equal(n, "1");
	end_all();
}

/* A host that is gone takes its share of the capacity along, and says nothing about the rest. */
static void the_other_host_goes_on(void **state)
{
	(void)state;
	testnode_kill(hosts[0]);
	cleanup_free char *n = succeeds(RUN "--count 3 --query 'length(Instances)'");
	assert_string_equal(n, "3");
	fails("Unavailable", RUN);
	hosts[0] = start("dwfm", "region.dwfm-1", "region", host_config(0));
	wait_held(0, SHARE);
	cleanup_free char *more = succeeds(RUN "--count 3 --query 'length(Instances)'");
	assert_string_equal(more, "3");
	end_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(droplets_fill_and_empty_again, all_held),
		cmocka_unit_test_setup(without_dynamodb_leases_run_out_and_come_back, all_held),
		cmocka_unit_test_setup(the_other_host_goes_on, all_held),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
