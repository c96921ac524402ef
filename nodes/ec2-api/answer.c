#include "ec2-api/answer.h"
#include <string.h>
#include <time.h>

#define NAMESPACE "http://ec2.amazonaws.com/doc/2016-11-15/"
#define OWNER "000000000000" /* every lab has one account */

/* --- writing ----------------------------------------------------------------------------------------- */

static void note(struct answer *a, int result)
{
	if (result < 0) a->failed = true;
}

static void open_element(struct answer *a, const char *name)
{
	note(a, xmlTextWriterStartElement(a->writer, BAD_CAST name));
}

static void close_element(struct answer *a)
{
	note(a, xmlTextWriterEndElement(a->writer));
}

static void text(struct answer *a, const char *name, const char *value)
{
	note(a, xmlTextWriterWriteElement(a->writer, BAD_CAST name, BAD_CAST value));
}

static void number(struct answer *a, const char *name, int value)
{
	note(a, xmlTextWriterWriteFormatElement(a->writer, BAD_CAST name, "%d", value));
}

static void instant(struct answer *a, const char *name, int64_t wall_ms)
{
	char iso[32];
	time_t s = wall_ms / 1000;
	struct tm tm;

	strftime(iso, sizeof(iso), "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&s, &tm));
	text(a, name, iso);
}

static void start(struct answer *a)
{
	*a = (struct answer){ .buffer = xmlBufferCreate() };
	a->writer = a->buffer ? xmlNewTextWriterMemory(a->buffer, 0) : NULL;
	a->failed = !a->writer;
	if (a->writer) note(a, xmlTextWriterStartDocument(a->writer, NULL, "UTF-8", NULL));
}

void answer_begin(struct answer *a, const char *action, const char *request_id)
{
	char root[64];

	start(a);
	snprintf(root, sizeof(root), "%sResponse", action);
	note(a, xmlTextWriterStartElementNS(a->writer, NULL, BAD_CAST root, BAD_CAST NAMESPACE));
	text(a, "requestId", request_id);
}

const char *answer_end(struct answer *a, size_t *ret_len)
{
	note(a, xmlTextWriterEndDocument(a->writer));
	note(a, xmlTextWriterFlush(a->writer));
	if (a->failed) return NULL;
	*ret_len = (size_t)xmlBufferLength(a->buffer);
	return (const char *)xmlBufferContent(a->buffer);
}

void answer_release(struct answer *a)
{
	if (a->writer) xmlFreeTextWriter(a->writer);
	if (a->buffer) xmlBufferFree(a->buffer);
	*a = (struct answer){ 0 };
}

/* --- instances --------------------------------------------------------------------------------------- */

static void write_state(struct answer *a, const char *name, enum instance_state state)
{
	open_element(a, name);
	number(a, "code", (int)state);
	text(a, "name", instance_state_text(state));
	close_element(a);
}

static void write_tags(struct answer *a, const json_t *tags)
{
	const char *key;
	json_t *value;

	open_element(a, "tagSet");
	json_object_foreach ((json_t *)tags, key, value) {
		open_element(a, "item");
		text(a, "key", key);
		text(a, "value", json_string_value(value));
		close_element(a);
	}
	close_element(a);
}

static void write_instance(struct answer *a, const struct instance *i)
{
	open_element(a, "item");
	text(a, "instanceId", i->id);
	text(a, "imageId", i->image);
	write_state(a, "instanceState", i->state);
	if (i->address[0]) text(a, "privateIpAddress", i->address);
	number(a, "amiLaunchIndex", (int)i->index);
	text(a, "instanceType", i->type);
	instant(a, "launchTime", i->launched_ms);
	open_element(a, "placement");
	text(a, "availabilityZone", i->zone);
	if (i->droplet[0]) text(a, "hostId", i->droplet);
	close_element(a);
	if (i->token[0]) text(a, "clientToken", i->token);
	if (json_object_size(i->tags)) write_tags(a, i->tags);
	close_element(a);
}

static void open_reservation(struct answer *a, const char *reservation)
{
	text(a, "reservationId", reservation);
	text(a, "ownerId", OWNER);
	open_element(a, "instancesSet");
}

void answer_launched(struct answer *a, const char *reservation, const struct instance *const *instances,
                     size_t n)
{
	open_reservation(a, reservation);
	for (size_t i = 0; i < n; i++)
		write_instance(a, instances[i]);
	close_element(a);
}

static int by_reservation(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;
	int order = strcmp(x->reservation, y->reservation);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

void answer_reservations(struct answer *a, struct instance *instances, size_t n)
{
	if (n) qsort(instances, n, sizeof(*instances), by_reservation);
	open_element(a, "reservationSet");
	for (size_t i = 0; i < n;) {
		const char *reservation = instances[i].reservation;
		open_element(a, "item");
		open_reservation(a, reservation);
		for (; i < n && strcmp(instances[i].reservation, reservation) == 0; i++)
			write_instance(a, &instances[i]);
		close_element(a);
		close_element(a);
	}
	close_element(a);
}

static void write_check(struct answer *a, const char *name, const char *status, const char *reachability)
{
	open_element(a, name);
	text(a, "status", status);
	open_element(a, "details");
	open_element(a, "item");
	text(a, "name", "reachability");
	text(a, "status", reachability);
	close_element(a);
	close_element(a);
	close_element(a);
}

/* An instance is running once its network state is everywhere, so that is when it can be reached. */
static void write_status(struct answer *a, const struct instance *i)
{
	bool running = i->state == INSTANCE_RUNNING, pending = i->state == INSTANCE_PENDING;
	const char *status = running ? "ok" : pending ? "initializing" : "not-applicable";
	const char *reachability = running ? "passed" : "initializing";

	open_element(a, "item");
	text(a, "instanceId", i->id);
	text(a, "availabilityZone", i->zone);
	write_state(a, "instanceState", i->state);
	write_check(a, "systemStatus", status, reachability);
	write_check(a, "instanceStatus", status, reachability);
	close_element(a);
}

void answer_statuses(struct answer *a, const struct instance *instances, size_t n)
{
	open_element(a, "instanceStatusSet");
	for (size_t i = 0; i < n; i++)
		write_status(a, &instances[i]);
	close_element(a);
}

void answer_changes(struct answer *a, const struct state_change *changes, size_t n)
{
	open_element(a, "instancesSet");
	for (size_t i = 0; i < n; i++) {
		open_element(a, "item");
		text(a, "instanceId", changes[i].id);
		write_state(a, "currentState", changes[i].current);
		write_state(a, "previousState", changes[i].previous);
		close_element(a);
	}
	close_element(a);
}

void answer_true(struct answer *a)
{
	text(a, "return", "true");
}

void answer_next_token(struct answer *a, const char *token)
{
	if (token && token[0]) text(a, "nextToken", token);
}

const char *answer_error(struct answer *a, const struct api_error *e, const char *request_id, size_t *ret_len)
{
	start(a);
	open_element(a, "Response");
	open_element(a, "Errors");
	open_element(a, "Error");
	text(a, "Code", api_code_text(e->code));
	text(a, "Message", e->message);
	close_element(a);
	close_element(a);
	text(a, "RequestID", request_id);
	return answer_end(a, ret_len);
}
