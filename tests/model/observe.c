/* observe - lets three real enactors race for a while, as scripts/check-dns-run wants to see it: what they
 * tell goes to standard output, in the form of a run's events.jsonl.
 *
 *   observe FRESHNESS CLEANUP SEED MILLISECONDS      endpoints: 5; a plan every 30 ms */
#include "tests/netns/racelab.h"

enum { ENDPOINTS = 5 };

static void print_event(const json_t *m)
{
	json_t *line = json_pack("{s:f, s:O, s:O}", "t", json_number_value(json_object_get(m, "at_ns")) / 1e9,
	                         "event", json_object_get(m, "event"), "id", json_object_get(m, "id"));

	json_object_update(line, json_object_get(m, "fields"));
	json_dumpf(line, stdout, JSON_COMPACT);
	json_decref(line);
}

int main(int argc, char **argv)
{
	struct race_settings s = race_historical(0);

	if (argc != 5) {
		fprintf(stderr, "observe FRESHNESS CLEANUP SEED MILLISECONDS\n");
		return 100;
	}
	s.freshness = argv[1];
	s.cleanup = argv[2];
	s.endpoints = ENDPOINTS;
	race_start(1, ENDPOINTS);
	race_begin(&s, 0, strtoull(argv[3], NULL, 10));
	testnode_idle(atoi(argv[4]));
	for (unsigned i = 0; i < RACE_ENACTORS; i++) {
		const json_t *all = testnode_messages(race_enactors[i]), *m;
		size_t k;
		json_array_foreach (all, k, m) {
			if (!json_object_get(m, "event")) continue;
			json_object_set_new((json_t *)json_object_get(m, "fields"), "node",
			                    json_sprintf("az%u.dns-enactor", i + 1));
			print_event(m);
			putchar('\n');
		}
	}
	race_end();
	race_stop();
	return 0;
}
