/* The EC2 API with the real AWS command line: what it launches, shows, ends, and how it refuses. */
#include "tests/netns/ec2lab.h"
#include <lmdb.h>

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
	testnode_set(lab.api, ec2lab_api_config(0, 100, 5000));
	testnode_forget(lab.api);
	return 0;
}

/* The figures begin anew: what was asked before is in samples that are dropped here. */
static void count_anew(void)
{
	ec2lab_settle(&lab);
	testnode_forget(lab.api);
}

/* The fake DWFM has room for so many more in az1. */
static void make_room(int more)
{
	cleanup_free char *control = NULL;

	if (asprintf(&control, "{\"slots\":{\"az1\":%d}}", (int)ec2lab_dwfm_count(&lab, "used.az1") + more) <
	    0)
		abort();
	ec2lab_dwfm(&lab, control);
}

/* Waits until one of the fake DWFM's counts is that. */
static void wait_dwfm_count(const char *what, json_int_t n)
{
	testnet_run(
	    lab.ns,
	    "timeout 60 sh -c 'until [ $(curl -sf http://127.0.0.1:%d/counts | jq .%s) = %d ]; do sleep 0.1; "
	    "done'",
	    PORT_DWFM, what, (int)n);
}

/* What the command line says when all goes well; the caller's. */
#define aws(...)                                                                                             \
	({                                                                                                   \
		struct command c_ = ec2lab_aws(&lab, __VA_ARGS__);                                           \
		if (c_.status) fail_msg("exit status %d: %s", c_.status, c_.said);                           \
		c_.said;                                                                                     \
	})
#define aws_says(expected, ...)                                                                              \
	do {                                                                                                 \
		cleanup_free char *said_ = aws(__VA_ARGS__);                                                 \
		assert_string_equal(said_, expected);                                                        \
	} while (0)
/* The service's error: exit status 254 and the code. */
#define aws_fails(code, ...)                                                                                 \
	do {                                                                                                 \
		struct command c_ = ec2lab_aws(&lab, __VA_ARGS__);                                           \
		if (c_.status != 254 || !strstr(c_.said, "(" code ")"))                                      \
			fail_msg("exit status %d instead of " code ": %s", c_.status, c_.said);              \
		command_release(&c_);                                                                        \
	} while (0)

#define RUN "run-instances --image-id ami-1 "

/* --- launching and ending ---------------------------------------------------------------------------- */

static void an_instance_lives_and_ends(void **state)
{
	cleanup_free char *id = aws(RUN "--placement AvailabilityZone=az2 --query 'Instances[0].InstanceId'");

	(void)state;
	aws_says("", "wait instance-running --instance-ids %s", id);
	aws_says("", "wait instance-status-ok --instance-ids %s", id);
	aws_says("running\taz2\tm1.small\tami-1",
	         "describe-instances --instance-ids %s --query "
	         "'Reservations[].Instances[].[State.Name,Placement.AvailabilityZone,InstanceType,ImageId]'",
	         id);
	aws_says("", "reboot-instances --instance-ids %s", id);
	assert_int_equal(ec2lab_dwfm_count(&lab, "reboot"), 1);
	aws_says("shutting-down\trunning",
	         "terminate-instances --instance-ids %s --query "
	         "'TerminatingInstances[].[CurrentState.Name,PreviousState.Name]'",
	         id);
	aws_says("", "wait instance-terminated --instance-ids %s", id);
	assert_int_equal(ec2lab_dwfm_count(&lab, "used.az2"), 0);
	aws_says("terminated\tterminated",
	         "terminate-instances --instance-ids %s --query "
	         "'TerminatingInstances[].[CurrentState.Name,PreviousState.Name]'",
	         id);
	aws_fails("IncorrectInstanceState", "reboot-instances --instance-ids %s", id);
}

