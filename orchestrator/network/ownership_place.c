/* /run/netns and /etc/netns themselves: made if they are missing, as `ip netns add` would, and taken away by
 * the last lab if azlab made them and nobody has put anything in since. */
#include "orchestrator/network/ownership_store.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SHARED ".shared"
#define STAGING ".azlab-netns"

static const struct place {
	const char *parent, *path;
	bool mounted; /* a shared mount of itself, so that unmounting a name reaches all mount namespaces */
} places[] = { { "/run", OWN_NETNS, true }, { "/etc", OWN_ETC, false } };

/* Makes the folder under another name first, so that its inode is on record before it appears. */
static int make_folder(const struct place *p, int shared)
{
	cleanup_close int parent = open(p->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat made;
	int result;

	if (parent < 0) return -errno;
	if (mkdirat(parent, STAGING, 0755) < 0 && errno != EEXIST) return -errno;
	if (fchmodat(parent, STAGING, 0755, 0) < 0 ||
	    fstatat(parent, STAGING, &made, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((result = own_record(shared, "folder %s %llx %llx\n", p->path, (unsigned long long)made.st_dev,
	                         (unsigned long long)made.st_ino)) < 0)
		return result;
	if (renameat2(parent, STAGING, parent, "netns", RENAME_NOREPLACE) == 0) return 0;
	result = errno == EEXIST ? 0 : -errno; /* somebody was quicker: then it is theirs */
	unlinkat(parent, STAGING, AT_REMOVEDIR);
	return result;
}

static int make_mount(const struct place *p, int shared)
{
	cleanup_close int folder = own_open_folder(AT_FDCWD, p->path);
	int result;

	if (folder < 0) return folder;
	flock(folder, LOCK_EX); /* as ip-netns(8) does: two at once would mount twice */
	if (mount("", p->path, "none", MS_SHARED | MS_REC, NULL) == 0) return 0;
	if (errno != EINVAL) return -errno;
	if ((result = own_record(shared, "mount %s\n", p->path)) < 0) return result;
	if (mount(p->path, p->path, "none", MS_BIND | MS_REC, NULL) < 0) return -errno;
	return mount("", p->path, "none", MS_SHARED | MS_REC, NULL) < 0 ? -errno : 0;
}

static int make_place(const struct place *p, int shared)
{
	struct stat there;
	int result = 0;

	if (fstatat(AT_FDCWD, p->path, &there, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT) return -errno;
		result = make_folder(p, shared);
	} else if (!S_ISDIR(there.st_mode)) {
		return -ENOTDIR;
	}
	return result == 0 && p->mounted ? make_mount(p, shared) : result;
}

int own_places_make(int root, struct build_error *e)
{
	cleanup_close int shared =
	    openat(root, SHARED, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (shared < 0) return build_fail(e, errno, NULL, "cannot write " OWN_ROOT "/" SHARED);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int result = make_place(&places[i], shared);
		if (result < 0)
			return build_fail(e, -result, "it must be a writable folder, not a symbolic link",
			                  "cannot make %s", places[i].path);
	}
	return 0;
}

static int has_entry(int folder, const char *name, void *arg)
{
	(void)folder, (void)name, (void)arg;
	return 1;
}

static void unmake_mount(const char *path)
{
	cleanup_close int folder = own_open_folder(AT_FDCWD, path);
	struct statx s;

	if (folder < 0) return;
	flock(folder, LOCK_EX);
	if (statx(folder, "", AT_EMPTY_PATH, 0, &s) < 0 || !(s.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return;
	if (own_each_entry(folder, has_entry, NULL) != 0) return;
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}

static void unmake_folder(const char *path, unsigned long long dev, unsigned long long ino)
{
	struct stat there;

	if (fstatat(AT_FDCWD, path, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(there.st_mode) &&
	    there.st_dev == dev && there.st_ino == ino)
		rmdir(path); /* which fails if it isn't empty */
}

static bool known_place(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!strcmp(path, places[i].path)) return true;
	return false;
}

static void unmake_mount_line(char *line, void *arg)
{
	char path[32];

	(void)arg;
	if (sscanf(line, "mount %31s", path) == 1 && known_place(path)) unmake_mount(path);
}

static void unmake_folder_line(char *line, void *arg)
{
	char path[32];
	unsigned long long dev, ino;

	(void)arg;
	if (sscanf(line, "folder %31s %llx %llx", path, &dev, &ino) == 3 && known_place(path))
		unmake_folder(path, dev, ino);
}

void own_places_unmake(int root)
{
	own_read_lines(root, SHARED, unmake_mount_line, NULL);
	own_read_lines(root, SHARED, unmake_folder_line, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_close int parent = open(places[i].parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (parent >= 0) unlinkat(parent, STAGING, AT_REMOVEDIR);
	}
	unlinkat(root, SHARED, 0);
}
