/* inbound.h - one HTTP request as its bytes come in (parsed by http_parser), and the text of its answer.
 * Pure. Errors are -errno. Embedded by its owner; nothing to free. */
#ifndef AZLAB_BACKEND_INBOUND_H
#define AZLAB_BACKEND_INBOUND_H
#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { INBOUND_PATH_MAX = 64, INBOUND_HEADER_MAX = 8192, INBOUND_HEAD_MAX = 256 };
#define INBOUND_BYTES_MAX (UINT64_C(1) << 40)

struct inbound {
	http_parser parser;
	char path[INBOUND_PATH_MAX]; /* its beginning, which is all that matters */
	size_t path_len;
	bool complete;
	bool head;        /* a HEAD request: its answer has no body */
	bool keep_alive;  /* the caller may send another one on this connection */
	bool wants_bytes; /* GET /bytes/N */
	uint64_t bytes;   /* that N */
};

void inbound_init(struct inbound *in);
/* Takes bytes up to the end of one request and returns how many; complete says whether it is there. -EBADMSG
 * for what is no HTTP request or a /bytes/ without a number up to INBOUND_BYTES_MAX. */
ssize_t inbound_feed(struct inbound *in, const char *data, size_t len);
/* Writes an answer's status line and header; returns its length. type is the body's media type. */
size_t inbound_answer_head(char buf[static INBOUND_HEAD_MAX], unsigned status, const char *type,
                           uint64_t length);
/* The byte at an offset of /bytes/N is offset % 251: a prime, so that no block looks like another one. */
static inline uint8_t inbound_byte_at(uint64_t offset)
{
	return (uint8_t)(offset % 251);
}
#endif
