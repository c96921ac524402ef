#include "ec2-api/stats.h"
#include "common/cleanup.h"
#include <math.h>

static const char *const action_names[ACTIONS] = {
#define X(name, text) text,
	API_ACTIONS(X)
#undef X
};

const char *action_text(enum api_action action)
{
	return action_names[action];
}

void stats_release(struct stats *s)
{
	for (int i = 0; i < STAGES; i++)
		free(s->stages[i].us);
	*s = (struct stats){ 0 };
}

bool stats_error(struct stats *s, enum api_code code)
{
	bool begins = !s->episode[code];

	s->errors[code]++;
	s->episode[code] = true;
	return begins;
}

bool stats_episode_ends(struct stats *s, enum api_code code)
{
	bool ends = s->episode[code] && s->errors[code] == 0;

	if (ends) s->episode[code] = false;
	return ends;
}

/* Short of memory, a figure is missing; the launch is counted all the same. */
static void add_span(struct spans *s, int64_t us)
{
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		int64_t *more = reallocarray(s->us, room, sizeof(*more));
		if (!more) return;
		s->us = more;
		s->room = room;
	}
	s->us[s->n++] = us;
}

void stats_launched(struct stats *s, const int64_t stage_us[static STAGES])
{
	s->launched++;
	for (int i = 0; i < STAGES; i++)
		add_span(&s->stages[i], stage_us[i]);
}

static int compare_spans(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Nearest rank; null without any. */
static json_t *percentile_ms(const struct spans *s, double fraction)
{
	if (s->n == 0) return json_null();
	size_t rank = (size_t)ceil(fraction * (double)s->n);
	return json_real((double)s->us[rank > 0 ? rank - 1 : 0] / 1000);
}

static json_t *take_stages(struct stats *s)
{
	json_t *stages = json_object();

	for (int i = 0; i < STAGES; i++) {
		struct spans *spans = &s->stages[i];
		if (spans->n) qsort(spans->us, spans->n, sizeof(*spans->us), compare_spans);
		json_object_set_new(stages, stage_text((enum stage)i),
		                    json_pack("{s:o, s:o}", "p50", percentile_ms(spans, 0.5), "p99",
		                              percentile_ms(spans, 0.99)));
		spans->n = 0;
	}
	return stages;
}

json_t *stats_take(struct stats *s)
{
	json_t *requests = json_object(), *errors = json_object();

	for (int i = 0; i < ACTIONS; i++) {
		if (s->requests[i])
			json_object_set_new(requests, action_names[i], json_integer(s->requests[i]));
		s->requests[i] = 0;
	}
	for (int i = 0; i < API_CODES_N; i++) {
		if (s->errors[i])
			json_object_set_new(errors, api_code_text((enum api_code)i),
			                    json_integer(s->errors[i]));
		s->errors[i] = 0;
	}
	json_t *sample =
	    json_pack("{s:o, s:o, s:{s:i, s:i, s:o}}", "requests", requests, "errors", errors, "launches",
	              "ok", (int)s->launched, "failed", (int)s->failed, "stages_ms", take_stages(s));
	s->launched = s->failed = 0;
	return sample;
}
