/* Texts to values and back. */
#include "orchestrator/topology/schema.h"
#include "common/cleanup.h"
#include <ctype.h>
#include <math.h>

static const struct {
	const char *unit;
	mono_ns ns;
} time_units[] = {
	{ "h", 3600 * NS_PER_S }, { "m", 60 * NS_PER_S }, { "s", NS_PER_S },
	{ "ms", NS_PER_MS },      { "us", NS_PER_US },    { "ns", 1 },
};

/* Longer than any run of the lab, and far from where nanoseconds overflow. */
#define DURATION_MAX_NS (366.0 * 86400 * 1e9)

/* Reads digits with an optional fraction and nothing else that strtod would take; returns what follows. */
static const char *read_number(const char *s, double *ret)
{
	const char *end = s + strspn(s, "0123456789");
	char *stop;

	if (end == s || end - s > 18) return NULL;
	if (*end == '.') {
		const char *fraction = end + 1;
		end = fraction + strspn(fraction, "0123456789");
		if (end == fraction || end - fraction > 24) return NULL;
	}
	*ret = strtod(s, &stop);
	return stop == end ? end : NULL;
}

bool schema_number(const char *text, double *ret)
{
	double value;
	const char *end = read_number(text, &value);

	if (!end || *end) return false;
	*ret = value;
	return true;
}

bool schema_duration(const char *text, mono_ns *ret)
{
	double value;
	const char *unit = read_number(text, &value);

	if (!unit) return false;
	if (!*unit && value == 0) {
		*ret = 0;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(time_units); i++) {
		if (strcmp(unit, time_units[i].unit)) continue;
		value *= (double)time_units[i].ns;
		if (value > DURATION_MAX_NS) return false;
		*ret = llround(value);
		return true;
	}
	return false;
}

bool schema_rate(const char *text, double *ret)
{
	double value;
	const char *unit = read_number(text, &value);

	if (!unit) return false;
	if (!strcmp(unit, "/s")) {
		*ret = value;
	} else if (!strcmp(unit, "/m")) {
		*ret = value / 60;
	} else if (!strcmp(unit, "/h")) {
		*ret = value / 3600;
	} else {
		return false;
	}
	return true;
}

bool schema_fraction(const char *text, double *ret)
{
	double value;
	const char *unit = read_number(text, &value);

	if (!unit || (*unit && strcmp(unit, "%"))) return false;
	*ret = *unit ? value / 100 : value;
	return true;
}

bool schema_count(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*text) return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
			return false;
		}
	}
	*ret = value;
	return true;
}

/* RFC 1123: letters, digits and inner hyphens; lower case, so that names are equal when they look equal. */
bool schema_label(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len > 0 && len <= max && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
	       text[0] != '-' && text[len - 1] != '-';
}

const char *schema_format_duration(mono_ns value, char *buf, size_t size)
{
	size_t i = 2; /* whole hours and minutes stay seconds: 90s reads better than 1.5m */

	while (i + 1 < ARRAY_SIZE(time_units) && value % time_units[i].ns)
		i++;
	snprintf(buf, size, "%lld%s", (long long)(value / time_units[i].ns), time_units[i].unit);
	return buf;
}

/* Tries more and more decimals until the text gives the value back. */
static const char *format_exactly(double value, double scale, const char *unit,
                                  bool (*parse)(const char *, double *), char *buf, size_t size)
{
	for (int decimals = 0; decimals <= 20; decimals++) {
		double again;
		snprintf(buf, size, "%.*f%s", decimals, value * scale, unit);
		if (parse(buf, &again) && again == value) break;
	}
	return buf;
}

const char *schema_format_rate(double value, char *buf, size_t size)
{
	return format_exactly(value, 1, "/s", schema_rate, buf, size);
}

const char *schema_format_fraction(double value, char *buf, size_t size)
{
	double again;

	format_exactly(value, 100, "%", schema_fraction, buf, size);
	/* a few doubles are no percentage's hundredth; as fractions all can be written */
	if (!schema_fraction(buf, &again) || again != value)
		format_exactly(value, 1, "", schema_fraction, buf, size);
	return buf;
}

/* --- near misses ------------------------------------------------------------------------------------- */

/* Edit distance (Levenshtein), for words of up to 63 bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[64];

	if (n > 63 || m > 63) return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			if (row[j] + 1 < best) best = row[j] + 1;
			if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[m];
}

const char *schema_near(const char *word, const char *const *names, size_t n)
{
	const char *nearest = NULL;
	size_t best = strlen(word) / 3 + 1; /* a third of the letters may be wrong */

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);
		if (d > best || (d == best && nearest)) continue;
		best = d;
		nearest = names[i];
	}
	return nearest;
}

const char *schema_hint(const char *word, const char *const *names, size_t n, char *buf, size_t size)
{
	const char *near = schema_near(word, names, n);

	buf[0] = 0;
	if (near) snprintf(buf, size, ", did you mean '%s'?", near);
	return buf;
}
