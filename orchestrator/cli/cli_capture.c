/* cli_capture.c - azlab capture: packets of a node, a zone or the whole lab, as one pcapng file.
 *
 * Each namespace concerned gets one dumpcap on all of its links, writing into a private temporary folder;
 * mergecap then puts the files in order of time. The result is written through a descriptor of our own, so
 * no confinement by path (AppArmor allows tcpdump *.pcap only) stands in the way. */
#include "orchestrator/cli/cli.h"
#include "orchestrator/network/netns.h"
#include "common/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SOURCES_MAX = TOPOLOGY_ZONES_MAX + 1 };

static const struct argp_option capture_argp[] = {
	{ "write", 'w', "FILE", 0, "the pcapng file to write", 0 },
	{ "for", 'f', "DURATION", 0, "how long, for instance 10s (default: until Ctrl-C)", 0 },
	{ 0 },
};

struct capture {
	const char *file;
	double seconds; /* 0: until a signal */
	char folder[32];
	size_t n_sources, n; /* namespaces to capture in, dumpcaps begun there */
	struct source {
		int ns;
		const char *interface;
	} sources[SOURCES_MAX];
	pid_t pids[SOURCES_MAX];
	char files[SOURCES_MAX][64];
};

static double parse_seconds(const char *text)
{
	char *unit;
	double value = strtod(text, &unit);

	if (value <= 0) return 0;
	if (strcmp(unit, "ms") == 0) return value / 1000;
	if (strcmp(unit, "m") == 0) return value * 60;
	return strcmp(unit, "s") == 0 ? value : 0;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct capture *c = state->input;

	switch (key) {
	case 'w':
		c->file = arg;
		return 0;
	case 'f':
		if ((c->seconds = parse_seconds(arg)) <= 0)
			argp_error(state, "--for takes a duration such as 10s, not '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- which namespaces -------------------------------------------------------------------------------- */

static bool is_router(const char *node)
{
	return strcmp(node, "backbone") == 0 || !strchr(node, '.');
}

static bool add_source(struct capture *c, const char *lab, const char *node)
{
	char path[OWN_LAB_MAX + PLAN_NAME_MAX + 32];
	int len = snprintf(path, sizeof(path), "/run/netns/%s.%s", lab, node);

	if (c->n_sources == SOURCES_MAX || len >= (int)sizeof(path)) return false;
	int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0) return false;
	/* "any" also sees links that come while it runs: instances launched meanwhile */
	c->sources[c->n_sources++] = (struct source){ ns, is_router(node) ? "any" : "eth0" };
	return true;
}

/* "all": the backbone and every router; else the one that was named. False if there is no such thing. */
static bool find_sources(struct capture *c, const char *lab, const char *what)
{
	size_t len = strlen(lab);
	struct dirent *entry;

	if (strcmp(what, "all")) return add_source(c, lab, what);
	DIR *dir = opendir("/run/netns");
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, lab, len) || entry->d_name[len] != '.') continue;
		const char *node = entry->d_name + len + 1;
		if (is_router(node)) add_source(c, lab, node);
	}
	if (dir) closedir(dir);
	return c->n_sources > 0;
}

/* --- one dumpcap a namespace ------------------------------------------------------------------------- */

