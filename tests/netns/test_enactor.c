/* One enactor, a real Knot, and whatever may go wrong between them or in the plan store: it keeps its state,
 * says what it waits for, and goes on when all is well. */
#include "tests/netns/racelab.h"
#include <sched.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <cmocka.h>

enum { WAIT_MS = 30000, DISK_BYTES = 24 << 20, POLL_MS = 20 };
enum { MAIN_ZONE, ZONES };

static struct race_settings settings;
static struct testnode *enactor;
static struct dns_plan in_force;

/* --- the store: a file that a server hands out ------------------------------------------------------- */

static void store_path(char *to, size_t size)
{
	snprintf(to, size, "%s/store", dnslab.dir);
}

static void hand_out(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evbuffer_new();
	char path[128];

	(void)arg;
	store_path(path, sizeof(path));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) evbuffer_add_file(body, fd, 0, -1); /* closes it */
	evhttp_send_reply(request, fd >= 0 ? 200 : 404, NULL, body);
	evbuffer_free(body);
}

static void start_store(void)
{
	pid_t parent = getpid();

	race_feeder = fork();
	if (race_feeder != 0) return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	testnet_enter(dnslab.region);
	evhttp_set_gencb(http, hand_out, NULL);
	if (evhttp_bind_socket(http, KNOT_ADDRESS, RACE_PORT) < 0) dnslab_die("plan store");
	event_base_dispatch(base);
	_exit(0);
}

/* In one step, as the planner does. */
static void publish(const char *text, size_t len)
{
	char path[128], new_path[160];

	store_path(path, sizeof(path));
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	FILE *out = fopen(new_path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(new_path, path), 0);
}

/* The caller frees it. */
static char *text_of(const struct dns_plan *p, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	assert_non_null(out);
	assert_int_equal(dns_plan_write(p, out), 0);
	fclose(out);
	return text;
}

static struct dns_plan next_plan(void)
{
	return race_plan(MAIN_ZONE, 5, in_force.number + 1, settings.endpoints);
}

static void publish_plan(const struct dns_plan *p)
{
	size_t len;
	cleanup_free char *text = text_of(p, &len);

	publish(text, len);
}

/* --- what must be seen ------------------------------------------------------------------------------- */

static void assert_value(struct dns_name name, const char *type, const char *value)
{
	struct dnslab_outcome o = dnslab_ask(race_asker, name.text, type);

	assert_int_equal(o.status, value[0] ? DNS_OK : o.status);
	assert_string_equal(o.values, value);
}

/* The plan in force is there whole, at every endpoint. */
static void assert_in_force(void)
{
	for (size_t i = 0; i < in_force.n_endpoints; i++) {
		const struct dns_endpoint *e = &in_force.endpoints[i];
		assert_value(dns_name_endpoint(e->name, in_force.zone), "CNAME",
		             dns_name_top(e->variant, in_force.tree, in_force.zone).text);
		assert_value(dns_name_generation(e->name, in_force.zone), "TXT",
		             dns_generation_write(in_force.number).text);
		assert_false(race_is_empty(e, in_force.zone));
	}
}

static void await_applied(const struct dns_plan *p)
{
	json_t *pattern =
	    json_pack("{s:s, s:{s:I}}", "event", "plan.applied", "fields", "plan", (json_int_t)p->number);

	assert_non_null(testnode_wait(enactor, pattern, WAIT_MS));
	in_force = *p;
	assert_in_force();
}

static void apply_next(void)
{
	struct dns_plan p = next_plan();

	publish_plan(&p);
	await_applied(&p);
}

static size_t waits(struct testnode *t)
{
	return testnode_count(t, json_pack("{s:s}", "event", "dns.waiting"));
}

/* What it says it waits for, once. */
static void assert_waits(struct testnode *t, const char *what)
{
	const json_t *m = testnode_wait_event(t, "dns.waiting", NULL, NULL, WAIT_MS);

	assert_non_null(m);
	const char *said = json_string_value(json_object_get(json_object_get(m, "fields"), "for"));
	if (!strstr(said, what)) fail_msg("it waits for '%s' instead of '%s'", said, what);
}

static struct testnode *start_with(const char *zone, const char *server, const char *secret)
{
	json_t *config = race_enactor_config(&settings, "az1", zone);
	json_t *dns = json_object_get(config, "dns");

