/* report_folder.c - the report, made again from a run folder's own files. */
#include "orchestrator/verdict/report.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

char *report_read(int folder, const char *name)
{
	cleanup_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	cleanup_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	cleanup_free char *text = NULL;
	size_t size = 0;

	if (!file) return NULL;
	take_fd(&fd);
	return getdelim(&text, &size, '\0', file) < 0 ? NULL : take_ptr(text);
}

/* Writes beside the old report and puts it in its place, so that there is always a whole one. */
static int replace_report(int folder, const struct report_input *in)
{
	static const char temporary[] = ".report.html.new";
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct stat owner;
	int r = 0;

	if (unlinkat(folder, temporary, 0) < 0 && errno != ENOENT) return -errno;
	cleanup_close int fd = openat(folder, temporary, flags, 0644);
	if (fd < 0 || fstat(folder, &owner) < 0) return -errno;
	if (geteuid() == 0 && fchown(fd, owner.st_uid, owner.st_gid) < 0) r = -errno;
	cleanup_fclose FILE *out = fdopen(fd, "w");
	if (!out) return -errno;
	take_fd(&fd);
	if (r == 0) r = report_write(in, out);
	if (r == 0 && renameat(folder, temporary, folder, "report.html") < 0) r = -errno;
	if (r < 0) unlinkat(folder, temporary, 0);
	return r;
}

static int report_again(int fd, const char *folder, const struct record *record, char error[256])
{
	cleanup_free char *summary_text = report_read(fd, "summary.json");
	cleanup_free char *topology = report_read(fd, "topology.yaml");
	json_t *summary = summary_text ? json_loads(summary_text, 0, NULL) : NULL;
	struct report_input in = { .record = record, .summary = summary, .topology_text = topology };
	int r = -EINVAL;

	if (!json_is_object(summary)) {
		snprintf(error, 256, "'%.150s' has no summary.json that can be read: not a run folder",
		         folder);
	} else if ((r = replace_report(fd, &in)) < 0) {
		snprintf(error, 256, "cannot write '%.180s/report.html': %s", folder, strerror(-r));
	}
	json_decref(summary);
	return r;
}

int report_folder(const char *folder, char error[256])
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct record *record = NULL;
	int r;

	if (fd < 0) {
		r = -errno;
		snprintf(error, 256, "cannot open '%.200s': %s", folder, strerror(-r));
		return r;
	}
	if ((r = record_load(folder, &record, error)) < 0) return r;
	r = report_again(fd, folder, record, error);
	record_free(record);
	return r;
}
