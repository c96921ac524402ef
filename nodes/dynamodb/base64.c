#include "dynamodb/base64.h"
#include <errno.h>
#include <stdint.h>

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	if (c == '+') return 62;
	return c == '/' ? 63 : -1;
}

/* A group of four characters, the last `pads` of them '='; its bits beyond the bytes have to be 0. */
static int decode_group(const char *text, size_t pads, uint32_t *ret)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int six = i < 4 - pads ? sextet(text[i]) : 0;
		if (six < 0) return -EBADMSG;
		bits = bits << 6 | (uint32_t)six;
	}
	if (bits & ((1U << 8 * pads) - 1)) return -EBADMSG;
	*ret = bits;
	return 0;
}

ssize_t base64_decode(const char *text, size_t len, unsigned char *out)
{
	size_t pads = 0, n = 0;

	if (len % 4) return -EBADMSG;
	while (pads < 2 && len > pads && text[len - 1 - pads] == '=')
		pads++;
	for (size_t at = 0; at < len; at += 4) {
		size_t missing = at + 4 == len ? pads : 0;
		uint32_t bits;
		if (decode_group(text + at, missing, &bits) < 0) return -EBADMSG;
		for (size_t i = 0; i < 3 - missing; i++, n++)
			if (out) out[n] = (unsigned char)(bits >> (16 - 8 * i));
	}
	return (ssize_t)n;
}