static void a_launch_tells_the_time_of_each_stage(void **state)
{
	count_anew();
	cleanup_free char *id = aws(RUN "--query 'Instances[0].InstanceId'");
	const json_t *event =
	    testnode_wait_event(lab.api, "instance.running", "instance", id, EC2LAB_TIMEOUT_MS);

	(void)state;
	assert_non_null(event);
	const json_t *stages = json_object_get(json_object_get(event, "fields"), "stages_ms");
	assert_true(node_number(stages, "api", 0) > 0 && node_number(stages, "droplet", 0) > 0);
	assert_true(node_number(stages, "network", 0) >= 1); /* a worker's update_time */
	assert_non_null(testnode_wait(lab.api,
	                              json_pack("{s:s, s:I}", "event", "launch.asked", "id",
	                                        json_integer_value(json_object_get(event, "cause"))),
	                              EC2LAB_TIMEOUT_MS));
	/* the same cause is on the wire */
	assert_non_null(testnode_wait(lab.manager,
	                              json_pack("{s:s, s:I}", "event", "route.sent", "cause",
	                                        json_integer_value(json_object_get(event, "cause"))),
	                              EC2LAB_TIMEOUT_MS));
	struct command row = command_start(
	    lab.ns,
	    "curl -sf -m 30 http://127.0.0.1:%d -H 'X-Amz-Target: DynamoDB_20120810.GetItem' -d "
	    "'{\"TableName\":\"instances\",\"Key\":{\"instance\":{\"S\":\"%s\"}}}' | jq -r "
	    "'.Item | .state.S, (.api_us.N, .droplet_us.N, .network_us.N | tonumber > 0)' | paste -sd ' '",
	    EC2LAB_DYNAMODB_PORT, id);
	command_end(&row);
	assert_string_equal(row.said, "running true true true\n");
	command_release(&row);
	ec2lab_settle(&lab);
	assert_int_equal(ec2lab_figure(&lab, "launches", "ok"), 1);
}

static void as_many_as_there_is_room_for(void **state)
{
	(void)state;
	make_room(3);
	aws_says("3", RUN "--count 2:5 --placement AvailabilityZone=az1 --query 'length(Instances)'");
	/* without a zone of its own a launch goes where there is room */
	make_room(1);
	aws_says("3", RUN "--count 3 --query 'length(Instances)'");
}

static void too_little_room_is_tried_three_times_and_leaves_nothing(void **state)
{
	json_int_t used = ec2lab_dwfm_count(&lab, "used.az1");

	(void)state;
	make_room(1);
	count_anew();
	aws_fails("InsufficientInstanceCapacity",
	          RUN "--count 2:5 --placement AvailabilityZone=az1 --tag-specifications "
	              "'ResourceType=instance,Tags=[{Key=test,Value=room}]'");
	ec2lab_settle(&lab);
	assert_int_equal(ec2lab_figure(&lab, "requests", "RunInstances"), 3);
	assert_int_equal(ec2lab_figure(&lab, "errors", "InsufficientInstanceCapacity"), 3);
	/* the one that found room each time is ended again */
	wait_dwfm_count("used.az1", used);
	aws_says("0", "describe-instances --filters Name=tag:test,Values=room "
	              "Name=instance-state-name,Values=pending,running --query 'length(Reservations)'");
	assert_non_null(testnode_wait_event(lab.api, "api.error", "state", "end", EC2LAB_TIMEOUT_MS));
}

static void a_repeated_token_launches_once(void **state)
{
	json_int_t launches = ec2lab_dwfm_count(&lab, "launch");
	cleanup_free char *first = aws(RUN "--count 2 --client-token t-1 --query 'Instances[].InstanceId'");

	(void)state;
	aws_says(first, RUN "--count 2 --client-token t-1 --query 'Instances[].InstanceId'");
	assert_int_equal(ec2lab_dwfm_count(&lab, "launch"), launches + 2);
	aws_fails("IdempotentParameterMismatch", RUN "--count 3 --client-token t-1");
	/* beside each other, the second joins the first */
	struct command a =
	    command_start(lab.ns, EC2LAB_AWS RUN "--client-token t-2 --query 'Instances[].InstanceId'");
	struct command b =
	    command_start(lab.ns, EC2LAB_AWS RUN "--client-token t-2 --query 'Instances[].InstanceId'");
	command_end(&a);
	command_end(&b);
	assert_int_equal(a.status, 0);
	assert_string_equal(a.said, b.said);
	assert_int_equal(ec2lab_dwfm_count(&lab, "launch"), launches + 3);
	command_release(&a);
	command_release(&b);
}

