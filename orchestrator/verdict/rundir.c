#include "orchestrator/verdict/rundir.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC, TRIES = 1000 };

/* --- ownership --------------------------------------------------------------------------------------- */

static bool read_id(const char *variable, unsigned *ret)
{
	const char *text = getenv(variable);
	char *end;

	if (!text || *text < '0' || *text > '9') return false;
	errno = 0;
	unsigned long id = strtoul(text, &end, 10);
	if (errno || *end || id >= (uid_t)-1) return false;
	*ret = (unsigned)id;
	return true;
}

/* Hands what is open to the user behind sudo. */
static int give_away(int fd)
{
	unsigned uid, gid;

	if (geteuid() != 0 || !read_id("SUDO_UID", &uid) || !read_id("SUDO_GID", &gid)) return 0;
	return fchown(fd, uid, gid) < 0 ? -errno : 0;
}

/* Makes a folder and returns it open; a link in its place is refused. */
static int make_folder(int parent, const char *name)
{
	cleanup_close int fd = -1;
	int r;

	if (mkdirat(parent, name, 0755) < 0) return -errno;
	if ((fd = openat(parent, name, DIR_FLAGS | O_NOFOLLOW)) < 0) return -errno;
	if ((r = give_away(fd)) < 0) return r;
	return take_fd(&fd);
}

/* --- where ------------------------------------------------------------------------------------------- */

/* Opens the folder at path, making what is missing. Links that the user put there lead on; nofollow refuses
 * them, for a name that azlab chose. */
static int open_parent(const char *path, int nofollow)
{
	cleanup_close int at = open(*path == '/' ? "/" : ".", DIR_FLAGS);
	cleanup_free char *copy = strdup(path);
	char *rest = copy, *name;

	if (at < 0 || !copy) return at < 0 ? -errno : -ENOMEM;
	while ((name = strsep(&rest, "/"))) {
		if (!*name) continue;
		int next = openat(at, name, DIR_FLAGS | nofollow);
		if (next < 0) next = errno == ENOENT ? make_folder(at, name) : -errno;
		if (next < 0) return next;
		close(at);
		at = next;
	}
	return take_fd(&at);
}

/* 0 if there is no entry of that name or an empty folder. */
static int check_free(int parent, const char *name)
{
	int fd = openat(parent, name, DIR_FLAGS | O_NOFOLLOW);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (fd < 0) return errno == ENOENT ? 0 : -errno;
	if (!folder) return -ENOMEM;
	for (struct dirent *e; r == 0 && (e = readdir(folder));) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) r = -ENOTEMPTY;
	}
	closedir(folder);
	return r;
}

/* runs/LAB-20251020T063000, with a number if two runs began in one second. */
static int default_path(const char *lab, int parent, char **ret)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	for (int i = 1; i < TRIES; i++) {
		cleanup_free char *path = NULL;
		struct stat st;
		int len = i == 1 ? asprintf(&path, "runs/%s-%s", lab, stamp)
		                 : asprintf(&path, "runs/%s-%s-%d", lab, stamp, i);
		if (len < 0) return -ENOMEM;
		if (fstatat(parent, strrchr(path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) == 0) continue;
		*ret = take_ptr(path);
		return 0;
	}
	return -EEXIST;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int find_default(struct rundir *r, const char *lab)
{
	if (strchr(lab, '/') || !*lab) return -EINVAL;
	if ((r->parent = open_parent("runs", O_NOFOLLOW)) < 0) return r->parent;
	return default_path(lab, r->parent, &r->path);
}

static int find_given(struct rundir *r, const char *out)
{
	size_t len = strlen(out);

	while (len > 1 && out[len - 1] == '/')
		len--;
	if (!(r->path = strndup(out, len))) return -ENOMEM;
	const char *name = last_part(r->path);
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) return -EINVAL; /* can't be renamed to */
	cleanup_free char *above = strndup(r->path, (size_t)(name - r->path));
	if (!above) return -ENOMEM;
	if ((r->parent = open_parent(above, 0)) < 0) return r->parent;
	return check_free(r->parent, name);
}

