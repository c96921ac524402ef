/* build.h - a plan becomes namespaces, links, addresses and routes of the kernel, and goes away again.
 *
 * The host's own network sees nothing of it: links are born inside the lab's namespaces, by sockets that
 * stand in them. Errors are -errno, with one line for the user in *e. A build belongs to its caller until
 * build_down(). Calls concern one build from one thread at a time. docs/network.md explains how and why. */
#ifndef AZLAB_BUILD_H
#define AZLAB_BUILD_H
#include "orchestrator/network/build_error.h"
#include "orchestrator/network/ownership.h"
#include "orchestrator/plan/plan.h"

struct build;

/* Builds the whole plan under the lab's name. On failure all is taken down again and *ret stays as it was.
 * May raise the soft limit of open files. The plan isn't kept. */
int build_up(const struct plan *p, const char *lab, struct build **ret, struct build_error *e);
/* Adds one node that plan_launch() has put at the end of the plan: everything but a route to it. */
int build_launch(struct build *b, const struct plan *p, size_t node, struct build_error *e);
/* Takes one node away: its name at once; its namespace and its link when its last process is gone, in the
 * kernel's own time. -ENOENT if it isn't there. */
int build_remove(struct build *b, size_t node);
/* The node's namespace, open as long as the node is built; -ENOENT if it isn't there. */
int build_netns_fd(const struct build *b, size_t node);
/* Runs fn(arg) in the node's namespace, on the calling thread, and comes home; returns its result. */
int build_in_netns(const struct build *b, size_t node, int (*fn)(void *arg), void *arg);
/* The name and folder claimed for the lab: own_adopt() after a fork, own_folder() for the lab's own files. */
const struct own *build_own(const struct build *b);
/* Takes everything down, whatever of it was built, and frees b; NULL is fine. End the lab's processes first:
 * namespaces live as long as processes are in them. */
void build_down(struct build *b);

/* For each prerequisite of azlab on this machine a line: yes, no or unknown (without root), and what to do.
 * Returns how many are missing. */
int build_check_host(FILE *out);
#endif
