/* query.h - a request of EC2's Query protocol: a form-encoded body as names and values. Pure.
 *
 * Names are as the protocol writes them ("Filter.1.Value.2"). Every name and value is UTF-8 that XML may
 * hold, so that an answer can repeat it. Errors are -errno. */
#ifndef AZLAB_EC2_API_QUERY_H
#define AZLAB_EC2_API_QUERY_H
#include <stddef.h>

enum { QUERY_PAIRS_MAX = 4096, QUERY_BYTES_MAX = 256 * 1024 };

struct query_pair {
	char *name, *value;
};
struct query {
	struct query_pair *pairs; /* sorted by name */
	size_t n;
};

/* -EBADMSG for what is no form, repeats a name, or holds a NUL or other bytes that XML can't;
 * -EMSGSIZE past the limits above. */
int query_parse(struct query *ret, const char *body, size_t len);
void query_release(struct query *q);
/* NULL if there is no such parameter. The format makes the name: query_get(q, "Filter.%zu.Name", i). Strings
 * live as long as q. */
const char *query_get(const struct query *q, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
