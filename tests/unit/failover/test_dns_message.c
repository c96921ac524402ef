/* Which datagrams count as answers: forged ones at most make us ask again. And the servers' configurations
 * for a real topology, judged by the servers' own checkers. */
#include "common/cleanup.h"
#include "common/dns_update.h"
#include "orchestrator/lab/dns_servers.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static struct dns_key key;

static struct dns_request query(const struct dns_key *k)
{
	struct dns_request r;
	assert_int_equal(dns_query_encode("shop.lab", "A", 0x1234, k, &r), 0);
	return r;
}

/* The request itself, turned into an unsigned answer with that rcode and no records. */
static size_t answer_to(const struct dns_request *r, unsigned rcode, uint8_t *wire)
{
	size_t question = 12 + 10 + 4; /* header; 4shop3lab0; type and class */

	memcpy(wire, r->wire, question);
	wire[2] |= 0x80;
	wire[3] = (uint8_t)rcode;
	memset(wire + 6, 0, 6);
	return question;
}

static void unsigned_answers_are_hints_at_most(void **state)
{
	static const struct {
		unsigned rcode;
		int result;
		enum dns_status status;
	} cases[] = {
		{ 0, -EBADMSG, 0 },           { 3, -EBADMSG, 0 },    { 8, -EBADMSG, 0 },
		{ 2, 0, DNS_SERVER_FAILURE }, { 5, 0, DNS_REFUSED }, { 9, 0, DNS_BAD_KEY },
	};
	struct dns_request r = query(&key);
	struct dns_answer a;
	uint8_t wire[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = answer_to(&r, cases[i].rcode, wire);
		assert_int_equal(dns_answer_decode(&r, &key, wire, len, &a), cases[i].result);
		if (cases[i].result < 0) continue;
		assert_int_equal(a.status, cases[i].status);
		dns_answer_release(&a);
	}
	dns_request_release(&r);
}

static void without_a_key_answers_need_only_match(void **state)
{
	struct dns_request r = query(NULL);
	struct dns_answer a;
	uint8_t wire[64];
	size_t len = answer_to(&r, 0, wire);

	(void)state;
	assert_int_equal(dns_answer_decode(&r, NULL, wire, len, &a), 0);
	assert_int_equal(a.status, DNS_OK);
	wire[1] ^= 1; /* another id */
	assert_int_equal(dns_answer_decode(&r, NULL, wire, len, &a), -EBADMSG);
	wire[1] ^= 1;
	wire[2] &= 0x7f; /* a question */
	assert_int_equal(dns_answer_decode(&r, NULL, wire, len, &a), -EBADMSG);
	wire[2] |= 0x80 | 5 << 3; /* to an update */
	assert_int_equal(dns_answer_decode(&r, NULL, wire, len, &a), -EBADMSG);
	assert_int_equal(dns_answer_decode(&r, NULL, wire, 11, &a), -EBADMSG);
	dns_request_release(&r);
}

static void our_own_request_is_no_answer(void **state)
{
	struct dns_request r = query(&key);
	struct dns_answer a;

	(void)state;
	r.wire[2] |= 0x80; /* signed by the right key, but as a request: the answer's signature covers more */
	assert_int_equal(dns_answer_decode(&r, &key, r.wire, r.len, &a), -EBADMSG);
	dns_request_release(&r);
}

static void every_status_has_a_text(void **state)
{
	(void)state;
	for (int s = 0; s < DNS_STATUS_MAX; s++)
		assert_true(strlen(dns_status_text(s)) > 3);
}

/* --- configurations ---------------------------------------------------------------------------------- */

static int run_checker(const char *checker, const char *before, const char *config, const char *after)
{
	char command[PATH_MAX + 128];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin %s %s %s %s >/dev/null 2>&1", checker,
	         before, config, after);
	return system(command);
}

static bool have(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin command -v %s >/dev/null", program);
	return system(command) == 0;
}

static void check_server(const struct plan *p, const char *name, const char *checker, const char *before,
                         const char *after)
{
	char dir[] = "/tmp/azlab-config-XXXXXX", command[64];
	struct dns_server_command c;
	int node = plan_find(p, name);

	assert_true(node >= 0);
	assert_non_null(mkdtemp(dir));
	int prepared = dns_server_prepare(p, (size_t)node, dir, &key, getuid(), getgid(), &c);
	int accepted = prepared == 0 ? run_checker(checker, before, c.config, after) : -1;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(prepared, 0);
	assert_int_equal(accepted, 0);
}

static void servers_accept_their_configurations(void **state)
{
	struct topology_error error;
	struct topology *t;
	struct plan *p;

	(void)state;
	if (!have("knotc") || !have("unbound-checkconf")) skip();
	if (topology_load("topologies/az-thrash.yaml", NULL, 0, &t, NULL, &error) < 0)
		fail_msg("%s", error.text);
	if (plan_make(t, &p, &error) < 0) fail_msg("%s", error.text);
	check_server(p, "region.route53", "knotc", "-c", "conf-check");
	check_server(p, "az1.resolver", "unbound-checkconf", "", "");
	check_server(p, "internet.resolver", "unbound-checkconf", "", "");
	plan_free(p);
	topology_free(t);
}

static int set_up(void **state)
{
	(void)state;
	return dns_key_make(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_answers_are_hints_at_most),
		cmocka_unit_test(without_a_key_answers_need_only_match),
		cmocka_unit_test(our_own_request_is_no_answer),
		cmocka_unit_test(every_status_has_a_text),
		cmocka_unit_test(servers_accept_their_configurations),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