__attribute__((noreturn)) static void become_dumpcap(int ns, const char *file, const char *interface,
                                                     const char *filter)
{
	const char *argv[12] = { "dumpcap", "-q", "-i", interface, "-w", file, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* Ctrl-C is for us: we end the captures, then merge */
	if (netns_enter(ns) < 0) _exit(126);
	if (filter && *filter) argv[6] = "-f", argv[7] = filter;
	int null = open("/dev/null", O_WRONLY);
	dup2(null, STDOUT_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static int begin(struct capture *c, const struct source *source, const char *filter)
{
	snprintf(c->files[c->n], sizeof(c->files[0]), "%s/%zu.pcapng", c->folder, c->n);
	pid_t pid = fork();
	if (pid < 0) return EXIT_BROKEN;
	if (pid == 0) become_dumpcap(source->ns, c->files[c->n], source->interface, filter);
	c->pids[c->n++] = pid;
	return EXIT_FINE;
}

/* The kernel hands packets to a capture in blocks, at the latest after the time that dumpcap asks for (250
 * ms), and dumpcap drops the block that is not full when it is told to end: what was on the wire before the
 * end would be missing from the file. */
enum { BLOCK_MS = 250, LAST_BLOCK_MS = 2 * BLOCK_MS };

/* Waits for a signal, the time, or the end of a dumpcap (which has then said why). */
static void wait_for_end(const struct capture *c, const sigset_t *signals)
{
	struct pollfd fd = { .fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN };
	int ms = c->seconds > 0 ? (int)(c->seconds * 1000) : -1;
	struct signalfd_siginfo why = { 0 };

	while (poll(&fd, 1, ms) < 0 && errno == EINTR)
		;
	if (fd.revents && read(fd.fd, &why, sizeof(why)) < 0) why.ssi_signo = 0;
	if (why.ssi_signo != SIGCHLD) poll(&fd, 1, LAST_BLOCK_MS); /* a second Ctrl-C doesn't wait */
	close(fd.fd);
}

static int end(struct capture *c)
{
	int status = EXIT_FINE, how;

	for (size_t i = 0; i < c->n; i++)
		kill(c->pids[i], SIGINT);
	for (size_t i = 0; i < c->n; i++) {
		while (waitpid(c->pids[i], &how, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(how) && WEXITSTATUS(how) == 127) {
			fputs("azlab capture: dumpcap is missing: apt install wireshark-common\n", stderr);
			status = EXIT_BROKEN;
		} else if (!WIFEXITED(how) || WEXITSTATUS(how)) {
			status = EXIT_BROKEN;
		}
	}
	return status;
}

/* mergecap -w - keeps the order of time; our descriptor is its standard output. */
static int merge(struct capture *c, int out)
{
	const char *argv[SOURCES_MAX + 4] = { "mergecap", "-w", "-", NULL };
	int how;

	for (size_t i = 0; i < c->n; i++)
		argv[3 + i] = c->files[i];
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0 ? EXIT_FINE : EXIT_BROKEN;
}

static void tidy(struct capture *c)
{
	for (size_t i = 0; i < c->n; i++)
		unlink(c->files[i]);
	rmdir(c->folder);
}

/* The file is the user's who called sudo, and never something that a link points to. */
static int open_result(const char *file)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd >= 0 && uid && gid &&
	    fchown(fd, (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10)) < 0)
		fprintf(stderr, "azlab capture: %s stays root's: %s\n", file, strerror(errno));
	return fd;
}

static int capture(struct capture *c, const char *filter, int out)
{
	sigset_t signals;
	int status = EXIT_FINE;

	sigemptyset(&signals);
	for (int i = 0; i < 4; i++)
		sigaddset(&signals, (int[]){ SIGINT, SIGTERM, SIGHUP, SIGCHLD }[i]);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	for (size_t i = 0; i < c->n_sources && status == EXIT_FINE; i++)
		status = begin(c, &c->sources[i], filter);
	if (status == EXIT_FINE) wait_for_end(c, &signals);
	int ended = end(c);
	if (status == EXIT_FINE) status = ended;
	return status == EXIT_FINE ? merge(c, out) : status;
}

static void join_words(int argc, char **argv, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i < argc && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", argv[i]);
}

int cli_capture(const struct verb *v, int argc, char **argv)
{
	struct capture c = { .folder = "/run/azlab-capture-XXXXXX" };
	char lab[OWN_LAB_MAX + 1], filter[1024];
	int taken, at = cli_parse(v, capture_argp, take, &c, false, argc, argv);
	int status = cli_lab(v, argc - at, argv + at, lab, &taken);

	if (status != EXIT_FINE) return status;
	at += taken;
	if (at >= argc) return cli_wrong(v, "of which node or zone?");
	if (!c.file) return cli_wrong(v, "into which file? (-w FILE.pcapng)");
	if (strchr(argv[at], '/')) return cli_wrong(v, "a node's name has no slash");
	if (!find_sources(&c, lab, argv[at])) {
		fprintf(stderr, "azlab capture: the lab %s has no node or zone '%s'\n", lab, argv[at]);
		return EXIT_USAGE;
	}
	join_words(argc - at - 1, argv + at + 1, filter, sizeof(filter));
	cleanup_close int out = open_result(c.file);
	if (out < 0 || !mkdtemp(c.folder)) {
		fprintf(stderr, "azlab capture: cannot write %s: %s\n", out < 0 ? c.file : c.folder,
		        strerror(errno));
		return EXIT_USAGE;
	}
	status = capture(&c, filter, out);
	tidy(&c);
	return status;
}
