/* collapse_trial.h - for tests and benchmarks: DWFM through an outage of DynamoDB, with real processes, and
 * what became of its leases and its good work.
 *
 * Figures are those of the real thing (thousands of droplets, a time-out of 2 s); times and sizes are divided
 * by trial_scale, which leaves all ratios as they are. 32 workers of 16 ms make 2,000 pieces of work a
 * second, as 8 of 4 ms would; but the milliseconds that DynamoDB's write takes, and this machine, when it has
 * other work, make less of a difference. */
#ifndef AZLAB_COLLAPSE_TRIAL_H
#define AZLAB_COLLAPSE_TRIAL_H
#include "tests/netns/leasestore.h"

enum { LATE_MAX = 100000, SAMPLE_MS = 50, BRING_UP_MS = 60000 };

static double trial_scale = 4;

struct trial;
/* An operator's step; it may replace the process. */
typedef void trial_step(struct testnode **dwfm, const struct trial *t);

struct trial {
	const char *knobs; /* JSON, laid over the historical ones; times unscaled, in ms */
	int droplets;      /* unscaled */
	double calm_s /* 0: 30 s */, outage_s, watch_s;
	trial_step *step; /* what the operator does, NULL: nothing */
	double step_at_s; /* after the return */
	bool print;
	bool queue_too; /* back is only who has no long queue either */
};
struct trial_result {
	double rss_mb, cpu; /* of DWFM; CPUs in use in the outage */
	double late_ms;     /* p99 of how late its loop's timers fired */
	double calm_per_s;  /* good work */
	double back_s; /* after DynamoDB's return, or the operator's step, until all leases are held; < 0: not
	                  while it was watched */
	double last_per_s; /* good work at the end of the watch */
	int queued_at_return;
	bool stepped;             /* it wasn't back by then */
	double before_step_per_s; /* good work from the return to the step */
};
struct trial_sight {
	mono_ns at;
	int held, queued;
	double oldest_ms;
	json_int_t offered, done, stale, dropped, refused, failed;
};

static inline json_t *trial_scaled_knobs(const struct trial *t)
{
	json_t *knobs = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "workers", 32, "work_time_ms", 16.0,
	                          "timeout_ms", 2000.0, "lease_ms", 60000.0, "renew_every_ms", 20000.0,
	                          "backoff_ms", 0.0, "backoff_max_ms", 0.0);
	json_t *over = json_loads(t->knobs, 0, NULL), *value;
	const char *key;

	json_object_update(knobs, over);
	json_decref(over);
	json_object_foreach (knobs, key, value) {
		if (strcmp(key, "work_time_ms") && strlen(key) > 3 && !strcmp(key + strlen(key) - 3, "_ms"))
			json_real_set(value, json_number_value(value) / trial_scale);
	}
	/* admission is a number of pieces, and there are fewer of them */
	if ((value = json_object_get(knobs, "admission")))
		json_integer_set(value, (json_int_t)(json_number_value(value) / trial_scale));
	json_object_set_new(knobs, "sample_ms", json_integer(SAMPLE_MS));
	return knobs;
}

static inline json_t *trial_config_of(const struct trial *t, int droplets)
{
	json_t *config = leaselab_dwfm_config("dwfm-1", droplets, trial_scaled_knobs(t));
	json_t *store = json_object_get(config, "dynamodb");
	const char *const times[] = { "max_connection_age_ms", "timeout_ms", "pause_ms" };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		json_object_set_new(
		    store, times[i],
		    json_real(json_number_value(json_object_get(store, times[i])) / trial_scale));
	return config;
}

/* --- what it costs ----------------------------------------------------------------------------------- */

