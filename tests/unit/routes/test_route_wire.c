#include "proto/route.h"
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct route_update update = {
	.action = ROUTE_ATTACH,
	.id = 77,
	.generation = 3,
	.event = UINT64_C(0x0000000500000009),
	.address = { .v4 = { 0x0501000a }, .v6 = { .s6_addr = { 0xfd, 0, 0xa2, 0x1a, [15] = 5 } } },
	.instance = "az1.shop-1",
	.zone = "az1",
	.ifname = "shop-1",
};

static int encoded(const struct route_update *u, uint8_t *buf)
{
	int len = route_update_encode(u, buf, ROUTE_DATAGRAM_MAX);
	assert_true(len > 0);
	return len;
}

static void an_update_arrives_as_it_was_sent(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_update got;

	(void)state;
	assert_int_equal(route_update_decode(&got, buf, (size_t)encoded(&update, buf)), 0);
	assert_int_equal(got.action, update.action);
	assert_false(got.virtual);
	assert_int_equal(got.id, update.id);
	assert_int_equal(got.generation, update.generation);
	assert_true(got.event == update.event);
	assert_int_equal(route_address_compare(&got.address, &update.address), 0);
	assert_string_equal(got.instance, update.instance);
	assert_string_equal(got.zone, update.zone);
	assert_string_equal(got.ifname, update.ifname);
}

static void a_virtual_update_says_so(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_update virtual = update, got;

	(void)state;
	virtual.virtual = true;
	size_t len = (size_t)encoded(&virtual, buf);
	assert_int_equal(route_update_decode(&got, buf, len), 0);
	assert_true(got.virtual);
	buf[5] = 2; /* neither yes nor no */
	assert_int_equal(route_update_decode(&got, buf, len), -EBADMSG);
}

static void the_other_messages_arrive_as_they_were_sent(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_ack ack = { .zone = "az2",
		                 .epoch = 9,
		                 .generation = 4,
		                 .event = 5,
		                 .address = update.address },
	                 a;
	struct route_hello hello = { .zone = "az2", .epoch = 10 }, h;
	struct route_welcome welcome = { .epoch = 11 }, w;

	(void)state;
	assert_int_equal(route_ack_decode(&a, buf, (size_t)route_ack_encode(&ack, buf, sizeof(buf))), 0);
	assert_string_equal(a.zone, "az2");
	assert_true(a.epoch == 9 && a.generation == 4 && a.event == 5);
	assert_int_equal(route_address_compare(&a.address, &update.address), 0);
	assert_int_equal(route_hello_decode(&h, buf, (size_t)route_hello_encode(&hello, buf, sizeof(buf))),
	                 0);
	assert_string_equal(h.zone, "az2");
	assert_true(h.epoch == 10);
	assert_int_equal(
	    route_welcome_decode(&w, buf, (size_t)route_welcome_encode(&welcome, buf, sizeof(buf))), 0);
	assert_true(w.epoch == 11);
}

static void only_the_exact_length_is_taken(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX + 1] = { 0 };
	int len = encoded(&update, buf);
	struct route_update got;

	(void)state;
	for (int cut = 0; cut < len; cut++) {
		if (route_update_decode(&got, buf, (size_t)cut) != -EBADMSG)
			fail_msg("taken with %d of %d bytes", cut, len);
	}
	assert_int_equal(route_update_decode(&got, buf, (size_t)len + 1), -EBADMSG);
}

static void messages_of_another_type_are_refused(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	size_t len = (size_t)encoded(&update, buf);
	struct route_ack ack;
	struct route_hello hello;
	struct route_welcome welcome;

	(void)state;
	assert_int_equal(route_ack_decode(&ack, buf, len), -EBADMSG);
	assert_int_equal(route_hello_decode(&hello, buf, len), -EBADMSG);
	assert_int_equal(route_welcome_decode(&welcome, buf, len), -EBADMSG);
}

static void senseless_fields_are_refused(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_update got, bad = update;

	(void)state;
	size_t len = (size_t)encoded(&update, buf);
	buf[4] = 2; /* the action */
	assert_int_equal(route_update_decode(&got, buf, len), -EBADMSG);
	bad.generation = 0;
	assert_int_equal(route_update_decode(&got, buf, (size_t)encoded(&bad, buf)), -EBADMSG);
	bad = update;
	strcpy(bad.ifname, "a b");
	assert_int_equal(route_update_decode(&got, buf, (size_t)encoded(&bad, buf)), -EBADMSG);
}

static void a_name_that_does_not_fit_is_not_encoded(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_update bad = update;

	(void)state;
	bad.ifname[0] = '\0';
	assert_int_equal(route_update_encode(&bad, buf, sizeof(buf)), -EMSGSIZE);
	memset(bad.ifname, 'x', sizeof(bad.ifname));
	assert_int_equal(route_update_encode(&bad, buf, sizeof(buf)), -EMSGSIZE);
	assert_int_equal(route_update_encode(&update, buf, 20), -EMSGSIZE);
}

static void the_longest_names_fit_into_a_datagram(void **state)
{
	uint8_t buf[ROUTE_DATAGRAM_MAX];
	struct route_update longest = update, got;

	(void)state;
	memset(longest.instance, 'i', ROUTE_NAME_MAX - 1);
	memset(longest.zone, 'z', ROUTE_NAME_MAX - 1);
	memset(longest.ifname, 'f', IF_NAMESIZE - 1);
	assert_int_equal(route_update_decode(&got, buf, (size_t)encoded(&longest, buf)), 0);
	assert_string_equal(got.instance, longest.instance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_update_arrives_as_it_was_sent),
		cmocka_unit_test(a_virtual_update_says_so),
		cmocka_unit_test(the_other_messages_arrive_as_they_were_sent),
		cmocka_unit_test(only_the_exact_length_is_taken),
		cmocka_unit_test(messages_of_another_type_are_refused),
		cmocka_unit_test(senseless_fields_are_refused),
		cmocka_unit_test(a_name_that_does_not_fit_is_not_encoded),
		cmocka_unit_test(the_longest_names_fit_into_a_datagram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