static void a_failed_token_may_be_used_again(void **state)
{
	(void)state;
	ec2lab_dwfm(&lab, "{\"error\":\"no-capacity\"}");
	aws_fails("InsufficientInstanceCapacity", RUN "--client-token t-3");
	ec2lab_dwfm(&lab, "{\"error\":\"\"}");
	aws_says("1", RUN "--client-token t-3 --query 'length(Instances)'");
}

static void dry_runs_do_nothing(void **state)
{
	json_int_t launches = ec2lab_dwfm_count(&lab, "launch");

	(void)state;
	aws_fails("DryRunOperation", RUN "--dry-run");
	aws_fails("DryRunOperation", "describe-instances --dry-run");
	aws_fails("DryRunOperation", "terminate-instances --dry-run --instance-ids i-00000000000000000");
	aws_fails("InvalidParameterValue", RUN "--dry-run --placement AvailabilityZone=az9");
	assert_int_equal(ec2lab_dwfm_count(&lab, "launch"), launches);
}

/* --- describing -------------------------------------------------------------------------------------- */

static void filters_tags_and_pages(void **state)
{
	(void)state;
	aws_says("12",
	         RUN "--count 12 --placement AvailabilityZone=az1 --user-data hello --tag-specifications "
	             "'ResourceType=instance,Tags=[{Key=crowd,Value=a<b>&c},{Key=owner,Value=me}]' "
	             "--query 'length(Instances)'");
	aws_says("1",
	         RUN "--placement AvailabilityZone=az2 --tag-specifications "
	             "'ResourceType=instance,Tags=[{Key=crowd,Value=other}]' --query 'length(Instances)'");
	aws_says("12", "describe-instances --filters 'Name=tag:crowd,Values=a<b>&c' --query "
	               "'length(Reservations[].Instances[])'");
	aws_says("12",
	         "describe-instances --filters Name=tag-key,Values=own* Name=availability-zone,Values=az1 "
	         "--query 'length(Reservations[].Instances[])'");
	aws_says("other", "describe-instances --filters Name=tag-key,Values=crowd "
	                  "Name=availability-zone,Values=az2 Name=instance-state-name,Values=running --query "
	                  "'Reservations[].Instances[].Tags[?Key==`crowd`].Value[]'");
	/* the command line follows the pages by itself: none is lost, none comes twice */
	cleanup_free char *ids =
	    aws("describe-instances --filters Name=tag-key,Values=owner --page-size 5 --query "
	        "'Reservations[].Instances[].InstanceId' | tr '\\t' '\\n' | sort -u | wc -l");
	assert_string_equal(ids, "12");
	cleanup_free char *token =
	    aws("describe-instances --filters Name=tag-key,Values=owner --max-results 5 "
	        "--query '[length(Reservations[].Instances[]), NextToken]'");
	assert_int_equal(strncmp(token, "5\ti-", 4), 0);
	ec2lab_settle(&lab);
	assert_true(ec2lab_figure(&lab, "requests", "DescribeInstances") >= 3 + 3 + 1);
}

static void what_is_not_there_is_said(void **state)
{
	(void)state;
	aws_fails("InvalidInstanceID.NotFound", "describe-instances --instance-ids i-00000000000000000");
	aws_fails("InvalidInstanceID.NotFound", "terminate-instances --instance-ids i-00000000000000000");
	aws_fails("InvalidInstanceID.Malformed", "reboot-instances --instance-ids i-1");
	aws_fails("InvalidParameterValue", "describe-instances --filters Name=colour,Values=red");
	aws_fails("InvalidAction", "describe-vpcs");
	/* none of a list is ended if one of it isn't there */
	cleanup_free char *id = aws(RUN "--query 'Instances[0].InstanceId'");
	aws_fails("InvalidInstanceID.NotFound", "terminate-instances --instance-ids %s i-00000000000000000",
	          id);
	aws_says("running",
	         "describe-instances --instance-ids %s --query 'Reservations[].Instances[].State.Name'", id);
}

