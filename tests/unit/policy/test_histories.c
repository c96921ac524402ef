/* Random histories of health: whatever happens, the invariants of the answer and of the stages hold. */
#include "common/random.h"
#include "policy/stages.h"
#include "tests/unit/policy/chains.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct history {
	struct random random;
	struct verdicts v;
	mono_ns now;
	double removed[4096]; /* removals: shares and instants */
	mono_ns removed_at[4096];
	size_t n_removed;
	zone_set told; /* the answer as the happenings tell it */
};

static unsigned below(struct history *x, unsigned n)
{
	return (unsigned)(random_next(&x->random) % n);
}

static void check_answer(struct history *x, const struct happenings *h)
{
	zone_set in = 0;

	for (unsigned z = 0; z < x->v.config.zones; z++)
		in |= (zone_set)!x->v.zones[z].out << z;
	for (size_t i = 0; i < h->n; i++) {
		zone_set bit = UINT64_C(1) << h->list[i].zone;
		switch (h->list[i].kind) {
		case ZONE_REMOVED:
			assert_true(x->told & bit);
			assert_false(in & bit);
			x->told &= ~bit;
			break;
		case ZONE_RESTORED:
			assert_false(x->told & bit);
			x->told |= bit;
			break;
		case ZONE_HELD:
			assert_true(x->told & bit);
			break;
		case FAILOPEN_ON:
			assert_int_equal(in, 0);
			break;
		case FAILOPEN_OFF:
			assert_int_not_equal(in, 0);
			break;
		}
	}
	assert_int_equal(x->told, x->v.answer); /* nothing changed untold */
	assert_int_not_equal(x->v.answer, 0);
	assert_int_equal(in & ~x->v.answer, 0); /* no restore is ever held by these stages */
	for (unsigned z = 0; z < x->v.config.zones;
	     z++) /* what is neither well nor held is out, unless open */
		if (!x->v.fail_open && x->v.zones[z].out && !x->v.zones[z].held)
			assert_false(x->v.answer >> z & 1);
}

static void note_removals(struct history *x, const struct happenings *h)
{
	unsigned registered = 0;

	for (unsigned z = 0; z < x->v.config.zones; z++)
		registered += x->v.zones[z].of;
	for (size_t i = 0; i < h->n; i++) {
		if (h->list[i].kind != ZONE_REMOVED) continue;
		assert_true(x->n_removed < 4096);
		x->removed[x->n_removed] = registered ? (double)h->list[i].of / registered : 0;
		x->removed_at[x->n_removed++] = x->now;
	}
}

/* A bucket of size m that refills in a window: within any span T at most m (1 + T / window) leaves. */
static void check_velocity(const struct history *x, double m, double window)
{
	for (size_t i = 0; i < x->n_removed; i++) {
		double sum = 0;
		for (size_t j = i; j < x->n_removed; j++) {
			double span = (double)(x->removed_at[j] - x->removed_at[i]);
			sum += x->removed[j];
			if (sum > m * (1 + span / window) + 1e-6)
				fail_msg("%.3f of the capacity left within %.1f s", sum,
				         span / (double)NS_PER_S);
		}
	}
}

static void random_step(struct history *x, struct happenings *h)
{
	unsigned zone = below(x, x->v.config.zones), of = 1 + below(x, 6);

	x->now += (mono_ns)(random_exponential(&x->random, 3e9));
	if (below(x, 5) == 0) {
		verdicts_tick(&x->v, x->now, h);
	} else {
		verdicts_feed(&x->v, zone, below(x, of + 1), of, random_next(&x->random), x->now, h);
	}
}

static void run_history(uint64_t seed, bool on, size_t n, const struct stage_type *const *types)
{
	static struct history x;
	struct happenings h;
	char stream[32];

	snprintf(stream, sizeof(stream), "history-%llu", (unsigned long long)seed);
	x = (struct history){ .random = random_of(seed, stream) };
	struct verdicts_config c = config_of(1 + below(&x, 8), on, n, types);
	assert_int_equal(verdicts_init(&x.v, &c), 0);
	x.told = x.v.answer;
	for (int i = 0; i < 400; i++) {
		random_step(&x, &h);
		check_answer(&x, &h);
		note_removals(&x, &h);
	}
	if (on && n && types[0] == &stage_velocity) check_velocity(&x, 0.34, 60e9);
	if (on && n && types[0] == &stage_disabled) assert_int_equal(x.n_removed, 0);
}

static void random_histories_keep_the_invariants(void **state)
{
	const struct stage_type *const chains[][2] = { { &stage_velocity, &stage_hold_down },
		                                       { &stage_hold_down, &stage_velocity },
		                                       { &stage_disabled, NULL } };

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		run_history(seed, false, 0, NULL);
		run_history(seed, false, 2, chains[0]);
		run_history(seed, true, 1, chains[0]);
		run_history(seed, true, 2, chains[0]);
		run_history(seed, true, 2, chains[1]);
		run_history(seed, true, 1, chains[2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_histories_keep_the_invariants) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
