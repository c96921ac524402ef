/* http_message.h - one HTTP request as its bytes come in: found in the buffer that they lie in, by
 * http_parser. Pure. The caller keeps the bytes of one request together in one buffer, which may move between
 * calls. Embedded by its owner; nothing to free. */
#ifndef AZLAB_HTTP_MESSAGE_H
#define AZLAB_HTTP_MESSAGE_H
#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEADERS_MAX = 64, HTTP_HEAD_BYTES_MAX = 16384 };

/* Part of the buffer, by its offset. */
struct http_span {
	size_t at, len;
};

struct http_message {
	http_parser parser;
	const char *base; /* the buffer, during a call */
	size_t parsed;    /* bytes of the buffer that the parser has seen */
	size_t max_body;
	unsigned status; /* what to refuse the request with, 0 if nothing is wrong */
	bool complete;
	bool wants_continue; /* the client waits with its body for "100 Continue" */
	bool in_value;       /* the parser's last word on headers was a value */
	unsigned n_headers;
	struct http_span path, body;
	struct {
		struct http_span name, value;
	} headers[HTTP_HEADERS_MAX];
};

void http_message_init(struct http_message *m, size_t max_body);
/* Looks at the bytes of the buffer that are new, up to the request's end. False if it is refused with
 * `status`.
 */
bool http_message_feed(struct http_message *m, const char *buffer, size_t len);
/* May another request follow on the connection? Once complete. */
bool http_message_keep_alive(const struct http_message *m);
/* Ends the texts of a complete request with '\0', in the buffer. */
void http_message_end_texts(const struct http_message *m, char *buffer);
/* The value of a header in such a buffer, NULL if there is none. */
const char *http_message_header(const struct http_message *m, const char *buffer, const char *name);
#endif
