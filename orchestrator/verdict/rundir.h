/* rundir.h - the folder that a run leaves: made under a temporary name beside its own and renamed when it is
 * finished, so that a folder with the right name is a whole one. What is in it belongs to the user behind
 * sudo. Nothing that azlab makes is ever reached through a symbolic link.
 *
 * Errors: -errno, with a sentence in error where there is room for one. */
#ifndef AZLAB_RUNDIR_H
#define AZLAB_RUNDIR_H
#include <stdio.h>

struct rundir {
	char *path;      /* what it will be called, as the user would type it */
	char *temporary; /* what it is called until then, likewise; NULL once finished */
	int fd;          /* of the folder */
	int parent, logs;
};

/* Makes a run folder: out if not NULL (it has to be absent or empty), else runs/LAB-YYYYmmddTHHMMSS. Missing
 * folders above it are made too. */
int rundir_open(const char *lab, const char *out, struct rundir **ret, char error[256]);
/* Creates a file for writing and returns its descriptor, which is the caller's; or -errno. */
int rundir_create(struct rundir *r, const char *name);
/* The same as a stream. */
int rundir_stream(struct rundir *r, const char *name, FILE **ret);
/* A node's log file, logs/NODE.log, appending; a node that is started again goes on in it. */
int rundir_log(struct rundir *r, const char *node);
/* Gives the folder its name. When that fails it stays under the temporary one, which *error tells. */
int rundir_finish(struct rundir *r, char error[256]);
/* Lets go of the folder, finished or not; its contents stay. */
void rundir_free(struct rundir *r);
#endif
