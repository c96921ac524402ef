#include "proto/dns_plan.h"
#include "common/cleanup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <zlib.h>

/* What the checksum covers: the object without it, in one form that doesn't depend on who wrote it. */
static const size_t ONE_FORM = JSON_COMPACT | JSON_SORT_KEYS;

static const char *const kinds[] = { [DNS_PLAN_CAPACITY] = "capacity", [DNS_PLAN_EVACUATE] = "evacuate" };

const char *dns_plan_kind_text(enum dns_plan_kind k)
{
	return kinds[k];
}

void dns_plan_release(struct dns_plan *p)
{
	free(p->endpoints);
	free(p->balancers);
	*p = (struct dns_plan){ 0 };
}

static int wrong(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, DNS_PLAN_WHY_MAX, format, args);
	va_end(args);
	return -EBADMSG;
}

/* --- checks ------------------------------------------------------------------------------------------ */

static int check_endpoints(const struct dns_plan *p, char *why)
{
	if (p->n_endpoints == 0) return wrong(why, "it has no endpoint");
	if (p->n_endpoints > DNS_ENDPOINTS_MAX) return wrong(why, "it has too many endpoints");
	for (size_t i = 0; i < p->n_endpoints; i++) {
		const struct dns_endpoint *e = &p->endpoints[i];
		if (!dns_labels_ok(e->name, sizeof(e->name), true))
			return wrong(why, "endpoint %zu has no proper name", i);
	}
	return 0;
}

static int check_balancers(const struct dns_plan *p, char *why)
{
	if (p->n_balancers > DNS_BALANCERS_MAX) return wrong(why, "it has too many load balancers");
	for (size_t i = 0; i < p->n_balancers; i++) {
		const struct dns_balancer *b = &p->balancers[i];
		if (!dns_labels_ok(b->name, sizeof(b->name), true))
			return wrong(why, "load balancer %zu has no proper name", i);
		if (b->weight == 0) return wrong(why, "load balancer '%s' has no weight", b->name);
	}
	return 0;
}

int dns_plan_check(const struct dns_plan *p, char why[DNS_PLAN_WHY_MAX])
{
	int r = 0;

	if (p->number > INT64_MAX || p->event > INT64_MAX) r = wrong(why, "its numbers are out of range");
	if (r == 0 && !dns_tree_ok(p->tree)) r = wrong(why, "its tree has no proper name");
	if (r == 0 && !dns_labels_ok(p->service, sizeof(p->service), false))
		r = wrong(why, "its service has no proper name");
	if (r == 0 && !dns_labels_ok(p->zone, sizeof(p->zone), true))
		r = wrong(why, "its zone has no proper name");
	if (r == 0 && (p->made_ms < 0 || p->ttl_s > INT32_MAX)) r = wrong(why, "its times are out of range");
	if (r == 0) r = check_endpoints(p, why);
	if (r == 0) r = check_balancers(p, why);
	return r < 0 ? -EINVAL : 0;
}

/* --- reading ----------------------------------------------------------------------------------------- */

static int sum_bytes(const char *bytes, size_t n, void *arg)
{
	uLong *sum = arg;

	*sum = crc32_z(*sum, (const Bytef *)bytes, n);
	return 0;
}

static int take_integer(const json_t *o, const char *key, int64_t max, int64_t *ret, char *why)
{
	const json_t *value = json_object_get(o, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
		return wrong(why, "'%s' is missing or no number that fits", key);
	*ret = json_integer_value(value);
	return 0;
}

static int take_text(const json_t *o, const char *key, char *to, size_t size, char *why)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text || strlen(text) >= size) return wrong(why, "'%s' is missing or no text that fits", key);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

static int take_address(const json_t *o, const char *key, int family, void *to, char *why)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && inet_pton(family, text, to) == 1 ? 0 : wrong(why, "'%s' is no address", key);
}

static int take_kind(const json_t *o, enum dns_plan_kind *ret, char *why)
{
	char text[16];
	int r = take_text(o, "kind", text, sizeof(text), why);

	if (r < 0) return r;
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (strcmp(text, kinds[k])) continue;
		*ret = (enum dns_plan_kind)k;
		return 0;
	}
	return wrong(why, "kind '%s' is unknown", text);
}

/* Room for as many entries as the array has, up to max. */
static int take_array(const json_t *o, const char *key, size_t max, size_t entry, const json_t **ret,
                      void **ret_room, char *why)
{
	const json_t *array = json_object_get(o, key);
	size_t n = json_array_size(array);

	if (!json_is_array(array) || n > max) return wrong(why, "'%s' is missing or no list that fits", key);
	if (!(*ret_room = calloc(n ? n : 1, entry))) return -ENOMEM;
	*ret = array;
	return 0;
}

