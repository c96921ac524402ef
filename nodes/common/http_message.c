#include "common/http_message.h"
#include <string.h>
#include <strings.h>

enum {
	STATUS_BAD_REQUEST = 400,
	STATUS_LENGTH_REQUIRED = 411,
	STATUS_BODY_TOO_LARGE = 413,
	STATUS_HEADERS_TOO_LARGE = 431,
	STATUS_VERSION = 505
};

/* Text comes in pieces where the bytes did, but the pieces lie side by side. */
static void extend(struct http_span *span, const struct http_message *m, const char *at, size_t len)
{
	size_t offset = (size_t)(at - m->base);

	if (len == 0) return; /* an empty value: `at` is then somewhere behind it */
	if (span->len == 0) span->at = offset;
	span->len = offset + len - span->at;
}

static int refuse(struct http_message *m, unsigned status)
{
	m->status = status;
	return -1;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct http_message *m = parser->data;

	extend(&m->path, m, at, len);
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct http_message *m = parser->data;

	if (m->in_value) {
		m->in_value = false;
		m->n_headers++;
	}
	if (m->n_headers == HTTP_HEADERS_MAX) return refuse(m, STATUS_HEADERS_TOO_LARGE);
	extend(&m->headers[m->n_headers].name, m, at, len);
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct http_message *m = parser->data;

	m->in_value = true;
	extend(&m->headers[m->n_headers].value, m, at, len);
	return 0;
}

static bool expects_continue(const struct http_message *m)
{
	static const char name[] = "expect", value[] = "100-continue";

	for (unsigned i = 0; i < m->n_headers; i++) {
		if (m->headers[i].name.len == strlen(name) &&
		    strncasecmp(m->base + m->headers[i].name.at, name, strlen(name)) == 0)
			return m->headers[i].value.len == strlen(value) &&
			       strncasecmp(m->base + m->headers[i].value.at, value, strlen(value)) == 0;
	}
	return false;
}

static int on_headers(http_parser *parser)
{
	struct http_message *m = parser->data;

	if (m->in_value) m->n_headers++;
	m->in_value = false;
	if (parser->http_major != 1) return refuse(m, STATUS_VERSION);
	if (parser->flags & F_CHUNKED) return refuse(m, STATUS_LENGTH_REQUIRED);
	/* without a Content-Length, the parser's is the largest number that there is */
	if (parser->content_length != UINT64_MAX && parser->content_length > m->max_body)
		return refuse(m, STATUS_BODY_TOO_LARGE);
	m->wants_continue = expects_continue(m);
	return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct http_message *m = parser->data;

	extend(&m->body, m, at, len);
	return 0;
}

static int on_complete(http_parser *parser)
{
	struct http_message *m = parser->data;

	m->complete = true;
	http_parser_pause(parser, 1); /* a pipelined request behind it waits for its turn */
	return 0;
}

void http_message_init(struct http_message *m, size_t max_body)
{
	*m = (struct http_message){ .max_body = max_body };
	http_parser_init(&m->parser, HTTP_REQUEST);
	http_parser_set_max_header_size(HTTP_HEAD_BYTES_MAX);
	m->parser.data = m;
}

bool http_message_feed(struct http_message *m, const char *buffer, size_t len)
{
	static const http_parser_settings settings = { .on_url = on_url,
		                                       .on_header_field = on_field,
		                                       .on_header_value = on_value,
		                                       .on_headers_complete = on_headers,
		                                       .on_body = on_body,
		                                       .on_message_complete = on_complete };

	if (len == m->parsed) return !m->status; /* no bytes at all would mean the connection's end */
	m->base = buffer;
	m->parsed += http_parser_execute(&m->parser, &settings, buffer + m->parsed, len - m->parsed);
	m->base = NULL;
	enum http_errno error = HTTP_PARSER_ERRNO(&m->parser);
	if (error == HPE_OK || (error == HPE_PAUSED && m->complete)) return true;
	if (error == HPE_HEADER_OVERFLOW) m->status = STATUS_HEADERS_TOO_LARGE;
	if (!m->status) m->status = STATUS_BAD_REQUEST;
	return false;
}

bool http_message_keep_alive(const struct http_message *m)
{
	/* after CONNECT and Upgrade the next bytes would not be HTTP */
	return http_should_keep_alive(&m->parser) && !m->parser.upgrade;
}

static void end_text(char *buffer, struct http_span span)
{
	while (span.len > 0 &&
	       (buffer[span.at + span.len - 1] == ' ' || buffer[span.at + span.len - 1] == '\t'))
		span.len--;
	buffer[span.at + span.len] = '\0';
}

/* What follows each text, a space, a colon, the end of a line, has served its purpose; so has the buffer's
 * first byte, the method's: there an empty value lies. */
void http_message_end_texts(const struct http_message *m, char *buffer)
{
	end_text(buffer, m->path);
	for (unsigned i = 0; i < m->n_headers; i++) {
		end_text(buffer, m->headers[i].name);
		end_text(buffer, m->headers[i].value);
	}
}

const char *http_message_header(const struct http_message *m, const char *buffer, const char *name)
{
	for (unsigned i = 0; i < m->n_headers; i++) {
		if (strcasecmp(buffer + m->headers[i].name.at, name) == 0)
			return buffer + m->headers[i].value.at;
	}
	return NULL;
}
