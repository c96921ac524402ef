/* netns.h - network namespaces as descriptors. Everything concerns the calling thread only. Errors are
 * -errno. */
#ifndef AZLAB_NETNS_H
#define AZLAB_NETNS_H
#include <stdint.h>

/* The namespace that the calling thread is in: a descriptor that the caller owns. */
int netns_current(void);
/* Moves the calling thread into a new namespace; the descriptor of it is the caller's. */
int netns_new(void);
/* Moves the calling thread into ns. */
int netns_enter(int ns);
/* As netns_enter(), to come home: a thread left in a foreign namespace must do nothing more, so it aborts. */
void netns_return(int home);
/* Runs fn(arg) inside ns and comes back; returns its result, or why ns couldn't be entered. */
int netns_run(int ns, int (*fn)(void *arg), void *arg);
/* The number that tells a namespace from all others of this boot (inode numbers are used again), by any
 * socket inside it, or by its descriptor. */
int netns_cookie_of_socket(int socket, uint64_t *ret);
int netns_cookie(int ns, uint64_t *ret);
#endif
