/* facts.h - small synthetic records for the tests of what comes after the facts. Include after cmocka.h. */
#ifndef AZLAB_TEST_FACTS_H
#define AZLAB_TEST_FACTS_H
#include "orchestrator/verdict/figures.h"
#include "orchestrator/verdict/record.h"

static inline void event(struct record *r, double t, const char *name, json_t *fields)
{
	record_event(r, t, 0, 0, "azlab", "", name, fields);
}
static inline void removed(struct record *r, double t, const char *zone, int well, int overloaded, int of)
{
	event(r, t, "zone.removed",
	      json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:f}", "zone", zone, "service", "shop", "healthy", 0,
	                "well", well, "overloaded", overloaded, "of", of, "min_healthy", 0.5));
}
static inline void step(struct record *r, double t, const char *action)
{
	event(r, t, "step", json_pack("{s:s}", "action", action));
}
static inline void bucket(struct record *r, double t, double requests, double errors)
{
	record_metric(r, t, "internet.client-1", "internet", "shop", "requests", requests);
	record_metric(r, t, "internet.client-1", "internet", "shop", "errors", errors);
}
static inline void answer(struct record *r, double t, const char *zone, int in)
{
	record_metric(r, t, "region.az-failover", zone, "shop", "in_answer", in);
}
static inline void lost(struct record *r, double t, double targets)
{
	record_metric(r, t, "azlab", "", "", "capacity_lost", targets);
}
#endif
