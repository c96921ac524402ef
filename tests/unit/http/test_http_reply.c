/* An HTTP answer as its bytes come in, in pieces of every size. */
#include "common/http_reply.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { BODY_MAX = 64 };

/* Feeds a text in pieces of that size; the last result. */
static ssize_t feed(struct http_reply_parser *p, const char *text, size_t piece)
{
	size_t len = strlen(text), at = 0;
	ssize_t used = 0;

	http_reply_init(p, BODY_MAX);
	while (at < len && !p->complete && used >= 0) {
		used = http_reply_feed(p, text + at, len - at < piece ? len - at : piece);
		if (used > 0) at += (size_t)used;
	}
	return used < 0 ? used : (ssize_t)at;
}

static void an_answer_comes_in_any_pieces(void **state)
{
	static const char text[] =
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-Amz-CRC32: 17\r\n\r\nhelloREST";
	struct http_reply_parser p;
	char value[32];

	(void)state;
	for (size_t piece = 1; piece <= sizeof(text); piece++) {
		assert_int_equal(feed(&p, text, piece), strlen(text) - strlen("REST"));
		assert_true(p.complete && p.keep_alive);
		assert_int_equal(p.status, 404);
		assert_string_equal(p.body.bytes, "hello");
		assert_string_equal(http_headers_find(p.headers.bytes, "x-amz-crc32", value, sizeof(value)),
		                    "17");
		assert_string_equal(http_headers_find(p.headers.bytes, "content-length", value, 1), "");
		assert_null(http_headers_find(p.headers.bytes, "x-amz", value, sizeof(value)));
		http_reply_release(&p);
	}
}

static void continue_is_passed_over(void **state)
{
	struct http_reply_parser p;

	(void)state;
	feed(&p, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 7);
	assert_true(p.complete);
	assert_int_equal(p.status, 200);
	http_reply_release(&p);
}

static void an_answer_without_a_length_ends_with_the_connection(void **state)
{
	struct http_reply_parser p;

	(void)state;
	feed(&p, "HTTP/1.0 200 OK\r\n\r\nhello", 100);
	assert_false(p.complete);
	assert_true(http_reply_feed(&p, "", 0) >= 0);
	assert_true(p.complete && !p.keep_alive);
	assert_string_equal(p.body.bytes, "hello");
	http_reply_release(&p);
	feed(&p, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 100);
	assert_true(http_reply_feed(&p, "", 0) < 0 || !p.complete); /* cut short */
	http_reply_release(&p);
}

static void what_is_no_answer_or_too_large_is_refused(void **state)
{
	static char large[HTTP_REPLY_HEADERS_MAX + 256];
	struct http_reply_parser p;

	(void)state;
	assert_int_equal(feed(&p, "SSH-2.0-OpenSSH_9\r\n", 100), -EBADMSG);
	http_reply_release(&p);
	assert_int_equal(feed(&p, "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 100), -EBADMSG);
	http_reply_release(&p);
	assert_int_equal(feed(&p,
	                      "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n"
	                      "0123456789012345678901234567890123456789012345678901234567890123456789",
	                      100),
	                 -EMSGSIZE);
	http_reply_release(&p);
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large, "HTTP/1.1 200 OK\r\nX: ", 20);
	assert_int_equal(feed(&p, large, 1000), -EMSGSIZE);
	http_reply_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_in_any_pieces),
		cmocka_unit_test(continue_is_passed_over),
		cmocka_unit_test(an_answer_without_a_length_ends_with_the_connection),
		cmocka_unit_test(what_is_no_answer_or_too_large_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
