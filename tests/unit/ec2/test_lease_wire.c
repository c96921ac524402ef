#include "proto/lease.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct lease_message messages[] = {
	{ .kind = LEASE_CHECK, .droplet = 7, .request = 1, .holder = "dwfm-1" },
	{ .kind = LEASE_GRANT, .droplet = 42, .request = 2, .holder = "dwfm-2", .epoch = 9, .for_ms = 60000 },
	{ .kind = LEASE_ORDER,
	  .droplet = 29999,
	  .request = UINT64_C(1) << 40,
	  .epoch = 3,
	  .order = LEASE_LAUNCH,
	  .real = true,
	  .instance = "i-0123456789abcdef0",
	  .service = "shop",
	  .cause = UINT64_C(5) << 32 | 1 },
	{ .kind = LEASE_STATE, .droplet = 1, .request = 3, .epoch = 8, .slots = 4, .used = 2 },
	{ .kind = LEASE_DONE, .droplet = 1, .request = 4, .cause = 77 },
	{ .kind = LEASE_REFUSED, .droplet = 1, .request = 5, .epoch = 8, .why = LEASE_OLD_EPOCH },
};
enum { N_MESSAGES = sizeof(messages) / sizeof(messages[0]) };

static size_t encoded(const struct lease_message *m, uint8_t *buf)
{
	int len = lease_encode(m, buf, LEASE_DATAGRAM_MAX);
	assert_true(len > 0);
	return (size_t)len;
}

static void every_kind_arrives_as_it_was_sent(void **state)
{
	uint8_t buf[LEASE_DATAGRAM_MAX];
	struct lease_message got;

	(void)state;
	for (size_t i = 0; i < N_MESSAGES; i++) {
		memset(&got, 0, sizeof(got));
		assert_int_equal(lease_decode(&got, buf, encoded(&messages[i], buf)), 0);
		assert_int_equal(got.kind, messages[i].kind);
		assert_int_equal(got.droplet, messages[i].droplet);
		assert_true(got.request == messages[i].request && got.epoch == messages[i].epoch);
		assert_string_equal(got.holder, messages[i].holder);
		assert_int_equal(got.for_ms, messages[i].for_ms);
		assert_int_equal(got.slots, messages[i].slots);
		assert_int_equal(got.used, messages[i].used);
		assert_int_equal(got.order, messages[i].order);
		assert_int_equal(got.real, messages[i].real);
		assert_string_equal(got.instance, messages[i].instance);
		assert_string_equal(got.service, messages[i].service);
		assert_true(got.cause == messages[i].cause);
		assert_int_equal(got.why, messages[i].why);
	}
}

static void any_other_length_is_refused(void **state)
{
	uint8_t buf[LEASE_DATAGRAM_MAX + 1] = { 0 };
	struct lease_message got;

	(void)state;
	for (size_t i = 0; i < N_MESSAGES; i++) {
		size_t len = encoded(&messages[i], buf);
		for (size_t cut = 0; cut <= len + 1; cut++) {
			if (cut != len) assert_int_equal(lease_decode(&got, buf, cut), -EBADMSG);
		}
	}
}

static void what_makes_no_sense_is_refused(void **state)
{
	uint8_t buf[LEASE_DATAGRAM_MAX];
	struct lease_message got, m = messages[2];
	size_t len = encoded(&m, buf);

	(void)state;
	buf[4] = LEASE_REFUSED + 1;
	assert_int_equal(lease_decode(&got, buf, len), -EBADMSG);
	m.order = (enum lease_order)(LEASE_REBOOT + 1);
	assert_int_equal(lease_decode(&got, buf, encoded(&m, buf)), -EBADMSG);
	m = messages[2];
	strcpy(m.instance, "two words");
	assert_int_equal(lease_decode(&got, buf, encoded(&m, buf)), -EBADMSG);
	m = messages[5];
	m.why = (enum lease_refusal)0;
	assert_int_equal(lease_decode(&got, buf, encoded(&m, buf)), -EBADMSG);
	m = messages[0];
	m.holder[0] = '\0';
	assert_int_equal(lease_encode(&m, buf, sizeof(buf)), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_arrives_as_it_was_sent),
		cmocka_unit_test(any_other_length_is_refused),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
