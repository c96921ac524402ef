#include "common/take.h"
#include "common/node.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int wrong(char why[WHY_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, WHY_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

int take_string(const json_t *object, const char *key, char *to, size_t size, char why[WHY_MAX])
{
	const char *text = node_string(object, key, "");

	if (!*text || strlen(text) >= size) return wrong(why, "'%s' is missing or too long", key);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

int take_address(const json_t *object, const char *key, int family, char *to, size_t size, char why[WHY_MAX])
{
	const char *text = node_string(object, key, "");
	uint8_t bytes[sizeof(struct in6_addr)];

	if (family == AF_UNSPEC) family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, bytes) != 1) return wrong(why, "'%s' is no address: '%s'", key, text);
	inet_ntop(family, bytes, to, (socklen_t)size);
	return 0;
}

int take_number(const json_t *object, const char *key, double fallback, double min, double max, double *ret,
                char why[WHY_MAX])
{
	double number = node_number(object, key, fallback);

	if (!(number >= min && number <= max))
		return wrong(why, "'%s': expected %.15g to %.15g", key, min, max);
	*ret = number;
	return 0;
}
