// with: orchestrator/topology/*.c orchestrator/plan/*.c nodes/policy/*.c
// seeds: topologies
/* A topology from any bytes; what comes before a NUL is the file, what comes after it a PATH=VALUE. It is
 * refused with a message, or it prints to a text that loads to the same text again, and has a plan. */
#include "orchestrator/plan/plan.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int load(const void *text, size_t len, const char *set, struct topology **ret)
{
	struct topology_error error = { .text = "" };
	char path[64], *warnings = NULL;
	int fd = memfd_create("topology", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len) abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int r = topology_load(path, &set, set ? 1 : 0, ret, &warnings, &error);
	free(warnings);
	close(fd);
	if (r < 0 && !*error.text) abort(); /* no mistake without a message */
	return r;
}

static char *print(const struct topology *t)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (topology_print(t, out) < 0) abort();
	fclose(out);
	return text;
}

static int count(const struct plan_route *r, void *arg)
{
	(void)r;
	++*(size_t *)arg;
	return 0;
}

static void plan(const struct topology *t)
{
	struct plan *p = NULL;
	struct topology_error error;
	size_t instances = 0, routes = 0;

	for (size_t i = 0; i < t->n_services; i++)
		instances += t->services[i].targets.per_zone;
	if (instances * t->n_zones > 500) return; /* right, but slow */
	if (plan_make(t, &p, &error) < 0) abort();
	for (size_t i = 0; i < p->n_nodes; i++)
		plan_routes(p, (int)i, count, &routes);
	if (routes < p->n_nodes - 1) abort();
	plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	struct topology *t = NULL, *again = NULL;
	char *set = end ? strndup((const char *)end + 1, size - (size_t)(end + 1 - data)) : NULL;

	if (load(data, end ? (size_t)(end - data) : size, set, &t) == 0) {
		char *first = print(t), *second;
		if (load(first, strlen(first), NULL, &again) < 0) abort();
		second = print(again);
		if (strcmp(first, second)) abort();
		free(first);
		free(second);
		plan(again);
	}
	topology_free(t);
	topology_free(again);
	free(set);
	return 0;
}
