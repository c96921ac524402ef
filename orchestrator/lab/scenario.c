#include "orchestrator/lab/scenario.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "orchestrator/topology/actions.h"
#include "orchestrator/lab/commands.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKET_MS = 100, DRAIN_SLACK_S = 5 };

/* A knob replaces lab->topology and frees the one before: what an action needs of its phase is copied first.
 */
static int run_action(struct lab *lab, size_t phase, size_t k)
{
	cleanup_free char *said = NULL, *action = strdup(lab->topology->phases[phase].actions[k]);
	cleanup_free struct action_words *words = malloc(sizeof(*words));
	int line = lab->topology->phases[phase].line;
	char why[256];
	size_t size = 0;

	if (!words || !action) return lab_fail(lab, -ENOMEM, "no memory");
	if (action_split(action, words, why, sizeof(why)) < 0)
		return lab_fail(lab, -EINVAL, "%s:%d: cannot read the action '%s': %s", lab->topology->file,
		                line, action, why);
	FILE *out = open_memstream(&said, &size);
	if (!out) return lab_fail(lab, -ENOMEM, "no memory");
	int status = lab_command(lab, words->argc, (const char *const *)words->argv, false, out);
	fclose(out);
	if (status == 0) return 0;
	return lab_fail(lab, -EINVAL, "%s:%d: the action '%s' failed: %s", lab->topology->file, line, action,
	                said);
}

static int begin_phase(struct lab *lab, size_t phase)
{
	int result = 0;

	lab_event(lab, "phase", 0, NULL, NULL,
	          json_pack("{s:s}", "phase", lab->topology->phases[phase].name));
	for (size_t k = 0; result == 0 && k < lab->topology->phases[phase].n_actions; k++)
		result = run_action(lab, phase, k);
	return result;
}

/* Every client has told of all arrivals up to the scenario's end. */
static bool all_decided(struct lab *lab)
{
	const struct topology *t = lab->topology;
	double end_ms = mono_ms(t->phases[t->n_phases - 1].at);

	for (size_t i = 0; i < lab->n_stations; i++) {
		const struct station *s = lab->stations[i];
		if (!s || !s->alive || lab->plan->nodes[i].client < 0) continue;
		const json_t *last = json_object_get(s->samples, "requests");
		if (node_number(last, "from_ms", -BUCKET_MS) + BUCKET_MS < end_ms) return false;
	}
	return true;
}

static mono_ns patience(const struct topology *t)
{
	mono_ns longest = 0;

	for (size_t i = 0; i < t->n_clients; i++) {
		mono_ns whole = t->clients[i].timeout * (t->clients[i].retries + 1);
		if (whole > longest) longest = whole;
	}
	return longest + DRAIN_SLACK_S * NS_PER_S;
}

int scenario_play(struct lab *lab)
{
	for (size_t i = 0; i < lab->topology->n_phases; i++) {
		int result = lab_wait(lab, NULL, lab->t0 + lab->topology->phases[i].at);
		if (result != -ETIMEDOUT) return result;
		if ((result = begin_phase(lab, i)) < 0) return lab->broken ? -EPIPE : result;
	}
	int result = lab_wait(lab, all_decided, mono_now() + patience(lab->topology));
	/* a client that was paused or killed never tells: what is known is the record */
	return result == -ETIMEDOUT ? 0 : result;
}
