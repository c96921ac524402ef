/* ownership.h - what azlab puts into places that it shares with others, and the proof that it was azlab.
 *
 *   /run/azlab/             0711 (nodes reach their own folders below it, and list nothing); its flock (on
 * the directory) guards claims, releases and cleaning /run/azlab/.shared      which of /run/netns (folder,
 * mount) and /etc/netns azlab itself made /run/azlab/LAB/lock     flock held by the living orchestrator, its
 * pid inside: tells live labs from dead /run/azlab/LAB/manifest written ahead: nothing appears in a shared
 * place before its inode is in there
 *
 * Names appear by link() or rename() of something already recorded, so after SIGKILL at any instant the
 * manifest names every remain, and nothing that isn't azlab's matches it: a namespace must have the recorded
 * inode and netns cookie, its file and its /etc/netns folder the recorded inode. Symbolic links are never
 * followed. Errors are -errno with *e filled in. */
#ifndef AZLAB_OWNERSHIP_H
#define AZLAB_OWNERSHIP_H
#include "orchestrator/network/build_error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define OWN_ROOT "/run/azlab"
enum { OWN_LAB_MAX = 32, OWN_NAME_MAX = 128 };

struct own; /* one claimed lab */

/* A name in /run/netns: the namespace that it is, and the file that it is mounted on. */
struct own_netns {
	uint64_t ino, cookie;
	uint64_t file_dev, file_ino;
};
/* A folder in /etc/netns. */
struct own_etc {
	uint64_t dev, ino;
};

/* Letters, digits, "-" and "_", at most OWN_LAB_MAX of them: no dot, so that LAB.NODE is never ambiguous. */
bool own_lab_valid(const char *lab);
/* Claims the lab's name for this process, removing first what dead labs left; makes /run/netns and /etc/netns
 * if they are missing. -EBUSY if a living orchestrator has the name. */
int own_claim(const char *lab, struct own **ret, struct build_error *e);
/* -EEXIST if NAME is taken in /run/netns or /etc/netns by somebody else. */
int own_check_free(const struct own *o, const char *name, struct build_error *e);
/* Makes NAME in /run/netns stand for the namespace. Other threads may do the same for other names. */
int own_netns_add(const struct own *o, const char *name, int ns, uint64_t cookie, struct own_netns *ret,
                  struct build_error *e);
/* Takes NAME away if it still is what was added; the namespace then lives only as long as descriptors and
 * processes hold it. */
void own_netns_remove(const struct own *o, const char *name, const struct own_netns *added);
/* Makes /etc/netns/NAME with these two files; `ip netns exec` binds them over /etc. */
int own_etc_add(const struct own *o, const char *name, const char *resolv_conf, const char *nsswitch_conf,
                struct own_etc *ret, struct build_error *e);
void own_etc_remove(const struct own *o, const char *name, const struct own_etc *added);
/* The lab's folder /run/azlab/LAB, for what else belongs to a running lab; removed whole with it. */
int own_folder(const struct own *o);
/* Writes the calling process's pid as the living orchestrator's (the flock itself survives a fork). */
int own_adopt(const struct own *o);
/* Gives the name back; the last lab takes /run/netns, /etc/netns and /run/azlab with it if azlab made them
 * and they are empty. Frees o; NULL is fine. */
void own_release(struct own *o);

struct own_lab {
	char name[OWN_LAB_MAX + 1];
	pid_t pid; /* of its orchestrator, living or dead; 0 if it died before it wrote that down */
	bool alive;
};
/* All labs of this machine; the caller frees *ret. */
int own_labs(struct own_lab **ret, size_t *n, struct build_error *e);
/* Removes what dead labs left, with a line each to report (may be NULL). The number of labs removed or
 * -errno. */
int own_clean(FILE *report, struct build_error *e);
#endif
