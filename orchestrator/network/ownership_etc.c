/* Folders in /etc/netns: made ready under a name of azlab's own, recorded, then renamed into place. Unlike
 * /run they outlive a reboot, so the files in them carry a mark of their own. */
#include "orchestrator/network/ownership_store.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MARK "# azlab lab "

static const char *const files[] = { "resolv.conf", "nsswitch.conf" };

void own_etc_staging(const char *lab, char ret[OWN_LAB_MAX + 16])
{
	snprintf(ret, OWN_LAB_MAX + 16, ".azlab-%s", lab);
}

static int write_file(int folder, const char *lab, const char *name, const char *text)
{
	cleanup_close int fd =
	    openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) < 0) return -errno;
	return own_record(fd, MARK "%s\n%s", lab, text);
}

static int fill(const struct own *o, const char *staging, const char *resolv, const char *nsswitch,
                struct stat *ret)
{
	cleanup_close int folder = -1;
	int result;

	if (mkdirat(o->etc, staging, 0755) < 0) return -errno;
	if ((folder = own_open_folder(o->etc, staging)) < 0) return folder;
	if (fchmod(folder, 0755) < 0 || fstat(folder, ret) < 0) return -errno;
	if ((result = write_file(folder, o->lab, files[0], resolv)) < 0) return result;
	return write_file(folder, o->lab, files[1], nsswitch);
}

int own_etc_add(const struct own *o, const char *name, const char *resolv_conf, const char *nsswitch_conf,
                struct own_etc *ret, struct build_error *e)
{
	char staging[OWN_LAB_MAX + 16];
	struct stat made;

	own_etc_staging(o->lab, staging);
	int result = fill(o, staging, resolv_conf, nsswitch_conf, &made);
	if (result == 0)
		result = own_record(o->manifest, "etc %s %llx %llx\n", name, (unsigned long long)made.st_dev,
		                    (unsigned long long)made.st_ino);
	if (result == 0 && renameat2(o->etc, staging, o->etc, name, RENAME_NOREPLACE) < 0) result = -errno;
	if (result == 0) {
		*ret = (struct own_etc){ .dev = made.st_dev, .ino = made.st_ino };
		return 0;
	}
	own_remove_tree(o->etc, staging, NULL);
	return build_fail(e, -result, result == -EROFS ? "/etc must be writable" : NULL,
	                  "cannot make " OWN_ETC "/%s", name);
}

/* Only what azlab put in: a file that the user added keeps the folder, and is the user's to remove. */
static bool remove_folder(int etc, int folder, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(folder, files[i], 0);
	return unlinkat(etc, name, AT_REMOVEDIR) == 0;
}

bool own_etc_remove_at(int etc, const char *name, const struct own_etc *added)
{
	cleanup_close int folder = own_open_folder(etc, name);
	struct stat s;

	if (folder < 0 || fstat(folder, &s) < 0 || s.st_dev != added->dev || s.st_ino != added->ino)
		return false;
	return remove_folder(etc, folder, name);
}

void own_etc_remove(const struct own *o, const char *name, const struct own_etc *added)
{
	if (added->ino) own_etc_remove_at(o->etc, name, added);
}

/* The lab named in the first line of a file, if it is one of azlab's. */
static bool read_mark(int folder, const char *file, char lab[OWN_LAB_MAX + 1])
{
	int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_fclose FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[128];

	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, MARK, strlen(MARK)) != 0) return false;
	char *name = line + strlen(MARK);
	name[strcspn(name, "\n")] = '\0';
	if (!own_lab_valid(name)) return false;
	strcpy(lab, name); /* own_lab_valid() bounds it */
	return true;
}

struct orphans {
	int root, removed;
};

static int remove_orphan(int etc, const char *name, void *arg)
{
	struct orphans *orphans = arg;
	char lab[OWN_LAB_MAX + 1], other[OWN_LAB_MAX + 1];
	cleanup_close int folder = own_open_folder(etc, name);
	struct stat known;

	if (folder < 0 || !read_mark(folder, files[0], lab) || !read_mark(folder, files[1], other)) return 0;
	if (strcmp(lab, other) != 0 || strncmp(name, lab, strlen(lab)) != 0 || name[strlen(lab)] != '.')
		return 0;
	if (fstatat(orphans->root, lab, &known, AT_SYMLINK_NOFOLLOW) == 0) return 0;
	orphans->removed += remove_folder(etc, folder, name);
	return 0;
}

int own_etc_orphans(int root, int etc)
{
	struct orphans orphans = { .root = root };

	own_each_entry(etc, remove_orphan, &orphans);
	return orphans.removed;
}
