/* cleanup.h - scope-bound ownership: a variable marked cleanup_X is released when its scope ends, unless
 * take_X() handed it over before. */
#ifndef AZLAB_CLEANUP_H
#define AZLAB_CLEANUP_H
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
}
static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_fclose_file(FILE **f)
{
	if (*f) fclose(*f);
}
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_free __attribute__((cleanup(cleanup_free_ptr)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_file)))

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}
#define take_ptr(p)                                                                                          \
	({                                                                                                   \
		__typeof__(p) taken_ = (p);                                                                  \
		(p) = NULL;                                                                                  \
		taken_;                                                                                      \
	})
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
