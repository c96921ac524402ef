/* Droplets: whom they obey. */
#include "droplets/fleet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define S NS_PER_S
static struct fleet *fleet;
static enum lease_refusal why;
static struct fleet_instance *instance;

static int setup(void **state)
{
	(void)state;
	return (fleet = fleet_new(1, 10, 2)) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fleet_free(fleet);
	return 0;
}

static void grant(uint32_t droplet, const char *holder, uint64_t epoch, unsigned seconds, mono_ns at)
{
	struct lease_message m = {
		.kind = LEASE_GRANT, .droplet = droplet, .epoch = epoch, .for_ms = seconds * 1000
	};
	strcpy(m.holder, holder);
	fleet_grant(fleet, &m, at);
}

static enum fleet_verdict order(enum lease_order what, uint32_t droplet, const char *name, uint64_t epoch,
                                mono_ns at)
{
	static uint64_t request;
	struct lease_message m = {
		.kind = LEASE_ORDER, .droplet = droplet, .epoch = epoch, .order = what, .request = ++request
	};
	strcpy(m.instance, name);
	return fleet_order(fleet, &m, at, &why, &instance);
}

static void launched(uint32_t droplet, const char *name, uint64_t epoch, mono_ns at)
{
	assert_int_equal(order(LEASE_LAUNCH, droplet, name, epoch, at), FLEET_BEGUN);
	fleet_launched(fleet, instance, true);
}

#define assert_refused(call, reason)                                                                         \
	do {                                                                                                 \
		assert_int_equal(call, FLEET_REFUSED);                                                       \
		assert_int_equal(why, reason);                                                               \
	} while (0)

static void without_a_grant_no_order_is_obeyed(void **state)
{
	(void)state;
	assert_refused(order(LEASE_LAUNCH, 1, "i-1", 1, 0), LEASE_NO_LEASE);
	assert_refused(order(LEASE_LAUNCH, 11, "i-1", 1, 0), LEASE_UNKNOWN);
	assert_refused(order(LEASE_LAUNCH, 0, "i-1", 1, 0), LEASE_UNKNOWN);
}

static void a_grant_ends_with_its_time(void **state)
{
	(void)state;
	grant(1, "dwfm-1", 1, 60, 0);
	launched(1, "i-1", 1, 60 * S - 1);
	assert_refused(order(LEASE_LAUNCH, 1, "i-2", 1, 60 * S), LEASE_NO_LEASE);
}

static void an_older_epoch_is_refused_for_good(void **state)
{
	(void)state;
	grant(1, "dwfm-1", 1, 60, 0);
	grant(1, "dwfm-2", 2, 60, S);
	assert_refused(order(LEASE_LAUNCH, 1, "i-1", 1, 2 * S), LEASE_OLD_EPOCH);
	grant(1, "dwfm-1", 1, 60, 3 * S); /* late, or of one who was paused */
	assert_string_equal(fleet_droplet(fleet, 1)->holder, "dwfm-2");
	assert_refused(order(LEASE_TERMINATE, 1, "i-1", 1, 4 * S), LEASE_OLD_EPOCH);
	launched(1, "i-1", 2, 5 * S);
}

static void an_order_with_a_newer_epoch_ends_the_older_holders_time(void **state)
{
	(void)state;
	grant(1, "dwfm-1", 1, 60, 0);
	assert_refused(order(LEASE_LAUNCH, 1, "i-1", 2, S), LEASE_NO_LEASE);
	assert_refused(order(LEASE_LAUNCH, 1, "i-1", 1, S), LEASE_OLD_EPOCH);
}

static void grants_of_one_holder_may_overtake_each_other(void **state)
{
	(void)state;
	grant(1, "dwfm-1", 1, 60, 10 * S);
	grant(1, "dwfm-1", 1, 1, 11 * S);
	assert_true(fleet_droplet(fleet, 1)->until == 70 * S);
}

static void a_launch_is_carried_out_once(void **state)
{
	(void)state;
	grant(1, "dwfm-1", 1, 60, 0);
	assert_int_equal(order(LEASE_LAUNCH, 1, "i-1", 1, 1), FLEET_BEGUN);
	assert_int_equal(order(LEASE_LAUNCH, 1, "i-1", 1, 2), FLEET_IN_HAND);
	assert_refused(order(LEASE_TERMINATE, 1, "i-1", 1, 3), LEASE_FAILED);
	fleet_launched(fleet, fleet_find(fleet, "i-1"), true);
	assert_int_equal(order(LEASE_LAUNCH, 1, "i-1", 1, 4), FLEET_DONE_BEFORE);
	assert_int_equal(fleet_counts(fleet, 5).used, 1);
	grant(2, "dwfm-1", 1, 60, 0);
	assert_refused(order(LEASE_LAUNCH, 2, "i-1", 1, 6), LEASE_UNKNOWN); /* it is on another one */
}