static int take_endpoints(const json_t *o, struct dns_plan *p, char *why)
{
	const json_t *array;
	void *room;
	int r = take_array(o, "endpoints", DNS_ENDPOINTS_MAX, sizeof(*p->endpoints), &array, &room, why);

	if (r < 0) return r;
	p->endpoints = room;
	p->n_endpoints = json_array_size(array);
	for (size_t i = 0; i < p->n_endpoints && r == 0; i++) {
		const json_t *entry = json_array_get(array, i);
		struct dns_endpoint *e = &p->endpoints[i];
		char variant[16];
		r = take_text(entry, "name", e->name, sizeof(e->name), why);
		if (r == 0) r = take_text(entry, "variant", variant, sizeof(variant), why);
		if (r == 0 && dns_variant_find(variant, &e->variant) < 0)
			r = wrong(why, "variant '%s' is unknown", variant);
	}
	return r;
}

static int take_balancers(const json_t *o, struct dns_plan *p, char *why)
{
	const json_t *array;
	void *room;
	int r = take_array(o, "load_balancers", DNS_BALANCERS_MAX, sizeof(*p->balancers), &array, &room, why);

	if (r < 0) return r;
	p->balancers = room;
	p->n_balancers = json_array_size(array);
	for (size_t i = 0; i < p->n_balancers && r == 0; i++) {
		const json_t *entry = json_array_get(array, i);
		struct dns_balancer *b = &p->balancers[i];
		int64_t weight = 0;
		r = take_text(entry, "name", b->name, sizeof(b->name), why);
		if (r == 0) r = take_integer(entry, "weight", UINT16_MAX, &weight, why);
		if (r == 0) r = take_address(entry, "addr4", AF_INET, &b->addr4, why);
		if (r == 0) r = take_address(entry, "addr6", AF_INET6, &b->addr6, why);
		b->weight = (uint16_t)weight;
	}
	return r;
}

static int take_numbers(const json_t *o, struct dns_plan *p, char *why)
{
	int64_t number = 0, event = 0, ttl = 0;
	int r = take_integer(o, "plan", INT64_MAX, &number, why);

	if (r == 0) r = take_integer(o, "made_ms", INT64_MAX, &p->made_ms, why);
	if (r == 0) r = take_integer(o, "ttl_s", INT32_MAX, &ttl, why);
	if (r == 0 && json_object_get(o, "event")) r = take_integer(o, "event", INT64_MAX, &event, why);
	p->number = (uint64_t)number;
	p->event = (uint64_t)event;
	p->ttl_s = (uint32_t)ttl;
	return r;
}

static int take_plan(const json_t *o, struct dns_plan *p, char *why)
{
	int64_t records = 0;
	int r = take_numbers(o, p, why);

	if (r == 0) r = take_text(o, "tree", p->tree, sizeof(p->tree), why);
	if (r == 0) r = take_kind(o, &p->kind, why);
	if (r == 0) r = take_text(o, "service", p->service, sizeof(p->service), why);
	if (r == 0) r = take_text(o, "zone", p->zone, sizeof(p->zone), why);
	if (r == 0) r = take_endpoints(o, p, why);
	if (r == 0) r = take_balancers(o, p, why);
	if (r == 0) r = take_integer(o, "records", INT64_MAX, &records, why);
	if (r == 0 && dns_plan_check(p, why) < 0) r = -EBADMSG;
	if (r == 0 && (uint64_t)records != dns_plan_records(p))
		r = wrong(why, "it says %" PRId64 " records and has %zu", records, dns_plan_records(p));
	return r;
}

static int check_sum(json_t *o, char *why)
{
	uLong sum = crc32_z(0, NULL, 0);
	int64_t said = 0;
	int r = take_integer(o, "crc32", UINT32_MAX, &said, why);

	if (r < 0) return r;
	json_object_del(o, "crc32");
	if (json_dump_callback(o, sum_bytes, &sum, ONE_FORM) < 0) return -ENOMEM;
	return (uLong)said == sum ? 0 : wrong(why, "its checksum is wrong");
}

static int check_time(const struct dns_plan *p, int64_t now_ms, char *why)
{
	if (p->made_ms <= now_ms || p->made_ms - now_ms <= DNS_PLAN_AHEAD_MS) return 0;
	wrong(why, "it comes from the future: made %" PRId64 " ms after this clock's time",
	      p->made_ms - now_ms);
	return -ETIME;
}

int dns_plan_read(const char *text, size_t len, int64_t now_ms, struct dns_plan *ret,
                  char why[DNS_PLAN_WHY_MAX])
{
	struct dns_plan p = { 0 };
	json_error_t bad;

	if (len > DNS_PLAN_TEXT_MAX) return wrong(why, "it is too large: %zu bytes", len);
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &bad);
	if (!o) return wrong(why, "no JSON: %s (byte %d of %zu)", bad.text, bad.position, len);
	int r = json_is_object(o) ? check_sum(o, why) : wrong(why, "no JSON object");
	if (r == 0) r = take_plan(o, &p, why);
	if (r == 0) r = check_time(&p, now_ms, why);
	json_decref(o);
	if (r == -ENOMEM) wrong(why, "out of memory");
	if (r < 0)
		dns_plan_release(&p);
	else
		*ret = p;
	return r;
}
