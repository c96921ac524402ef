/* An autoscaler against the EC2 API: groups at their size, retries as the AWS clients make them. */
#include "tests/netns/ec2lab.h"

static struct ec2lab lab;

static int begin(void **state)
{
	(void)state;
	ec2lab_begin(&lab);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ec2lab_end(&lab);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	ec2lab_dwfm(&lab, "{\"slots\":{\"az1\":1000,\"az2\":1000},\"error\":\"\",\"silent\":false}");
	return 0;
}

static json_t *config(const char *group, int size, int attempts)
{
	return json_pack("{s:{s:s, s:i}, s:i, s:i, s:s, s:i, s:[{s:s, s:s, s:i}]}", "api", "name",
	                 "127.0.0.1", "port", PORT_EC2_API, "attempts", attempts, "pause_ms", 10, "jitter",
	                 "full", "interval_ms", 100, "groups", "name", group, "zone", "az1", "size", size);
}

static struct testnode *start(json_t *with)
{
	return testnode_start(&(struct testnode_spec){ .ns = lab.ns,
	                                               .daemon = "autoscaler",
	                                               .name = "region.autoscaler",
	                                               .zone = "region",
	                                               .seed = (uint64_t)mono_now(), /* tokens of its own */
	                                               .config = with,
	                                               .keep_caps = (const int[]){ 0 } });
}

static json_t *group_of(const char *name, int size, int running)
{
	return json_pack("{s:s, s:[{s:s, s:i, s:i, s:i}]}", "kind", "groups", "groups", "name", name, "size",
	                 size, "running", running, "pending", 0);
}

static void a_group_is_kept_at_its_size(void **state)
{
	struct testnode *t = start(config("web", 7, 3));

	(void)state;
	assert_non_null(testnode_wait(t, group_of("web", 7, 7), EC2LAB_TIMEOUT_MS));
	assert_int_equal(ec2lab_dwfm_count(&lab, "used.az1"), 7);
	/* somebody ends two of them */
	struct command ended = ec2lab_aws(
	    &lab, "terminate-instances --instance-ids $(" EC2LAB_AWS
	          "describe-instances --filters Name=tag:azlab:group,Values=web --query "
	          "'Reservations[].Instances[:2].InstanceId') --query 'length(TerminatingInstances)'");
	assert_int_equal(ended.status, 0);
	assert_string_equal(ended.said, "2");
	command_release(&ended);
	testnode_forget(t);
	assert_non_null(testnode_wait(t, group_of("web", 7, 7), EC2LAB_TIMEOUT_MS));
	testnode_set(t, config("web", 2, 3));
	assert_non_null(testnode_wait(t, group_of("web", 2, 2), EC2LAB_TIMEOUT_MS));
	testnode_stop(t);
}

static json_int_t sum(struct testnode *t, const char *key)
{
	const json_t *messages = testnode_messages(t), *m;
	json_int_t n = 0;
	size_t i;

	json_array_foreach (messages, i, m)
		if (strcmp(node_string(m, "kind", ""), "groups") == 0)
			n += (json_int_t)node_number(m, key, 0);
	return n;
}

/* Waits until a figure of the samples has come to n. */
static void wait_sum(struct testnode *t, const char *key, json_int_t n)
{
	mono_ns deadline = mono_now() + EC2LAB_TIMEOUT_MS * NS_PER_MS;

	while (sum(t, key) < n && mono_now() < deadline)
		testnode_idle(100);
	assert_true(sum(t, key) >= n);
}

/* Waits for the end of what is under way: two seconds in which nothing was retried or failed. */
static void wait_quiet(struct testnode *t)
{
	json_t *pattern = json_pack("{s:s, s:i, s:i}", "kind", "groups", "retries", 0, "failed", 0);
	size_t so_far = testnode_count(t, json_incref(pattern));

	assert_true(testnode_wait_count(t, pattern, so_far + 2, EC2LAB_TIMEOUT_MS) >= so_far + 2);
}

/* Every launch is refused: each call is made as often as its policy says, none more. */
static void a_refused_call_is_retried_as_often_as_the_knob_says(void **state)
{
	json_int_t before = ec2lab_dwfm_count(&lab, "launch");

	(void)state;
	ec2lab_dwfm(&lab, "{\"error\":\"no-capacity\"}");
	struct testnode *t = start(config("refused", 1, 5));
	wait_sum(t, "failed", 2);
	testnode_set(t, config("refused", 0, 5)); /* nothing more to launch */
	wait_quiet(t);
	json_int_t failed = sum(t, "failed"), retries = sum(t, "retries");
	assert_int_equal(retries, failed * 4);
	assert_int_equal(ec2lab_dwfm_count(&lab, "launch") - before, failed * 5);
	testnode_stop(t);
}

static void without_the_api_it_goes_on_asking(void **state)
{
	struct testnode *t = start(config("later", 1, 2));

	(void)state;
	assert_non_null(testnode_wait(t, group_of("later", 1, 1), EC2LAB_TIMEOUT_MS));
	testnode_kill(lab.api);
	testnode_forget(t);
	testnode_set(t, config("later", 3, 2));
	wait_sum(t, "failed",
	         2); /* refused connections are tried again, and then given up, again and again */
	assert_true(sum(t, "retries") >= 2);
	lab.api = ec2lab_api(&lab, ec2lab_api_config(0, 100, 5000));
	assert_non_null(testnode_wait(t, group_of("later", 3, 3), EC2LAB_TIMEOUT_MS));
	testnode_stop(t);
}

#define scaler_test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scaler_test(a_group_is_kept_at_its_size),
		scaler_test(a_refused_call_is_retried_as_often_as_the_knob_says),
		scaler_test(without_the_api_it_goes_on_asking),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