static void a_reboot_is_carried_out_once_a_request(void **state)
{
	struct lease_message m = {
		.kind = LEASE_ORDER, .droplet = 1, .epoch = 1, .order = LEASE_REBOOT, .instance = "i-1"
	};

	(void)state;
	grant(1, "dwfm-1", 1, 60, 0);
	launched(1, "i-1", 1, 1);
	for (m.request = 7; m.request <= 8; m.request++) {
		assert_int_equal(fleet_order(fleet, &m, 2, &why, &instance), FLEET_DONE);
		assert_int_equal(fleet_order(fleet, &m, 3, &why, &instance), FLEET_DONE_BEFORE);
	}
	assert_refused(order(LEASE_REBOOT, 1, "i-2", 1, 4), LEASE_UNKNOWN);
}

static void slots_are_finite_and_come_back(void **state)
{
	(void)state;
	grant(1, "dwfm-1", 1, 60, 0);
	launched(1, "i-1", 1, 1);
	assert_int_equal(order(LEASE_LAUNCH, 1, "i-2", 1, 1), FLEET_BEGUN);
	assert_refused(order(LEASE_LAUNCH, 1, "i-3", 1, 1), LEASE_NO_SLOT);
	fleet_launched(fleet, fleet_find(fleet, "i-2"), false);
	launched(1, "i-3", 1, 1);
	assert_int_equal(order(LEASE_TERMINATE, 1, "i-1", 1, 1), FLEET_DONE);
	assert_null(instance);
	assert_refused(order(LEASE_TERMINATE, 1, "i-1", 1, 1), LEASE_UNKNOWN);
	struct fleet_counts c = fleet_counts(fleet, 1);
	assert_int_equal(c.leased, 1);
	assert_int_equal(c.used, 1);
	assert_int_equal(c.slots, 20);
}

static void a_launch_repeated_too_late_is_refused(void **state)
{
	struct lease_message refused = { .kind = LEASE_ORDER,
		                         .droplet = 1,
		                         .epoch = 1,
		                         .order = LEASE_LAUNCH,
		                         .request = 1001,
		                         .instance = "i-3" },
	                     ended = refused;

	(void)state;
	ended.request = 1002;
	strcpy(ended.instance, "i-2");
	grant(1, "dwfm-1", 1, 60, 0);
	launched(1, "i-1", 1, 1);
	assert_int_equal(fleet_order(fleet, &ended, 1, &why, &instance), FLEET_BEGUN);
	fleet_launched(fleet, instance, true);
	assert_refused(fleet_order(fleet, &refused, 1, &why, &instance), LEASE_NO_SLOT);
	assert_int_equal(order(LEASE_TERMINATE, 1, "i-2", 1, 2), FLEET_DONE);
	/* there is room by now, and who sent these has gone on */
	assert_refused(fleet_order(fleet, &refused, 3, &why, &instance), LEASE_NO_SLOT);
	assert_refused(fleet_order(fleet, &ended, 3, &why, &instance), LEASE_FAILED);
	refused.request = 1003;
	assert_int_equal(fleet_order(fleet, &refused, 3, &why, &instance), FLEET_BEGUN);
}

static void a_check_tells_how_it_is(void **state)
{
	struct lease_message q = { .kind = LEASE_CHECK, .droplet = 1, .request = 9 }, m;

	(void)state;
	grant(1, "dwfm-1", 7, 60, 0);
	launched(1, "i-1", 7, 1);
	m = fleet_state(fleet, &q);
	assert_int_equal(m.kind, LEASE_STATE);
	assert_true(m.request == 9 && m.epoch == 7 && m.slots == 2 && m.used == 1);
	q.droplet = 99;
	m = fleet_state(fleet, &q);
	assert_int_equal(m.kind, LEASE_REFUSED);
	assert_int_equal(m.why, LEASE_UNKNOWN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_grant_no_order_is_obeyed),
		TEST(a_grant_ends_with_its_time),
		TEST(an_older_epoch_is_refused_for_good),
		TEST(an_order_with_a_newer_epoch_ends_the_older_holders_time),
		TEST(grants_of_one_holder_may_overtake_each_other),
		TEST(a_launch_is_carried_out_once),
		TEST(a_reboot_is_carried_out_once_a_request),
		TEST(slots_are_finite_and_come_back),
		TEST(a_launch_repeated_too_late_is_refused),
		TEST(a_check_tells_how_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
