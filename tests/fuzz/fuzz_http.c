// with: nodes/common/http_message.c
/* Any bytes as an HTTP request, whole and cut in two at any place: refused or taken alike, and its texts lie
 * within. */
#include "common/http_message.h"
#include <stdlib.h>
#include <string.h>

/* Feeds the bytes in two pieces into a buffer of exactly their size: reading beyond it is noticed. */
static bool feed(struct http_message *m, char *buffer, size_t first, size_t size)
{
	http_message_init(m, 1000);
	return http_message_feed(m, buffer, first) && (m->complete || http_message_feed(m, buffer, size));
}

static void look(const struct http_message *m, char *buffer)
{
	if (m->parsed < m->body.at + m->body.len || m->body.len > 1000) abort();
	http_message_end_texts(m, buffer);
	(void)!strlen(buffer + m->path.at);
	for (unsigned i = 0; i < m->n_headers; i++) {
		if (!http_message_header(m, buffer, buffer + m->headers[i].name.at)) abort();
		(void)!strlen(buffer + m->headers[i].value.at);
	}
	http_message_keep_alive(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* the parser is a library that the fuzzer can't look into: without a beginning it would not get far
	 */
	static const char *const beginnings[] = { "", "POST / HTTP/1.1\r\n",
		                                  "PUT /a HTTP/1.1\r\nContent-Length: 4\r\n",
		                                  "GET / HTTP/1.0\r\nX: y\r\n" };
	static struct http_message whole, pieces;

	if (size < 2) return 0;
	const char *beginning = beginnings[data[1] % 4];
	size_t skip = strlen(beginning), len = skip + size - 2;
	if (len == 0) return 0;
	char *buffer = malloc(len);
	memcpy(buffer, beginning, skip);
	memcpy(buffer + skip, data + 2, size - 2);
	bool taken = feed(&whole, buffer, len, len);
	if (feed(&pieces, buffer, data[0] % len, len) != taken || whole.complete != pieces.complete) abort();
	if (taken && whole.complete) {
		if (whole.parsed != pieces.parsed || whole.n_headers != pieces.n_headers || whole.status)
			abort();
		look(&whole, buffer);
	}
	if (!taken && (whole.status < 400 || whole.status != pieces.status)) abort();
	free(buffer);
	return 0;
}