	json_object_set_new(dns, "server", json_string(server));
	if (secret) json_object_set_new(json_object_get(dns, "key"), "secret", json_string(secret));
	return testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                               .daemon = "dns-enactor",
	                                               .name = "az1.dns-enactor",
	                                               .zone = "az1",
	                                               .config = config });
}

/* --- plans ------------------------------------------------------------------------------------------- */

static void a_plan_is_applied_with_lock_and_rollback_record(void **state)
{
	struct dns_plan first = race_plan(MAIN_ZONE, MAIN_ZONE, 0, settings.endpoints);
	struct dns_lock lock;

	(void)state;
	apply_next();
	for (size_t i = 0; i < in_force.n_endpoints; i++) {
		const struct dns_endpoint *e = &in_force.endpoints[i];
		struct dnslab_outcome o =
		    dnslab_ask(race_asker, dns_name_lock(e->name, in_force.zone).text, "TXT");
		assert_int_equal(dns_lock_read(o.values, &lock), 0);
		assert_string_equal(lock.holder, "az1");
		assert_value(dns_name_rollback(e->name, in_force.zone), "CNAME",
		             dns_name_top(e->variant, first.tree, in_force.zone).text);
	}
}

static void assert_refused(const char *text, size_t len, const char *why)
{
	testnode_forget(enactor);
	publish(text, len);
	const json_t *m = testnode_wait_event(enactor, "plan.refused", NULL, NULL, WAIT_MS);
	assert_non_null(m);
	const char *reason = json_string_value(json_object_get(json_object_get(m, "fields"), "reason"));
	print_message("# %s\n", reason);
	if (!strstr(reason, why)) fail_msg("refused for '%s' instead of '%s'", reason, why);
	testnode_idle(5 * POLL_MS);
	assert_int_equal(testnode_count(enactor, json_pack("{s:s}", "event", "plan.refused")), 1);
	assert_in_force();
}

static void what_is_no_plan_is_refused_and_the_one_in_force_stays(void **state)
{
	struct dns_plan p = next_plan();
	size_t len;

	(void)state;
	cleanup_free char *text = text_of(&p, &len);
	assert_refused("what?", 5, "no JSON");
	assert_refused(text, len / 2, "no JSON");
	text[len / 2]++;
	assert_refused(text, len, "");
	p.made_ms += 60000;
	cleanup_free char *future = text_of(&p, &len);
	assert_refused(future, len, "future");
	p = next_plan();
	strcpy(p.zone, "elsewhere.lab");
	cleanup_free char *elsewhere = text_of(&p, &len);
	assert_refused(elsewhere, len, "another zone");
	apply_next();
}

static void an_old_plan_is_left_alone_unless_it_is_pinned(void **state)
{
	struct dns_plan older = race_plan(MAIN_ZONE, 5, in_force.number, settings.endpoints);

	(void)state;
	apply_next();
	apply_next();
	publish_plan(&older);
	testnode_idle(5 * POLL_MS);
	assert_in_force();
	testnode_send(enactor, json_pack("{s:s, s:I}", "type", "pin", "plan", (json_int_t)older.number));
	testnode_forget(enactor);
	await_applied(&older);
	testnode_send(enactor, json_pack("{s:s, s:i}", "type", "pin", "plan", 0));
	in_force.number += 2; /* as far as the numbers of plans go */
	apply_next();
}

static void a_pause_holds_everything(void **state)
{
	struct dns_plan p = next_plan();

	(void)state;
	testnode_send(enactor, json_pack("{s:s}", "type", "pause"));
	testnode_idle(5 * POLL_MS);
	publish_plan(&p);
	testnode_idle(10 * POLL_MS);
	assert_in_force();
	testnode_send(enactor, json_pack("{s:s}", "type", "resume"));
	await_applied(&p);
}

/* --- the server -------------------------------------------------------------------------------------- */

static void a_silent_server_is_waited_for(void **state)
{
	struct dns_plan p = next_plan();

	(void)state;
	testnode_forget(enactor);
	dnslab_pause(dnslab.knot);
	publish_plan(&p);
	assert_waits(enactor, "no answer in time");
	assert_int_equal(waits(enactor), 1);
	kill(dnslab.knot, SIGCONT);
	await_applied(&p);
	apply_next();
}

static void a_restarted_server_is_waited_for(void **state)
{
	struct dns_plan p = next_plan();

	(void)state;
	testnode_forget(enactor);
	dnslab_end(&dnslab.knot, SIGKILL);
	publish_plan(&p);
	assert_waits(enactor, "no answer in time");
	race_start_knot();
	await_applied(&p);
	apply_next();
}

