// with: nodes/proto/dns_*.c
// seeds: tests/fuzz/seeds/dns_plan
/* Any text as a plan: refused with a reason, or a plan that is written, read and counted the same again.
 * Since no fuzzer guesses a checksum, the text is tried a second time with the proper one. */
#include "proto/dns_plan.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const int64_t NOW_MS = 1790000000000;

static char *write_again(const struct dns_plan *p, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out || dns_plan_write(p, out) < 0) abort();
	fclose(out);
	return text;
}

static void walk(const struct dns_plan *p)
{
	struct dns_plan_walk w;
	struct dns_record r;
	size_t n = 0;

	for (dns_plan_walk(&w, p); dns_plan_next(&w, &r); n++)
		if (r.owner.text[strlen(r.owner.text) - 1] != '.') abort();
	if (n != dns_plan_records(p)) abort();
}

static void try(const char *text, size_t len)
{
	char why[DNS_PLAN_WHY_MAX] = "";
	struct dns_plan p, again;

	if (dns_plan_read(text, len, NOW_MS, &p, why) < 0) {
		if (!*why) abort();
		return;
	}
	char *written = write_again(&p, &len);
	if (dns_plan_read(written, len, NOW_MS, &again, why) < 0) abort();
	walk(&again);
	free(written);
	dns_plan_release(&p);
	dns_plan_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size, 0, NULL);

	try((const char *)data, size);
	if (!json_is_object(o)) {
		json_decref(o);
		return 0;
	}
	json_object_del(o, "crc32");
	char *sorted = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	if (sorted) {
		uLong sum = crc32(0, (const Bytef *)sorted, (uInt)strlen(sorted));
		json_object_set_new(o, "crc32", json_integer((json_int_t)sum));
		char *whole = json_dumps(o, JSON_COMPACT);
		if (whole) try(whole, strlen(whole));
		free(whole);
	}
	free(sorted);
	json_decref(o);
	return 0;
}
