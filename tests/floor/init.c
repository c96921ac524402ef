/* init - the first process of a machine that an emulator boots: runs each program in /tests, says how it
 * ended, and switches the machine off. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void mount_all(void)
{
	static const char *const all[][2] = { { "proc", "/proc" },      { "sysfs", "/sys" },
		                              { "bpf", "/sys/fs/bpf" }, { "devtmpfs", "/dev" },
		                              { "tmpfs", "/run" },      { "tmpfs", "/tmp" } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		mkdir(all[i][1], 0755);
		if (mount(all[i][0], all[i][1], all[i][0], 0, NULL) < 0) perror(all[i][1]);
	}
}

static void run(const char *program)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execl(program, program, (char *)NULL);
		perror(program);
		_exit(127);
	}
	if (child > 0) waitpid(child, &status, 0);
	printf("== %s ended: %d\n", program, status);
}

static int is_program(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(void)
{
	struct dirent **names;
	struct utsname u;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mount_all();
	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
	uname(&u);
	printf("== Linux %s\n", u.release);
	for (int i = 0, n = scandir("/tests", &names, is_program, alphasort); i < n; i++) {
		char path[300];
		snprintf(path, sizeof(path), "/tests/%s", names[i]->d_name);
		run(path);
	}
	reboot(RB_POWER_OFF);
	return 1;
}
