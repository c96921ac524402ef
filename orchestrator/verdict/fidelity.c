#include "orchestrator/verdict/fidelity.h"
#include "common/cleanup.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum {
	FIRST_OCTAVE = 64, /* below it every microsecond has its own slot */
	PER_OCTAVE = 32,   /* above it a slot is at most 3.1 % wide */
	SLOTS = FIRST_OCTAVE + 26 * PER_OCTAVE,
	ENOUGH_SAMPLES = 400, /* 20 s, 20 a second */
	LATENESS_PERIOD_US = 50000,
	REMOVAL_REASONS_MAX = 5, /* a slow machine makes every removal doubtful; a few tell it */
};

/* One node's lateness as a histogram, since an hour of 300 nodes is 20 million samples. */
struct lateness {
	const char *node;
	unsigned n;
	uint32_t slots[SLOTS];
};
/* A lateness above the check time-out: it may have decided a check. */
struct stall {
	const char *node;
	double from, to; /* when the timer was due, when it fired */
};
struct fidelity {
	mono_ns timeout;
	size_t n_nodes, n_stalls, cap_nodes, cap_stalls;
	struct lateness **nodes;
	struct stall *stalls;
	uint64_t lost_events, fault_lost;
	bool machine_known;
	struct fidelity_probe start, end;
	json_t *doubts;
};

/* --- the machine ------------------------------------------------------------------------------------- */

