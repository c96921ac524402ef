// with: nodes/common/http_reply.c
/* Any bytes as an HTTP answer, in pieces of any size: the pieces make no difference. */
#include "common/http_reply.h"
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 4096 };

static ssize_t feed(struct http_reply_parser *p, const uint8_t *data, size_t size, size_t piece)
{
	size_t at = 0;

	http_reply_init(p, BODY_MAX);
	while (at < size && !p->complete) {
		size_t len = size - at < piece ? size - at : piece;
		ssize_t used = http_reply_feed(p, (const char *)data + at, len);
		if (used < 0) return used;
		if ((size_t)used > len || (!p->complete && (size_t)used < len)) abort();
		at += (size_t)used;
	}
	return (ssize_t)at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reply_parser whole, pieces;
	char value[64];

	if (size < 1) return 0;
	ssize_t a = feed(&whole, data + 1, size - 1, SIZE_MAX),
	        b = feed(&pieces, data + 1, size - 1, 1 + data[0] % 16);
	if ((a < 0) != (b < 0) || whole.complete != pieces.complete) abort();
	if (whole.complete &&
	    (whole.status != pieces.status || whole.body.len != pieces.body.len ||
	     (whole.body.len && memcmp(whole.body.bytes, pieces.body.bytes, whole.body.len))))
		abort();
	if (whole.headers.len) http_headers_find(whole.headers.bytes, "x-amz-crc32", value, sizeof(value));
	http_reply_release(&whole);
	http_reply_release(&pieces);
	return 0;
}
