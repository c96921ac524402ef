/* The Query protocol's requests: forms, and what they ask for. */
#include "common/cleanup.h"
#include "ec2-api/query.h"
#include "ec2-api/request.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static int parse(struct query *q, const char *body)
{
	return query_parse(q, body, strlen(body));
}

/* --- forms ------------------------------------------------------------------------------------------- */

static void a_form_is_decoded(void **state)
{
	struct query q;

	(void)state;
	assert_int_equal(parse(&q, "Action=RunInstances&Tag.1.Value=a%26b+c%C3%A9&Empty=&A%2eB=%3d"), 0);
	assert_string_equal(query_get(&q, "Action"), "RunInstances");
	assert_string_equal(query_get(&q, "Tag.%d.%s", 1, "Value"), "a&b c\u00e9");
	assert_string_equal(query_get(&q, "Empty"), "");
	assert_string_equal(query_get(&q, "A.B"), "=");
	assert_null(query_get(&q, "action"));
	query_release(&q);
}

static void what_is_no_form_is_refused(void **state)
{
	static const char *const bad[] = {
		"Action",                       /* no value */
		"=RunInstances",                /* no name */
		"A=1&A=2",                      /* which of them? */
		"A=%00",                        /* ends a string */
		"A=%01",         "A=%EF%BF%BF", /* nothing that XML could hold */
		"A=%ff",         "A=%C3",       /* no UTF-8 */
	};
	struct query q;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(&q, bad[i]), -EBADMSG);
	assert_int_equal(query_parse(&q, "A=\0b", 4), -EBADMSG);
}

static void nothing_is_a_form_without_parameters(void **state)
{
	struct query q;

	(void)state;
	assert_int_equal(parse(&q, ""), 0);
	assert_null(query_get(&q, "Action"));
	query_release(&q);
}

static void too_much_is_refused(void **state)
{
	cleanup_free char *body = calloc(1, QUERY_BYTES_MAX + 2);
	struct query q;
	size_t used = 0;

	(void)state;
	memset(body, 'a', QUERY_BYTES_MAX + 1);
	assert_int_equal(query_parse(&q, body, QUERY_BYTES_MAX + 1), -EMSGSIZE);
	for (int i = 0; i <= QUERY_PAIRS_MAX; i++)
		used += (size_t)sprintf(body + used, "p%d=&", i);
	assert_int_equal(query_parse(&q, body, used), -EMSGSIZE);
	assert_int_equal(query_parse(&q, body, used - strlen("p4096=&")), 0);
	query_release(&q);
}

/* --- RunInstances ------------------------------------------------------------------------------------ */

#define RUN "ImageId=ami-1&MinCount=1&MaxCount=1"

static enum api_code run_code(const char *body)
{
	struct query q;
	struct run_request r;
	struct api_error e = { 0 };

	assert_int_equal(parse(&q, body), 0);
	if (request_run(&q, &r, &e)) run_request_release(&r);
	query_release(&q);
	return e.code;
}

static void a_launch_is_read_whole(void **state)
{
	struct query q;
	struct run_request r;
	struct api_error e;

	(void)state;
	assert_int_equal(parse(&q,
	                       "ImageId=ami-1&MinCount=2&MaxCount=5&InstanceType=m5.large&ClientToken=t-1&"
	                       "Placement.AvailabilityZone=az2&UserData=ZWNobyBoaQ==&"
	                       "TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&"
	                       "TagSpecification.1.Tag.1.Value=1&TagSpecification.1.Tag.2.Key=b&"
	                       "TagSpecification.1.Tag.2.Value=&TagSpecification.2.ResourceType=volume&"
	                       "TagSpecification.2.Tag.1.Key=c&TagSpecification.2.Tag.1.Value=3"),
	                 0);
	assert_true(request_run(&q, &r, &e));
	assert_int_equal(r.min, 2);
	assert_int_equal(r.max, 5);
	assert_string_equal(r.image, "ami-1");
	assert_string_equal(r.type, "m5.large");
	assert_string_equal(r.zone, "az2");
	assert_string_equal(r.token, "t-1");
	assert_int_equal(json_object_size(r.tags), 2); /* the volume's is not the instance's */
	assert_string_equal(json_string_value(json_object_get(r.tags, "a")), "1");
	assert_string_equal(json_string_value(json_object_get(r.tags, "b")), "");
	assert_false(r.real);
	run_request_release(&r);
	query_release(&q);
}

