/* The plan store in a folder of its own: what is kept, what is found, what doesn't count. */
#include "dns-planner/store.h"
#include "common/cleanup.h"
#include "plans.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#define NOW_MS INT64_C(1790000000000)

static char path[] = "/tmp/azlab-store-XXXXXX";
static int folder = -1;
static struct plan_store store;
static struct plan_store_list list;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/azlab-store-XXXXXX");
	if (!mkdtemp(path)) return -1;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	plan_store_init(&store, folder);
	return folder < 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	close(folder);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command); /* NOLINT: a path of our own making */
}

static void put(uint64_t number)
{
	struct dns_plan p = plan_with(3);

	p.number = number;
	assert_int_equal(store_put_plan(&store, &p), 0);
	dns_plan_release(&p);
}

static void put_file(const char *name, const char *text)
{
	cleanup_close int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void plans_are_listed_by_number(void **state)
{
	(void)state;
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, 0);
	put(9), put(100), put(11);
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.numbers[0], 9);
	assert_int_equal(list.numbers[2], 100);
}

static void other_files_do_not_count(void **state)
{
	static const char *const others[] = {
		"plan-1",      "plan-.json", "plan-01.json", "plan--1.json",  "plan-1.json~",
		"Plan-1.json", "unfinished", "plan-1x.json", "plan-1e3.json", "plan-999999999999999999.json"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		put_file(others[i], "x");
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(mkdirat(folder, "plan-7.json", 0755), 0);
	struct dns_plan p;
	assert_int_equal(plan_store_newest(&store, NOW_MS, &p), -ENOENT);
}

static void the_newest_are_kept_and_what_is_in_force(void **state)
{
	(void)state;
	store.in_force = 3;
	for (uint64_t n = 1; n <= PLAN_STORE_KEPT + 5; n++)
		put(n);
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, PLAN_STORE_KEPT + 1);
	assert_int_equal(list.numbers[0], 3);
	assert_int_equal(list.numbers[1], 6);
	store.in_force = 6;
	put(PLAN_STORE_KEPT + 6);
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, PLAN_STORE_KEPT + 1);
	assert_int_equal(list.numbers[0], 6);
}

static void the_newest_that_is_one_is_found(void **state)
{
	struct dns_plan p;

	(void)state;
	assert_int_equal(plan_store_newest(&store, NOW_MS, &p), -ENOENT);
	put(5);
	put_file("plan-6.json", "{\"plan\":6");
	put_file("plan-7.json", "");
	assert_int_equal(plan_store_newest(&store, NOW_MS, &p), 0);
	assert_int_equal(p.number, 5);
	dns_plan_release(&p);
}

static void links_lead_nowhere(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", folder, "plan-8.json"), 0);
	assert_int_equal(store_open_plan(&store, 8), -ELOOP);
	assert_int_equal(store_open_plan(&store, 9), -ENOENT);
	assert_int_equal(mkfifoat(folder, "plan-10.json", 0644), 0);
	struct dns_plan p;
	assert_int_equal(plan_store_newest(&store, NOW_MS, &p), -ENOENT); /* and doesn't wait for a writer */
}

static void what_cannot_be_written_leaves_what_is_there(void **state)
{
	struct dns_plan p = plan_with(3);
	FILE *full = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(full);
	assert_int_equal(dns_plan_write(&p, full), -ENOSPC);
	fclose(full);
	p.number = 2;
	put(1);
	assert_int_equal(mkdirat(folder, "unfinished", 0755), 0); /* what is in the way of writing */
	assert_int_equal(store_put_plan(&store, &p), -EISDIR);
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, 1);
	dns_plan_release(&p);
}

static void of_very_many_files_the_newest_count(void **state)
{
	char name[40];

	(void)state;
	for (unsigned i = 1; i <= PLAN_STORE_MAX + 10; i++) {
		snprintf(name, sizeof(name), "plan-%u.json", i);
		put_file(name, "x");
	}
	assert_int_equal(plan_store_list(&store, &list), 0);
	assert_int_equal(list.n, PLAN_STORE_MAX);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(list.numbers[i], 11 + i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plans_are_listed_by_number),
		TEST(other_files_do_not_count),
		TEST(the_newest_are_kept_and_what_is_in_force),
		TEST(the_newest_that_is_one_is_found),
		TEST(links_lead_nowhere),
		TEST(what_cannot_be_written_leaves_what_is_there),
		TEST(of_very_many_files_the_newest_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