static inline double trial_cpu_s(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	                 &system) != 2)
		leaselab_die(path);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static inline double trial_rss_mb(pid_t pid)
{
	long pages = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %ld", &pages) != 1) leaselab_die(path);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static inline int trial_by_size(const void *a, const void *b)
{
	json_int_t x = *(const json_int_t *)a, y = *(const json_int_t *)b;
	return (x > y) - (x < y);
}

static json_int_t trial_late[LATE_MAX]; /* us; of this trial */
static size_t trial_n_late;

static inline double trial_late_p99_ms(void)
{
	qsort(trial_late, trial_n_late, sizeof(trial_late[0]), trial_by_size);
	return trial_n_late ? (double)trial_late[trial_n_late * 99 / 100] / 1e3 : 0;
}

/* Adds what came since the last look. */
static inline void trial_note_lateness(struct testnode *dwfm)
{
	const json_t *message, *value;
	size_t i, j;

	json_array_foreach (testnode_messages(dwfm), i, message) {
		json_array_foreach (json_object_get(message, "late_us"), j, value)
			if (trial_n_late < LATE_MAX) trial_late[trial_n_late++] = json_integer_value(value);
	}
}

static inline struct trial_sight trial_look(struct testnode *dwfm)
{
	json_int_t n[7] = { 0 };
	struct trial_sight s = { 0 };

	trial_note_lateness(dwfm);
	testnode_forget(dwfm);
	const json_t *m = testnode_wait(dwfm, json_pack("{s:s}", "kind", "work"), 10000);
	if (!m || json_unpack((json_t *)m, "{s:I, s:i, s:i, s:f, s:I, s:I, s:I, s:I, s:I, s:{s:I}}", "at_ns",
	                      &n[0], "held", &s.held, "queued", &s.queued, "oldest_ms", &s.oldest_ms,
	                      "offered", &n[1], "done", &n[2], "stale", &n[3], "dropped", &n[4], "refused",
	                      &n[5], "failed", "store", &n[6]) < 0)
		leaselab_die("no sample of the work");
	s.at = n[0], s.offered = n[1], s.done = n[2], s.stale = n[3], s.dropped = n[4], s.refused = n[5];
	s.failed = n[6];
	return s;
}

static inline double trial_per_s(json_int_t from, json_int_t to, const struct trial_sight *a,
                                 const struct trial_sight *b)
{
	return (double)(to - from) * (double)NS_PER_S / (double)(b->at - a->at);
}

static inline void trial_print_sight(const char *phase, mono_ns t0, const struct trial_sight *a,
                                     const struct trial_sight *b)
{
	printf("  %-7s %7.1f s  held %6d  queued %7d  oldest %8.0f ms  offered %6.0f/s  good %6.0f/s  stale "
	       "%6.0f/s"
	       "  store failed %5.0f/s\n",
	       phase, (double)(b->at - t0) / (double)NS_PER_S, b->held, b->queued, b->oldest_ms,
	       trial_per_s(a->offered, b->offered, a, b), trial_per_s(a->done, b->done, a, b),
	       trial_per_s(a->stale, b->stale, a, b), trial_per_s(a->failed, b->failed, a, b));
	fflush(stdout);
}

/* Lets time pass, telling how things stand every now and then. */
static inline struct trial_sight trial_pass(struct testnode *dwfm, const char *phase, mono_ns t0,
                                            double seconds, bool print)
{
	mono_ns end = mono_now() + (mono_ns)(seconds * (double)NS_PER_S);
	mono_ns every = (mono_ns)(seconds / 6 * (double)NS_PER_S), next = mono_now() + every;
	struct trial_sight first = trial_look(dwfm), last = first;

	while (mono_now() < end) {
		last = trial_look(dwfm);
		if (!print || last.at < next) continue;
		trial_print_sight(phase, t0, &first, &last);
		first = last;
		next += every;
	}
	return last;
}

static inline void trial_await_all(struct testnode *dwfm, int droplets)
{
	mono_ns until = mono_now() + BRING_UP_MS * NS_PER_MS;

	while (trial_look(dwfm).held < droplets) {
		if (mono_now() < until) continue;
		printf("  the leases never came: this many droplets are too many without any outage\n");
		return;
	}
}

static inline bool trial_is_back(const struct trial *t, int droplets, const struct trial_sight *s)
{
	return s->held == droplets && (!t->queue_too || s->oldest_ms < 500 / trial_scale);
}

static inline mono_ns trial_span(double seconds)
{
	return (mono_ns)(seconds / trial_scale * (double)NS_PER_S);
}

static inline struct testnode *trial_dwfm(const struct trial *t)
{
	return leaselab_dwfm("region.dwfm-1", trial_config_of(t, (int)(t->droplets / trial_scale)));
}

/* The steps that there are. */
static inline void trial_clear_queue(struct testnode **dwfm, const struct trial *t)
{
	(void)t;
	testnode_send(*dwfm, json_pack("{s:s, s:i}", "type", "clear-queue", "cause", 0));
}

static inline void trial_restart(struct testnode **dwfm, const struct trial *t)
{
	testnode_kill(*dwfm);
	*dwfm = trial_dwfm(t);
}

static inline void trial_turn_deadlines_on(struct testnode **dwfm, const struct trial *t)
{
	json_t *config = trial_config_of(t, (int)(t->droplets / trial_scale));

	json_object_set_new(config, "deadlines", json_true());
	testnode_set(*dwfm, config);
}

static inline struct trial_result trial_watch(struct testnode **dwfm, const struct trial *t, mono_ns t0)
{
	int droplets = (int)(t->droplets / trial_scale);
	mono_ns back = mono_now(), end = back + trial_span(t->watch_s), every = trial_span(t->watch_s / 12);
	mono_ns step = t->step ? back + trial_span(t->step_at_s) : INT64_MAX, next = back + every;
	struct trial_sight first = trial_look(*dwfm), last = first;
	const struct trial_sight whole = first;
	struct trial_result r = { .back_s = -1, .queued_at_return = first.queued };

	while (!trial_is_back(t, droplets, &last) && mono_now() < end) {
		last = trial_look(*dwfm);
		if (mono_now() >= step) {
			r.stepped = true;
			r.before_step_per_s = trial_per_s(whole.done, last.done, &whole, &last);
			back = mono_now();
			step = INT64_MAX;
			t->step(dwfm, t);
			if (t->print) printf("  the operator's step\n");
			first = last = trial_look(*dwfm);
			next = last.at + every;
		}
		if (last.at < next) continue;
		if (t->print) trial_print_sight("after", t0, &first, &last);
		r.last_per_s = trial_per_s(first.done, last.done, &first, &last);
		first = last;
		next += every;
	}
	if (trial_is_back(t, droplets, &last))
		r.back_s = (double)(last.at - back) / (double)NS_PER_S * trial_scale;
	if (t->print && last.at > first.at) trial_print_sight("after", t0, &first, &last);
	return r;
}

static inline struct trial_result trial_play(const struct trial *t)
{
	int droplets = (int)(t->droplets / trial_scale);
	double calm_s = (t->calm_s > 0 ? t->calm_s : 30) / trial_scale, outage_s = t->outage_s / trial_scale;

	leasestore_start();
	struct testnode *fleet = leaselab_droplets(droplets, 4), *dwfm = trial_dwfm(t);
	mono_ns t0 = mono_now();

	trial_n_late = 0;
	trial_await_all(dwfm, droplets);
	struct trial_sight calm_from = trial_look(dwfm),
	                   calm_to = trial_pass(dwfm, "calm", t0, calm_s, t->print);
	double cpu = trial_cpu_s(testnode_pid(dwfm));
	*leaselab.gone = true;
	trial_pass(dwfm, "gone", t0, outage_s, t->print);
	*leaselab.gone = false;
	cpu = (trial_cpu_s(testnode_pid(dwfm)) - cpu) / outage_s;
	struct trial_result r = trial_watch(&dwfm, t, t0);
	r.calm_per_s = trial_per_s(calm_from.done, calm_to.done, &calm_from, &calm_to);
	r.cpu = cpu;
	r.rss_mb = trial_rss_mb(testnode_pid(dwfm));
	r.late_ms = trial_late_p99_ms();
	testnode_stop(dwfm);
	testnode_stop(fleet);
	leasestore_stop();
	return r;
}

/* All at once from nothing: how long until all leases are held; < 0: not in watch_s. */
static inline double trial_cold_start(const struct trial *t)
{
	int droplets = (int)(t->droplets / trial_scale);

	leasestore_start();
	struct testnode *fleet = leaselab_droplets(droplets, 4), *dwfm = trial_dwfm(t);
	mono_ns began = mono_now(), end = began + trial_span(t->watch_s);
	struct trial_sight last;

	do
		last = trial_look(dwfm);
	while (last.held < droplets && mono_now() < end);
	testnode_stop(dwfm);
	testnode_stop(fleet);
	leasestore_stop();
	return last.held < droplets ? -1 : (double)(last.at - began) / (double)NS_PER_S * trial_scale;
}
#endif
