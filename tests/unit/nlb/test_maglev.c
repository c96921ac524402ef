#include "nlb/maglev.h"
#include "nlb.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FLOWS = 10000 };
static uint16_t table[NLB_TABLE_SIZE], other[NLB_TABLE_SIZE];

static void build(const uint64_t *keys, size_t n, uint16_t *entry)
{
	assert_int_equal(maglev_build(keys, n, entry, NLB_TABLE_SIZE), 0);
}

static void entries_differ_by_one_at_most(void **state)
{
	uint64_t keys[NLB_TARGETS_MAX];
	size_t sizes[] = { 1, 2, 3, 7, 100, NLB_TARGETS_MAX };

	(void)state;
	for (uint64_t i = 0; i < NLB_TARGETS_MAX; i++)
		keys[i] = i * 1000003;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		unsigned count[NLB_TARGETS_MAX] = { 0 };
		build(keys, sizes[k], table);
		for (size_t i = 0; i < NLB_TABLE_SIZE; i++) {
			assert_in_range(table[i], 0, sizes[k] - 1);
			count[table[i]]++;
		}
		for (size_t i = 0; i < sizes[k]; i++)
			assert_in_range(count[i], NLB_TABLE_SIZE / sizes[k], NLB_TABLE_SIZE / sizes[k] + 1);
	}
}

/* The key of a flow's target. */
static uint64_t target_of(const uint64_t *keys, const uint16_t *entry, uint16_t port)
{
	struct nlb_addr client = { { 0, 0, 0xffff0000, 0x050012c6 } };
	return keys[entry[nlb_entry_of(nlb_hash(1, &client, port, 0))]];
}

static void removing_one_of_six_moves_few_flows(void **state)
{
	const uint64_t all[] = { 11, 12, 13, 14, 15, 16 };

	(void)state;
	build(all, 6, table);
	for (int gone = 0; gone < 6; gone++) {
		uint64_t rest[5];
		unsigned moved = 0;
		for (int i = 0, n = 0; i < 6; i++)
			if (i != gone) rest[n++] = all[i];
		build(rest, 5, other);
		for (uint16_t port = 0; port < FLOWS; port++)
			moved += target_of(all, table, port) != target_of(rest, other, port);
		assert_in_range(moved, FLOWS / 7, FLOWS / 6 + FLOWS / 20);
	}
}

static void a_target_that_returns_gets_its_flows_back(void **state)
{
	const uint64_t all[] = { 1, 2, 3 };

	(void)state;
	build(all, 3, table);
	build(all, 3, other);
	assert_memory_equal(table, other, sizeof(table));
}

static void impossible_sizes_are_refused(void **state)
{
	const uint64_t keys[8] = { 0 };
	uint16_t untouched[7] = { 0 };

	(void)state;
	assert_int_equal(maglev_build(keys, 0, untouched, 7), -EINVAL);
	assert_int_equal(maglev_build(keys, 7, untouched, 7), -EINVAL);
	for (int i = 0; i < 7; i++)
		assert_int_equal(untouched[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_differ_by_one_at_most),
		cmocka_unit_test(removing_one_of_six_moves_few_flows),
		cmocka_unit_test(a_target_that_returns_gets_its_flows_back),
		cmocka_unit_test(impossible_sizes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
