/* The client's pure parts: arrivals, books, and the reading of DNS answers. */
#include "client/tally.h"
#include "common/arrivals.h"
#include "common/cleanup.h"
#include "common/stub.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define MS NS_PER_MS

/* --- arrivals ---------------------------------------------------------------------------------------- */

static void a_seed_holds_an_exact_number(void **state)
{
	uint64_t n = arrivals_count(1, "internet.client-1", 530, true, 80 * NS_PER_S);
	struct arrivals a;
	uint64_t by_hand = 0;

	(void)state;
	assert_int_equal(n, arrivals_count(1, "internet.client-1", 530, true, 80 * NS_PER_S));
	assert_int_not_equal(n, arrivals_count(2, "internet.client-1", 530, true, 80 * NS_PER_S));
	assert_int_not_equal(n, arrivals_count(1, "internet.client-2", 530, true, 80 * NS_PER_S));
	/* 42400 expected; a Poisson count lies within 5 of its standard deviations of 206 */
	assert_in_range(n, 42400 - 5 * 206, 42400 + 5 * 206);
	arrivals_init(&a, 1, "internet.client-1", 530, true);
	for (mono_ns last = 0; arrivals_next(&a) < 80 * NS_PER_S; by_hand++, arrivals_take(&a)) {
		assert_true(arrivals_next(&a) >= last);
		last = arrivals_next(&a);
	}
	assert_int_equal(n, by_hand);
}

static void constant_arrivals_are_evenly_spaced(void **state)
{
	struct arrivals a;

	(void)state;
	assert_int_equal(arrivals_count(1, "c", 530, false, 80 * NS_PER_S), 530 * 80);
	assert_int_equal(arrivals_count(1, "c", 0.1, false, 100 * NS_PER_S), 10);
	arrivals_init(&a, 1, "c", 10, false);
	for (int i = 0; i < 1000; i++, arrivals_take(&a))
		assert_in_range(arrivals_next(&a), (50 + 100 * i) * MS - 10, (50 + 100 * i) * MS + 10);
}

static void poisson_gaps_are_exponential(void **state)
{
	enum { N = 100000 };
	struct arrivals a;
	double sum = 0, squares = 0;
	mono_ns last = 0;

	(void)state;
	arrivals_init(&a, 3, "c", 1000, true);
	for (int i = 0; i < N; i++, arrivals_take(&a)) {
		double gap = (double)(arrivals_next(&a) - last) / MS;
		last = arrivals_next(&a);
		sum += gap;
		squares += gap * gap;
	}
	double mean = sum / N, deviation = sqrt(squares / N - mean * mean);
	assert_true(mean > 0.98 && mean < 1.02);
	assert_true(deviation > 0.97 && deviation < 1.03); /* of an exponential: its mean */
}

static void a_new_rate_counts_from_then_on(void **state)
{
	struct arrivals a;

	(void)state;
	arrivals_init(&a, 1, "c", 1, false); /* at 500 ms */
	arrivals_set_rate(&a, 2, 300 * MS);  /* 200 ms were left, now half as much */
	assert_int_equal(arrivals_next(&a), 400 * MS);
	arrivals_take(&a);
	arrivals_set_rate(&a, 0, 500 * MS);
	assert_int_equal(arrivals_next(&a), MONO_NEVER);
	arrivals_set_rate(&a, 1, 5000 * MS); /* 80 % of a gap were left */
	assert_in_range(arrivals_next(&a), 5800 * MS - 10, 5800 * MS + 10);
}

/* --- books ------------------------------------------------------------------------------------------- */

