/* build_sysctl.h - every sysctl that the lab relies on, in each of its namespaces: new ones may copy the
 * host's. docs/network.md says what each is for.
 *
 * Fresh namespaces are alike, so after build_sysctls_learn() only those are written that a fresh one has
 * different; without it, all. Errors are -errno with a line for the user in *e. */
#ifndef AZLAB_BUILD_SYSCTL_H
#define AZLAB_BUILD_SYSCTL_H
#include "orchestrator/network/build_error.h"
#include <stdbool.h>
#include <stdint.h>

struct build_sysctls {
	int host;                          /* /proc/sys/net as the machine has it mounted */
	int proc;                          /* sys/net of an instance of proc of our own, -1: none */
	unsigned used;                     /* namespaces looked up in it */
	uint64_t fresh_leaf, fresh_router; /* a bit for each that a fresh namespace already has right */
};

/* Nothing opened: what build_sysctls_close() accepts, like anything opened. */
#define BUILD_SYSCTLS_NONE                                                                                   \
	{                                                                                                    \
		.host = -1, .proc = -1                                                                       \
	}

int build_sysctls_open(struct build_sysctls *s, struct build_error *e);
/* Reads what the calling thread's namespace, a fresh one, has by itself; the next ones have to be born alike:
 * all from the same namespace, within the bring-up of one lab. */
void build_sysctls_learn(struct build_sysctls *s);
/* Sets them in the calling thread's namespace, before it has links: defaults are what links are born with. */
int build_sysctls_apply(struct build_sysctls *s, bool router, const char *namespace, struct build_error *e);
void build_sysctls_close(struct build_sysctls *s);
#endif
