// with: nodes/ec2-api/[!m]*.c nodes/autoscaler/reply.c nodes/common/*.c nodes/proto/*.c
/* Any bytes as the body of a request of each kind: refused, or what comes of it is an instance whose row and
 * XML can be read back. */
#include "autoscaler/reply.h"
#include "common/cleanup.h"
#include "ec2-api/answer.h"
#include "ec2-api/request.h"
#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
	if (!holds) abort();
}

static void describe(struct instance *i)
{
	struct answer a;
	struct reply reply;
	size_t len;

	answer_begin(&a, "DescribeInstances", "request");
	answer_reservations(&a, i, 1);
	const char *body = answer_end(&a, &len);
	must(body && reply_read(&reply, body, len, "azlab:group") == 0 && reply.n == 1);
	reply_release(&reply);
	answer_release(&a);
}

static void launch(const struct run_request *r)
{
	struct instance i = { .tags = json_incref(r->tags), .state = INSTANCE_PENDING }, got;

	must(r->min >= 1 && r->min <= r->max && r->max <= REQUEST_COUNT_MAX);
	instance_id(i.id, 'i', run_request_hash(r), 1);
	strcpy(i.reservation, "r-1");
	snprintf(i.image, sizeof(i.image), "%s", r->image);
	snprintf(i.type, sizeof(i.type), "%s", r->type);
	snprintf(i.token, sizeof(i.token), "%s", r->token ? r->token : "");
	json_t *item = instance_to_item(&i);
	must(instance_from_item(&got, item) == 0 && json_equal(got.tags, i.tags));
	json_decref(item);
	describe(&got);
	instance_release(&got);
	instance_release(&i);
}

static void refuse(const struct api_error *e)
{
	struct answer a;
	struct reply reply;
	size_t len;
	const char *body = answer_error(&a, e, "request", &len);

	must(e->code != API_OK && body && reply_read(&reply, body, len, "") == 0);
	must(strcmp(reply.error, api_code_text(e->code)) == 0);
	reply_release(&reply);
	answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct describe_request d;
	static struct ids_request ids;
	struct query q;
	struct run_request r;
	struct api_error e = { 0 };

	if (query_parse(&q, (const char *)data, size) < 0) return 0;
	if (request_run(&q, &r, &e)) {
		launch(&r);
		run_request_release(&r);
	} else {
		refuse(&e);
	}
	if (request_describe(&q, &d, &e)) {
		struct instance i = { .zone = "az1", .tags = json_pack("{s:s}", "k", "vvvvvvvvvvvvvvvvv") };
		request_matches(&d, &i);
		instance_release(&i);
	} else {
		refuse(&e);
	}
	if (!request_ids(&q, &ids, &e)) refuse(&e);
	query_release(&q);
	return 0;
}