static void fill_disk(const char *path)
{
	static const char bytes[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

/* Was it applied, or is the server waited for? */
static bool is_applied(const struct dns_plan *p)
{
	mono_ns until = mono_now() + WAIT_MS * NS_PER_MS;

	while (mono_now() < until && waits(enactor) == 0) {
		if (testnode_count(enactor, json_pack("{s:s, s:{s:I}}", "event", "plan.applied", "fields",
		                                      "plan", (json_int_t)p->number)))
			return true;
		testnode_idle(POLL_MS);
	}
	return false;
}

/* Knot can't write its journal, once the room that this has is used up: SERVFAIL. */
static void a_full_disk_of_the_server_is_waited_for(void **state)
{
	struct dns_plan p = next_plan();
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/0/filler", dnslab.dir);
	fill_disk(path);
	testnode_forget(enactor);
	for (publish_plan(&p); is_applied(&p); publish_plan(&p)) {
		in_force = p;
		p = next_plan();
	}
	assert_waits(enactor, "server failure");
	testnode_idle(2000); /* in which it tries several times */
	assert_int_equal(waits(enactor), 1);
	for (size_t i = 0; i < in_force.n_endpoints; i++)
		assert_false(race_is_empty(&in_force.endpoints[i], in_force.zone));
	assert_int_equal(unlink(path), 0);
	await_applied(&p);
}

static void without_the_right_key_nothing_is_done(void **state)
{
	struct dns_plan p = next_plan();
	struct dns_key other;

	(void)state;
	assert_int_equal(dns_key_make(&other), 0);
	struct testnode *stranger = start_with(in_force.zone, KNOT_ADDRESS, other.secret);
	assert_waits(stranger, "key or signature");
	testnode_idle(5 * POLL_MS);
	assert_int_equal(waits(stranger), 1);
	assert_int_equal(testnode_stop(stranger), 0);
	assert_in_force();
	publish_plan(&p);
	await_applied(&p);
}

static void a_server_that_refuses_is_waited_for(void **state)
{
	struct dns_plan p = next_plan();

	(void)state;
	strcpy(p.zone, "elsewhere.lab");
	publish_plan(&p);
	struct testnode *lost = start_with(p.zone, KNOT_ADDRESS, NULL);
	assert_waits(lost, "refused");
	assert_int_equal(testnode_stop(lost), 0);
}

/* Whatever is asked, answers with these flags and this code, unsigned. */
static pid_t start_liar(uint8_t flags, uint8_t code)
{
	pid_t parent = getpid(), pid = fork();
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(53) }, from;
	uint8_t m[4096];

	if (pid != 0) return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
	testnet_enter(dnslab.region);
	inet_pton(AF_INET, "127.0.0.9", &here.sin_addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (void *)&here, sizeof(here)) < 0) dnslab_die("liar");
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, m, sizeof(m), 0, (void *)&from, &len);
		if (n < 12) continue;
		m[2] |= 0x80 | flags;
		m[3] = code;
		memset(&m[4], 0, 8);
		sendto(fd, m, 12, 0, (void *)&from, len);
	}
}

/* An unsigned failure is believed as far as one has to wait; a truncated answer isn't believed at all. */
static void failures_and_truncation_are_waited_for(void **state)
{
	static const struct {
		uint8_t flags, code;
		const char *says;
	} lies[] = { { 0, 2, "server failure" }, { 0, 5, "refused" }, { 2, 0, "no answer in time" } };
	struct dns_plan p = next_plan();

	(void)state;
	publish_plan(&p);
	await_applied(&p);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		pid_t liar = start_liar(lies[i].flags, lies[i].code);
		struct testnode *deceived = start_with(in_force.zone, "127.0.0.9", NULL);
		assert_waits(deceived, lies[i].says);
		assert_int_equal(testnode_stop(deceived), 0);
		dnslab_end(&liar, SIGKILL);
	}
	assert_in_force();
}

/* --- from outside ------------------------------------------------------------------------------------ */

