/* collapse - DWFM's congestive collapse, and what ends it: real processes, no emulated network.
 *
 * 4,800 droplets, 32 workers of 16 ms, leases of 60 s renewed every 20 s, a time-out of 2 s; DynamoDB's name
 * is gone for 70 s and comes back. Prints the leases held and the good work per second of calm, outage and
 * after, then a table of remedies against the time until all leases are back, a sweep of sizes, the knife
 * edge of the outage by bisection, and cold starts. Times and sizes are divided by the scale (4; 1 is the
 * real thing), which leaves all ratios as they are: 1,200 droplets, a time-out of 0.5 s, 17.5 s of outage.
 *
 *   build/tests/bench/collapse [--scale N] [story|remedies|sweep|edge|cold]... */
#include "tests/netns/collapse_trial.h"

/* One attempt a time-out makes 2,400 a second: more than the 2,000 that 32 workers do at best, so that old
 * work never ends; and less than twice the 1,400 that they do on a busy machine, so that clearing the queue
 * is enough. */
enum { DROPLETS = 4800 };

/* --- what it prints ---------------------------------------------------------------------------------- */

static const char *back_text(double back_s, double watch_s)
{
	static char text[32];

	if (back_s < 0)
		snprintf(text, sizeof(text), "not in %.0f s", watch_s);
	else
		snprintf(text, sizeof(text), "%.1f s", back_s);
	return text;
}

static void story(void)
{
	struct trial t = { .knobs = "{}",
		           .droplets = DROPLETS,
		           .outage_s = 70,
		           .watch_s = 90,
		           .step = trial_clear_queue,
		           .step_at_s = 60,
		           .print = true };

	printf("the story: 70 s without DynamoDB, 60 s with it again, then the queue is cleared\n");
	struct trial_result r = trial_play(&t);
	printf("  calm: %.0f good pieces of work a second; after the clearing all leases are back in %s\n",
	       r.calm_per_s, back_text(r.back_s, t.watch_s));
}

#define BACKOFF(max) "{\"backoff_ms\": 1000, \"jitter\": \"full\", \"backoff_max_ms\": " max "}"

static void remedies(void)
{
	static const struct {
		const char *name, *knobs;
		double watch_s;
		trial_step *step;
	} kinds[] = {
		{ "as it was", "{}", 120, NULL },
		{ "as it was; after 20 s: clear-queue", "{}", 120, trial_clear_queue },
		{ "as it was; after 20 s: restart", "{}", 120, trial_restart },
		{ "as it was; after 20 s: deadlines on", "{}", 120, trial_turn_deadlines_on },
		{ "deadlines", "{\"deadlines\": true}", 120, NULL },
		{ "lifo", "{\"discipline\": \"lifo\"}", 120, NULL },
		{ "admission at 2,000 waiting", "{\"admission\": 2000}", 120, NULL },
		{ "codel", "{\"discipline\": \"codel\"}", 240, NULL },
		{ "retry budget of 20 %", "{\"retry_budget\": 0.2}", 120, NULL },
		{ "back-off 1 to 5 s, full jitter", BACKOFF("5000"), 120, NULL },
		{ "back-off 1 to 15 s, full jitter", BACKOFF("15000"), 240, NULL },
		{ "the same and a retry budget of 20 %", BACKOFF("15000, \"retry_budget\": 0.2"), 120, NULL },
		{ "spread", "{\"spread\": true}", 120, NULL },
	};

	printf("remedies, each alone and from the start: leases back after DynamoDB's return (or the "
	       "operator's step) in\n");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct trial t = { .knobs = kinds[i].knobs,
			           .droplets = DROPLETS,
			           .outage_s = 70,
			           .watch_s = kinds[i].watch_s,
			           .step = kinds[i].step,
			           .step_at_s = 20 };
		struct trial_result r = trial_play(&t);
		printf("  %-42s %-14s  (%d waiting at its return; calm %.0f/s, at the end %.0f/s)\n",
		       kinds[i].name, back_text(r.back_s, t.watch_s), r.queued_at_return, r.calm_per_s,
		       r.last_per_s);
		fflush(stdout);
	}
}

static void sweep(void)
{
	static const int sizes[] = { 1000, 3000, 10000, 30000 };
	static const char *const knobs[][2] = {
		{ "as it was", "{}" },
		{ "with deadlines", "{\"deadlines\": true}" },
	};

	printf("sizes: an outage of 70 s\n");
	for (size_t k = 0; k < ARRAY_SIZE(knobs); k++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct trial t = {
				.knobs = knobs[k][1], .droplets = sizes[i], .outage_s = 70, .watch_s = 120
			};
			struct trial_result r = trial_play(&t);
			printf("  %6d droplets %-14s back in %-14s  (calm %5.0f/s, %7d waiting at its "
			       "return; DWFM: %5.1f MB, "
			       "%.2f CPU, timers late by %.1f ms at p99)\n",
			       sizes[i], knobs[k][0], back_text(r.back_s, t.watch_s), r.calm_per_s,
			       r.queued_at_return, r.rss_mb, r.cpu, r.late_ms);
			fflush(stdout);
		}
	}
}

static void cold(void)
{
	static const int sizes[] = { 1000, 3000, 6000, 10000, 30000 };
	static const char *const knobs[][2] = {
		{ "as it was", "{\"start_over_ms\": 0}" },
		{ "with deadlines", "{\"start_over_ms\": 0, \"deadlines\": true}" },
		{ "over 20 s", "{}" },
	};

	printf("cold start: no lease is held, all are tried for at once\n");
	for (size_t k = 0; k < ARRAY_SIZE(knobs); k++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct trial t = { .knobs = knobs[k][1], .droplets = sizes[i], .watch_s = 80 };
			printf("  %6d droplets %-14s all held in %s\n", sizes[i], knobs[k][0],
			       back_text(trial_cold_start(&t), t.watch_s));
			fflush(stdout);
		}
	}
}

static void edge(void)
{
	double well = 0, ill = 32;

	printf("the knife edge: how long DynamoDB may be gone\n");
	while (ill - well > 0.5) {
		struct trial t = { .knobs = "{}",
			           .droplets = DROPLETS,
			           .calm_s = 8,
			           .outage_s = (well + ill) / 2,
			           .watch_s = 60,
			           .queue_too = true };
		struct trial_result r = trial_play(&t);
		printf("  gone for %4.1f s: back in %s\n", t.outage_s, back_text(r.back_s, t.watch_s));
		fflush(stdout);
		if (r.back_s < 0)
			ill = t.outage_s;
		else
			well = t.outage_s;
	}
	printf("  between %.1f s, which ends by itself, and %.1f s, which doesn't\n", well, ill);
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "story", story }, { "remedies", remedies }, { "sweep", sweep }, { "edge", edge }, { "cold", cold }
};

static bool run_part(const char *name)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (name && strcmp(parts[i].name, name)) continue;
		parts[i].run();
		found = true;
	}
	return found;
}

int main(int argc, char **argv)
{
	bool any = false;

	leaselab_start();
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--scale") && i + 1 < argc)
			trial_scale = atof(argv[++i]);
		else if (run_part(argv[i]))
			any = true;
		else
			return 100;
	}
	if (!any) run_part(NULL);
	return 0;
}
