#include "ec2-api/request.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TOKEN_MAX = 64, TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256, PAGE_MIN = 5 };

/* True if the parameter is absent (*ret untouched) or a number of the range. */
static bool optional_number(const struct query *q, const char *name, unsigned min, unsigned max,
                            unsigned *ret, struct api_error *e)
{
	const char *text = query_get(q, "%s", name);
	char *end;

	if (!text) return true;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value < min || value > max)
		return api_fail(e, API_INVALID_VALUE,
		                "Value (%s) for parameter %s is invalid. It is a number from %u to %u", text,
		                name, min, max);
	*ret = (unsigned)value;
	return true;
}

static bool number(const struct query *q, const char *name, unsigned min, unsigned max, unsigned *ret,
                   struct api_error *e)
{
	if (!query_get(q, "%s", name))
		return api_fail(e, API_MISSING, "The request must contain the parameter %s", name);
	return optional_number(q, name, min, max, ret, e);
}

bool request_is_dry(const struct query *q)
{
	const char *dry = query_get(q, "DryRun");

	return dry && strcasecmp(dry, "true") == 0;
}

/* --- RunInstances ------------------------------------------------------------------------------------ */

static bool add_tag(json_t *tags, const char *key, const char *value, struct api_error *e)
{
	if (!key || !key[0]) return api_fail(e, API_MISSING, "A tag must have a Key");
	if (strlen(key) > TAG_KEY_MAX || strlen(value) > TAG_VALUE_MAX)
		return api_fail(e, API_INVALID_VALUE, "Tag %s: keys have up to %d bytes, values up to %d",
		                key, TAG_KEY_MAX, TAG_VALUE_MAX);
	if (strncmp(key, "aws:", 4) == 0)
		return api_fail(e, API_INVALID_VALUE, "Tag keys starting with 'aws:' are reserved");
	if (json_object_get(tags, key))
		return api_fail(e, API_INVALID_VALUE, "Duplicate tag key '%s' specified", key);
	if (json_object_size(tags) == REQUEST_TAGS_MAX)
		return api_fail(e, API_TAG_LIMIT, "More than %d tags", REQUEST_TAGS_MAX);
	json_object_set_new(tags, key, json_string(value));
	return true;
}

/* Tags are for what ResourceType says; those for volumes and the like have nothing here to be put on. */
static bool read_tags(const struct query *q, json_t *tags, struct api_error *e)
{
	const char *type, *key, *value;

	for (int i = 1; (type = query_get(q, "TagSpecification.%d.ResourceType", i)); i++) {
		if (strcmp(type, "instance")) continue;
		for (int t = 1;; t++) {
			key = query_get(q, "TagSpecification.%d.Tag.%d.Key", i, t);
			value = query_get(q, "TagSpecification.%d.Tag.%d.Value", i, t);
			if (!key && !value) break;
			if (!add_tag(tags, key, value ? value : "", e)) return false;
		}
	}
	return true;
}

static bool read_run(const struct query *q, struct run_request *r, struct api_error *e)
{
	const char *image = query_get(q, "ImageId"), *type = query_get(q, "InstanceType");

	if (!image || !image[0])
		return api_fail(e, API_MISSING, "The request must contain the parameter ImageId");
	r->image = image;
	r->type = type ? type : "m1.small"; /* EC2's own default */
	r->zone = query_get(q, "Placement.AvailabilityZone");
	r->token = query_get(q, "ClientToken");
	if (r->token && !r->token[0]) r->token = NULL;
	if (r->token && strlen(r->token) > TOKEN_MAX)
		return api_fail(e, API_INVALID_VALUE, "ClientToken has more than %d bytes", TOKEN_MAX);
	if (strlen(r->image) >= INSTANCE_NAME_MAX || strlen(r->type) >= INSTANCE_NAME_MAX)
		return api_fail(e, API_INVALID_VALUE, "ImageId and InstanceType have at most %d bytes",
		                INSTANCE_NAME_MAX - 1);
	if (!number(q, "MinCount", 1, REQUEST_COUNT_MAX, &r->min, e) ||
	    !number(q, "MaxCount", 1, REQUEST_COUNT_MAX, &r->max, e))
		return false;
	if (r->min > r->max)
		return api_fail(e, API_COMBINATION, "MinCount (%u) is greater than MaxCount (%u)", r->min,
		                r->max);
	return read_tags(q, r->tags, e);
}

