#include "ec2-api/query.h"
#include "common/cleanup.h"
#include <errno.h>
#include <event2/http.h>
#include <libxml/chvalid.h>
#include <libxml/xmlstring.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

static bool fits_xml(const char *text)
{
	const xmlChar *at = (const xmlChar *)text;

	if (!xmlCheckUTF8(at)) return false;
	while (*at) {
		int len = 4, c = xmlGetUTF8Char(at, &len);
		if (c < 0 || !xmlIsCharQ(c)) return false;
		at += len;
	}
	return true;
}

/* NULL if the text holds what must not be in it (errno EBADMSG), or without memory. */
static char *decode(const char *encoded)
{
	size_t len;
	char *text = evhttp_uridecode(encoded, 1, &len);

	if (!text) {
		errno = ENOMEM;
	} else if (strlen(text) != len || !fits_xml(text)) {
		free(take_ptr(text));
		errno = EBADMSG;
	}
	return text;
}

static int add_pair(struct query *q, char *pair)
{
	char *value = strchr(pair, '=');

	if (!value || value == pair) return -EBADMSG;
	if (q->n == QUERY_PAIRS_MAX) return -EMSGSIZE;
	*value++ = '\0';
	struct query_pair *p = &q->pairs[q->n];
	if (!(p->name = decode(pair))) return -errno;
	q->n++; /* from here on query_release() frees it */
	return (p->value = decode(value)) ? 0 : -errno;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct query_pair *)a)->name, ((const struct query_pair *)b)->name);
}

static int sort(struct query *q)
{
	qsort(q->pairs, q->n, sizeof(*q->pairs), compare_pairs);
	for (size_t i = 1; i < q->n; i++) {
		if (compare_pairs(&q->pairs[i - 1], &q->pairs[i]) == 0) return -EBADMSG;
	}
	return 0;
}

int query_parse(struct query *ret, const char *body, size_t len)
{
	struct query q = { 0 };
	int r = 0;

	if (len > QUERY_BYTES_MAX) return -EMSGSIZE;
	if (memchr(body, '\0', len)) return -EBADMSG;
	cleanup_free char *copy = strndup(body, len);
	if (!copy || !(q.pairs = calloc(QUERY_PAIRS_MAX, sizeof(*q.pairs)))) return -ENOMEM;
	for (char *rest = copy, *pair; r == 0 && (pair = strsep(&rest, "&"));) {
		if (*pair) r = add_pair(&q, pair);
	}
	if (r == 0) r = sort(&q);
	if (r < 0)
		query_release(&q);
	else
		*ret = q;
	return r;
}

void query_release(struct query *q)
{
	for (size_t i = 0; i < q->n; i++) {
		free(q->pairs[i].name);
		free(q->pairs[i].value);
	}
	free(q->pairs);
	*q = (struct query){ 0 };
}

const char *query_get(const struct query *q, const char *format, ...)
{
	char name[NAME_MAX_BYTES];
	struct query_pair key = { .name = name };
	va_list args;

	va_start(args, format);
	int len = vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(name) || q->n == 0) return NULL;
	const struct query_pair *found = bsearch(&key, q->pairs, q->n, sizeof(key), compare_pairs);
	return found ? found->value : NULL;
}
