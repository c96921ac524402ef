/* test_build_plan.h - a plan of three zones with as many instances a zone as asked for. */
#ifndef AZLAB_TEST_BUILD_PLAN_H
#define AZLAB_TEST_BUILD_PLAN_H
#include "orchestrator/plan/plan.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline struct plan *test_plan(int per_zone)
{
	char file[] = "/tmp/azlab-plan-XXXXXX";
	struct topology_error e = { "" };
	struct topology *t;
	struct plan *p;
	FILE *out = fdopen(mkstemp(file), "w");

	if (!out) abort();
	fprintf(out,
	        "zones: [az1, az2, az3]\n"
	        "services: {shop: {port: 80, targets: {per_zone: %d}}}\n"
	        "clients: [{from: internet, to: shop, rate: 10/s}]\n",
	        per_zone);
	fclose(out);
	if (topology_load(file, NULL, 0, &t, NULL, &e) < 0 || plan_make(t, &p, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	unlink(file);
	return p;
}

static inline void test_plan_free(struct plan *p)
{
	struct topology *t = (struct topology *)p->topology;
	plan_free(p);
	topology_free(t);
}

/* The index of a node that must be there. */
static inline size_t test_find(const struct plan *p, const char *name)
{
	int node = plan_find(p, name);

	if (node < 0) {
		fprintf(stderr, "no node %s\n", name);
		abort();
	}
	return (size_t)node;
}
#endif