static void unsigned_requests_are_served(void **state)
{
	struct command c =
	    command_start(lab.ns,
	                  "curl -s -m 30 -o /dev/null -w '%%{http_code}' http://127.0.0.1:%d/ -d "
	                  "'Action=DescribeInstances&Version=2016-11-15'; "
	                  "curl -s -m 30 'http://127.0.0.1:%d/?Action=Nothing' | grep -o "
	                  "'<Code>.*</Code>'; curl -s -m 30 http://127.0.0.1:%d/ -d nonsense | "
	                  "xmllint --xpath 'string(//Code)' -",
	                  PORT_EC2_API, PORT_EC2_API, PORT_EC2_API);
	(void)state;
	command_end(&c);
	assert_string_equal(c.said, "200<Code>NoSuchVersion</Code>\nMalformedQueryString\n");
	command_release(&c);
}

/* --- refusing ---------------------------------------------------------------------------------------- */

static void the_throttle_is_live_and_counted_by_attempts(void **state)
{
	(void)state;
	testnode_set(lab.api, ec2lab_api_config(0.001, 1, 5000));
	aws_says("0",
	         "describe-instances --filters Name=tag:none,Values=none --query 'length(Reservations)'");
	count_anew();
	aws_fails("RequestLimitExceeded", "describe-instances");
	ec2lab_settle(&lab);
	assert_int_equal(ec2lab_figure(&lab, "requests", "DescribeInstances"), 3);
	assert_int_equal(ec2lab_figure(&lab, "errors", "RequestLimitExceeded"), 3);
	testnode_set(lab.api, ec2lab_api_config(0, 1, 5000));
	aws_says("0",
	         "describe-instances --filters Name=tag:none,Values=none --query 'length(Reservations)'");
}

static void an_overloaded_dwfm_is_told_from_a_lack_of_room(void **state)
{
	(void)state;
	count_anew();
	ec2lab_dwfm(&lab, "{\"error\":\"overloaded\"}");
	aws_fails("RequestLimitExceeded", RUN);
	ec2lab_dwfm(&lab, "{\"error\":\"timed-out\"}");
	aws_fails("Unavailable", RUN);
	ec2lab_dwfm(&lab, "{\"error\":\"unavailable\"}");
	aws_fails("Unavailable", RUN);
	ec2lab_settle(&lab);
	assert_int_equal(ec2lab_figure(&lab, "requests", "RunInstances"), 9);
}

static void a_silent_dwfm_holds_a_request_no_longer_than_its_time(void **state)
{
	(void)state;
	count_anew();
	testnode_set(lab.api, ec2lab_api_config(0, 100, 1000));
	ec2lab_dwfm(&lab, "{\"silent\":true}");
	aws_fails("Unavailable", RUN);
	ec2lab_settle(&lab);
	assert_int_equal(ec2lab_figure(&lab, "requests", "RunInstances"), 3);
}

static void without_dynamodb_all_is_unavailable(void **state)
{
	cleanup_free char *id = aws(RUN "--query 'Instances[0].InstanceId'");

	(void)state;
	testnode_stop(lab.dynamodb);
	count_anew();
	aws_fails("Unavailable", RUN);
	aws_fails("Unavailable", "describe-instances --instance-ids %s", id);
	aws_fails("Unavailable", "describe-instances");
	aws_fails("Unavailable", "terminate-instances --instance-ids %s", id);
	ec2lab_settle(&lab);
	assert_int_equal(ec2lab_figure(&lab, "errors", "Unavailable"), 12);
	lab.dynamodb = ec2lab_dynamodb(&lab);
	aws_says("running",
	         "describe-instances --instance-ids %s --query 'Reservations[].Instances[].State.Name'", id);
}

