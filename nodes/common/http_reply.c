#include "common/http_reply.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int text_add(struct http_text *t, const char *bytes, size_t len)
{
	if (t->room - t->len <= len) {
		size_t room = (t->len + len + 1) * 2;
		char *larger = realloc(t->bytes, room);
		if (!larger) return -ENOMEM;
		t->bytes = larger;
		t->room = room;
	}
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
	t->bytes[t->len] = '\0';
	return 0;
}

static int header_add(struct http_reply_parser *p, const char *bytes, size_t len)
{
	return p->headers.len + len > HTTP_REPLY_HEADERS_MAX ? -EMSGSIZE : text_add(&p->headers, bytes, len);
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct http_reply_parser *p = parser->data;
	size_t from;

	if (p->in_value && header_add(p, "\n", 1) < 0) return -1;
	p->in_value = false;
	from = p->headers.len;
	if (header_add(p, at, len) < 0) return -1;
	for (; from < p->headers.len; from++)
		p->headers.bytes[from] = (char)tolower((unsigned char)p->headers.bytes[from]);
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct http_reply_parser *p = parser->data;

	if (!p->in_value && header_add(p, ": ", 2) < 0) return -1;
	p->in_value = true;
	return header_add(p, at, len);
}

static int on_headers_complete(http_parser *parser)
{
	struct http_reply_parser *p = parser->data;

	return p->in_value && header_add(p, "\n", 1) < 0 ? -1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct http_reply_parser *p = parser->data;

	return p->body.len + len > p->max_body ? -1 : text_add(&p->body, at, len);
}

static int on_complete(http_parser *parser)
{
	struct http_reply_parser *p = parser->data;

	if (parser->status_code / 100 == 1) { /* "100 Continue": the answer comes behind it */
		p->headers.len = 0;
		p->in_value = false;
		return 0;
	}
	p->complete = true;
	p->status = parser->status_code;
	p->keep_alive = http_should_keep_alive(parser) && !parser->upgrade;
	http_parser_pause(parser, 1);
	return 0;
}

void http_reply_init(struct http_reply_parser *p, size_t max_body)
{
	*p = (struct http_reply_parser){ .max_body = max_body };
	http_parser_init(&p->parser, HTTP_RESPONSE);
	p->parser.data = p;
}

void http_reply_release(struct http_reply_parser *p)
{
	free(p->headers.bytes);
	free(p->body.bytes);
	p->headers = p->body = (struct http_text){ 0 };
}

static int reason_of_refusal(const struct http_reply_parser *p)
{
	enum http_errno error = HTTP_PARSER_ERRNO(&p->parser);

	/* a callback's failure: a limit, or memory, which no small answer lacks */
	if (error >= HPE_CB_message_begin && error <= HPE_CB_chunk_complete) return -EMSGSIZE;
	return error == HPE_OK || error == HPE_PAUSED ? 0 : -EBADMSG;
}

ssize_t http_reply_feed(struct http_reply_parser *p, const char *data, size_t len)
{
	static const http_parser_settings settings = { .on_header_field = on_field,
		                                       .on_header_value = on_value,
		                                       .on_headers_complete = on_headers_complete,
		                                       .on_body = on_body,
		                                       .on_message_complete = on_complete };
	size_t used = http_parser_execute(&p->parser, &settings, data, len);
	int error = reason_of_refusal(p);

	if (error < 0) return error;
	if (p->complete && p->parser.http_major != 1) return -EBADMSG;
	return (ssize_t)used;
}

const char *http_headers_find(const char *headers, const char *name, char *buf, size_t size)
{
	size_t name_len = strlen(name);

	for (const char *line = headers; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		const char *end = strchrnul(line, '\n');
		if (strncmp(line, name, name_len) || strncmp(line + name_len, ": ", 2)) continue;
		const char *value = line + name_len + 2;
		size_t len = (size_t)(end - value) < size - 1 ? (size_t)(end - value) : size - 1;
		memcpy(buf, value, len);
		buf[len] = '\0';
		return buf;
	}
	return NULL;
}
