/* caps.h - privileges of a lab process. Errors are -errno. */
#ifndef AZLAB_CAPS_H
#define AZLAB_CAPS_H
#include <stdint.h>
#include <sys/capability.h>

/* Becomes uid and gid with no supplementary groups, no_new_privs, and of all capabilities only those in
 * keep (n of them; ambient, so that they outlive an exec). Bounding set included. Call last before exec. */
int caps_become(uint32_t uid, uint32_t gid, const cap_value_t *keep, int n);
/* Gives up every capability that is left, for good. */
int caps_drop_all(void);
#endif
