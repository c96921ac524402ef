/* Which labs there are, which of them are dead, and the removal of what the dead ones left. */
#include "orchestrator/network/ownership_store.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

bool own_lab_alive(int root, const char *lab, pid_t *pid, int *ret_lock)
{
	char path[OWN_LAB_MAX + 8], text[16] = "";
	snprintf(path, sizeof(path), "%s/lock", lab);
	cleanup_close int lock = openat(root, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	*pid = 0;
	if (lock < 0) return false; /* it was killed before it had a lock, or after it gave it up */
	if (read(lock, text, sizeof(text) - 1) > 0) *pid = (pid_t)strtol(text, NULL, 10);
	/* nobody but us, who hold the root's lock, tries it: taken means that its orchestrator lives */
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) return true;
	if (ret_lock) *ret_lock = take_fd(&lock);
	return false;
}

struct remains {
	int netns, etc;
	bool same_boot;
	int names, folders;
};

static void note_boot(char *line, void *arg)
{
	struct remains *r = arg;
	char now[40];

	own_boot_id(now);
	if (!strncmp(line, "boot ", 5)) r->same_boot = !strcmp(line + 5, now);
}

static void remove_remain(char *line, void *arg)
{
	struct remains *r = arg;
	char name[OWN_NAME_MAX];
	unsigned long long a, b, c, d;

	_Static_assert(OWN_NAME_MAX == 128, "the widths below");
	if (sscanf(line, "netns %127[^ /] %llx %llx %llx %llx", name, &a, &b, &c, &d) == 5) {
		const struct own_netns added = { .ino = a, .cookie = b, .file_dev = c, .file_ino = d };
		r->names += own_netns_remove_at(r->netns, name, &added, r->same_boot);
	} else if (sscanf(line, "etc %127[^ /] %llx %llx", name, &a, &b) == 3) {
		r->folders += own_etc_remove_at(r->etc, name, &(struct own_etc){ .dev = a, .ino = b });
	}
}

static void clean_lab(int root, const char *lab, FILE *report)
{
	cleanup_close int folder = own_open_folder(root, lab);
	cleanup_close int netns = own_open_folder(AT_FDCWD, OWN_NETNS);
	cleanup_close int etc = own_open_folder(AT_FDCWD, OWN_ETC);
	struct remains remains = { .netns = netns, .etc = etc };
	char staging[OWN_LAB_MAX + 16];

	if (folder >= 0) {
		own_read_lines(folder, "manifest", note_boot, &remains);
		own_read_lines(folder, "manifest", remove_remain, &remains);
	}
	own_etc_staging(lab, staging);
	if (etc >= 0) own_remove_tree(etc, staging, NULL);
	own_remove_tree(root, lab, NULL);
	if (report)
		fprintf(report, "removed lab %s: %d namespaces, %d folders in " OWN_ETC "\n", lab,
		        remains.names, remains.folders);
}

struct cleaning {
	FILE *report;
	int labs;
};

static int clean_if_dead(int root, const char *lab, void *arg)
{
	struct cleaning *c = arg;
	pid_t pid;

	if (!own_lab_valid(lab) || own_lab_alive(root, lab, &pid, NULL)) return 0;
	clean_lab(root, lab, c->report);
	c->labs++;
	return 0;
}

int own_clean_locked(int root, FILE *report)
{
	struct cleaning c = { .report = report };
	cleanup_close int etc = own_open_folder(AT_FDCWD, OWN_ETC);

	own_each_entry(root, clean_if_dead, &c);
	int orphans = etc < 0 ? 0 : own_etc_orphans(root, etc);
	if (orphans && report)
		fprintf(report, "removed %d folders in " OWN_ETC " from before a reboot\n", orphans);
	return c.labs;
}

static int is_lab(int root, const char *name, void *arg)
{
	(void)root, (void)arg;
	return own_lab_valid(name);
}

bool own_no_labs(int root)
{
	return own_each_entry(root, is_lab, NULL) == 0;
}

int own_clean(FILE *report, struct build_error *e)
{
	int root = own_root_enter(true, e);

	if (root < 0) return root;
	int labs = own_clean_locked(root, report);
	if (own_no_labs(root)) own_places_unmake(root);
	own_root_leave(root);
	return labs;
}

struct listing {
	struct own_lab *labs;
	size_t n;
};

static int list_lab(int root, const char *name, void *arg)
{
	struct listing *l = arg;

	if (!own_lab_valid(name)) return 0;
	struct own_lab *grown = reallocarray(l->labs, l->n + 1, sizeof(*grown));
	if (!grown) return -ENOMEM;
	l->labs = grown;
	struct own_lab *lab = &grown[l->n++];
	strcpy(lab->name, name); /* own_lab_valid() bounds it */
	lab->alive = own_lab_alive(root, name, &lab->pid, NULL);
	return 0;
}

int own_labs(struct own_lab **ret, size_t *n, struct build_error *e)
{
	struct listing l = { 0 };
	int root = own_root_enter(false, e);

	if (root < 0 && root != -ENOENT) return root;
	int result = root < 0 ? 0 : own_each_entry(root, list_lab, &l);
	own_root_leave(root);
	if (result < 0) {
		free(l.labs);
		return build_fail(e, -result, NULL, "cannot list " OWN_ROOT);
	}
	*ret = l.labs;
	*n = l.n;
	return 0;
}