bool request_run(const struct query *q, struct run_request *ret, struct api_error *e)
{
	struct run_request r = { .tags = json_object() };

	if (!read_run(q, &r, e)) {
		run_request_release(&r);
		return false;
	}
	const char *real = json_string_value(json_object_get(r.tags, "azlab:real"));
	r.real = real && strcmp(real, "true") == 0;
	*ret = r;
	return true;
}

void run_request_release(struct run_request *r)
{
	json_decref(take_ptr(r->tags));
}

/* FNV-1a, each text with the NUL that ends it. */
static uint64_t hash_text(uint64_t h, const char *text)
{
	do
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return h;
}

uint64_t run_request_hash(const struct run_request *r)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	cleanup_free char *tags = json_dumps(r->tags, JSON_COMPACT | JSON_SORT_KEYS);
	char counts[32];

	snprintf(counts, sizeof(counts), "%u:%u", r->min, r->max);
	h = hash_text(hash_text(hash_text(h, counts), r->image), r->type);
	return hash_text(hash_text(h, r->zone ? r->zone : ""), tags ? tags : "");
}

/* --- lists of instances ------------------------------------------------------------------------------ */

static bool read_ids(const struct query *q, const char **ids, size_t *ret_n, struct api_error *e)
{
	const char *id;
	size_t n = 0;

	while ((id = query_get(q, "InstanceId.%zu", n + 1))) {
		if (n == REQUEST_IDS_MAX)
			return api_fail(e, API_INVALID_VALUE, "More than %d instance IDs", REQUEST_IDS_MAX);
		if (!instance_id_valid(id)) return api_fail(e, API_MALFORMED_ID, "Invalid id: \"%s\"", id);
		ids[n++] = id;
	}
	*ret_n = n;
	return true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t without_repetitions(const char **ids, size_t n)
{
	size_t kept = 0;

	if (n) qsort(ids, n, sizeof(*ids), compare_texts);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || strcmp(ids[kept - 1], ids[i])) ids[kept++] = ids[i];
	}
	return kept;
}

bool request_ids(const struct query *q, struct ids_request *ret, struct api_error *e)
{
	if (!read_ids(q, ret->ids, &ret->n, e)) return false;
	if (ret->n == 0) return api_fail(e, API_MISSING, "The request must contain the parameter InstanceId");
	ret->n = without_repetitions(ret->ids, ret->n);
	return true;
}

/* --- filters ----------------------------------------------------------------------------------------- */

static const char *text_of_id(const struct instance *i)
{
	return i->id;
}
static const char *text_of_state(const struct instance *i)
{
	return instance_state_text(i->state);
}
static const char *text_of_zone(const struct instance *i)
{
	return i->zone;
}
static const char *text_of_image(const struct instance *i)
{
	return i->image;
}
static const char *text_of_type(const struct instance *i)
{
	return i->type;
}
static const char *text_of_token(const struct instance *i)
{
	return i->token;
}
static const char *text_of_reservation(const struct instance *i)
{
	return i->reservation;
}
static const char *text_of_address(const struct instance *i)
{
	return i->address;
}

static const struct {
	const char *name;
	const char *(*text)(const struct instance *i);
} filters[] = {
	{ "instance-id", text_of_id },
	{ "instance-state-name", text_of_state },
	{ "availability-zone", text_of_zone },
	{ "image-id", text_of_image },
	{ "instance-type", text_of_type },
	{ "client-token", text_of_token },
	{ "reservation-id", text_of_reservation },
	{ "private-ip-address", text_of_address },
};