static void a_bucket_is_told_when_all_of_it_is_decided(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t);
	struct tally_bucket *first = tally_arrive(&t, 10 * MS), *third = tally_arrive(&t, 210 * MS);
	assert_ptr_equal(tally_arrive(&t, 299 * MS), third);
	assert_int_equal(third->from, 200 * MS);
	tally_attempt(first);
	assert_null(
	    tally_pop(&t, 350 * MS)); /* the first is undecided, the second empty, the third as well */
	tally_decide(first, TALLY_OK, 5 * MS);
	assert_ptr_equal(tally_pop(&t, 350 * MS), first);
	assert_int_equal(first->attempts, 1);
	assert_int_equal(tally_errors(first), 0);
	struct tally_bucket *second = tally_pop(&t, 350 * MS);
	assert_int_equal(second->from, 100 * MS);
	assert_int_equal(second->requests, 0);
	assert_null(tally_pop(&t, 350 * MS));
	tally_decide(third, TALLY_LAB, 0);
	tally_decide(third, TALLY_REFUSED, 0);
	assert_null(tally_pop(&t, 299 * MS)); /* more might still arrive in it */
	assert_ptr_equal(tally_pop(&t, 300 * MS), third);
	assert_int_equal(tally_errors(third), 1); /* the lab's own is none */
	assert_int_equal(third->by_class[TALLY_LAB], 1);
	assert_null(tally_pop(&t, 399 * MS));
	struct tally_bucket *fourth = tally_pop(&t, 400 * MS);
	assert_int_equal(fourth->from, 300 * MS);
	tally_bucket_free(first), tally_bucket_free(second), tally_bucket_free(third),
	    tally_bucket_free(fourth);
}

static void percentiles_are_by_nearest_rank(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t);
	struct tally_bucket *b = tally_arrive(&t, 0);
	assert_true(tally_percentile(b, 0.5) < 0);
	tally_decide(b, TALLY_OK, 100 * MS);
	for (int i = 99; i >= 1; i--) {
		tally_arrive(&t, 0);
		tally_decide(b, TALLY_OK, i * MS);
	}
	assert_true(tally_percentile(b, 0.5) == 50);
	assert_true(tally_percentile(b, 0.99) == 99);
	assert_true(tally_percentile(b, 1) == 100);
	tally_bucket_free(tally_pop(&t, 100 * MS));
}

static void an_episode_has_a_beginning_and_an_end(void **state)
{
	struct episode e = { 0 };
	double rate;

	(void)state;
	assert_false(episode_feed(&e, 50, 0, &rate));
	for (int i = 0; i < 9; i++)
		assert_false(episode_feed(&e, 50, 0, &rate));
	for (int i = 0; i < 4; i++)
		assert_false(episode_feed(&e, 50, 1, &rate)); /* 4 of 500 */
	assert_true(episode_feed(&e, 50, 1, &rate));
	assert_true(e.on && rate == 0.01);
	for (int i = 0; i < 9; i++)
		assert_false(episode_feed(&e, 50, 0, &rate));
	assert_true(episode_feed(&e, 50, 0, &rate));
	assert_false(e.on);
}

/* --- DNS answers ------------------------------------------------------------------------------------- */

/* A datagram with these records, one a line; rcode as given. */
static size_t make_answer(uint8_t *buf, uint16_t id, const char *name, ldns_rr_type type,
                          const char *const *records, ldns_pkt_rcode rcode)
{
	ldns_pkt *p = ldns_pkt_query_new(ldns_dname_new_frm_str(name), type, LDNS_RR_CLASS_IN, LDNS_RD);
	uint8_t *wire;
	size_t len;

	ldns_pkt_set_id(p, id);
	ldns_pkt_set_qr(p, true);
	ldns_pkt_set_rcode(p, rcode);
	for (; *records; records++) {
		ldns_rr *rr;
		assert_int_equal(ldns_rr_new_frm_str(&rr, *records, 0, NULL, NULL), LDNS_STATUS_OK);
		ldns_pkt_push_rr(p, LDNS_SECTION_ANSWER, rr);
	}
	assert_int_equal(ldns_pkt2wire(&wire, p, &len), LDNS_STATUS_OK);
	memcpy(buf, wire, len);
	free(wire);
	ldns_pkt_free(p);
	return len;
}

static struct stub_answer parse(const char *const *records, ldns_pkt_rcode rcode, int family)
{
	static uint8_t buf[65536];
	struct stub_answer answer = { 0 };
	ldns_rr_type type = family == AF_INET ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
	size_t len = make_answer(buf, 7, "shop.lab", type, records, rcode);

