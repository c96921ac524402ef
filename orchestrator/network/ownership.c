#include "orchestrator/network/ownership_store.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

bool own_lab_valid(const char *lab)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strlen(lab);

	return len > 0 && len <= OWN_LAB_MAX && lab[0] != '-' && strspn(lab, allowed) == len;
}

static struct own *own_new(const char *lab)
{
	struct own *o = calloc(1, sizeof(*o));

	if (!o) return NULL;
	strcpy(o->lab, lab);
	o->folder = o->lock = o->manifest = o->netns = o->etc = -1;
	return o;
}

static void own_close(struct own *o)
{
	const int fds[] = { o->etc, o->netns, o->manifest, o->lock, o->folder };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0) close(fds[i]);
	free(o);
}

int own_adopt(const struct own *o)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", getpid());

	if (ftruncate(o->lock, 0) < 0 || pwrite(o->lock, text, (size_t)len, 0) < 0) return -errno;
	return 0;
}

/* The lock first: a folder without a held lock is a dead lab's. */
static int open_files(struct own *o, int root)
{
	char boot[40];

	if (mkdirat(root, o->lab, 0711) < 0) return -errno;
	if ((o->folder = own_open_folder(root, o->lab)) < 0) return o->folder;
	o->lock = openat(o->folder, "lock", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o->lock < 0 || flock(o->lock, LOCK_EX | LOCK_NB) < 0) return -errno;
	o->manifest = openat(o->folder, "manifest",
	                     O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o->manifest < 0) return -errno;
	own_boot_id(boot);
	return own_record(o->manifest, "boot %s\n", boot);
}

static int claim(struct own *o, int root, struct build_error *e)
{
	pid_t pid;
	int result;

	if (own_lab_alive(root, o->lab, &pid, NULL))
		return build_fail(e, EBUSY, "end it by `azlab down`, or choose another name (--name)",
		                  "lab '%s' is up (process %d)", o->lab, pid);
	own_clean_locked(root, NULL);
	if ((result = own_places_make(root, e)) < 0) return result;
	if ((result = open_files(o, root)) < 0 || (result = own_adopt(o)) < 0)
		return build_fail(e, -result, NULL, "cannot make " OWN_ROOT "/%s", o->lab);
	if ((o->netns = own_open_folder(AT_FDCWD, OWN_NETNS)) < 0)
		return build_fail(e, -o->netns, NULL, "cannot open " OWN_NETNS);
	if ((o->etc = own_open_folder(AT_FDCWD, OWN_ETC)) < 0)
		return build_fail(e, -o->etc, NULL, "cannot open " OWN_ETC);
	return 0;
}

/* Leaves the claim, the shared places too if this was the last one; the root stays locked. */
static void leave_claim(struct own *o, int root)
{
	if (o->folder >= 0) own_remove_tree(root, o->lab, NULL);
	own_close(o);
	if (own_no_labs(root)) own_places_unmake(root);
}

int own_claim(const char *lab, struct own **ret, struct build_error *e)
{
	struct own *o;
	int result;

	if (!own_lab_valid(lab))
		return build_fail(e, EINVAL, "use 1 to 32 letters, digits, '-' and '_'", "bad lab name '%s'",
		                  lab);
	if (!(o = own_new(lab))) return build_fail(e, ENOMEM, NULL, "cannot claim lab '%s'", lab);
	int root = own_root_enter(true, e);
	if (root < 0) {
		own_close(o);
		return root;
	}
	result = claim(o, root, e);
	if (result == 0)
		*ret = o;
	else
		leave_claim(o, root);
	own_root_leave(root);
	return result;
}

int own_check_free(const struct own *o, const char *name, struct build_error *e)
{
	struct stat s;

	if (fstatat(o->netns, name, &s, AT_SYMLINK_NOFOLLOW) == 0)
		return build_fail(e, EEXIST, "it isn't azlab's: choose another lab name (--name)",
		                  "cannot make namespace '%s' in " OWN_NETNS, name);
	if (fstatat(o->etc, name, &s, AT_SYMLINK_NOFOLLOW) == 0)
		return build_fail(e, EEXIST, "it isn't azlab's: choose another lab name (--name)",
		                  "cannot make " OWN_ETC "/%s", name);
	return 0;
}

int own_folder(const struct own *o)
{
	return o->folder;
}

void own_release(struct own *o)
{
	char staging[OWN_LAB_MAX + 16];

	if (!o) return;
	own_etc_staging(o->lab, staging);
	own_remove_tree(o->etc, staging, NULL);
	int root = own_root_enter(true, NULL);
	if (root < 0) {
		own_close(o); /* the lab is dead then, and `azlab clean` finds its folder */
		return;
	}
	leave_claim(o, root);
	own_root_leave(root);
}
