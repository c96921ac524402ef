#include "dwfm/knobs.h"
#include "common/cleanup.h"
#include "common/node.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define MS(member, fallback, least)                                                                          \
	{                                                                                                    \
#member "_ms", offsetof(struct dwfm_knobs, member), fallback, least                          \
	}
static const struct {
	const char *key;
	size_t at;
	double fallback, least;
} spans[] = {
	MS(work_time, 16, 0), MS(timeout, 2000, 1),  MS(lease, 60000, 10),   MS(renew_every, 20000, 1),
	MS(backoff, 0, 0),    MS(backoff_max, 0, 0), MS(start_over, -1, -1),
};

static const char *read_spans(const json_t *config, struct dwfm_knobs *k)
{
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		double ms = node_number(config, spans[i].key, spans[i].fallback);
		if (!(ms >= spans[i].least && ms < 1e9)) return spans[i].key;
		*(mono_ns *)((char *)k + spans[i].at) = (mono_ns)(ms * (double)NS_PER_MS);
	}
	/* even renewals from the start, unless it is told */
	if (k->start_over < 0) k->start_over = k->renew_every;
	return k->renew_every < k->lease ? NULL : "renew_every_ms";
}

/* The index of a word; false if it is none of them. */
static bool read_word(const json_t *config, const char *key, const char *const *words, int *ret)
{
	const char *word = node_string(config, key, words[0]);

	for (int i = 0; words[i]; i++) {
		if (strcmp(word, words[i])) continue;
		*ret = i;
		return true;
	}
	return false;
}

/* A switch is a boolean, or the word of the topology. */
static bool read_switch(const json_t *config, const char *key, const char *on, bool *ret)
{
	const json_t *value = json_object_get(config, key);
	const char *const words[] = { "off", on, NULL };
	int word = 0;

	if (json_is_boolean(value))
		word = json_is_true(value);
	else if (!read_word(config, key, words, &word))
		return false;
	*ret = word == 1;
	return true;
}

static const char *read_words(const json_t *config, struct dwfm_knobs *k)
{
	static const char *const disciplines[] = {
		[DWFM_FIFO] = "fifo", [DWFM_LIFO] = "lifo", [DWFM_CODEL] = "codel", NULL
	};
	static const char *const priorities[] = { "none", "renewals", NULL };
	int discipline, priority;

	if (!read_word(config, "discipline", disciplines, &discipline)) return "discipline";
	if (!read_word(config, "priority", priorities, &priority)) return "priority";
	if (!read_switch(config, "deadlines", "on", &k->deadlines)) return "deadlines";
	if (!read_switch(config, "jitter", "full", &k->full_jitter)) return "jitter";
	if (!read_switch(config, "spread", "on", &k->spread)) return "spread";
	k->discipline = (enum dwfm_discipline)discipline;
	k->renewals_first = priority == 1;
	return NULL;
}

static const char *read_numbers(const json_t *config, struct dwfm_knobs *k)
{
	double workers = node_number(config, "workers", 32), admission = node_number(config, "admission", 0);
	double budget = node_number(config, "retry_budget", 0);

	if (!(workers >= 1 && workers <= DWFM_WORKERS_MAX)) return "workers";
	if (!(admission >= 0 && admission <= 1e9)) return "admission";
	if (!(budget >= 0 && budget <= 100)) return "retry_budget";
	k->workers = (unsigned)workers;
	k->admission = (unsigned)admission;
	k->retry_budget = budget;
	return NULL;
}

int dwfm_knobs_read(const json_t *config, struct dwfm_knobs *ret, const char **ret_member)
{
	struct dwfm_knobs k = { 0 };
	const char *wrong = read_spans(config, &k);

	if (!wrong) wrong = read_words(config, &k);
	if (!wrong) wrong = read_numbers(config, &k);
	if (wrong) {
		*ret_member = wrong;
		return -EINVAL;
	}
	*ret = k;
	return 0;
}