/* What nsupdate says to a transaction that isn't as the zone is. */
static void assert_nsupdate(const char *prerequisite, const char *says)
{
	char script[160], file[128];

	snprintf(file, sizeof(file), "%s/nsupdate", dnslab.dir);
	FILE *out = fopen(file, "we");
	assert_non_null(out);
	fprintf(out,
	        "server " KNOT_ADDRESS "\nkey %s:%s %s\nzone %s\nprereq %s\nupdate add x.%s. 0 TXT x\nsend\n",
	        dnslab.key.algorithm, dnslab.key.name, dnslab.key.secret, in_force.zone, prerequisite,
	        in_force.zone);
	fclose(out);
	snprintf(script, sizeof(script), "nsupdate %s 2>&1 | grep -q '%s'", file, says);
	testnet_run(dnslab.region, "%s", script);
	assert_value((struct dns_name){ "x.r0.lab." }, "TXT", "");
}

static void an_outsider_that_breaks_a_prerequisite_is_told(void **state)
{
	(void)state;
	assert_nsupdate("yxrrset _lock.dynamodb.r0.lab. TXT \"holder=az9 until_ms=1\"", "NXRRSET");
	assert_nsupdate("nxrrset _lock.dynamodb.r0.lab. TXT", "YXRRSET");
	assert_in_force();
}

static void a_strange_lock_stops_it_until_it_is_gone(void **state)
{
	struct dns_plan p = next_plan();
	struct dnslab_outcome o = { 0 };
	struct dns_name lock = dns_name_lock("dynamodb", p.zone);
	struct dns_update *u = dns_update_new(p.zone);

	(void)state;
	dns_delete_rrset(u, lock.text, "TXT");
	dns_add_record(u, lock.text, "TXT", 0, "\"keep out\"");
	assert_int_equal(dns_client_update(race_asker, u, 3 * NS_PER_S, dnslab_done, &o), 0);
	dns_update_free(u);
	assert_int_equal(dnslab_wait(&o)->status, DNS_OK);
	publish_plan(&p);
	assert_non_null(testnode_wait_event(enactor, "lock.lost", "why", "held", WAIT_MS));
	u = dns_update_new(p.zone);
	dns_delete_rrset(u, lock.text, "TXT");
	o.done = false;
	assert_int_equal(dns_client_update(race_asker, u, 3 * NS_PER_S, dnslab_done, &o), 0);
	dns_update_free(u);
	assert_int_equal(dnslab_wait(&o)->status, DNS_OK);
	await_applied(&p);
}

/* --- guards ------------------------------------------------------------------------------------------ */

static void set_knob(struct testnode *t, const char *holder, const char *knob, json_t *value)
{
	json_t *config = race_enactor_config(&settings, holder, in_force.zone);

	if (knob) json_object_set_new(config, knob, value);
	testnode_set(t, config);
}

/* What a clean-up does, done by hand. */
static void delete_tree(const struct dns_plan *p)
{
	struct dns_update *u = dns_update_new(p->zone);
	struct dnslab_outcome o = { 0 };
	struct dns_plan_walk walk;
	struct dns_record r;

	dns_plan_walk(&walk, p);
	while (dns_plan_next(&walk, &r))
		dns_delete_record(u, r.owner.text, r.type, r.rdata);
	assert_int_equal(dns_client_update(race_asker, u, 3 * NS_PER_S, dnslab_done, &o), 0);
	dns_update_free(u);
	assert_int_equal(dnslab_wait(&o)->status, DNS_OK);
}

/* NOERROR without an address, as RFC 4592 has it for what is below the wildcard; and nobody can go on. */
static void without_its_tree_the_endpoint_is_empty_and_stuck(void **state)
{
	struct dns_plan p;

	(void)state;
	apply_next();
	delete_tree(&in_force);
	assert_true(race_is_empty(&in_force.endpoints[0], in_force.zone));
	p = next_plan();
	publish_plan(&p);
	assert_non_null(
	    testnode_wait_event(enactor, "plan.aborted", "reason", "the tree in force is gone", WAIT_MS));
	assert_true(race_is_empty(&in_force.endpoints[0], in_force.zone));
	in_force.number = p.number;
}

/* Each endpoint goes back to what it had before, and then on. */
static void auto_rollback_goes_back_and_on(void **state)
{
	struct dns_plan p = next_plan();

	(void)state;
	set_knob(enactor, "az1", "auto_rollback", json_true());
	publish_plan(&p);
	assert_non_null(testnode_wait_event(enactor, "dns.repaired", "how", "auto", WAIT_MS));
	await_applied(&p);
	set_knob(enactor, "az1", NULL, NULL);
}

