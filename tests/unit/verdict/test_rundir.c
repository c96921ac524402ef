/* The run folder: whole or under another name, never through a link, its user's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/cleanup.h"
#include "orchestrator/verdict/rundir.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static char here[64];

static int enter(void **state)
{
	(void)state;
	strcpy(here, "/tmp/azlab-rundir-XXXXXX");
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	return mkdtemp(here) && chdir(here) == 0 ? 0 : -1;
}
static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}
static int leave(void **state)
{
	(void)state;
	return chdir("/") == 0 && nftw(here, forget, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1;
}

static struct rundir *opened(const char *out)
{
	struct rundir *r = NULL;
	char error[256] = "";
	if (rundir_open("lab", out, &r, error) < 0) fail_msg("%s", error);
	return r;
}
static void finish(struct rundir *r)
{
	char error[256] = "";
	if (rundir_finish(r, error) < 0) fail_msg("%s", error);
}
static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void a_folder_has_its_name_only_when_finished(void **state)
{
	(void)state;
	struct rundir *r = opened(NULL);
	FILE *file;

	assert_true(strncmp(r->path, "runs/lab-20", 11) == 0 &&
	            strlen(r->path) == strlen("runs/lab-20251020T063000"));
	assert_false(exists(r->path));
	assert_int_equal(rundir_stream(r, "summary.json", &file), 0);
	fclose(file);
	assert_int_equal(rundir_create(r, "summary.json"), -EEXIST);
	finish(r);
	assert_null(r->temporary);
	cleanup_free char *path = NULL;
	assert_true(asprintf(&path, "%s/summary.json", r->path) > 0);
	assert_true(exists(path));
	rundir_free(r);
}

static void two_runs_in_one_second_have_two_folders(void **state)
{
	(void)state;
	struct rundir *first = opened(NULL);
	finish(first);
	struct rundir *second = opened(NULL), *third = opened(NULL);
	assert_string_not_equal(first->path, second->path);
	assert_string_not_equal(second->temporary, third->temporary);
	finish(second);
	rundir_free(first);
	rundir_free(second);
	rundir_free(third);
}

static void out_is_the_folder_itself(void **state)
{
	(void)state;
	struct rundir *r = opened("a/b/c//");

	assert_string_equal(r->path, "a/b/c");
	finish(r);
	assert_true(exists("a/b/c/logs"));
	rundir_free(r);
	assert_int_equal(mkdir("empty", 0755), 0);
	r = opened("empty");
	finish(r);
	assert_true(exists("empty/logs"));
	rundir_free(r);
}

static void assert_refused(const char *lab, const char *out, int error, const char *text)
{
	struct rundir *r = NULL;
	char why[256] = "";
	assert_int_equal(rundir_open(lab, out, &r, why), error);
	assert_null(r);
	if (!strstr(why, text)) fail_msg("%s", why);
}

static void what_cannot_be_a_run_folder_is_refused(void **state)
{
	(void)state;
	cleanup_close int file = open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(mkdir("full", 0755) | mkdir("full/of", 0755), 0);
	assert_int_equal(symlink("full", "link"), 0);
	assert_refused("lab", "full", -ENOTEMPTY, "'full': it isn't empty");
	assert_refused("lab", "file", -ENOTDIR, "'file': Not a directory");
	assert_refused("lab", "file/x", -ENOTDIR, "'file/x': Not a directory");
	assert_refused("lab", ".", -EINVAL, "a name of its own");
	assert_refused("lab", "full/..", -EINVAL, "a name of its own");
	assert_refused("lab", "/", -EINVAL, "a name of its own");
	assert_refused("../lab", NULL, -EINVAL, "'runs'");
	assert_true(rundir_open("lab", "link", &(struct rundir *){ NULL }, (char[256]){ 0 }) < 0);
}

static void a_link_called_runs_is_not_followed(void **state)
{
	(void)state;
	assert_int_equal(mkdir("elsewhere", 0755) | symlink("elsewhere", "runs"), 0);
	struct rundir *r = NULL;
	char error[256];
	assert_true(rundir_open("lab", NULL, &r, error) < 0);
	assert_null(r);
	assert_int_equal(rmdir("elsewhere"), 0); /* still empty */
}

static void what_took_the_name_meanwhile_is_kept(void **state)
{
	(void)state;
	struct rundir *r = opened("mine");
	char error[256] = "";

	assert_int_equal(mkdir("mine", 0755) | mkdir("mine/precious", 0755), 0);
	assert_true(rundir_finish(r, error) < 0);
	assert_true(exists("mine/precious"));
	assert_true(exists(r->temporary));
	assert_non_null(strstr(error, r->temporary));
	rundir_free(r);
}

static void logs_append_and_refuse_links(void **state)
{
	(void)state;
	struct rundir *r = opened("out");
	char text[8] = "";

	for (int i = 0; i < 2; i++) {
		cleanup_close int fd = rundir_log(r, "az1.shop-1");
		assert_int_equal(write(fd, i ? "two" : "one", 3), 3);
	}
	cleanup_close int fd = openat(r->logs, "az1.shop-1.log", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "onetwo");
	assert_int_equal(symlinkat("/etc/passwd", r->logs, "az1.nlb.log"), 0);
	assert_int_equal(rundir_log(r, "az1.nlb"), -ELOOP);
	assert_int_equal(rundir_log(r, "../az1"), -EINVAL);
	assert_int_equal(linkat(r->logs, "az1.shop-1.log", r->logs, "az1.twin.log", 0), 0);
	assert_int_equal(rundir_log(r, "az1.twin"), -EEXIST);
	rundir_free(r);
}

static void all_belongs_to_the_user_behind_sudo(void **state)
{
	(void)state;
	struct stat st;

	if (geteuid() != 0) skip();
	setenv("SUDO_UID", "12345", 1);
	setenv("SUDO_GID", "54321", 1);
	struct rundir *r = opened(NULL);
	cleanup_close int log = rundir_log(r, "az1"), file = rundir_create(r, "junit.xml");
	finish(r);
	const int fds[] = { r->fd, r->logs, log, file, r->parent };
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_int_equal(fstat(fds[i], &st), 0);
		assert_true(st.st_uid == 12345 && st.st_gid == 54321);
	}
	rundir_free(r);
	setenv("SUDO_UID", "0x10", 1); /* nonsense gives nothing away */
	r = opened("plain");
	assert_int_equal(fstat(r->fd, &st), 0);
	assert_int_equal(st.st_uid, 0);
	rundir_free(r);
}

int main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		HERE(a_folder_has_its_name_only_when_finished),
		HERE(two_runs_in_one_second_have_two_folders),
		HERE(out_is_the_folder_itself),
		HERE(what_cannot_be_a_run_folder_is_refused),
		HERE(a_link_called_runs_is_not_followed),
		HERE(what_took_the_name_meanwhile_is_kept),
		HERE(logs_append_and_refuse_links),
		HERE(all_belongs_to_the_user_behind_sudo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