	assert_int_equal(stub_parse(buf, len, 7, "Shop.LAB.", family, &answer), 0);
	assert_int_equal(stub_parse(buf, len, 8, "shop.lab", family, &answer), -EBADMSG);
	assert_int_equal(stub_parse(buf, len, 7, "shop.other", family, &answer), -EBADMSG);
	assert_int_equal(stub_parse(buf, len, 7, "shop.lab", AF_INET + AF_INET6 - family, &answer), -EBADMSG);
	for (size_t cut = 0; cut < len; cut++)
		stub_parse(buf, cut, 7, "shop.lab", family,
		           &(struct stub_answer){ 0 }); /* no crash is the claim */
	assert_int_equal(stub_parse(buf, len, 7, "shop.lab", family, &answer), 0);
	return answer;
}

#define RECORDS(...)                                                                                         \
	(const char *const[])                                                                                \
	{                                                                                                    \
		__VA_ARGS__ __VA_OPT__(, ) NULL                                                              \
	}

static void answers_give_addresses_and_the_smallest_ttl(void **state)
{
	char text[INET6_ADDRSTRLEN];

	(void)state;
	struct stub_answer a =
	    parse(RECORDS("shop.lab. 5 IN A 10.1.0.1", "shop.lab. 3 IN A 10.2.0.1"), 0, AF_INET);
	assert_int_equal(a.outcome, STUB_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.ttl_s, 3);
	probe_address_text(&a.addresses[1], text);
	assert_string_equal(text, "10.2.0.1");
	a = parse(RECORDS("shop.lab. 0 IN AAAA fd00::1"), 0, AF_INET6);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.ttl_s, 0);
}

static void aliases_are_followed(void **state)
{
	(void)state;
	struct stub_answer a = parse(RECORDS("shop.lab. 60 IN CNAME a.lab.", "b.lab. 30 IN A 10.0.0.1",
	                                     "a.lab. 2 IN CNAME b.lab.", "evil.lab. 9 IN A 10.6.6.6"),
	                             0, AF_INET);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.ttl_s, 2);
	a = parse(RECORDS("shop.lab. 60 IN CNAME a.lab.", "a.lab. 2 IN CNAME shop.lab."), 0,
	          AF_INET); /* a loop */
	assert_int_equal(a.outcome, STUB_NO_DATA);
}

static void nothing_found_is_told_apart(void **state)
{
	(void)state;
	assert_int_equal(parse(RECORDS(), LDNS_RCODE_NOERROR, AF_INET).outcome, STUB_NO_DATA);
	assert_int_equal(parse(RECORDS(), LDNS_RCODE_NXDOMAIN, AF_INET).outcome, STUB_NO_NAME);
	assert_int_equal(parse(RECORDS(), LDNS_RCODE_SERVFAIL, AF_INET).outcome, STUB_FAILED);
	assert_int_equal(parse(RECORDS(), LDNS_RCODE_REFUSED, AF_INET).outcome, STUB_FAILED);
}

static void questions_are_no_answers(void **state)
{
	uint8_t buf[512];
	struct stub_answer answer;
	int len = stub_question(buf, sizeof(buf), 7, "shop.lab", AF_INET);

	(void)state;
	assert_true(len > 0);
	assert_int_equal(stub_parse(buf, (size_t)len, 7, "shop.lab", AF_INET, &answer), -EBADMSG);
	assert_int_equal(stub_question(buf, sizeof(buf), 7, "bad..name", AF_INET), -EINVAL);
	assert_int_equal(stub_question(buf, 8, 7, "shop.lab", AF_INET), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_holds_an_exact_number),
		cmocka_unit_test(constant_arrivals_are_evenly_spaced),
		cmocka_unit_test(poisson_gaps_are_exponential),
		cmocka_unit_test(a_new_rate_counts_from_then_on),
		cmocka_unit_test(a_bucket_is_told_when_all_of_it_is_decided),
		cmocka_unit_test(percentiles_are_by_nearest_rank),
		cmocka_unit_test(an_episode_has_a_beginning_and_an_end),
		cmocka_unit_test(answers_give_addresses_and_the_smallest_ttl),
		cmocka_unit_test(aliases_are_followed),
		cmocka_unit_test(nothing_found_is_told_apart),
		cmocka_unit_test(questions_are_no_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