static void a_plan_without_load_balancers_is_refused_if_wanted(void **state)
{
	struct dns_plan p = next_plan();

	(void)state;
	p.n_balancers = 0;
	set_knob(enactor, "az1", "refuse_empty", json_true());
	publish_plan(&p);
	assert_non_null(
	    testnode_wait_event(enactor, "plan.refused", "reason", "it has no load balancer", WAIT_MS));
	assert_in_force();
	set_knob(enactor, "az1", NULL, NULL);
	apply_next();
}

static void of_two_only_the_leader_applies(void **state)
{
	json_t *config = race_enactor_config(&settings, "az2", in_force.zone);
	struct dns_lock leader;
	struct dns_plan p;

	(void)state;
	set_knob(enactor, "az1", "leader", json_string("lease"));
	apply_next();
	struct dnslab_outcome o = dnslab_ask(race_asker, dns_name_leader(in_force.zone).text, "TXT");
	assert_int_equal(dns_lock_read(o.values, &leader), 0);
	assert_string_equal(leader.holder, "az1");
	json_object_set_new(config, "leader", json_string("lease"));
	struct testnode *second = testnode_start(&(struct testnode_spec){ .ns = dnslab.region,
	                                                                  .daemon = "dns-enactor",
	                                                                  .name = "az2.dns-enactor",
	                                                                  .zone = "az2",
	                                                                  .config = config });
	apply_next();
	testnode_idle(10 * POLL_MS);
	assert_int_equal(testnode_count(second, json_pack("{s:s}", "event", "plan.picked")), 0);
	testnode_send(enactor, json_pack("{s:s}", "type", "pause"));
	p = next_plan();
	publish_plan(&p);
	assert_non_null(testnode_wait_event(second, "plan.applied", NULL, NULL, WAIT_MS));
	in_force = p;
	assert_in_force();
	assert_int_equal(testnode_stop(second), 0);
	set_knob(enactor, "az1", NULL, NULL);
	testnode_send(enactor, json_pack("{s:s}", "type", "resume"));
	apply_next();
}

/* --- life -------------------------------------------------------------------------------------------- */

/* Knot's folder is a small disk of its own, seen by nobody else. */
static void mount_disk(void)
{
	char path[128], options[64];

	snprintf(path, sizeof(path), "%s/0", dnslab.dir);
	snprintf(options, sizeof(options), "size=%d,mode=0700,uid=%d,gid=%d", DISK_BYTES, SPAWN_UID,
	         SPAWN_UID);
	if (mkdir(path, 0700) < 0 || mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		dnslab_die("tmpfs");
}

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		dnslab_die("mount namespace");
	settings = race_historical(0);
	settings.poll = POLL_MS;
	settings.backoff_max = 100;
	race_journal = true;
	race_start_with(ZONES, settings.endpoints, mount_disk);
	in_force = race_plan(MAIN_ZONE, MAIN_ZONE, 0, settings.endpoints);
	start_store();
	enactor = start_with(in_force.zone, KNOT_ADDRESS, NULL);
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	testnode_stop(enactor);
	dnslab_end(&race_feeder, SIGKILL);
	dnslab_end(&dnslab.knot, SIGKILL);
	snprintf(path, sizeof(path), "%s/0", dnslab.dir);
	umount2(path, MNT_DETACH);
	race_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_is_applied_with_lock_and_rollback_record),
		cmocka_unit_test(what_is_no_plan_is_refused_and_the_one_in_force_stays),
		cmocka_unit_test(an_old_plan_is_left_alone_unless_it_is_pinned),
		cmocka_unit_test(a_pause_holds_everything),
		cmocka_unit_test(a_silent_server_is_waited_for),
		cmocka_unit_test(a_restarted_server_is_waited_for),
		cmocka_unit_test(a_full_disk_of_the_server_is_waited_for),
		cmocka_unit_test(without_the_right_key_nothing_is_done),
		cmocka_unit_test(a_server_that_refuses_is_waited_for),
		cmocka_unit_test(failures_and_truncation_are_waited_for),
		cmocka_unit_test(an_outsider_that_breaks_a_prerequisite_is_told),
		cmocka_unit_test(a_strange_lock_stops_it_until_it_is_gone),
		cmocka_unit_test(without_its_tree_the_endpoint_is_empty_and_stuck),
		cmocka_unit_test(auto_rollback_goes_back_and_on),
		cmocka_unit_test(a_plan_without_load_balancers_is_refused_if_wanted),
		cmocka_unit_test(of_two_only_the_leader_applies),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
