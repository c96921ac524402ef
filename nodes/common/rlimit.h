/* rlimit.h - room for as many sockets as the machine allows an unprivileged process. */
#ifndef AZLAB_RLIMIT_H
#define AZLAB_RLIMIT_H
#include <errno.h>
#include <sys/resource.h>

/* Raises the soft limit of open files to the hard one. 0 or -errno. */
static inline int rlimit_raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0) return -errno;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) < 0 ? -errno : 0;
}
#endif