static mono_ns read_clock(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345", Documentation/accounting/psi.rst */
static int64_t read_cpu_stall(void)
{
	cleanup_fclose FILE *file = fopen("/proc/pressure/cpu", "re");
	long long total;

	if (!file || fscanf(file, "some avg10=%*f avg60=%*f avg300=%*f total=%lld", &total) != 1) return -1;
	return total;
}

struct fidelity_probe fidelity_probe_now(void)
{
	return (struct fidelity_probe){ .mono = read_clock(CLOCK_MONOTONIC),
		                        .boot = read_clock(CLOCK_BOOTTIME),
		                        .cpu_stall_us = read_cpu_stall() };
}

void fidelity_machine(struct fidelity *f, const struct fidelity_probe *start,
                      const struct fidelity_probe *end)
{
	f->machine_known = true;
	f->start = *start;
	f->end = *end;
}

static double clock_jump_s(const struct fidelity *f)
{
	if (!f->machine_known) return NAN;
	return (double)((f->end.boot - f->end.mono) - (f->start.boot - f->start.mono)) / NS_PER_S;
}

/* The share of the time in which some task waited for a CPU. */
static double cpu_pressure(const struct fidelity *f)
{
	double span_us = (double)(f->end.mono - f->start.mono) / NS_PER_US;

	if (!f->machine_known || span_us <= 0 || f->start.cpu_stall_us < 0 || f->end.cpu_stall_us < 0)
		return NAN;
	return fmin(1, (double)(f->end.cpu_stall_us - f->start.cpu_stall_us) / span_us);
}

/* --- life -------------------------------------------------------------------------------------------- */

mono_ns fidelity_timeout(const struct topology *t)
{
	mono_ns shortest = INT64_MAX;

	for (size_t i = 0; i < t->n_services; i++) {
		mono_ns timeout = t->services[i].health_check.timeout;
		if (timeout < shortest) shortest = timeout;
	}
	return shortest;
}

struct fidelity *fidelity_new(mono_ns shortest_timeout)
{
	cleanup_free struct fidelity *f = calloc(1, sizeof(*f));

	if (!f || !(f->doubts = json_array())) return NULL;
	f->timeout = shortest_timeout;
	return take_ptr(f);
}

void fidelity_free(struct fidelity *f)
{
	if (!f) return;
	for (size_t i = 0; i < f->n_nodes; i++) {
		free((char *)f->nodes[i]->node);
		free(f->nodes[i]);
	}
	free(f->nodes);
	free(f->stalls);
	json_decref(f->doubts);
	free(f);
}

void fidelity_lost_events(struct fidelity *f, uint64_t n)
{
	f->lost_events += n;
}

void fidelity_fault_lost(struct fidelity *f, uint64_t n)
{
	f->fault_lost += n;
}

static int doubt(json_t *reasons, const char *format, va_list args)
{
	json_t *text = json_vsprintf(format, args);
	return json_array_append_new(reasons, text) < 0 ? -ENOMEM : 0;
}

int fidelity_doubt(struct fidelity *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int r = doubt(f->doubts, format, args);
	va_end(args);
	return r;
}

/* --- lateness ---------------------------------------------------------------------------------------- */

static unsigned slot_of(uint32_t us)
{
	if (us < FIRST_OCTAVE) return us;
	unsigned octave = 26 - (unsigned)__builtin_clz(us); /* 1 for 64..127 */
	return FIRST_OCTAVE + (octave - 1) * PER_OCTAVE + (us >> octave) - PER_OCTAVE;
}

/* The largest value that a slot holds. */
static uint32_t slot_top(unsigned slot)
{
	if (slot < FIRST_OCTAVE) return slot;
	unsigned octave = (slot - FIRST_OCTAVE) / PER_OCTAVE + 1;
	uint64_t mantissa = (slot - FIRST_OCTAVE) % PER_OCTAVE + PER_OCTAVE;
	return (uint32_t)(((mantissa + 1) << octave) - 1);
}

/* The value below or at which 99 of 100 samples lie, never understated. */
static uint32_t p99_us(const struct lateness *l)
{
	unsigned rank = l->n - l->n / 100, seen = 0, slot = 0;

	for (slot = 0; slot < SLOTS - 1; slot++) {
		if ((seen += l->slots[slot]) >= rank) break;
	}
	return slot_top(slot);
}

/* Where the node of that name is, or belongs, in the sorted table. */
static size_t place_of(const struct fidelity *f, const char *name, bool *found)
{
	size_t low = 0, high = f->n_nodes;

	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, f->nodes[middle]->node);
		*found = order == 0;
		if (order > 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return high;
}

static int find_node(struct fidelity *f, const char *name, struct lateness **ret)
{
	bool found;
	size_t at = place_of(f, name, &found);

	if (found) {
		*ret = f->nodes[at];
		return 0;
	}
	if (f->n_nodes == f->cap_nodes) {
		size_t cap = f->cap_nodes ? 2 * f->cap_nodes : 64;
		struct lateness **larger = reallocarray(f->nodes, cap, sizeof(struct lateness *));
		if (!larger) return -ENOMEM;
		f->nodes = larger;
		f->cap_nodes = cap;
	}
	cleanup_free struct lateness *l = calloc(1, sizeof(*l));
	if (!l || !(l->node = strdup(name))) return -ENOMEM;
	memmove(&f->nodes[at + 1], &f->nodes[at], (f->n_nodes++ - at) * sizeof(struct lateness *));
	f->nodes[at] = *ret = take_ptr(l);
	return 0;
}

static int add_stall(struct fidelity *f, const struct stall *s)
{
	if (f->n_stalls == f->cap_stalls) {
		size_t cap = f->cap_stalls ? 2 * f->cap_stalls : 16;
		struct stall *larger = reallocarray(f->stalls, cap, sizeof(*larger));
		if (!larger) return -ENOMEM;
		f->stalls = larger;
		f->cap_stalls = cap;
	}
	f->stalls[f->n_stalls++] = *s;
	return 0;
}

int fidelity_lateness(struct fidelity *f, const char *node, double t, const uint32_t *late_us, size_t n)
{
	struct lateness *l;
	double fired = t;
	int r = find_node(f, node, &l);

	/* A sample tells when its last firing was; walking back, a firing was due 50 ms before the next one.
	 * One that came later than the next one's due time took its place: it fired before that at the
	 * latest. */
	for (size_t i = n; r == 0 && i-- > 0;) {
		double due = fired - late_us[i] / 1e6;
		if (fired >= 0) {
			l->n++;
			l->slots[slot_of(late_us[i])]++;
		}
		if (late_us[i] > f->timeout / NS_PER_US)
			r = add_stall(f, &(struct stall){ l->node, due, fired });
		if (i == 0) break;
		bool in_place = late_us[i - 1] < LATENESS_PERIOD_US;
		fired = in_place ? due - (LATENESS_PERIOD_US - late_us[i - 1]) / 1e6 : due;
	}
	return r;
}

/* --- judgement --------------------------------------------------------------------------------------- */

/* The node whose loop ran latest, NULL if none told. Too few samples make no p99, unless there are no better.
 */
static const struct lateness *worst_node(const struct fidelity *f)
{
	const struct lateness *worst[2] = { NULL, NULL }; /* of few samples, of enough */

	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct lateness *l = f->nodes[i], **w = &worst[l->n >= ENOUGH_SAMPLES];
		if (l->n > 0 && (!*w || p99_us(l) > p99_us(*w))) *w = l;
	}
	return worst[1] ? worst[1] : worst[0];
}

