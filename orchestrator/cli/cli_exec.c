/* cli_exec.c - azlab exec: a command inside a node's namespace, seeing the node's resolver. */
#include "orchestrator/cli/cli.h"
#include "orchestrator/network/netns.h"
#include "common/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

static error_t take_nothing(int key, char *arg, struct argp_state *state)
{
	(void)key, (void)arg, (void)state;
	return ARGP_ERR_UNKNOWN;
}

/* As ip-netns(8) does: each file of /etc/netns/NAME stands over its namesake in /etc, and /sys shows the
 * namespace's devices; in a mount namespace of the command's own. */
static int see_as_node(const char *name)
{
	char folder[PATH_MAX], from[PATH_MAX + 256], to[PATH_MAX];
	struct dirent *entry;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0) return -errno;
	/* /sys may be busy or read-only in a container: the command then sees the outer one */
	if (umount2("/sys", MNT_DETACH) == 0 && mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) return -errno;
	snprintf(folder, sizeof(folder), "/etc/netns/%s", name);
	DIR *dir = opendir(folder);
	if (!dir) return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.') continue;
		snprintf(from, sizeof(from), "%s/%s", folder, entry->d_name);
		snprintf(to, sizeof(to), "/etc/%s", entry->d_name);
		if (mount(from, to, "none", MS_BIND, NULL) < 0)
			fprintf(stderr, "azlab exec: cannot show the node's %s: %s; going on\n", to,
			        strerror(errno));
	}
	closedir(dir);
	return 0;
}

int cli_exec(const struct verb *v, int argc, char **argv)
{
	char lab[OWN_LAB_MAX + 1], name[OWN_NAME_MAX], path[PATH_MAX];
	int taken, at = cli_parse(v, NULL, take_nothing, NULL, true, argc, argv);
	int status = cli_lab(v, argc - at, argv + at, lab, &taken);

	if (status != EXIT_FINE) return status;
	at += taken;
	if (at >= argc) return cli_wrong(v, "on which node?");
	const char *node = argv[at++];
	if (at < argc && strcmp(argv[at], "--") == 0) at++;
	if (at >= argc) return cli_wrong(v, "which command?");
	if (strchr(node, '/')) return cli_wrong(v, "a node's name has no slash");
	snprintf(name, sizeof(name), "%s.%s", lab, node);
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	cleanup_close int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0) {
		fprintf(stderr,
		        "azlab exec: the lab %s has no node '%s'; `azlab status %s --json` lists them\n", lab,
		        node, lab);
		return EXIT_USAGE;
	}
	int result = netns_enter(ns);
	if (result == 0) result = see_as_node(name);
	if (result < 0) {
		fprintf(stderr, "azlab exec: cannot enter %s: %s\n", name, strerror(-result));
		return EXIT_BROKEN;
	}
	execvp(argv[at], argv + at);
	fprintf(stderr, "azlab exec: cannot run %s: %s\n", argv[at], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