/* --- life -------------------------------------------------------------------------------------------- */

static int make_temporary(struct rundir *r)
{
	const char *name = last_part(r->path);
	int above = (int)(name - r->path);

	for (int i = 0; i < TRIES; i++) {
		free(r->temporary);
		if (asprintf(&r->temporary, "%.*s.%s.unfinished-%d-%d", above, r->path, name, (int)getpid(),
		             i) < 0) {
			r->temporary = NULL;
			return -ENOMEM;
		}
		r->fd = make_folder(r->parent, last_part(r->temporary));
		if (r->fd != -EEXIST) break;
	}
	if (r->fd < 0) return r->fd;
	r->logs = make_folder(r->fd, "logs");
	return r->logs < 0 ? r->logs : 0;
}

static const char *explain(int error)
{
	if (error == -ENOTEMPTY) return "it isn't empty";
	if (error == -ELOOP) return "it is a symbolic link";
	if (error == -EINVAL) return "it needs a name of its own";
	return strerror(-error);
}

int rundir_open(const char *lab, const char *out, struct rundir **ret, char error[256])
{
	struct rundir *r = calloc(1, sizeof(*r));
	int result;

	if (!r) return -ENOMEM;
	r->fd = r->parent = r->logs = -1;
	result = out ? find_given(r, out) : find_default(r, lab);
	if (result == 0) result = make_temporary(r);
	if (result < 0) {
		snprintf(error, 256, "cannot make the run folder '%.150s': %s",
		         out       ? out
		         : r->path ? r->path
		                   : "runs",
		         explain(result));
		rundir_free(r);
		return result;
	}
	*ret = r;
	return 0;
}

void rundir_free(struct rundir *r)
{
	if (!r) return;
	if (r->fd >= 0) close(r->fd);
	if (r->logs >= 0) close(r->logs);
	if (r->parent >= 0) close(r->parent);
	free(r->path);
	free(r->temporary);
	free(r);
}

int rundir_finish(struct rundir *r, char error[256])
{
	if (renameat(r->parent, last_part(r->temporary), r->parent, last_part(r->path)) < 0) {
		int e = -errno;
		snprintf(error, 256, "cannot name the run folder '%.90s': %s; it is '%.90s'", r->path,
		         explain(e), r->temporary);
		return e;
	}
	free(r->temporary);
	r->temporary = NULL;
	return 0;
}

/* --- files ------------------------------------------------------------------------------------------- */

int rundir_create(struct rundir *r, const char *name)
{
	cleanup_close int fd =
	    openat(r->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int result;

	if (fd < 0) return -errno;
	if ((result = give_away(fd)) < 0) return result;
	return take_fd(&fd);
}

int rundir_stream(struct rundir *r, const char *name, FILE **ret)
{
	cleanup_close int fd = rundir_create(r, name);

	if (fd < 0) return fd;
	FILE *stream = fdopen(fd, "w");
	if (!stream) return -errno;
	take_fd(&fd);
	*ret = stream;
	return 0;
}

/* The user owns the folder by now and could have put anything there: only a plain file of one name will do.
 */
static int reopen_log(const struct rundir *r, const char *name)
{
	cleanup_close int fd =
	    openat(r->logs, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) return -errno;
	return S_ISREG(st.st_mode) && st.st_nlink == 1 ? take_fd(&fd) : -EEXIST;
}

int rundir_log(struct rundir *r, const char *node)
{
	cleanup_close int fd = -1;
	char name[256];
	int result;

	if (strchr(node, '/') || snprintf(name, sizeof(name), "%s.log", node) >= (int)sizeof(name))
		return -EINVAL;
	fd = openat(r->logs, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) return errno == EEXIST ? reopen_log(r, name) : -errno;
	if ((result = give_away(fd)) < 0) return result;
	return take_fd(&fd);
}
