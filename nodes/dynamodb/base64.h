/* base64.h - decodes base64 (RFC 4648), in its one canonical form only. Pure. */
#ifndef AZLAB_DYNAMODB_BASE64_H
#define AZLAB_DYNAMODB_BASE64_H
#include <stddef.h>
#include <sys/types.h>

/* Decodes into out, which has room for len / 4 * 3 bytes; may be NULL to only check. Returns how many bytes
 * it is, -EBADMSG if the text is no base64. */
ssize_t base64_decode(const char *text, size_t len, unsigned char *out);
#endif
