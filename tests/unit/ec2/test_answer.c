/* What the API answers and keeps: XML as a client reads it, rows, figures, the throttle. */
#include "autoscaler/reply.h"
#include "common/cleanup.h"
#include "ec2-api/answer.h"
#include "ec2-api/bucket.h"
#include "ec2-api/rows.h"
#include "ec2-api/stats.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct instance make(const char *id, const char *reservation, unsigned index, json_t *tags)
{
	struct instance i = { .index = index,
		              .zone = "az1",
		              .image = "ami-1",
		              .type = "m1.small",
		              .state = INSTANCE_RUNNING,
		              .launched_ms = 1760943600000,
		              .droplet = "az1-00042",
		              .epoch = 7,
		              .stage_us = { 1500, 20000, -1 },
		              .tags = tags };
	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.reservation, sizeof(i.reservation), "%s", reservation);
	return i;
}

/* --- XML --------------------------------------------------------------------------------------------- */

static void a_client_reads_what_was_written(void **state)
{
	struct instance rows[] = {
		make("i-00000000000000002", "r-2", 0, json_pack("{s:s}", "azlab:group", "a<b>&\"c\"")),
		make("i-00000000000000001", "r-1", 1, json_object()),
		make("i-00000000000000000", "r-1", 0, json_object()),
	};
	struct answer a;
	struct reply reply;
	size_t len;

	(void)state;
	answer_begin(&a, "DescribeInstances", "request-1");
	answer_reservations(&a, rows, 3);
	answer_next_token(&a, "i-00000000000000002");
	const char *body = answer_end(&a, &len);
	assert_non_null(body);
	assert_int_equal(reply_read(&reply, body, len, "azlab:group"), 0);
	assert_int_equal(reply.n, 3);
	assert_string_equal(reply.instances[0].id,
	                    "i-00000000000000000"); /* by reservation and place in it */
	assert_string_equal(reply.instances[0].state, "running");
	assert_string_equal(reply.instances[0].launched, "2025-10-20T07:00:00.000Z");
	assert_string_equal(reply.instances[2].group, "a<b>&\"c\"");
	assert_string_equal(reply.instances[1].group, "");
	assert_string_equal(reply.next_token, "i-00000000000000002");
	assert_string_equal(reply.error, "");
	/* the first two share a reservation */
	const char *first = strstr(body, "<reservationId>"), *second = strstr(first + 1, "<reservationId>");
	assert_non_null(second);
	assert_null(strstr(second + 1, "<reservationId>"));
	reply_release(&reply);
	answer_release(&a);
	for (size_t i = 0; i < 3; i++)
		instance_release(&rows[i]);
}

static void an_error_is_read_as_one(void **state)
{
	struct api_error e = { 0 };
	struct answer a;
	struct reply reply;
	size_t len;

	(void)state;
	api_fail(&e, API_CAPACITY, "no <room>");
	const char *body = answer_error(&a, &e, "request-1", &len);
	assert_int_equal(reply_read(&reply, body, len, ""), 0);
	assert_string_equal(reply.error, "InsufficientInstanceCapacity");
	assert_non_null(strstr(body, "<Message>no &lt;room&gt;</Message>"));
	assert_int_equal(api_code_status(e.code), 500);
	reply_release(&reply);
	answer_release(&a);
}

static void a_long_message_is_cut_between_characters(void **state)
{
	struct api_error e;
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i += 2)
		memcpy(text + i, "\u00e9", 2);
	text[398] = '\0';
	api_fail(&e, API_INVALID_VALUE, "x%s", text);
	assert_int_equal(strlen(e.message), 255); /* x and whole characters */
	api_fail(&e, API_INVALID_VALUE, "%s", text);
	assert_int_equal(strlen(e.message), 254);
}

static void what_is_no_xml_is_refused(void **state)
{
	struct reply reply;
	const char *truncated = "<A><reservationSet><item>";

	(void)state;
	assert_int_equal(reply_read(&reply, "", 0, ""), -EBADMSG);
	assert_int_equal(reply_read(&reply, "no xml", 6, ""), -EBADMSG);
	assert_int_equal(reply_read(&reply, truncated, strlen(truncated), ""), -EBADMSG);
}

/* --- rows -------------------------------------------------------------------------------------------- */

static void a_row_comes_back_as_it_was(void **state)
{
	struct instance i = make("i-0123456789abcdef0", "r-1", 3, json_pack("{s:s}", "a", "b")), got;
	json_t *item;

	(void)state;
	i.real = true;
	snprintf(i.token, sizeof(i.token), "t-1");
	item = instance_to_item(&i);
	assert_int_equal(instance_from_item(&got, item), 0);
	assert_true(json_equal(got.tags, i.tags));
	json_t *again = instance_to_item(&got);
	assert_true(json_equal(item, again));
	assert_true(got.real && got.stage_us[STAGE_DROPLET] == 20000 && got.stage_us[STAGE_NETWORK] == -1);
	json_decref(again);
	json_object_set_new(item, "state", json_pack("{s:s}", "S", "elsewhere"));
	instance_release(&got);
	assert_int_equal(instance_from_item(&got, item), -EBADMSG);
	json_decref(item);
	instance_release(&i);
}

