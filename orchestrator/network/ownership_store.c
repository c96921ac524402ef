#include "orchestrator/network/ownership_store.h"
#include "common/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int own_open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Locks the folder; -ESTALE if meanwhile it was removed, or replaced, under its name. */
static int lock_root(int root)
{
	struct stat locked, named;

	while (flock(root, LOCK_EX) < 0)
		if (errno != EINTR) return -errno;
	if (fstat(root, &locked) < 0) return -errno;
	if (fstatat(AT_FDCWD, OWN_ROOT, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_dev != locked.st_dev ||
	    named.st_ino != locked.st_ino)
		return -ESTALE;
	/* what others may write into proves nothing */
	return locked.st_uid != geteuid() || (locked.st_mode & 0022) ? -EPERM : 0;
}

int own_root_enter(bool make, struct build_error *e)
{
	for (;;) {
		if (make && mkdir(OWN_ROOT, 0711) < 0 && errno != EEXIST)
			return build_fail(e, errno, "run as root", "cannot make " OWN_ROOT);
		cleanup_close int root = own_open_folder(AT_FDCWD, OWN_ROOT);
		if (root == -ENOENT && !make) return -ENOENT;
		int result = root < 0 ? root : lock_root(root);
		if (result == 0) return take_fd(&root);
		if (result == -ESTALE || result == -ENOENT) continue;
		return build_fail(e, -result, "it must be a folder of root's that nobody else can write to",
		                  "cannot use " OWN_ROOT);
	}
}

void own_root_leave(int root)
{
	if (root < 0) return;
	rmdir(OWN_ROOT); /* fails while anything is in it, which is what is wanted */
	close(root);
}

int own_record(int fd, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len >= (int)sizeof(line)) return -ENAMETOOLONG;
	ssize_t n = write(fd, line, (size_t)len);
	return n < 0 ? -errno : n < len ? -ENOSPC : 0;
}

void own_read_lines(int folder, const char *name, void (*each)(char *line, void *arg), void *arg)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fclose FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (f && (len = getline(&line, &size, f)) > 0) {
		if (line[len - 1] != '\n') break; /* cut off by a kill: what it announces was never done */
		line[len - 1] = '\0';
		each(line, arg);
	}
}

int own_each_entry(int folder, int (*each)(int folder, const char *name, void *arg), void *arg)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int result = 0;

	if (!dir) return -errno;
	while (result == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			result = each(folder, entry->d_name, arg);
	closedir(dir);
	return result;
}

int own_remove_tree(int folder, const char *name, void *arg)
{
	if (unlinkat(folder, name, 0) == 0) return 0;
	cleanup_close int inner = own_open_folder(folder, name);
	if (inner >= 0) own_each_entry(inner, own_remove_tree, arg);
	unlinkat(folder, name, AT_REMOVEDIR);
	return 0;
}

void own_boot_id(char ret[40])
{
	cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, 36);

	ret[n < 0 ? 0 : n] = '\0';
}
