#include "common/caps.h"
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool kept(cap_value_t cap, const cap_value_t *keep, int n)
{
	for (int i = 0; i < n; i++)
		if (keep[i] == cap) return true;
	return false;
}

static int set_capabilities(const cap_value_t *keep, int n)
{
	cap_t caps = cap_init();
	int result = 0;

	if (!caps) return -ENOMEM;
	if (n > 0 && (cap_set_flag(caps, CAP_PERMITTED, n, keep, CAP_SET) < 0 ||
	              cap_set_flag(caps, CAP_EFFECTIVE, n, keep, CAP_SET) < 0 ||
	              cap_set_flag(caps, CAP_INHERITABLE, n, keep, CAP_SET) < 0))
		result = -errno;
	if (result == 0 && cap_set_proc(caps) < 0) result = -errno;
	cap_free(caps);
	return result;
}

int caps_become(uint32_t uid, uint32_t gid, const cap_value_t *keep, int n)
{
	int result;

	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		/* a kernel older than our headers lacks the last ones; a container may lack any */
		if (!kept(cap, keep, n) && cap_get_bound(cap) == 1 && cap_drop_bound(cap) < 0) return -errno;
	}
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	if ((result = set_capabilities(keep, n)) < 0) return result;
	for (int i = 0; i < n; i++)
		if (cap_set_ambient(keep[i], CAP_SET) < 0) return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_drop_all(void)
{
	if (cap_reset_ambient() < 0) return -errno;
	return set_capabilities(NULL, 0);
}