static bool known_filter(const char *name)
{
	if (strncmp(name, "tag:", 4) == 0 || strcmp(name, "tag-key") == 0) return true;
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		if (strcmp(filters[i].name, name) == 0) return true;
	}
	return false;
}

static bool read_filter(const struct query *q, int number, struct filter *f, struct api_error *e)
{
	const char *value;

	f->n = 0;
	if (!known_filter(f->name))
		return api_fail(e, API_INVALID_VALUE, "The filter '%s' is invalid", f->name);
	while ((value = query_get(q, "Filter.%d.Value.%zu", number, f->n + 1))) {
		if (f->n == REQUEST_VALUES_MAX)
			return api_fail(e, API_INVALID_VALUE, "More than %d values of a filter",
			                REQUEST_VALUES_MAX);
		f->values[f->n++] = value;
	}
	if (f->n == 0) return api_fail(e, API_MISSING, "The filter '%s' has no Value", f->name);
	return true;
}

static bool read_filters(const struct query *q, struct describe_request *r, struct api_error *e)
{
	const char *name;

	for (int i = 1; (name = query_get(q, "Filter.%d.Name", i)); i++) {
		if (r->n_filters == REQUEST_FILTERS_MAX)
			return api_fail(e, API_INVALID_VALUE, "More than %d filters", REQUEST_FILTERS_MAX);
		struct filter *f = &r->filters[r->n_filters++];
		f->name = name;
		if (!read_filter(q, i, f, e)) return false;
	}
	return true;
}

/* `*` and `?` as EC2 has them: no classes, no escapes, so not fnmatch(). Goes back to the last star only. */
static bool matches_pattern(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool any_value(const struct filter *f, const char *text)
{
	for (size_t i = 0; i < f->n; i++) {
		if (matches_pattern(f->values[i], text)) return true;
	}
	return false;
}

static bool any_key(const struct filter *f, const json_t *tags)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)tags, key, value) {
		if (any_value(f, key)) return true;
	}
	return false;
}

static bool passes(const struct filter *f, const struct instance *i)
{
	if (strcmp(f->name, "tag-key") == 0) return any_key(f, i->tags);
	if (strncmp(f->name, "tag:", 4) == 0) {
		const char *value = json_string_value(json_object_get(i->tags, f->name + 4));
		return value && any_value(f, value);
	}
	for (size_t k = 0; k < ARRAY_SIZE(filters); k++) {
		if (strcmp(filters[k].name, f->name) == 0) return any_value(f, filters[k].text(i));
	}
	return false;
}

bool request_matches(const struct describe_request *r, const struct instance *i)
{
	for (size_t f = 0; f < r->n_filters; f++) {
		if (!passes(&r->filters[f], i)) return false;
	}
	return true;
}

/* --- DescribeInstances ------------------------------------------------------------------------------- */

bool request_describe(const struct query *q, struct describe_request *ret, struct api_error *e)
{
	const char *all = query_get(q, "IncludeAllInstances");

	ret->n_ids = ret->n_filters = 0;
	ret->max_results = 0;
	ret->after = query_get(q, "NextToken");
	ret->all_states = all && strcasecmp(all, "true") == 0;
	if (ret->after && !ret->after[0]) ret->after = NULL;
	if (ret->after && !instance_id_valid(ret->after))
		return api_fail(e, API_INVALID_TOKEN, "The pagination token is invalid");
	if (!read_ids(q, ret->ids, &ret->n_ids, e) || !read_filters(q, ret, e) ||
	    !optional_number(q, "MaxResults", PAGE_MIN, REQUEST_PAGE_MAX, &ret->max_results, e))
		return false;
	if (ret->n_ids && ret->max_results)
		return api_fail(e, API_COMBINATION,
		                "The parameter instancesSet cannot be used with the parameter maxResults");
	ret->n_ids = without_repetitions(ret->ids, ret->n_ids);
	return true;
}
