#include "backend/inbound.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BYTES_PREFIX "/bytes/"

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct inbound *in = parser->data;
	size_t room = sizeof(in->path) - 1 - in->path_len, n = len < room ? len : room;

	memcpy(in->path + in->path_len, at, n);
	in->path_len += n;
	return 0;
}

static int on_complete(http_parser *parser)
{
	struct inbound *in = parser->data;

	in->complete = true;
	in->head = parser->method == HTTP_HEAD;
	/* after CONNECT and Upgrade the next bytes would not be HTTP */
	in->keep_alive = http_should_keep_alive(parser) && !parser->upgrade;
	http_parser_pause(parser, 1); /* a pipelined request behind it waits for its turn */
	return 0;
}

void inbound_init(struct inbound *in)
{
	*in = (struct inbound){ 0 };
	http_parser_init(&in->parser, HTTP_REQUEST);
	http_parser_set_max_header_size(INBOUND_HEADER_MAX);
	in->parser.data = in;
}

/* The number in "/bytes/N"; nothing for other paths. */
static int read_bytes_wanted(struct inbound *in)
{
	const char *digits = in->path + strlen(BYTES_PREFIX);
	uint64_t n = 0;

	if (strncmp(in->path, BYTES_PREFIX, strlen(BYTES_PREFIX))) return 0;
	if (!*digits) return -EBADMSG;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9') return -EBADMSG;
		n = n * 10 + (uint64_t)(*digits - '0');
		if (n > INBOUND_BYTES_MAX) return -EBADMSG;
	}
	in->wants_bytes = true;
	in->bytes = n;
	return 0;
}

ssize_t inbound_feed(struct inbound *in, const char *data, size_t len)
{
	static const http_parser_settings settings = { .on_url = on_url, .on_message_complete = on_complete };
	size_t used = http_parser_execute(&in->parser, &settings, data, len);
	enum http_errno error = HTTP_PARSER_ERRNO(&in->parser);

	if (error != HPE_OK && error != HPE_PAUSED) return -EBADMSG;
	if (in->complete && (in->parser.http_major != 1 || read_bytes_wanted(in) < 0)) return -EBADMSG;
	return (ssize_t)used;
}

size_t inbound_answer_head(char buf[static INBOUND_HEAD_MAX], unsigned status, const char *type,
                           uint64_t length)
{
	return (size_t)snprintf(buf, INBOUND_HEAD_MAX,
	                        "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %" PRIu64 "\r\n\r\n",
	                        status, http_status_str((enum http_status)status), type, length);
}
