/* Names in /run/netns. The file under a name is born without one (O_TMPFILE), so that its inode is in the
 * manifest before the name appears. */
#include "orchestrator/network/ownership_store.h"
#include "orchestrator/network/netns.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define TAKEN "somebody else's namespace has the name: choose another lab name (--name)"

static int netns_path(const char *name, char ret[sizeof(OWN_NETNS) + OWN_NAME_MAX])
{
	int len = snprintf(ret, sizeof(OWN_NETNS) + OWN_NAME_MAX, OWN_NETNS "/%s", name);
	return len >= (int)sizeof(OWN_NETNS) + OWN_NAME_MAX ? -ENAMETOOLONG : 0;
}

static int link_file(const struct own *o, const char *name, int ns, struct own_netns *ret)
{
	cleanup_close int file = openat(o->netns, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0);
	char self[32];
	struct stat f, n;
	int result;

	if (file < 0 || fstat(file, &f) < 0 || fstat(ns, &n) < 0) return -errno;
	ret->ino = n.st_ino;
	ret->file_dev = f.st_dev;
	ret->file_ino = f.st_ino;
	result = own_record(o->manifest, "netns %s %llx %llx %llx %llx\n", name, (unsigned long long)ret->ino,
	                    (unsigned long long)ret->cookie, (unsigned long long)ret->file_dev,
	                    (unsigned long long)ret->file_ino);
	if (result < 0) return result;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
	return linkat(AT_FDCWD, self, o->netns, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int own_netns_add(const struct own *o, const char *name, int ns, uint64_t cookie, struct own_netns *ret,
                  struct build_error *e)
{
	char path[sizeof(OWN_NETNS) + OWN_NAME_MAX], self[32];
	struct own_netns added = { .cookie = cookie };
	int result;

	if ((result = netns_path(name, path)) < 0)
		return build_fail(e, -result, NULL, "cannot name '%s'", name);
	if ((result = link_file(o, name, ns, &added)) < 0)
		return build_fail(e, -result, result == -EEXIST ? TAKEN : NULL, "cannot make %s", path);
	*ret = added; /* from here on own_netns_remove() has something to do */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", ns);
	if (mount(self, path, "none", MS_BIND, NULL) < 0)
		return build_fail(e, errno, "azlab needs CAP_SYS_ADMIN", "cannot mount the namespace on %s",
		                  path);
	return 0;
}

/* Whether what is mounted under the name is the recorded namespace. Inode numbers are used again, cookies are
 * not, so a namespace that nobody is known to hold must prove both. */
static bool is_netns(int netns, const char *name, const struct own_netns *added, bool check_cookie)
{
	cleanup_close int place = openat(netns, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char self[32];
	struct statfs fs;
	struct stat s;
	uint64_t cookie;

	if (place < 0 || fstatfs(place, &fs) < 0 || fstat(place, &s) < 0) return false;
	if (fs.f_type != NSFS_MAGIC || s.st_ino != added->ino) return false;
	if (!check_cookie) return true;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	cleanup_close int ns = open(self, O_RDONLY | O_CLOEXEC);
	return ns >= 0 && netns_cookie(ns, &cookie) == 0 && cookie == added->cookie;
}

static bool remove_file(int netns, const char *name, const struct own_netns *added)
{
	struct stat s;

	return fstatat(netns, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode) &&
	       s.st_dev == added->file_dev && s.st_ino == added->file_ino && unlinkat(netns, name, 0) == 0;
}

static bool take_away(int netns, const char *name, const struct own_netns *added, bool mounted)
{
	char path[sizeof(OWN_NETNS) + OWN_NAME_MAX];

	if (mounted && netns_path(name, path) == 0) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	return remove_file(netns, name, added);
}

bool own_netns_remove_at(int netns, const char *name, const struct own_netns *added, bool same_boot)
{
	return take_away(netns, name, added, same_boot && is_netns(netns, name, added, true));
}

void own_netns_remove(const struct own *o, const char *name, const struct own_netns *added)
{
	/* the caller still holds the namespace open: its inode number can't have been used again */
	if (added->file_ino) take_away(o->netns, name, added, is_netns(o->netns, name, added, false));
}