/* --- the network and restarts ------------------------------------------------------------------------ */

/* An instance is running when its network is everywhere, not before; and a restart forgets nobody. */
static void what_is_pending_is_taken_up_after_a_restart(void **state)
{
	(void)state;
	testnode_set(lab.api, ec2lab_api_config(0, 100, 1000));
	kill(testnode_pid(lab.agent), SIGSTOP);
	cleanup_free char *id = aws(RUN "--query 'Instances[0].[InstanceId]'");
	aws_says("pending",
	         "describe-instances --instance-ids %s --query 'Reservations[].Instances[].State.Name'", id);
	aws_says("initializing",
	         "describe-instance-status --include-all-instances --instance-ids %s --query "
	         "'InstanceStatuses[].InstanceStatus.Status'",
	         id);
	testnode_kill(lab.api);
	lab.api = ec2lab_api(&lab, ec2lab_api_config(0, 100, 5000));
	kill(testnode_pid(lab.agent), SIGCONT);
	assert_non_null(testnode_wait_event(lab.api, "instance.running", "instance", id, EC2LAB_TIMEOUT_MS));
	aws_says("running",
	         "describe-instances --instance-ids %s --query 'Reservations[].Instances[].State.Name'", id);
}

static void an_end_that_dwfm_does_not_hear_of_is_repeated(void **state)
{
	cleanup_free char *id = aws(RUN "--query 'Instances[0].InstanceId'");

	(void)state;
	kill(lab.dwfm, SIGSTOP);
	aws_says("shutting-down",
	         "terminate-instances --instance-ids %s --query 'TerminatingInstances[].CurrentState.Name'",
	         id);
	testnode_kill(lab.api);
	lab.api = ec2lab_api(&lab, ec2lab_api_config(0, 100, 5000));
	aws_says("shutting-down",
	         "describe-instances --instance-ids %s --query 'Reservations[].Instances[].State.Name'", id);
	kill(lab.dwfm, SIGCONT);
	aws_says("", "wait instance-terminated --instance-ids %s", id);
}

static void an_end_that_the_network_manager_does_not_hear_of_is_repeated(void **state)
{
	json_int_t ends = ec2lab_dwfm_count(&lab, "terminate");
	cleanup_free char *id = aws(RUN "--query 'Instances[0].InstanceId'");

	(void)state;
	testnode_kill(lab.manager);
	free(aws("terminate-instances --instance-ids %s", id));
	wait_dwfm_count("terminate", ends + 1);
	aws_says("shutting-down",
	         "describe-instances --instance-ids %s --query 'Reservations[].Instances[].State.Name'", id);
	lab.manager = ec2lab_manager(&lab);
	aws_says("", "wait instance-terminated --instance-ids %s", id);
}

/* Another writer of DynamoDB's store, whose turn is not over before it is told so: reads go on, no write
 * does. */
static MDB_txn *hold_writes(MDB_env **ret_env)
{
	MDB_txn *txn;

	assert_int_equal(mdb_env_create(ret_env), 0);
	assert_int_equal(mdb_env_open(*ret_env, lab.store, MDB_NOTLS, 0600), 0);
	assert_int_equal(mdb_txn_begin(*ret_env, NULL, 0, &txn), 0);
	return txn;
}

/* Its caller is told that it failed, and "shutting-down" is written all the same, later: so it has to end. */
static void an_end_whose_writes_got_no_answer_is_carried_through(void **state)
{
	json_int_t used = ec2lab_dwfm_count(&lab, "used.az1");
	cleanup_free char *ids =
	    aws(RUN "--count 3 --placement AvailabilityZone=az1 --query 'Instances[].InstanceId'");
	MDB_env *env;
	MDB_txn *others = hold_writes(&env);

	(void)state;
	aws_fails("Unavailable", "terminate-instances --instance-ids %s", ids);
	mdb_txn_abort(others);
	mdb_env_close(env);
	wait_dwfm_count("used.az1", used);
}