/* Every placeholder of the expression is defined, and nothing else is. */
static void a_save_names_every_attribute_once(void **state)
{
	struct instance i = make("i-0123456789abcdef0", "r-1", 0, json_object());
	json_t *request = row_save_if(&i, INSTANCE_PENDING), *item = instance_to_item(&i);
	const char *update = json_string_value(json_object_get(request, "UpdateExpression"));
	size_t assignments = 0;

	(void)state;
	assert_int_equal(strncmp(update, "SET #a0 = :v0,", 14), 0);
	for (const char *at = update; (at = strchr(at, '=')); at++)
		assignments++;
	assert_int_equal(assignments, json_object_size(item) - 1); /* the key can't be set */
	assert_int_equal(json_object_size(json_object_get(request, "ExpressionAttributeNames")),
	                 assignments + 1);
	assert_int_equal(json_object_size(json_object_get(request, "ExpressionAttributeValues")),
	                 assignments + 2);
	json_decref(item);
	json_decref(request);
	instance_release(&i);
}

static void a_token_comes_back_as_it_was(void **state)
{
	struct token_row t = { .token = "t-1", .reservation = "r-1", .parameters = "00ff" }, got;
	const char *const ids[] = { "i-1", "i-2" };
	const json_t *list;
	json_t *request = token_put(&t, ids, 2, "");

	(void)state;
	assert_int_equal(token_from_item(&got, &list, json_object_get(request, "Item")), 0);
	assert_string_equal(got.token, "t-1");
	assert_string_equal(got.parameters, "00ff");
	assert_int_equal(json_array_size(list), 2);
	json_decref(request);
	assert_int_equal(token_from_item(&got, &list, NULL), -EBADMSG);
}

static void ids_have_seventeen_digits(void **state)
{
	char id[INSTANCE_ID_MAX];

	(void)state;
	instance_id(id, 'i', UINT64_MAX, 0);
	assert_string_equal(id, "i-f0000000000000000");
	assert_true(instance_id_valid(id));
	assert_false(instance_id_valid("i-F0000000000000000"));
	assert_false(instance_id_valid("r-f0000000000000000"));
	assert_false(instance_id_valid("i-f000000000000000"));
}

/* --- throttle and figures ---------------------------------------------------------------------------- */

static unsigned taken(struct bucket *b, mono_ns at, unsigned tries)
{
	unsigned n = 0;

	while (tries-- > 0)
		n += bucket_take(b, at);
	return n;
}

static void a_bucket_lets_through_burst_and_then_rate(void **state)
{
	struct bucket b = bucket_full(10, 5, 0);

	(void)state;
	assert_int_equal(taken(&b, 0, 100), 5);
	assert_int_equal(taken(&b, NS_PER_S / 10, 100), 1);
	assert_int_equal(taken(&b, 3 * NS_PER_S, 100), 5); /* never more than the burst */
	bucket_set(&b, 0, 5);
	assert_int_equal(taken(&b, 3 * NS_PER_S, 100), 100);
	bucket_set(&b, 10, 5); /* what was free left nothing in it */
	assert_true(taken(&b, 3 * NS_PER_S, 100) <= 5);
}

static void figures_are_of_one_second(void **state)
{
	struct stats s = { 0 };

	(void)state;
	s.requests[ACTION_RUN] = 3;
	for (int64_t ms = 1; ms <= 100; ms++)
		stats_launched(&s, (int64_t[]){ ms * 1000, 5000, 101000 - ms * 1000 });
	assert_true(stats_error(&s, API_CAPACITY));
	assert_false(stats_error(&s, API_CAPACITY));
	json_t *sample = stats_take(&s);
	json_t *expected =
	    json_pack("{s:{s:i}, s:{s:i}, s:{s:i, s:i, s:{s:{s:f, s:f}, s:{s:f, s:f}, s:{s:f, s:f}}}}",
	              "requests", "RunInstances", 3, "errors", "InsufficientInstanceCapacity", 2, "launches",
	              "ok", 100, "failed", 0, "stages_ms", "api", "p50", 50.0, "p99", 99.0, "droplet", "p50",
	              5.0, "p99", 5.0, "network", "p50", 50.0, "p99", 99.0);
	assert_true(json_equal(sample, expected));
	assert_true(stats_episode_ends(&s, API_CAPACITY));
	assert_false(stats_episode_ends(&s, API_CAPACITY));
	json_decref(sample);
	json_decref(expected);
	stats_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_reads_what_was_written),
		cmocka_unit_test(an_error_is_read_as_one),
		cmocka_unit_test(a_long_message_is_cut_between_characters),
		cmocka_unit_test(what_is_no_xml_is_refused),
		cmocka_unit_test(a_row_comes_back_as_it_was),
		cmocka_unit_test(a_save_names_every_attribute_once),
		cmocka_unit_test(a_token_comes_back_as_it_was),
		cmocka_unit_test(ids_have_seventeen_digits),
		cmocka_unit_test(a_bucket_lets_through_burst_and_then_rate),
		cmocka_unit_test(figures_are_of_one_second),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
