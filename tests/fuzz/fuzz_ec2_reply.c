// with: nodes/autoscaler/reply.c
/* Any bytes as an answer of the EC2 API: refused or read. Bytes rarely make XML, so they are also taken as
 * the steps of one that is well-formed: elements that the reader knows, in any order and depth. */
#include "autoscaler/reply.h"
#include <libxml/xmlwriter.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "reservationSet", "item",       "instancesSet", "instanceId",
	                             "instanceState",  "name",       "tagSet",       "key",
	                             "value",          "launchTime", "nextToken",    "Errors",
	                             "Error",          "Code" };
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static void read_reply(const char *body, size_t len)
{
	struct reply reply;

	if (reply_read(&reply, body, len, "name") < 0) return;
	for (size_t i = 0; i < reply.n; i++) {
		if (strlen(reply.instances[i].id) >= REPLY_TEXT_MAX) abort();
	}
	reply_release(&reply);
}

static void step(xmlTextWriter *w, uint8_t what, int *depth)
{
	if (what < NAMES) {
		xmlTextWriterStartElement(w, BAD_CAST names[what]);
		++*depth;
	} else if (what < 2 * NAMES) {
		xmlTextWriterWriteElement(w, BAD_CAST names[what - NAMES], BAD_CAST "name");
	} else if (what < 0x80 && *depth > 1) {
		xmlTextWriterEndElement(w);
		--*depth;
	} else {
		xmlTextWriterWriteString(w,
		                         BAD_CAST "running & so on, longer than the sixty-four bytes that a "
		                                  "reader keeps of a text");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xmlBuffer *buffer = xmlBufferCreate();
	xmlTextWriter *w = xmlNewTextWriterMemory(buffer, 0);
	int depth = 1;

	read_reply((const char *)data, size);
	xmlTextWriterStartElement(w, BAD_CAST "Response");
	for (size_t i = 0; i < size && i < 200; i++)
		step(w, data[i], &depth);
	xmlTextWriterEndDocument(w);
	xmlTextWriterFlush(w);
	read_reply((const char *)xmlBufferContent(buffer), (size_t)xmlBufferLength(buffer));
	xmlFreeTextWriter(w);
	xmlBufferFree(buffer);
	return 0;
}
