/* test_build_host.h - a host of the test's own: its own mounts, with empty /run and a copy of /etc, and its
 * own "host" network namespace. What a lab does to it can be compared to the byte, and the machine never
 * notices. */
#ifndef AZLAB_TEST_BUILD_HOST_H
#define AZLAB_TEST_BUILD_HOST_H
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell command (printf-like); its exit status. */
__attribute__((format(printf, 1, 2))) static inline int sh(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* All that a shell command prints; the caller frees it. */
static inline char *sh_output(const char *command)
{
	FILE *pipe = popen(command, "r"), *out;
	char *text = NULL;
	size_t size = 0;
	int c;

	if (!pipe || !(out = open_memstream(&text, &size))) abort();
	while ((c = fgetc(pipe)) != EOF)
		fputc(c, out);
	fclose(out);
	pclose(pipe);
	return text;
}

static inline void test_host_enter(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    sh("mount --make-rprivate / && cp -a /etc /tmp/azlab-etc.$$ && mount -t tmpfs none /run &&"
	       " mount -t tmpfs none /mnt && mv /tmp/azlab-etc.$$ /mnt/etc && rm -rf /mnt/etc/netns &&"
	       " mount --bind /mnt/etc /etc && ip link set lo up") != 0) {
		fprintf(stderr, "cannot make a host for the test (are we root?)\n");
		exit(77);
	}
}

/* Links, addresses, routes, sysctls, mounts, and every name with its type, mode, owner and size in the two
 * folders. Numbers of mounts and their peer groups are left out, and counters that run by themselves. */
static inline char *test_host_state(void)
{
	return sh_output("ip addr; ip route show table all; ip -6 route show table all;"
	                 " grep -rs . /proc/sys/net /proc/sys/kernel/printk | sort;"
	                 " sed 's/^[0-9]* [0-9]* //; s/shared:[0-9]*/shared/' /proc/self/mountinfo | sort;"
	                 " find /run /etc -printf '%p %y %m %U:%G %s %l\\n' | sed 's/^\\(\\/etc d [0-9]* "
	                 "[0-9:]*\\) .*/\\1/' | sort");
}
#endif
