#include "autoscaler/reply.h"
#include "common/cleanup.h"
#include <errno.h>
#include <libxml/xmlreader.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

struct reading {
	struct reply *reply;
	const char *tag;
	char path[DEPTH_MAX][REPLY_TEXT_MAX]; /* names of the open elements */
	int depth;
	char key[REPLY_TEXT_MAX]; /* of the tag being read */
};

/* True if the innermost open elements are these, the last being the innermost. */
static bool inside(const struct reading *r, const char *outer, const char *middle, const char *inner)
{
	int d = r->depth;

	return d >= 3 && d <= DEPTH_MAX && strcmp(r->path[d - 1], inner) == 0 &&
	       strcmp(r->path[d - 2], middle) == 0 && strcmp(r->path[d - 3], outer) == 0;
}

static struct reply_instance *last(struct reply *r)
{
	return r->n ? &r->instances[r->n - 1] : NULL;
}

static int add_instance(struct reply *r)
{
	struct reply_instance *more = reallocarray(r->instances, r->n + 1, sizeof(*more));

	if (!more) return -ENOMEM;
	r->instances = more;
	r->instances[r->n++] = (struct reply_instance){ 0 };
	return 0;
}

static void keep(char ret[REPLY_TEXT_MAX], const char *text)
{
	snprintf(ret, REPLY_TEXT_MAX, "%s", text);
}

static void take_text(struct reading *r, const char *text)
{
	struct reply_instance *i = last(r->reply);

	if (r->depth == 2 && strcmp(r->path[1], "nextToken") == 0) keep(r->reply->next_token, text);
	if (inside(r, "Errors", "Error", "Code")) keep(r->reply->error, text);
	if (!i) return;
	if (inside(r, "instancesSet", "item", "instanceId")) keep(i->id, text);
	if (inside(r, "instancesSet", "item", "launchTime")) keep(i->launched, text);
	if (inside(r, "item", "instanceState", "name")) keep(i->state, text);
	if (inside(r, "tagSet", "item", "key")) keep(r->key, text);
	if (inside(r, "tagSet", "item", "value") && strcmp(r->key, r->tag) == 0) keep(i->group, text);
}

static int open_element(struct reading *r, const char *name)
{
	if (r->depth < DEPTH_MAX) keep(r->path[r->depth], name);
	r->depth++;
	return inside(r, "instancesSet", "item", "instanceId") ? add_instance(r->reply) : 0;
}

static int take_node(struct reading *r, xmlTextReader *x)
{
	switch (xmlTextReaderNodeType(x)) {
	case XML_READER_TYPE_ELEMENT:
		if (xmlTextReaderIsEmptyElement(x)) return 0;
		return open_element(r, (const char *)xmlTextReaderConstLocalName(x));
	case XML_READER_TYPE_END_ELEMENT:
		r->depth--;
		return 0;
	case XML_READER_TYPE_TEXT:
		take_text(r, (const char *)xmlTextReaderConstValue(x));
		return 0;
	default:
		return 0;
	}
}

int reply_read(struct reply *ret, const char *body, size_t len, const char *tag)
{
	struct reply reply = { 0 };
	struct reading r = { .reply = &reply, .tag = tag };
	xmlTextReader *x = xmlReaderForMemory(body, (int)len, NULL, NULL,
	                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	int more = x ? 1 : -1, error = 0;

	while (error == 0 && (more = x ? xmlTextReaderRead(x) : -1) == 1)
		error = take_node(&r, x);
	if (error == 0 && more < 0) error = -EBADMSG;
	xmlFreeTextReader(x);
	if (error < 0)
		reply_release(&reply);
	else
		*ret = reply;
	return error;
}

void reply_release(struct reply *r)
{
	free(r->instances);
	*r = (struct reply){ 0 };
}
