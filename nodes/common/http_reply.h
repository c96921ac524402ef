/* http_reply.h - one HTTP answer as its bytes come in, by http_parser. Pure. Embedded by its owner, who
 * releases it. */
#ifndef AZLAB_HTTP_REPLY_H
#define AZLAB_HTTP_REPLY_H
#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { HTTP_REPLY_HEADERS_MAX = 16384 };

struct http_text {
	char *bytes; /* ends with a '\0' behind len bytes; NULL while empty */
	size_t len, room;
};
struct http_reply_parser {
	http_parser parser;
	struct http_text headers; /* "name: value\n" each, names in lower case */
	struct http_text body;
	size_t max_body;
	bool in_value;
	bool complete, keep_alive;
	unsigned status;
};

void http_reply_init(struct http_reply_parser *p, size_t max_body);
void http_reply_release(struct http_reply_parser *p);
/* Takes bytes up to the answer's end and returns how many; complete says whether it is there. len 0: the
 * connection's end, which is the end of an answer without a length. -EBADMSG for what is no HTTP/1 answer,
 * -EMSGSIZE if it is too large, -ENOMEM. 1xx answers are passed over. */
ssize_t http_reply_feed(struct http_reply_parser *p, const char *data, size_t len);
/* The value of a header (name in lower case) in such text, into buf, cut to its size; NULL if there is none.
 */
const char *http_headers_find(const char *headers, const char *name, char *buf, size_t size);
#endif
