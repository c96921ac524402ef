/* ownership_store.h - what the ownership*.c files share among themselves; nobody else includes it. */
#ifndef AZLAB_OWNERSHIP_STORE_H
#define AZLAB_OWNERSHIP_STORE_H
#include "orchestrator/network/ownership.h"

#define OWN_NETNS "/run/netns"
#define OWN_ETC "/etc/netns"

struct own {
	char lab[OWN_LAB_MAX + 1];
	int folder, lock, manifest; /* /run/azlab/LAB and the files in it */
	int netns, etc;             /* /run/netns, /etc/netns */
};

/* Opens /run/azlab with its lock held, making it if asked to: a descriptor whose closing is the unlocking,
 * or -ENOENT if it isn't there. */
int own_root_enter(bool make, struct build_error *e);
/* Removes /run/azlab if it is empty, and unlocks. */
void own_root_leave(int root);
/* Opens a folder without following a symbolic link as its last part: a descriptor or -errno. */
int own_open_folder(int at, const char *name);
/* Appends a line to a log of intentions in one write. */
int own_record(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Calls each() for every complete line of the file `name` in the folder. */
void own_read_lines(int folder, const char *name, void (*each)(char *line, void *arg), void *arg);
/* Calls each() for every entry but "." and ".."; stops at the first non-zero result and returns it. */
int own_each_entry(int folder, int (*each)(int folder, const char *name, void *arg), void *arg);
/* Removes an entry and, if it is a folder, all that is in it. */
int own_remove_tree(int folder, const char *name, void *arg);
/* The boot that the kernel is in, as text: cookies of another boot mean nothing. */
void own_boot_id(char ret[40]);

/* ownership_place.c: root is own_root_enter()'s. Makes /run/netns and /etc/netns if missing; takes away what
 * .shared says azlab made. */
int own_places_make(int root, struct build_error *e);
void own_places_unmake(int root);

/* Removal by proof, as above, relative to opened /run/netns and /etc/netns. */
bool own_netns_remove_at(int netns, const char *name, const struct own_netns *added, bool same_boot);
bool own_etc_remove_at(int etc, const char *name, const struct own_etc *added);
/* The name under which the lab's folders are made ready inside /etc/netns. */
void own_etc_staging(const char *lab, char ret[OWN_LAB_MAX + 16]);
/* Removes from /etc/netns folders that carry a lab's mark though no lab of that name is known: a reboot has
 * emptied /run since. Their number. */
int own_etc_orphans(int root, int etc);

/* Whether a living orchestrator holds the lab's lock; else *ret_lock, if not NULL, is the lock, held. */
bool own_lab_alive(int root, const char *lab, pid_t *pid, int *ret_lock);
/* Removes all that dead labs left; root is own_root_enter()'s. */
int own_clean_locked(int root, FILE *report);
/* True when /run/azlab holds no lab. */
bool own_no_labs(int root);
#endif
