#include "dns-planner/store.h"
#include "common/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_NAME_MAX = 40 };

/* Above what any planner gets to: a file of such a number is somebody else's. */
static const uint64_t NUMBERS_END = 1000000000000000;

static const char UNFINISHED[] = "unfinished";

void plan_store_init(struct plan_store *s, int folder)
{
	*s = (struct plan_store){ .folder = folder, .in_force = UINT64_MAX };
}

static void file_name(uint64_t number, char name[FILE_NAME_MAX])
{
	snprintf(name, FILE_NAME_MAX, "plan-%" PRIu64 ".json", number);
}

/* --- the list ---------------------------------------------------------------------------------------- */

static bool number_of(const char *file, uint64_t *ret)
{
	char again[FILE_NAME_MAX];

	if (sscanf(file, "plan-%18" SCNu64 ".json", ret) != 1 || *ret >= NUMBERS_END) return false;
	file_name(*ret, again);
	return !strcmp(again, file);
}

static void insert(struct plan_store_list *l, uint64_t number)
{
	size_t at = l->n;

	while (at > 0 && l->numbers[at - 1] > number)
		at--;
	if (l->n == PLAN_STORE_MAX) { /* full: the oldest falls out */
		if (at == 0) return;
		memmove(&l->numbers[0], &l->numbers[1], (--at) * sizeof(l->numbers[0]));
	} else {
		memmove(&l->numbers[at + 1], &l->numbers[at], (l->n++ - at) * sizeof(l->numbers[0]));
	}
	l->numbers[at] = number;
}

int plan_store_list(const struct plan_store *s, struct plan_store_list *ret)
{
	struct dirent *entry;
	uint64_t number;
	/* a description of its own: the folder's position isn't shared */
	int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	ret->n = 0;
	if (!folder) {
		int error = errno;
		if (fd >= 0) close(fd);
		return -error;
	}
	while ((entry = readdir(folder)))
		if (number_of(entry->d_name, &number)) insert(ret, number);
	closedir(folder);
	return 0;
}

/* --- writing ----------------------------------------------------------------------------------------- */

/* The lab's machine may lose power without anybody missing the plan: no fsync(). */
static int write_file(int folder, const char *name, const struct dns_plan *p)
{
	cleanup_close int fd =
	    openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0) return -errno;
	FILE *out = fdopen(fd, "w");
	if (!out) return -errno;
	take_fd(&fd);
	int r = dns_plan_write(p, out);
	return fclose(out) == EOF && r == 0 ? -errno : r;
}

static void prune(const struct plan_store *s)
{
	static struct plan_store_list list;
	char name[FILE_NAME_MAX];

	if (plan_store_list(s, &list) < 0) return;
	for (size_t i = 0; i + PLAN_STORE_KEPT < list.n; i++) {
		if (list.numbers[i] == s->in_force) continue;
		file_name(list.numbers[i], name);
		unlinkat(s->folder, name, 0); /* one that stays is tried again with the next plan */
	}
}

int store_put_plan(struct plan_store *s, const struct dns_plan *p)
{
	char name[FILE_NAME_MAX];
	int r = write_file(s->folder, UNFINISHED, p);

	file_name(p->number, name);
	if (r == 0 && renameat(s->folder, UNFINISHED, s->folder, name) < 0) r = -errno;
	if (r < 0)
		unlinkat(s->folder, UNFINISHED, 0); /* what it takes may be what others lack */
	else
		prune(s);
	return r;
}

/* --- reading ----------------------------------------------------------------------------------------- */

int store_open_plan(const struct plan_store *s, uint64_t number)
{
	char name[FILE_NAME_MAX];

	file_name(number, name);
	/* never waits, whatever lies there under that name */
	int fd = openat(s->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_plan(int fd, int64_t now_ms, struct dns_plan *ret)
{
	char why[DNS_PLAN_WHY_MAX];
	struct stat st;

	if (fstat(fd, &st) < 0) return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > DNS_PLAN_TEXT_MAX) return -EBADMSG;
	cleanup_free char *text = malloc((size_t)st.st_size + 1);
	if (!text) return -ENOMEM;
	ssize_t n = read(fd, text, (size_t)st.st_size);
	return n < 0 ? -errno : dns_plan_read(text, (size_t)n, now_ms, ret, why);
}

int plan_store_newest(const struct plan_store *s, int64_t now_ms, struct dns_plan *ret)
{
	static struct plan_store_list list;
	int r = plan_store_list(s, &list);

	if (r < 0) return r;
	for (size_t i = list.n; i-- > 0;) {
		cleanup_close int fd = store_open_plan(s, list.numbers[i]);
		if (fd >= 0 && read_plan(fd, now_ms, ret) == 0) return 0;
	}
	return -ENOENT;
}