/* RunInstances once and without a token, which the command line would make. */
static struct command run_tagged(const char *tag)
{
	return command_start(lab.ns,
	                     "curl -s -m 30 http://127.0.0.1:%d/ -d 'Action=RunInstances&Version=2016-11-15&"
	                     "MinCount=1&MaxCount=1&ImageId=ami-1&TagSpecification.1.ResourceType=instance&"
	                     "TagSpecification.1.Tag.1.Key=test&TagSpecification.1.Tag.1.Value=%s'",
	                     PORT_EC2_API, tag);
}

/* DWFM succeeds just when the API stops waiting for it: the row has a droplet then, whose slot is freed. */
static void a_launch_that_succeeds_too_late_is_ended(void **state)
{
	json_int_t launches = ec2lab_dwfm_count(&lab, "launch"), ends = ec2lab_dwfm_count(&lab, "terminate");

	(void)state;
	ec2lab_dwfm(&lab, "{\"silent\":true}");
	struct command run = run_tagged("late");
	wait_dwfm_count("launch", launches + 1);
	cleanup_free char *id = aws("describe-instances --filters Name=tag:test,Values=late --query "
	                            "'Reservations[].Instances[].InstanceId'");
	testnet_run(lab.ns,
	            "curl -sf -m 30 -o /dev/null http://127.0.0.1:%d -H 'X-Amz-Target: "
	            "DynamoDB_20120810.UpdateItem' -d '{\"TableName\":\"instances\",\"Key\":{\"instance\":{"
	            "\"S\":\"%s\"}},\"UpdateExpression\":\"SET droplet = :d\","
	            "\"ExpressionAttributeValues\":{\":d\":{\"S\":\"az1-00001\"}}}'",
	            EC2LAB_DYNAMODB_PORT, id);
	command_end(&run);
	assert_non_null(strstr(run.said, "<Code>Unavailable</Code>"));
	command_release(&run);
	wait_dwfm_count("terminate", ends + 1);
}

/* A row that is deleted would come back by a write that is carried out late: a terminated one does not. */
static void a_launch_whose_writes_got_no_answer_does_not_come_back(void **state)
{
	MDB_env *env;
	MDB_txn *others = hold_writes(&env);

	(void)state;
	struct command run = run_tagged("doubt");
	command_end(&run);
	assert_non_null(strstr(run.said, "<Code>Unavailable</Code>"));
	command_release(&run);
	mdb_txn_abort(others);
	mdb_env_close(env);
	aws_says("", "wait instance-terminated --filters Name=tag:test,Values=doubt");
}

#define ec2_test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ec2_test(an_instance_lives_and_ends),
		ec2_test(a_launch_tells_the_time_of_each_stage),
		ec2_test(as_many_as_there_is_room_for),
		ec2_test(too_little_room_is_tried_three_times_and_leaves_nothing),
		ec2_test(a_repeated_token_launches_once),
		ec2_test(a_failed_token_may_be_used_again),
		ec2_test(dry_runs_do_nothing),
		ec2_test(filters_tags_and_pages),
		ec2_test(what_is_not_there_is_said),
		ec2_test(unsigned_requests_are_served),
		ec2_test(the_throttle_is_live_and_counted_by_attempts),
		ec2_test(an_overloaded_dwfm_is_told_from_a_lack_of_room),
		ec2_test(a_silent_dwfm_holds_a_request_no_longer_than_its_time),
		ec2_test(without_dynamodb_all_is_unavailable),
		ec2_test(what_is_pending_is_taken_up_after_a_restart),
		ec2_test(an_end_that_dwfm_does_not_hear_of_is_repeated),
		ec2_test(an_end_that_the_network_manager_does_not_hear_of_is_repeated),
		ec2_test(an_end_whose_writes_got_no_answer_is_carried_through),
		ec2_test(a_launch_that_succeeds_too_late_is_ended),
		ec2_test(a_launch_whose_writes_got_no_answer_does_not_come_back),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
