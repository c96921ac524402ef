/* The race that empties an endpoint, many times over: three real enactors and a real Knot, without the rest
 * of the region, with each guard. Prints how many of RUNS (1000) seeded runs ended with an empty endpoint;
 * several are played at once. With the figures of that day a run ends when the endpoint is stuck; else after
 * RUN_MS (2000). RUNS=100 build/tests/bench/race */
#include "tests/netns/racelab.h"
#include <math.h>

enum { BATCH = 25, JOBS = 6 };

struct row {
	const char *what, *freshness, *cleanup;
	bool alias_check, refuse_empty;
};
static const struct row rows[] = {
	{ "as it was", "once", "by-age", true, false },
	{ "alias_check off", "once", "by-age", false, false },
	{ "refuse_empty", "once", "by-age", true, true },
	{ "freshness per-write", "per-write", "by-age", true, false },
	{ "never-active, alias_check off", "once", "never-active", false, false },
	{ "never-active", "once", "never-active", true, false },
	{ "compare-and-set", "compare-and-set", "by-age", true, false },
	{ "compare-and-set, alias_check off", "compare-and-set", "by-age", false, false },
};
/* What a job tells of a run. */
struct told {
	bool fired;
	double took_ms;
	size_t stale_writes, applied;
};

static long from_environment(const char *name, long fallback)
{
	const char *text = getenv(name);
	return text ? atol(text) : fallback;
}

/* Every JOBS-th batch is a job's; each batch has a Knot of its own. */
static void play(const struct row *row, unsigned job, unsigned runs, int run_ms, int out)
{
	for (unsigned from = job * BATCH; from < runs; from += JOBS * BATCH) {
		struct race_settings s = race_historical(run_ms);
		s.freshness = row->freshness;
		s.cleanup = row->cleanup;
		s.alias_check = row->alias_check;
		s.refuse_empty = row->refuse_empty;
		race_start(BATCH, s.endpoints);
		for (unsigned i = 0; i < BATCH && from + i < runs; i++) {
			struct race_outcome o = race_run(&s, i, from + i + 1);
			struct told told = { o.fired, o.took_ms, o.stale_writes, o.applied };
			if (write(out, &told, sizeof(told)) != sizeof(told)) _exit(1);
		}
		race_stop();
	}
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static unsigned collect(const struct row *row, unsigned runs, int in)
{
	double *times = calloc(runs, sizeof(*times));
	size_t stale = 0, applied = 0;
	unsigned played = 0, fired = 0;
	struct told told;

	while (times && played < runs && read(in, &told, sizeof(told)) == sizeof(told)) {
		if (told.fired) times[fired++] = told.took_ms;
		stale += told.stale_writes;
		applied += told.applied;
		played++;
	}
	if (fired) qsort(times, fired, sizeof(*times), by_time);
	printf("%-34s %5u of %u  %8.2f  %12.1f %8.1f\n", row->what, fired, played,
	       fired ? times[fired / 2] / 1000 : (double)NAN, (double)stale / played,
	       (double)applied / played);
	fflush(stdout);
	free(times);
	return played;
}

int main(void)
{
	unsigned runs = (unsigned)from_environment("RUNS", 1000);
	int run_ms = (int)from_environment("RUN_MS", 2000), status = 0;

	printf("%-34s %13s  %8s  %12s %8s\n", "guards", "empty", "median s", "stale writes", "applied");
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		int ends[2];
		if (getenv("ONLY") && strcmp(getenv("ONLY"), rows[r].what)) continue;
		fflush(stdout);
		if (pipe(ends) < 0) dnslab_die("pipe");
		for (unsigned job = 0; job < JOBS; job++) {
			if (fork() > 0) continue;
			close(ends[0]);
			play(&rows[r], job, runs, run_ms, ends[1]);
			exit(0);
		}
		close(ends[1]);
		if (collect(&rows[r], runs, ends[0]) < runs) status = 1;
		close(ends[0]);
		while (wait(NULL) > 0)
			continue;
	}
	return status;
}