static int add_reason(json_t *reasons, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int r = doubt(reasons, format, args);
	va_end(args);
	return r;
}

/* The longest stall that lies, wholly or in part, in the second before t. */
static const struct stall *stall_before(const struct fidelity *f, double t)
{
	const struct stall *longest = NULL;

	for (size_t i = 0; i < f->n_stalls; i++) {
		const struct stall *s = &f->stalls[i];
		if (s->from > t || s->to < t - 1) continue;
		if (!longest || s->to - s->from > longest->to - longest->from) longest = s;
	}
	return longest;
}

static int doubt_removals(const struct fidelity *f, const struct record *r, struct span run, json_t *reasons)
{
	unsigned doubtful = 0;

	for (size_t i = 0; i < r->n_events; i++) {
		const struct record_event *e = &r->events[i];
		if (strcmp(e->event, "zone.removed") || e->t < run.from || e->t >= run.to) continue;
		const struct stall *s = stall_before(f, e->t);
		if (!s || ++doubtful > REMOVAL_REASONS_MAX) continue;
		if (add_reason(reasons,
		               "event %llu, zone.removed %s at %.3f s: the loop of %s was %.0f ms late in "
		               "the second before it",
		               (unsigned long long)e->id, e->zone, e->t, s->node,
		               (s->to - s->from) * 1e3) < 0) {
			return -ENOMEM;
		}
	}
	if (doubtful <= REMOVAL_REASONS_MAX) return 0;
	return add_reason(reasons, "%u more zone.removed events came within a second of such a lateness",
	                  doubtful - REMOVAL_REASONS_MAX);
}

static int doubt_figures(const struct fidelity *f, const struct lateness *worst, json_t *reasons)
{
	double limit_ms = mono_ms(f->timeout) / 10;
	double jump = clock_jump_s(f);
	int r = 0;

	if (!worst) r |= add_reason(reasons, "no process told how late its loop ran");
	if (worst && p99_us(worst) / 1e3 > limit_ms) {
		r |= add_reason(reasons, "the loop of %s ran late: p99 %.1f ms, the limit is %.1f ms",
		                worst->node, p99_us(worst) / 1e3, limit_ms);
	}
	if (f->lost_events)
		r |= add_reason(reasons, "%llu events were lost", (unsigned long long)f->lost_events);
	if (f->fault_lost) {
		r |= add_reason(reasons, "the fault plane lost %llu packets that it should have delayed",
		                (unsigned long long)f->fault_lost);
	}
	if (fabs(jump) * 1e3 > limit_ms)
		r |= add_reason(reasons, "the machine was suspended for %.1f s", jump);
	return r;
}

static json_t *number_or_null(double value, double unit)
{
	return isnan(value) ? json_null() : json_real(round(value / unit) * unit);
}

json_t *fidelity_judge(const struct fidelity *f, const struct record *r, struct span run)
{
	const struct lateness *worst = worst_node(f);
	json_t *reasons = json_deep_copy(f->doubts);

	if (!reasons || doubt_figures(f, worst, reasons) < 0 || doubt_removals(f, r, run, reasons) < 0) {
		json_decref(reasons);
		return NULL;
	}
	return json_pack(
	    "{s:s?, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "worst_node", worst ? worst->node : NULL,
	    "late_p99_ms", number_or_null(worst ? p99_us(worst) / 1e3 : NAN, 1e-3), "limit_ms",
	    json_real(mono_ms(f->timeout) / 10), "lost_events", (json_int_t)f->lost_events, "fault_lost",
	    (json_int_t)f->fault_lost, "cpu_pressure", number_or_null(cpu_pressure(f), 1e-4), "clock_jump_s",
	    number_or_null(clock_jump_s(f), 1e-3), "reasons", reasons);
}