static void each_mistake_has_its_code(void **state)
{
	static const struct {
		const char *body;
		enum api_code code;
	} cases[] = {
		{ RUN, API_OK },
		{ "MinCount=1&MaxCount=1", API_MISSING },
		{ "ImageId=ami-1&MinCount=1", API_MISSING },
		{ "ImageId=ami-1&MinCount=0&MaxCount=1", API_INVALID_VALUE },
		{ "ImageId=ami-1&MinCount=1&MaxCount=1001", API_INVALID_VALUE },
		{ "ImageId=ami-1&MinCount=1&MaxCount=-1", API_INVALID_VALUE },
		{ "ImageId=ami-1&MinCount=1&MaxCount=1x", API_INVALID_VALUE },
		{ "ImageId=ami-1&MinCount=1&MaxCount=99999999999999999999", API_INVALID_VALUE },
		{ "ImageId=ami-1&MinCount=3&MaxCount=2", API_COMBINATION },
		{ RUN "&ClientToken=12345678901234567890123456789012345678901234567890123456789012345",
		  API_INVALID_VALUE },
		{ RUN "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Value=x",
		  API_MISSING },
		{ RUN "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=aws:x",
		  API_INVALID_VALUE },
		{ RUN "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=x&"
		      "TagSpecification.1.Tag.2.Key=x",
		  API_INVALID_VALUE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (run_code(cases[i].body) != cases[i].code) fail_msg("%s", cases[i].body);
	}
}

static uint64_t hash_of(const char *body)
{
	struct query q;
	struct run_request r;
	struct api_error e;

	assert_int_equal(parse(&q, body), 0);
	assert_true(request_run(&q, &r, &e));
	uint64_t hash = run_request_hash(&r);
	run_request_release(&r);
	query_release(&q);
	return hash;
}

static void a_repetition_is_told_from_another_request(void **state)
{
	(void)state;
	assert_true(hash_of(RUN "&ClientToken=a") == hash_of("MaxCount=1&"
	                                                     "MinCount=1&ImageId=ami-1"));
	assert_true(hash_of(RUN) == hash_of(RUN "&UserData=eA=="));
	assert_true(hash_of(RUN) != hash_of("ImageId=ami-1&MinCount=1&MaxCount=2"));
	assert_true(hash_of(RUN) != hash_of(RUN "&Placement.AvailabilityZone=az1"));
	assert_true(hash_of(RUN) != hash_of(RUN "&TagSpecification.1.ResourceType=instance&"
	                                        "TagSpecification.1.Tag.1.Key=x"));
}

/* --- lists and filters ------------------------------------------------------------------------------- */

static bool matches(const char *body, const struct instance *i)
{
	cleanup_free struct describe_request *r = calloc(1, sizeof(*r));
	struct query q;
	struct api_error e = { 0 };

	assert_int_equal(parse(&q, body), 0);
	if (!request_describe(&q, r, &e)) fail_msg("%s: %s", body, e.message);
	bool result = request_matches(r, i);
	query_release(&q);
	return result;
}

static void filters_are_anded_and_their_values_ored(void **state)
{
	struct instance i = { .id = "i-0123456789abcdef0", .zone = "az1", .state = INSTANCE_RUNNING };
	i.tags = json_pack("{s:s, s:s}", "group", "web", "owner", "a*b");

	(void)state;
	assert_true(matches("", &i));
	assert_true(matches(
	    "Filter.1.Name=instance-state-name&Filter.1.Value.1=pending&Filter.1.Value.2=running", &i));
	assert_false(matches("Filter.1.Name=instance-state-name&Filter.1.Value.1=pending", &i));
	assert_true(matches("Filter.1.Name=availability-zone&Filter.1.Value.1=az1&"
	                    "Filter.2.Name=tag:group&Filter.2.Value.1=web",
	                    &i));
	assert_false(matches("Filter.1.Name=availability-zone&Filter.1.Value.1=az2&"
	                     "Filter.2.Name=tag:group&Filter.2.Value.1=web",
	                     &i));
	assert_true(matches("Filter.1.Name=tag-key&Filter.1.Value.1=own*", &i));
	assert_false(matches("Filter.1.Name=tag:none&Filter.1.Value.1=*", &i));
	assert_false(matches("Filter.1.Name=tag:group&Filter.1.Value.1=WEB", &i));
	instance_release(&i);
}

static void wildcards_are_two(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} cases[] = {
		{ "web", "web", true },
		{ "w?b", "web", true },
		{ "w*", "web", true },
		{ "*", "", true },
		{ "*b", "web", true },
		{ "?", "", false },
		{ "w*x", "web", false },
		{ "*a*b*c", "xaybzc", true },
		{ "[w]eb", "web", false },
		{ "[w]eb", "[w]eb", true },
		{ "a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct instance i = { .tags = json_pack("{s:s}", "t", cases[k].text) };
		char body[128];
		snprintf(body, sizeof(body), "Filter.1.Name=tag:t&Filter.1.Value.1=%s", cases[k].pattern);
		if (matches(body, &i) != cases[k].fits) fail_msg("%s: %s", cases[k].pattern, cases[k].text);
		instance_release(&i);
	}
}

static enum api_code describe_code(const char *body)
{
	cleanup_free struct describe_request *r = calloc(1, sizeof(*r));
	struct query q;
	struct api_error e = { 0 };

	assert_int_equal(parse(&q, body), 0);
	request_describe(&q, r, &e);
	query_release(&q);
	return e.code;
}

static void senseless_descriptions_are_refused(void **state)
{
	(void)state;
	assert_int_equal(describe_code("MaxResults=5"), API_OK);
	assert_int_equal(describe_code("MaxResults=4"), API_INVALID_VALUE);
	assert_int_equal(describe_code("MaxResults=5&InstanceId.1=i-0123456789abcdef0"), API_COMBINATION);
	assert_int_equal(describe_code("InstanceId.1=i-1"), API_MALFORMED_ID);
	assert_int_equal(describe_code("NextToken=xyz"), API_INVALID_TOKEN);
	assert_int_equal(describe_code("Filter.1.Name=colour&Filter.1.Value.1=red"), API_INVALID_VALUE);
	assert_int_equal(describe_code("Filter.1.Name=image-id"), API_MISSING);
}

static void each_instance_counts_once(void **state)
{
	struct query q;
	struct ids_request r;
	struct api_error e = { 0 };

	(void)state;
	assert_int_equal(parse(&q, "InstanceId.1=i-0123456789abcdef1&InstanceId.2=i-0123456789abcdef0&"
	                           "InstanceId.3=i-0123456789abcdef1"),
	                 0);
	assert_true(request_ids(&q, &r, &e));
	assert_int_equal(r.n, 2);
	query_release(&q);
	assert_int_equal(parse(&q, "DryRun=true"), 0);
	assert_false(request_ids(&q, &r, &e));
	assert_int_equal(e.code, API_MISSING);
	assert_true(request_is_dry(&q));
	query_release(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_form_is_decoded),
		cmocka_unit_test(what_is_no_form_is_refused),
		cmocka_unit_test(nothing_is_a_form_without_parameters),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(a_launch_is_read_whole),
		cmocka_unit_test(each_mistake_has_its_code),
		cmocka_unit_test(a_repetition_is_told_from_another_request),
		cmocka_unit_test(filters_are_anded_and_their_values_ored),
		cmocka_unit_test(wildcards_are_two),
		cmocka_unit_test(senseless_descriptions_are_refused),
		cmocka_unit_test(each_instance_counts_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
